//! Documents and comments name files and headings that exist.

use super::Finding;
use super::tree::Tree;

/// Checks the links of a Markdown file, and the `docs/….md` that any other file names.
pub(crate) fn check(path: &str, text: &str, tree: &Tree) -> Vec<Finding> {
    // The rules' own tests speak of files that do not exist.
    if path.starts_with("xtask/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let place = || format!("{path}:{number}");
        if path.ends_with(".md") {
            for target in links(line) {
                findings.extend(broken(path, target, tree).map(|message| Finding::error(place(), message)));
            }
        } else {
            for name in named_documents(line).filter(|name| !tree.has(name)) {
                findings.push(Finding::error(place(), format!("{name} does not exist")));
            }
        }
    }
    findings
}

/// The targets of `[text](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// The `docs/….md` in a line of code or comment.
fn named_documents(line: &str) -> impl Iterator<Item = &str> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    line.split(move |c| !part_of_path(c))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.starts_with("docs/") && word.ends_with(".md"))
}

fn broken(from: &str, target: &str, tree: &Tree) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { from.to_owned() } else { resolve(from, path) };
    if !tree.has(&path) {
        return Some(format!("links to {path}, which does not exist"));
    }
    let anchor = anchor?;
    let document = tree.text(&path).filter(|_| path.ends_with(".md"))?;
    let exists = document.lines().filter(|line| line.starts_with('#')).any(|heading| slug(heading) == anchor);
    (!exists).then(|| format!("links to #{anchor}, which {path} does not have"))
}

/// The path below the root that `target` means in the document `from`.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The anchor that a heading gets: lower case, spaces as dashes, punctuation dropped.
fn slug(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Finding> {
        let tree = Tree::of(&[("README.md", "# Canopic\n## What it costs\n"), ("docs/format.md", "# Format\n")]);
        check("docs/page.md", text, &tree)
    }

    #[test]
    fn links_to_files_folders_and_headings_that_exist_pass() {
        let text = "[a](format.md) [b](../README.md#what-it-costs) [c](https://example.org/x) [d](../docs)";
        assert_eq!(found(text), []);
    }

    #[test]
    fn a_missing_file_and_a_missing_heading_are_found() {
        assert_eq!(found("see [a](nothing.md)\nand [b](../README.md#nowhere)").len(), 2);
    }

    #[test]
    fn a_comment_that_names_a_missing_document_is_found() {
        let tree = Tree::of(&[("docs/format.md", "")]);
        assert_eq!(check("crates/a/src/lib.rs", "// see docs/format.md.", &tree), []);
        assert_eq!(check("crates/a/src/lib.rs", "// see docs/gone.md.", &tree).len(), 1);
    }
}
