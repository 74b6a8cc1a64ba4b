//! Rules on single source files: length, reasons, names of tests.

use super::Finding;

/// Production lines beyond which a file probably holds two ideas.
const LONG: usize = 600;

/// Production lines beyond which it certainly does.
const TOO_LONG: usize = 900;

/// Checks one file; other languages than Rust and Python have no rules here.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path.ends_with(".rs") {
        findings.extend(length(path, production_lines(text).count()));
        findings.extend(reasons(path, text));
        findings.extend(names_of_tests(path, text));
    } else if path.ends_with(".py") {
        findings.extend(length(path, text.lines().count()));
    }
    findings
}

/// The numbered lines before the file's own test module; a file under `tests/` or called `tests.rs` counts in full.
pub(crate) fn production_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut lines = text.lines().zip(1..).peekable();
    std::iter::from_fn(move || {
        let (line, number) = lines.next()?;
        let opens_tests = line == "#[cfg(test)]" && lines.peek().is_some_and(|(next, _)| is_test_module(next));
        (!opens_tests).then_some((number, line))
    })
    .fuse()
}

fn is_test_module(line: &str) -> bool {
    line.starts_with("mod ") && line.ends_with('{')
}

fn length(path: &str, lines: usize) -> Option<Finding> {
    if lines > TOO_LONG {
        Some(Finding::error(path, format!("{lines} lines; beyond {TOO_LONG} it holds more than one idea")))
    } else if lines > LONG {
        Some(Finding::warning(path, format!("{lines} lines; look for a second idea")))
    } else {
        None
    }
}

/// Every `allow` and `expect` says why. Clippy sees those of the code that it compiles; this sees all of them.
fn reasons(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let opening = line.trim_start();
        if !["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|start| opening.starts_with(start)) {
            continue;
        }
        let attribute: String = text.lines().skip(number - 1).take(12).collect::<Vec<_>>().join("\n");
        let attribute = attribute.split_once(")]").map_or(attribute.as_str(), |(inside, _)| inside);
        if !attribute.contains("reason") {
            findings.push(Finding::error(format!("{path}:{number}"), "an allow without a reason"));
        }
    }
    findings
}

/// A test's name is a sentence: the prefix says nothing that the attribute does not.
fn names_of_tests(path: &str, text: &str) -> Vec<Finding> {
    let prefixed = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.starts_with("fn test_")
    };
    text.lines()
        .zip(1..)
        .filter(|(line, _)| prefixed(line))
        .map(|(_, number)| Finding::error(format!("{path}:{number}"), "a test's name is a sentence, without test_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_production_lines_only() {
        let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"line\n".repeat(2000);
        assert_eq!(check("a.rs", &("line\n".repeat(600) + &tests)), []);
        assert_eq!(check("a.rs", &"line\n".repeat(601))[0].severity, super::super::Severity::Warning);
        assert_eq!(check("a.rs", &"line\n".repeat(901))[0].severity, super::super::Severity::Error);
    }

    #[test]
    fn a_test_only_item_does_not_end_the_production_lines() {
        assert_eq!(production_lines("#[cfg(test)]\nfn helper() {}\nlast\n").count(), 3);
        assert_eq!(production_lines("first\n#[cfg(test)]\nmod tests {\n}\n").count(), 1);
    }

    #[test]
    fn an_allow_without_reason_is_found_over_several_lines() {
        let bare = concat!("#[all", "ow(dead_code)]\nfn a() {}\n// reason\n");
        let reasoned = concat!("#[all", "ow(\n    dead_code,\n    reason = \"for the table\"\n)]\n");
        assert_eq!(check("a.rs", bare).len(), 1);
        assert_eq!(check("a.rs", reasoned), []);
    }

    #[test]
    fn a_prefixed_test_name_is_found() {
        let text = concat!("    async fn te", "st_one() {}\n    fn contest_is_fine() {}\n");
        assert_eq!(check("a.rs", text).len(), 1);
    }
}
