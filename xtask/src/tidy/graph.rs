//! The drawing of the crates in ARCHITECTURE.md against what the manifests say.
//!
//! The drawing is a fenced block named `graph` with a line `crate -> crate crate …` for each crate of ours. A crate
//! may only name crates on later lines, so the block itself shows that imports point down. Dev-dependencies are not
//! drawn: tests may look across.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Finding;

/// Crates of ours have this in front of the name that the house uses.
const PREFIX: &str = "canopic-";

/// A crate of the workspace and what it is built with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Crate {
    /// Short name, without the prefix.
    pub(crate) name: String,
    /// Short names of the crates of ours that it depends on.
    pub(crate) ours: BTreeSet<String>,
    /// Package names of everything else that it depends on.
    pub(crate) foreign: BTreeSet<String>,
}

/// Reads the crates out of `cargo metadata`; `xtask` itself is no part of the house.
pub(crate) fn crates_of(metadata: &Value) -> anyhow::Result<Vec<Crate>> {
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    let mut crates = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package without name")?;
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        let mut found = Crate { name: name.to_owned(), ..Crate::default() };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["kind"] == "dev" {
                continue;
            }
            let dependency = dependency["name"].as_str().context("a dependency without name")?;
            match dependency.strip_prefix(PREFIX) {
                Some(ours) => found.ours.insert(ours.to_owned()),
                None => found.foreign.insert(dependency.to_owned()),
            };
        }
        crates.push(found);
    }
    Ok(crates)
}

/// The `graph` block: each crate with the crates that it may depend on, from the top of the house down.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drawing {
    lines: Vec<(String, BTreeSet<String>)>,
}

impl Drawing {
    /// # Errors
    /// When the block is missing or never closed, or a line is no `name -> names`, appears twice, or points upwards.
    pub(crate) fn parse(document: &str) -> anyhow::Result<Self> {
        let block = fenced_block(document, "graph")?;
        let mut lines: Vec<(String, BTreeSet<String>)> = Vec::new();
        for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some((name, below)) = line.split_once("->") else { bail!("not `name -> names`: {line}") };
            let name = name.trim().to_owned();
            ensure!(lines.iter().all(|(earlier, _)| *earlier != name), "{name} is drawn twice");
            let below: BTreeSet<String> = below.split_whitespace().map(str::to_owned).collect();
            let upward = below.iter().find(|target| lines.iter().any(|(earlier, _)| earlier == *target));
            ensure!(upward.is_none() && !below.contains(&name), "{name} points upwards: {line}");
            lines.push((name, below));
        }
        Ok(Self { lines })
    }
}

fn fenced_block<'a>(document: &'a str, language: &str) -> anyhow::Result<&'a str> {
    let opening = format!("```{language}\n");
    let start = document.find(&opening).with_context(|| format!("no fenced block named {language}"))?;
    let rest = &document[start + opening.len()..];
    let end = rest.find("```").with_context(|| format!("the {language} block is never closed"))?;
    Ok(&rest[..end])
}

/// Every edge must be drawn, and every drawn edge must exist: a drawing that shows more than there is misleads too.
pub(crate) fn compare(drawing: &Drawing, crates: &[Crate]) -> Vec<Finding> {
    let drawn: BTreeMap<&str, &BTreeSet<String>> = drawing.lines.iter().map(|(n, below)| (n.as_str(), below)).collect();
    let mut findings = Vec::new();
    for found in crates {
        let names = found.ours.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        if drawn.get(found.name.as_str()) != Some(&&found.ours) {
            let message = format!("the manifests say `{} -> {names}`; draw that or change them", found.name);
            findings.push(Finding::error("ARCHITECTURE.md", message));
        }
    }
    for name in drawn.keys().filter(|name| crates.iter().all(|found| found.name != **name)) {
        findings.push(Finding::error("ARCHITECTURE.md", format!("{name} is drawn but is no crate of ours")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, ours: &[&str]) -> Crate {
        let ours = ours.iter().map(|name| name.to_string()).collect();
        Crate { name: name.into(), ours, foreign: BTreeSet::new() }
    }

    #[test]
    fn the_block_is_read_between_its_fences() {
        let drawing = Drawing::parse("# House\n```graph\na -> b c\n\nb -> c\nc ->\n```\nrest").unwrap();
        assert_eq!(drawing.lines.len(), 3);
        assert_eq!(compare(&drawing, &[named("a", &["b", "c"]), named("b", &["c"]), named("c", &[])]), []);
    }

    #[test]
    fn a_drawing_that_points_upwards_or_at_itself_is_refused() {
        assert!(Drawing::parse("```graph\na -> b\nb -> a\n```").is_err());
        assert!(Drawing::parse("```graph\na -> a\n```").is_err());
    }

    #[test]
    fn broken_blocks_are_refused() {
        for text in ["", "```graph\na -> b", "```graph\njust words\n```", "```graph\na ->\na ->\n```"] {
            assert!(Drawing::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_undrawn_edge_a_stale_edge_and_a_ghost_are_found() {
        let drawing = Drawing::parse("```graph\na -> b\nghost ->\nb ->\n```").unwrap();
        let findings = compare(&drawing, &[named("a", &[]), named("b", &["a"])]);
        let messages: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(messages[1].contains("`b -> a`"));
        assert!(messages[2].contains("ghost"));
    }

    #[test]
    fn metadata_yields_our_crates_without_dev_dependencies() {
        let metadata = serde_json::json!({"packages": [
            {"name": "canopic-s3", "dependencies": [
                {"name": "canopic-model", "kind": null},
                {"name": "hyper", "kind": null},
                {"name": "canopic-testkit", "kind": "dev"},
            ]},
            {"name": "xtask", "dependencies": []},
        ]});
        let crates = crates_of(&metadata).unwrap();
        assert_eq!(crates.len(), 1);
        assert_eq!((crates[0].name.as_str(), crates[0].ours.len()), ("s3", 1));
        assert!(crates[0].foreign.contains("hyper"));
    }
}
