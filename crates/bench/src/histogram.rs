//! Latencies in a fixed number of buckets, so that a long run needs no more memory than a short one.
//!
//! Buckets grow with the value: 32 to each power of two, hence a percentile is at most 1/32 (3.2 %) above the true
//! one. Below 32 µs every microsecond has its own bucket. The maximum is kept exactly.

use std::time::Duration;

/// Counts of latencies in microseconds, by logarithmic bucket.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
    max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0, max_us: 0 }
    }
}

impl Histogram {
    /// Counts one latency. What is longer than 2^36 µs (19 hours) goes to the last bucket.
    pub(crate) fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket_of(us)] += 1;
        self.total += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Adds all that `other` counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += more;
        }
        self.total += other.total;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many latencies were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The latency in microseconds that `per_mille` thousandths of the counted ones do not exceed: the upper end of
    /// its bucket, never above the maximum. Zero when nothing was counted.
    pub(crate) fn percentile_us(&self, per_mille: u64) -> u64 {
        let rank = (u128::from(self.total) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return upper_end(bucket).min(self.max_us);
            }
        }
        self.max_us
    }

    /// The longest latency in microseconds, exact.
    pub(crate) fn max_us(&self) -> u64 {
        self.max_us
    }
}

fn bucket_of(us: u64) -> usize {
    let us = us.min((1 << MAX_BITS) - 1);
    if us < PER_OCTAVE {
        return us as usize;
    }
    // With the leading bit at position `SUB_BITS + octave`, the next SUB_BITS bits choose the bucket in the octave.
    let octave = us.ilog2() - SUB_BITS;
    let sub = (us >> octave) - PER_OCTAVE;
    (PER_OCTAVE * u64::from(octave + 1) + sub) as usize
}

fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PER_OCTAVE {
        return bucket;
    }
    let octave = bucket / PER_OCTAVE - 1;
    let first = (bucket % PER_OCTAVE + PER_OCTAVE) << octave;
    first + (1 << octave) - 1
}

const SUB_BITS: u32 = 5;
const PER_OCTAVE: u64 = 1 << SUB_BITS;
const MAX_BITS: u32 = 36;
const BUCKETS: usize = (PER_OCTAVE as usize) * (MAX_BITS - SUB_BITS + 1) as usize;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|us| histogram.record(Duration::from_micros(us)));
        histogram
    }

    #[test]
    fn buckets_tile_the_numbers_without_gap_or_overlap() {
        for bucket in 0..BUCKETS {
            let end = upper_end(bucket);
            assert_eq!(bucket_of(end), bucket);
            if bucket + 1 < BUCKETS {
                assert_eq!(bucket_of(end + 1), bucket + 1);
            }
        }
        assert_eq!(upper_end(BUCKETS - 1), (1 << MAX_BITS) - 1);
    }

    #[test]
    fn percentiles_are_within_a_thirtysecond_above_the_true_ones() {
        let histogram = of(1..=100_000);
        for (per_mille, exact) in [(500, 50_000), (900, 90_000), (990, 99_000), (1000, 100_000)] {
            let found = histogram.percentile_us(per_mille);
            assert!(found >= exact && found <= exact + exact / 32, "{per_mille}: {found}");
        }
    }

    #[test]
    fn a_single_latency_is_every_percentile() {
        let histogram = of([1_234_567]);
        assert_eq!((histogram.percentile_us(1), histogram.percentile_us(990)), (1_234_567, 1_234_567));
    }

    #[test]
    fn nothing_counted_is_zero() {
        assert_eq!((of([]).percentile_us(500), of([]).max_us(), of([]).total()), (0, 0, 0));
    }

    #[test]
    fn merging_is_counting_together() {
        let mut merged = of(1..=10);
        merged.merge(&of(11..=20));
        let together = of(1..=20);
        assert_eq!(merged.counts, together.counts);
        assert_eq!((merged.total(), merged.max_us()), (20, 20));
    }

    #[test]
    fn an_absurd_latency_goes_to_the_last_bucket() {
        let mut histogram = of([5, 7]);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.counts[BUCKETS - 1], 1);
        assert_eq!(histogram.max_us(), u64::MAX);
    }
}
