//! Single records, preconditions, atomicity.
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{TABLE, commit_if, key, must_commit, partition, put, scope, tricky_names, value};
use crate::{Batch, CommitError, Metadata, Partition, Precondition, RecordKey, Table};

/// Values of any length come back as they were put, the last one put wins, and a deleted one is gone.
pub async fn a_put_record_is_read_back<S: Metadata>(store: &S) {
    let place = partition(b"name");
    assert_eq!(value(store, &place, &key(b"s")).await, None);
    for length in [0, 1, 500, 4096, 70_000, 400_000] {
        let bytes: Vec<u8> = (0..length).map(|index: u32| index.to_le_bytes()[0]).collect();
        must_commit(store, &place, put(key(b"s"), &bytes)).await;
        assert_eq!(value(store, &place, &key(b"s")).await, Some(Bytes::from(bytes)));
    }
    must_commit(store, &place, Batch { delete: vec![key(b"s"), key(b"absent")], ..Batch::default() }).await;
    assert_eq!(value(store, &place, &key(b"s")).await, None);
}

/// Equal names in another table, partition, scope or suffix are other records.
pub async fn records_of_other_tables_partitions_and_scopes_stay_apart<S: Metadata>(store: &S) {
    let mut keys = Vec::new();
    for table in [Table(0), TABLE, Table(0xff)] {
        keys.extend([&b""[..], b"\x00", b"\xff"].map(|suffix| RecordKey::new(table, suffix)));
    }
    let mut places = Vec::new();
    for number in [0, 1, 0xff] {
        places.extend(tricky_names().into_iter().map(|name| Partition::new(scope(number), name)));
    }
    let expected = |place: &Partition, key: &RecordKey| Bytes::from(format!("{place:?} {key:?}"));
    for place in &places {
        let put = keys.iter().map(|key| (key.clone(), expected(place, key))).collect();
        must_commit(store, place, Batch { put, ..Batch::default() }).await;
    }
    for place in &places {
        for key in &keys {
            assert_eq!(value(store, place, key).await, Some(expected(place, key)));
        }
    }
}

/// A batch with a failed precondition changes nothing; a good one changes all of its tables.
pub async fn a_batch_happens_whole_or_not_at_all<S: Metadata>(store: &S) {
    let place = partition(b"name");
    let other = RecordKey::new(Table(9), *b"x");
    must_commit(store, &place, put(key(b"old"), b"old")).await;
    let batch = Batch {
        put: vec![(key(b"new"), Bytes::from("new")), (other.clone(), Bytes::from("other"))],
        delete: vec![key(b"old")],
        ..Batch::default()
    };
    assert!(!commit_if(store, &place, Precondition::Absent(key(b"old")), batch.clone()).await);
    assert_eq!(value(store, &place, &key(b"new")).await, None);
    assert_eq!(value(store, &place, &other).await, None);
    assert_eq!(value(store, &place, &key(b"old")).await.expect("it stays"), "old");

    assert!(commit_if(store, &place, Precondition::Absent(key(b"new")), batch).await);
    assert_eq!(value(store, &place, &key(b"new")).await.expect("it was put"), "new");
    assert_eq!(value(store, &place, &other).await.expect("it was put"), "other");
    assert_eq!(value(store, &place, &key(b"old")).await, None);
}

/// `Absent` means absent, `Unchanged` means these bytes and no others.
pub async fn preconditions_hold_for_exactly_the_value<S: Metadata>(store: &S) {
    let place = partition(b"name");
    let record = key(b"s");
    let unchanged = |value: &'static str| Precondition::Unchanged(record.clone(), Bytes::from(value));
    assert!(!commit_if(store, &place, unchanged(""), put(record.clone(), b"0")).await);
    assert!(commit_if(store, &place, Precondition::Absent(record.clone()), put(record.clone(), b"")).await);
    assert!(!commit_if(store, &place, Precondition::Absent(record.clone()), put(record.clone(), b"1")).await);
    assert!(commit_if(store, &place, unchanged(""), put(record.clone(), b"2")).await);
    assert!(!commit_if(store, &place, unchanged(""), put(record.clone(), b"3")).await);
    assert!(!commit_if(store, &place, unchanged("22"), put(record.clone(), b"3")).await);
    assert_eq!(value(store, &place, &record).await.expect("it was put"), "2");

    let both = Batch { preconditions: vec![unchanged("2"), unchanged("3")], ..put(record.clone(), b"4") };
    assert!(matches!(store.commit(&place, both).await, Err(CommitError::Conflict(_))));
    let delete = Batch { delete: vec![record.clone()], ..Batch::default() };
    assert!(commit_if(store, &place, unchanged("2"), delete).await);
    assert!(commit_if(store, &place, Precondition::Absent(record.clone()), put(record, b"5")).await);
}

/// A batch may consist of preconditions alone.
pub async fn a_batch_without_changes_still_checks<S: Metadata>(store: &S) {
    let place = partition(b"name");
    must_commit(store, &place, Batch::default()).await;
    assert!(commit_if(store, &place, Precondition::Absent(key(b"s")), Batch::default()).await);
    must_commit(store, &place, put(key(b"s"), b"1")).await;
    assert!(!commit_if(store, &place, Precondition::Absent(key(b"s")), Batch::default()).await);
}

/// Of many who create the same record at once exactly one succeeds, and its value stays.
pub async fn one_of_many_concurrent_creations_wins<S: Metadata>(store: Arc<S>) {
    for round in 0..8_u8 {
        let mut tasks = JoinSet::new();
        for writer in 0..16_u8 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                let batch = put(key(b"s"), &[writer]);
                let won = commit_if(&*store, &partition(&[round]), Precondition::Absent(key(b"s")), batch).await;
                won.then_some(writer)
            });
        }
        let winners: Vec<u8> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "one writer wins: {winners:?}");
        assert_eq!(value(&*store, &partition(&[round]), &key(b"s")).await, Some(Bytes::from(winners)));
    }
}

/// Read, add one, write if unchanged, from many tasks: no step is lost.
pub async fn concurrent_increments_are_all_counted<S: Metadata>(store: Arc<S>) {
    const TASKS: u64 = 8;
    const STEPS: u64 = 10;
    must_commit(&*store, &partition(b"counter"), put(key(b""), &0_u64.to_le_bytes())).await;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..STEPS {
                while !increment(&*store).await {}
            }
        });
    }
    tasks.join_all().await;
    let counted = value(&*store, &partition(b"counter"), &key(b"")).await;
    assert_eq!(counted, Some(Bytes::copy_from_slice(&(TASKS * STEPS).to_le_bytes())));
}

async fn increment<S: Metadata>(store: &S) -> bool {
    let old = value(store, &partition(b"counter"), &key(b"")).await.expect("the counter exists");
    let number = u64::from_le_bytes(old.as_ref().try_into().expect("eight bytes")) + 1;
    let unchanged = Precondition::Unchanged(key(b""), old);
    commit_if(store, &partition(b"counter"), unchanged, put(key(b""), &number.to_le_bytes())).await
}
