//! The one suite that every backend runs.
//!
//! Each case is a public function over an empty store and panics when the backend breaks a promise of the traits;
//! [`run_all`] runs them all. What only one backend can show (durability, collected files, a full disk) is tested
//! there.
use std::sync::Arc;

use bytes::Bytes;
use model::BucketId;

use crate::{Batch, Blobs, CommitError, Inventory, Metadata, Partition, Precondition, RecordKey, Scope, Table};

pub mod blobs;
pub mod inventory;
pub mod random;
pub mod records;
pub mod scans;
pub mod scopes;

/// Runs every case, each on a fresh store from `make`.
pub async fn run_all<S: Metadata + Blobs>(make: impl AsyncFn() -> Arc<S>) {
    run_records(&make).await;
    blobs::a_linked_blob_is_read_in_any_range(&*make().await).await;
    blobs::a_range_behind_the_end_is_too_short(&*make().await).await;
    blobs::only_a_finished_blob_can_be_linked(&*make().await).await;
    blobs::a_blob_of_a_failed_batch_can_be_linked_by_the_next(&*make().await).await;
    blobs::a_dropped_writer_leaves_nothing_to_open(&*make().await).await;
    blobs::a_reader_survives_the_unlink(&*make().await).await;
    blobs::a_reader_keeps_the_other_blobs_of_its_time(&*make().await).await;
    blobs::an_unlinked_blob_cannot_be_linked_again(&*make().await).await;
    blobs::a_blob_lives_until_its_last_owner_is_gone(&*make().await).await;
    for seed in 0..random::SEEDS {
        random::random_batches_do_what_the_reference_does(&*make().await, seed).await;
    }
}

/// Runs the cases about records alone, each on a fresh store from `make`.
pub async fn run_records<S: Metadata>(make: impl AsyncFn() -> Arc<S>) {
    records::a_put_record_is_read_back(&*make().await).await;
    records::records_of_other_tables_partitions_and_scopes_stay_apart(&*make().await).await;
    records::a_batch_happens_whole_or_not_at_all(&*make().await).await;
    records::preconditions_hold_for_exactly_the_value(&*make().await).await;
    records::a_batch_without_changes_still_checks(&*make().await).await;
    records::one_of_many_concurrent_creations_wins(make().await).await;
    records::concurrent_increments_are_all_counted(make().await).await;
    scans::every_start_and_end_finds_what_the_order_says(&*make().await).await;
    scans::pages_of_any_length_walk_the_whole_scope(&*make().await).await;
    scans::a_thousand_records_come_in_one_page(&*make().await).await;
    scopes::only_an_empty_scope_is_retired(&*make().await).await;
    scopes::a_retired_scope_takes_deletes_but_no_puts(&*make().await).await;
    scopes::a_racing_put_wins_or_is_told_that_the_scope_is_retired(make().await).await;
}

/// Runs the cases of a backend that is an [`Inventory`] too.
pub async fn run_inventory<S: Metadata + Blobs + Inventory>(make: impl AsyncFn() -> Arc<S>) {
    inventory::every_blob_is_held_once_and_as_what_it_is(&*make().await).await;
    inventory::an_unlinked_blob_is_garbage_until_it_is_gone(&*make().await).await;
}

fn scope(number: u8) -> Scope {
    Scope::bucket(BucketId::from_bytes([number; 16]))
}

fn partition(name: &[u8]) -> Partition {
    Partition::new(scope(1), name)
}

fn key(suffix: &[u8]) -> RecordKey {
    RecordKey::new(TABLE, suffix)
}

fn put(key: RecordKey, value: &[u8]) -> Batch {
    Batch { put: vec![(key, Bytes::copy_from_slice(value))], ..Batch::default() }
}

async fn must_commit<S: Metadata>(store: &S, partition: &Partition, batch: Batch) {
    store.commit(partition, batch).await.expect("the batch is committed");
}

async fn value<S: Metadata>(store: &S, partition: &Partition, key: &RecordKey) -> Option<Bytes> {
    store.get(partition, key).await.expect("the record is read")
}

async fn commit_if<S: Metadata>(store: &S, partition: &Partition, precondition: Precondition, batch: Batch) -> bool {
    let batch = Batch { preconditions: vec![precondition], ..batch };
    match store.commit(partition, batch).await {
        Ok(()) => true,
        Err(CommitError::Conflict(_)) => false,
        Err(error) => panic!("neither committed nor in conflict: {error}"),
    }
}

/// Names that meet every escape and border a backend may have.
fn tricky_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b""[..],
        b"\x00",
        b"\x00\x00",
        b"\x00\x01",
        b"\x00\xff",
        b"\x01",
        b"a",
        b"a\x00",
        b"a\x00\x00",
        b"a\x00\x01",
        b"a\x00b",
        b"a\x01",
        b"a/",
        b"a/b",
        b"ab",
        b"a\xfe",
        b"a\xff",
        b"a\xff\xff",
        b"b",
        "\u{e9}".as_bytes(),
        b"\xfe",
        b"\xff",
        b"\xff\x00",
        b"\xff\xff",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    names.push(vec![0; 1024]);
    names.push(vec![0xff; 1024]);
    names
}

const TABLE: Table = Table(3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_reference_conforms() {
        run_all(async || Arc::new(MemoryStore::new())).await;
        run_inventory(async || Arc::new(MemoryStore::new())).await;
    }
}
