//! Which garbage may go: a reader keeps alive everything that was linked when it was opened.
//!
//! Readers hold the current generation. Each time the collector takes up new garbage it closes that generation and
//! puts the garbage behind it: the files can go once nobody holds that generation or an older one.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Held by a reader.
#[derive(Default)]
pub(crate) struct Generation(());

/// Where readers get the current generation.
#[derive(Default)]
pub(crate) struct Generations {
    current: Mutex<Arc<Generation>>,
}

impl Generations {
    /// Joins the current generation.
    pub(crate) fn join(&self) -> Arc<Generation> {
        self.lock().clone()
    }

    /// Begins a new generation and returns the one that ended: nobody joins it any more.
    pub(crate) fn close(&self) -> Arc<Generation> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Generation>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the last reader of a closed generation is gone.
pub(crate) fn is_over(closed: &Arc<Generation>) -> bool {
    Arc::strong_count(closed) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_over_when_its_readers_are_gone() {
        let generations = Generations::default();
        let reader = generations.join();
        let closed = generations.close();
        let later = generations.join();
        assert!(!is_over(&closed));
        drop(reader);
        assert!(is_over(&closed));
        drop(later);
    }
}
