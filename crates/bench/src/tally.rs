//! What a phase counted, in bounded memory.

use crate::args::Operation;
use crate::error::Failure;
use crate::histogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts of one or more workers.
#[derive(Default, Clone)]
pub(crate) struct Tally {
    by_operation: BTreeMap<Operation, Measured>,
    errors: BTreeMap<String, u64>,
}

/// Successful operations of one kind.
#[derive(Default, Clone)]
pub(crate) struct Measured {
    pub latencies: Histogram,
    /// Bytes of objects that were sent or received; for lists, of the pages.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn succeeded(&mut self, operation: Operation, latency: Duration, bytes: u64) {
        let measured = self.by_operation.entry(operation).or_default();
        measured.latencies.record(latency);
        measured.bytes += bytes;
    }

    pub(crate) fn failed(&mut self, operation: Operation, failure: &Failure) {
        self.add_errors(format!("{}: {failure}", operation.name()), 1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (operation, measured) in &other.by_operation {
            self.by_operation.entry(*operation).or_default().merge(measured);
        }
        self.merge_errors(other);
    }

    /// Adds only what failed: for phases whose speed is of no interest.
    pub(crate) fn merge_errors(&mut self, other: &Self) {
        for (failure, count) in &other.errors {
            self.add_errors(failure.clone(), *count);
        }
    }

    pub(crate) fn by_operation(&self) -> &BTreeMap<Operation, Measured> {
        &self.by_operation
    }

    /// All operations together.
    pub(crate) fn total(&self) -> Measured {
        let mut total = Measured::default();
        self.by_operation.values().for_each(|measured| total.merge(measured));
        total
    }

    pub(crate) fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    fn add_errors(&mut self, failure: String, count: u64) {
        let room = self.errors.len() < MOST_KINDS || self.errors.contains_key(&failure);
        *self.errors.entry(if room { failure } else { "other".to_owned() }).or_default() += count;
    }
}

impl Measured {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.latencies.merge(&other.latencies);
        self.bytes += other.bytes;
    }
}

/// Kinds of failures that are told apart. A server chooses the error codes, so their number needs a bound.
const MOST_KINDS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_failures_are_counted_together_and_their_kinds_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..100 {
            let failure = Failure::Status { status: 500, code: format!("Code{number}") };
            tally.failed(Operation::Get, &failure);
            tally.failed(Operation::Get, &failure);
        }
        assert_eq!(tally.errors()["get: 500 Code0"], 2);
        assert_eq!(tally.errors()["other"], 200 - 2 * MOST_KINDS as u64);
        assert_eq!(tally.errors().len(), MOST_KINDS + 1);
    }

    #[test]
    fn merged_tallies_keep_operations_apart() {
        let (mut first, mut second) = (Tally::default(), Tally::default());
        first.succeeded(Operation::Get, Duration::from_millis(1), 10);
        second.succeeded(Operation::Get, Duration::from_millis(2), 10);
        second.succeeded(Operation::Put, Duration::from_millis(3), 5);
        first.merge(&second);
        assert_eq!(first.by_operation()[&Operation::Get].latencies.total(), 2);
        assert_eq!((first.total().bytes, first.total().latencies.max_us()), (25, 3000));
    }
}
