//! How long the committer waits for company before it commits.
//!
//! Writers that were just answered come back with their next batch while the committer already works on the others:
//! they fall into two halves that take turns, and each sync serves only one of them. A short wait brings them together
//! again. It is bounded by a part of what a commit costs anyway, and a lone writer never waits: it has no company to
//! expect.
use std::thread;
use std::time::{Duration, Instant};

/// What the last commits tell about the next one.
#[derive(Default)]
pub(crate) struct Company {
    /// How many batches were on their way when the last commit ended: those it answered and those in the queue.
    expected: usize,
    patience: Duration,
}

impl Company {
    /// Waits until `arrived` says that the expected company is there, or patience is at its end.
    pub(crate) fn wait(&self, arrived: impl Fn() -> usize) {
        if self.patience.is_zero() || arrived() >= self.expected {
            return;
        }
        let began = Instant::now();
        while arrived() < self.expected && began.elapsed() < self.patience {
            thread::sleep(STEP);
        }
    }

    /// Remembers how a commit went: how many were on their way at its end, and what it cost.
    pub(crate) fn learn(&mut self, on_their_way: usize, cost: Duration) {
        self.expected = on_their_way;
        self.patience = (cost / 2).min(PATIENCE_MAX);
    }
}

const STEP: Duration = Duration::from_micros(50);

/// A disk that syncs slowly must not make the wait long as well.
const PATIENCE_MAX: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_lone_writer_never_waits() {
        let mut company = Company::default();
        company.learn(1, Duration::from_secs(1));
        let asked = Cell::new(0);
        company.wait(|| {
            asked.set(asked.get() + 1);
            1
        });
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn the_wait_ends_with_the_arrival_of_the_expected() {
        let mut company = Company::default();
        company.learn(3, Duration::from_secs(1));
        let arrived = Cell::new(0);
        company.wait(|| {
            arrived.set(arrived.get() + 1);
            arrived.get()
        });
        assert_eq!(arrived.get(), 3);
    }

    #[test]
    fn company_that_does_not_come_is_not_waited_for_long() {
        let mut company = Company::default();
        company.learn(100, Duration::from_secs(3600));
        let began = Instant::now();
        company.wait(|| 1);
        assert!(began.elapsed() >= PATIENCE_MAX, "it did wait");
    }
}
