//! Random batches, compared with the reference implementation.
use bytes::Bytes;

use super::scope;
use crate::memory::MemoryStore;
use crate::{Batch, CommitError, Metadata, Partition, Precondition, RecordKey, Scan, Start, Table};

/// How many seeds [`run_all`](super::run_all) uses.
pub const SEEDS: u64 = 4;

const STEPS: usize = 250;

/// A small generator, so that a failure can be repeated with its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Few enough names that batches meet.
    fn name(&mut self) -> Vec<u8> {
        let alphabet = [0x00, 0x01, b'a', 0xff];
        (0..self.below(3)).map(|_| alphabet[self.below(4) as usize]).collect()
    }

    fn key(&mut self) -> RecordKey {
        let table = Table(self.below(2) as u8);
        RecordKey::new(table, self.name())
    }

    fn value(&mut self) -> Bytes {
        let length = if self.below(10) == 0 { 20_000 } else { self.below(3) };
        (0..length).map(|_| self.below(2) as u8).collect()
    }

    fn partition(&mut self) -> Partition {
        Partition::new(scope(self.below(3) as u8 + 1), self.name())
    }

    fn start(&mut self) -> Start {
        match self.below(3) {
            0 => Start::AtPartition(self.name()),
            1 => Start::AfterPartition(self.name()),
            _ => Start::AfterRecord(self.name(), self.name()),
        }
    }

    async fn batch(&mut self, reference: &MemoryStore, partition: &Partition) -> Batch {
        let mut batch = Batch::default();
        let mut named = Vec::new();
        for _ in 0..self.below(5) {
            let key = self.key();
            if named.contains(&key) {
                continue;
            }
            named.push(key.clone());
            if self.below(3) == 0 { batch.delete.push(key) } else { batch.put.push((key, self.value())) }
        }
        for _ in 0..self.below(3) {
            let key = self.key();
            let current = reference.get(partition, &key).await.expect("the reference answers");
            // Mostly true, so that many batches go through.
            let precondition = match (current, self.below(5)) {
                (_, 0) => Precondition::Absent(key),
                (_, 1) => Precondition::Unchanged(key, self.value()),
                (Some(value), _) => Precondition::Unchanged(key, value),
                (None, _) => Precondition::Absent(key),
            };
            batch.preconditions.push(precondition);
        }
        batch
    }
}

fn outcome(result: &Result<(), CommitError>) -> &'static str {
    match result {
        Ok(()) => "committed",
        Err(CommitError::Conflict(_)) => "conflict",
        Err(CommitError::Retired(_)) => "retired",
        Err(CommitError::Store(error)) => panic!("the store failed: {error}"),
    }
}

/// The same steps on `store` and on the reference end the same way and leave the same records.
pub async fn random_batches_do_what_the_reference_does<S: Metadata>(store: &S, seed: u64) {
    let mut random = Random(seed);
    let reference = MemoryStore::new();
    for step in 0..STEPS {
        let context = format!("seed {seed}, step {step}");
        match random.below(20) {
            0 => {
                let scope = scope(random.below(3) as u8 + 1);
                let tables = [Table(random.below(3) as u8)];
                let (found, expected) = (store.retire(scope, &tables).await, reference.retire(scope, &tables).await);
                assert_eq!(found.is_ok(), expected.is_ok(), "{context}");
            }
            1..5 => {
                let (scope, table) = (scope(random.below(3) as u8 + 1), Table(random.below(2) as u8));
                let end = if random.below(2) == 0 { None } else { Some(random.name()) };
                let scan = Scan { scope, table, start: random.start(), end, limit: random.below(8) as usize };
                let expected = reference.scan(scan.clone()).await.expect("the reference answers");
                assert_eq!(store.scan(scan).await.expect("the scan is answered"), expected, "{context}");
            }
            5..9 => {
                let (partition, key) = (random.partition(), random.key());
                let expected = reference.get(&partition, &key).await.expect("the reference answers");
                assert_eq!(store.get(&partition, &key).await.expect("the record is read"), expected, "{context}");
            }
            _ => {
                let partition = random.partition();
                let batch = random.batch(&reference, &partition).await;
                let expected = reference.commit(&partition, batch.clone()).await;
                assert_eq!(outcome(&store.commit(&partition, batch).await), outcome(&expected), "{context}");
            }
        }
    }
    for number in 1..4 {
        for table in [Table(0), Table(1)] {
            let start = Start::AtPartition(Vec::new());
            let all = Scan { scope: scope(number), table, start, end: None, limit: usize::MAX };
            let expected = reference.scan(all.clone()).await.expect("the reference answers");
            assert_eq!(store.scan(all).await.expect("the scan is answered"), expected, "seed {seed}");
        }
    }
}
