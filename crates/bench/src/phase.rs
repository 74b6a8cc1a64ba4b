//! One stretch of work that all workers of an endpoint share: so many operations, until a moment, below a folder.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// What the workers do in a phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Put,
    Multipart,
    Get,
    Range,
    Head,
    Rekey,
    List,
    Delete,
    Mixed,
    /// Gets every object once, in turn.
    ReadBack,
    /// Each worker deletes what is left of its own objects of [`Step::Mixed`].
    DeleteOwn,
}

/// A phase, with the counters that workers share. Always bounded by count, time and errors.
pub(crate) struct Phase {
    pub step: Step,
    /// Folder of the objects that are written, read or deleted.
    pub folder: String,
    /// Objects in the folder; indices beyond begin anew.
    pub names: u64,
    limit: u64,
    begun: Instant,
    duration: Duration,
    max_errors: u64,
    next: AtomicU64,
    finished: AtomicU64,
    errors: AtomicU64,
}

/// The bounds of a phase.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub count: u64,
    pub duration: Duration,
    pub max_errors: u64,
}

impl Phase {
    pub(crate) fn new(step: Step, folder: impl Into<String>, names: u64, limits: Limits) -> Self {
        Self {
            step,
            folder: folder.into(),
            names: names.max(1),
            limit: limits.count,
            begun: Instant::now(),
            duration: limits.duration,
            max_errors: limits.max_errors,
            next: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        }
    }

    /// The index of the next operation, or nothing when the phase is over.
    pub(crate) fn claim(&self) -> Option<u64> {
        if self.errors.load(Relaxed) >= self.max_errors || self.begun.elapsed() >= self.duration {
            return None;
        }
        let index = self.next.fetch_add(1, Relaxed);
        (index < self.limit).then_some(index)
    }

    pub(crate) fn finish(&self, success: bool) {
        self.finished.fetch_add(1, Relaxed);
        if !success {
            self.errors.fetch_add(1, Relaxed);
        }
    }

    /// Operations that were begun.
    pub(crate) fn claimed(&self) -> u64 {
        self.next.load(Relaxed).min(self.limit)
    }

    /// Operations that have ended.
    pub(crate) fn finished(&self) -> u64 {
        self.finished.load(Relaxed)
    }

    /// Time since the phase was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How far the phase is, from 0 to 1: by count or by time, whichever will end it.
    pub(crate) fn progress(&self) -> f64 {
        let by_count = self.finished() as f64 / self.limit.max(1) as f64;
        let by_time = self.begun.elapsed().as_secs_f64() / self.duration.as_secs_f64().max(1e-3);
        by_count.max(by_time).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(count: u64, seconds: u64, max_errors: u64) -> Limits {
        Limits { count, duration: Duration::from_secs(seconds), max_errors }
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_ends_by_count_by_time_or_by_errors() {
        let counted = Phase::new(Step::Get, "f", 10, limits(2, 60, 1));
        assert_eq!([counted.claim(), counted.claim(), counted.claim()], [Some(0), Some(1), None]);
        assert_eq!(counted.claimed(), 2);

        let timed = Phase::new(Step::Get, "f", 10, limits(100, 60, 1));
        assert!(timed.claim().is_some());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((timed.claim(), timed.progress()), (None, 1.0));

        let failing = Phase::new(Step::Get, "f", 10, limits(100, 60, 2));
        failing.finish(false);
        assert!(failing.claim().is_some());
        failing.finish(false);
        assert_eq!(failing.claim(), None);
    }
}
