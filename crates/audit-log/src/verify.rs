use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use envelope::AuditChain;

use crate::entry::{self, Head, LINE_LEN_MAX, Line};
use crate::files::{AuditLogError, at, numbers, path};

/// What a log holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Files that were read.
    pub files: usize,
    /// Entries that follow from each other.
    pub entries: u64,
    /// Uses that the log itself says it could not write down.
    pub lost: u64,
    /// The first entry's number: greater than 1 when older files went by rotation.
    pub first: Option<u64>,
    /// The last entry.
    pub head: Option<Head>,
    /// Whether the expected head was found; `None` when none was expected.
    pub expected_found: Option<bool>,
    /// What does not fit, at most a hundred places.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.expected_found != Some(false)
    }
}

/// A place in a log that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// Checks every entry of a log against the one before. With an expected head, that one must be among them: it was the
/// last once, and an end that was cut off shows by its absence.
///
/// # Errors
/// [`AuditLogError`] when the files cannot be read.
pub fn verify(directory: &Path, chain: &AuditChain, expected: Option<Head>) -> Result<Report, AuditLogError> {
    let numbers = numbers(directory)?;
    let mut check = Check {
        chain,
        expected,
        head: None,
        report: Report {
            files: numbers.len(),
            entries: 0,
            lost: 0,
            first: None,
            head: None,
            expected_found: expected.map(|_| false),
            problems: Vec::new(),
        },
    };
    for (index, number) in numbers.iter().enumerate() {
        let path = path(directory, *number);
        let is_last = index + 1 == numbers.len();
        if index > 0 && numbers[index - 1] + 1 != *number {
            check.problem(&path, 0, "a file is missing before this one");
        }
        check.file(&path, is_last).map_err(at(&path))?;
    }
    check.report.head = check.head;
    Ok(check.report)
}

struct Check<'a> {
    chain: &'a AuditChain,
    expected: Option<Head>,
    head: Option<Head>,
    report: Report,
}

impl Check<'_> {
    fn file(&mut self, path: &Path, is_last: bool) -> io::Result<()> {
        let mut reader = BufReader::new(File::open(path)?);
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.by_ref().take(LINE_LEN_MAX as u64).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            let Some(text) = line.strip_suffix(b"\n") else {
                // A crash may have torn the last line of all, or the writer is at it now.
                let at_the_end = reader.fill_buf()?.is_empty();
                if !(is_last && at_the_end) {
                    self.problem(path, number, "a line is torn");
                }
                continue;
            };
            match entry::parse(text) {
                Some(parsed) => self.entry(path, number, &parsed),
                None => self.problem(path, number, "this is no entry"),
            }
        }
    }

    fn entry(&mut self, path: &Path, number: u64, line: &Line<'_>) {
        let begins_file = line.fields.get("file").is_some();
        if (number == 1) != begins_file {
            self.problem(path, number, "a file begins with an entry that says so, and nothing else does");
        }
        // The oldest file that is left says itself what stood before it.
        let previous = match self.head {
            Some(head) => head,
            None => Head { number: line.head.number.saturating_sub(1), tag: previous_of(line) },
        };
        if !self.chain.follows(&previous.tag, line.covered, &line.head.tag) {
            self.problem(path, number, "this entry was changed, or what stood before it is missing");
        } else if previous.number + 1 != line.head.number {
            self.problem(path, number, "this entry has not the next number");
        } else {
            self.report.entries += 1;
            self.report.lost += line.fields.get("lost").and_then(serde_json::Value::as_u64).unwrap_or(0);
        }
        self.report.first = self.report.first.or(Some(line.head.number));
        // The chain goes on from what stands there, so that one change is one problem.
        self.head = Some(line.head);
        if self.expected == Some(line.head) {
            self.report.expected_found = Some(true);
        }
    }

    fn problem(&mut self, file: &Path, line: u64, what: &'static str) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(Problem { file: file.to_owned(), line, what });
        }
    }
}

fn previous_of(line: &Line<'_>) -> [u8; 32] {
    let mut tag = [0; 32];
    let text = line.fields.get("previous").and_then(serde_json::Value::as_str).unwrap_or_default();
    // What is no tag is left as zeros, which does not fit either.
    let _ = hex::decode_to_slice(text, &mut tag);
    tag
}

const PROBLEMS_MAX: usize = 100;
