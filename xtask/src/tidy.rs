//! `cargo xtask tidy`: every rule looks at the same picture of the tree and answers with findings.
//!
//! A rule is a pure function from text to findings, so that each can be tested on a few lines; this module does the
//! reading. What rustc, clippy and cargo-deny check is left to them.

mod docs;
mod graph;
mod ownership;
mod source;
mod tree;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use self::graph::Drawing;
use self::tree::Tree;

/// What a rule has to say about one place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path below the root, with `:line` where a line can be named.
    place: String,
    message: String,
    severity: Severity,
}

/// Whether a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Warning,
    Error,
}

impl Finding {
    fn error(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), severity: Severity::Error }
    }

    fn warning(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), severity: Severity::Warning }
    }
}

/// Runs every rule on the tree below `root`, prints the findings, and fails if one of them is an error.
///
/// # Errors
/// When the tree or `cargo metadata` cannot be read, or ARCHITECTURE.md holds no drawing.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let tree = Tree::read(root)?;
    let crates = graph::crates_of(&tree::cargo_metadata(root)?)?;
    let architecture = tree.text("ARCHITECTURE.md").context("ARCHITECTURE.md is missing")?;
    let drawing = Drawing::parse(architecture)?;

    let mut findings = graph::compare(&drawing, &crates);
    findings.extend(ownership::dependencies(&crates));
    for (path, text) in tree.files() {
        findings.extend(source::check(path, text));
        findings.extend(ownership::sources(path, text));
        findings.extend(docs::check(path, text, &tree));
    }
    Ok(report(&findings))
}

fn report(findings: &[Finding]) -> ExitCode {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    for finding in findings {
        let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
        println!("{kind}: {}: {}", finding.place, finding.message);
    }
    println!("tidy: {errors} errors, {} warnings", findings.len() - errors);
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
