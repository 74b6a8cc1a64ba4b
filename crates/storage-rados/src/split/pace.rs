//! How much to ask for at a time, when only a number can be asked for and bytes are what counts.

/// Grows and shrinks with the size of what came.
#[derive(Debug)]
pub(crate) struct Pace {
    next: usize,
    max: usize,
}

impl Pace {
    /// Never more than `max` at a time.
    pub(crate) const fn new(max: usize) -> Self {
        Self { next: FIRST, max }
    }

    /// How many to ask for.
    pub(crate) fn next(&self) -> usize {
        self.next.min(self.max)
    }

    /// So many came, with so many bytes.
    pub(crate) fn came(&mut self, count: usize, bytes: usize) {
        if let Some(each) = bytes.checked_div(count) {
            let fitting = BYTES / each.max(1);
            self.next = fitting.clamp(1, self.next.saturating_mul(4).min(self.max));
        }
    }
}

const FIRST: usize = 32;
/// What is had in mind to come at a time.
const BYTES: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_things_come_by_the_thousand_and_large_ones_singly() {
        let mut pace = Pace::new(1000);
        for _ in 0..4 {
            pace.came(pace.next(), pace.next() * 100);
        }
        assert_eq!(pace.next(), 1000);
        pace.came(1000, 1000 << 14);
        assert_eq!(pace.next(), 128);
        pace.came(1, 100 << 20);
        assert_eq!(pace.next(), 1);
        pace.came(0, 0);
        assert_eq!(pace.next(), 1);
    }
}
