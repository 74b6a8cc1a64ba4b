//! What the two listings share: the walk through the records of a bucket in the order of their object keys, with those
//! that a delimiter rolls up shown as one common prefix.
//!
//! A common prefix is stepped over by seeking behind it. How much to read at once cannot be known: the next sixteen
//! records may be as many lines or all under one prefix. So a scan asks for a few records more than twice the lines that
//! the one before gave, and each begins where a line is certain or nothing is left. The records read are thereby bounded
//! by the lines shown, whatever stands under the prefixes.

use std::collections::VecDeque;

use storage::{Entry, Scan, Scope, Start, Table};

use crate::error::{Fault, StoredDataDamaged};
use crate::records::Records;

/// What to walk through.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) scope: Scope,
    pub(crate) table: Table,
    /// Only object keys that begin so.
    pub(crate) prefix: &'a str,
    /// Empty for none.
    pub(crate) delimiter: &'a str,
    /// Only what comes behind this, an object key or a common prefix; empty for the beginning.
    pub(crate) after: &'a str,
    /// Also the records of the object key `after` whose suffix comes behind this.
    pub(crate) after_suffix: Option<&'a [u8]>,
    /// How many lines are shown. The walk can give one more, which tells that something follows.
    pub(crate) limit: usize,
}

/// What a listing shows one of.
pub(crate) enum Line {
    /// A record, with its object key.
    Record(String, Entry),
    /// A common prefix.
    CommonPrefix(String),
}

/// A walk under way.
pub(crate) struct Walk<'a> {
    records: &'a Records,
    route: Route<'a>,
    read: VecDeque<Entry>,
    /// Where to read on; `None` when nothing is left.
    start: Option<Start>,
    /// The common prefix that was given last: it stands for everything that begins so.
    covering: Option<String>,
    /// Lines given, and those of them since the last scan.
    given: usize,
    given_of_scan: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(records: &'a Records, route: Route<'a>) -> Self {
        let start = (route.limit > 0 && !is_behind(route.after, route.prefix)).then(|| route.first_start());
        Self { records, route, read: VecDeque::new(), start, covering: None, given: 0, given_of_scan: 0 }
    }

    /// The next line, or none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, Fault> {
        loop {
            while let Some(entry) = self.read.pop_front() {
                let object = object_key(&entry)?;
                if self.covering.as_ref().is_some_and(|prefix| object.starts_with(prefix)) {
                    continue;
                }
                let line = match self.route.common_prefix(object) {
                    None => Line::Record(object.to_owned(), entry),
                    Some(prefix) => {
                        self.covering = Some(prefix.to_owned());
                        Line::CommonPrefix(prefix.to_owned())
                    }
                };
                self.given += 1;
                self.given_of_scan += 1;
                return Ok(Some(line));
            }
            if !self.read_on().await? {
                return Ok(None);
            }
        }
    }

    /// Whether there was anything more.
    async fn read_on(&mut self) -> Result<bool, Fault> {
        let Some(start) = self.start.take() else { return Ok(false) };
        let limit = self.scan_len();
        let Route { scope, table, prefix, .. } = self.route;
        let end = successor(prefix.as_bytes());
        let entries = self.records.scan(Scan { scope, table, start, end, limit }).await?;
        self.given_of_scan = 0;
        if let Some(last) = entries.last().filter(|_| entries.len() == limit) {
            self.start = Some(match self.route.common_prefix(object_key(last)?) {
                // It covers its successors or will, as soon as it is given: they need not be read.
                Some(prefix) => behind(prefix),
                None => Start::AfterRecord(last.partition.clone(), last.suffix.clone()),
            });
        }
        self.read = entries.into();
        Ok(!self.read.is_empty())
    }

    /// How many records to read: no more than lines are missing, which without a delimiter is also how many it takes.
    fn scan_len(&self) -> usize {
        let missing = self.route.limit.saturating_add(1).saturating_sub(self.given).clamp(1, SCAN_LEN_MAX);
        match self.route.delimiter {
            "" => missing,
            _ => missing.min(SCAN_LEN_MIN.max(2 * self.given_of_scan)),
        }
    }
}

impl Route<'_> {
    fn first_start(&self) -> Start {
        let after = self.after.as_bytes();
        if after.is_empty() || after < self.prefix.as_bytes() {
            return Start::AtPartition(self.prefix.as_bytes().to_vec());
        }
        match self.after_suffix {
            Some(suffix) => Start::AfterRecord(after.to_vec(), suffix.to_vec()),
            None if self.common_prefix(self.after) == Some(self.after) => behind(self.after),
            None => Start::AfterPartition(after.to_vec()),
        }
    }

    /// What an object key that begins with the prefix is rolled up to, if it is.
    fn common_prefix<'t>(&self, object: &'t str) -> Option<&'t str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let at = object.get(self.prefix.len()..)?.find(self.delimiter)?;
        object.get(..self.prefix.len() + at + self.delimiter.len())
    }
}

fn object_key(entry: &Entry) -> Result<&str, Fault> {
    let damaged = StoredDataDamaged("an object key is not UTF-8");
    std::str::from_utf8(&entry.partition).map_err(|_| damaged.into())
}

/// Whether `after` lies behind everything that begins with `prefix`: then a scan would begin behind its end.
fn is_behind(after: &str, prefix: &str) -> bool {
    after.as_bytes() > prefix.as_bytes() && !after.starts_with(prefix)
}

fn behind(common_prefix: &str) -> Start {
    // UTF-8 has no byte of all ones, so that there is always something behind.
    Start::AtPartition(successor(common_prefix.as_bytes()).unwrap_or_else(|| vec![u8::MAX]))
}

/// The first bytes behind everything that begins with `prefix`; `None` when nothing can come behind.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}

/// Records that a scan with a delimiter asks for at least.
const SCAN_LEN_MIN: usize = 16;
/// The API never shows more (AWS: `ListObjectsV2`, `max-keys`), so that a page without a delimiter is one scan.
const SCAN_LEN_MAX: usize = 1001;
