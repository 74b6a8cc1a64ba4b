//! What group commit promises, on the model of RADOS.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use model::BucketId;
use storage::{Batch, CommitError, Error, Metadata as _, Partition, Precondition, RecordKey, Scope, Table};

use crate::model::{Fault, Gate, Gateway, Kind, Model};
use crate::rados::RadosError;
use crate::store::RadosStore;
use crate::store::tests::config;

async fn store() -> (Arc<RadosStore>, Arc<Gateway>) {
    let gateway = Model::with_pools(1).gateway();
    let config = crate::Config { collects: false, ..config() };
    let store = Arc::new(RadosStore::on(gateway.clone(), &config).await.unwrap());
    // The scope is begun and its map known.
    store.commit(&partition(b"first"), put(b"1")).await.unwrap();
    (store, gateway)
}

fn partition(name: &[u8]) -> Partition {
    Partition::new(Scope::bucket(BucketId::from_bytes([5; 16])), name)
}

fn record() -> RecordKey {
    RecordKey::new(Table(16), *b"")
}

fn put(value: &'static [u8]) -> Batch {
    Batch { put: vec![(record(), Bytes::from_static(value))], ..Batch::default() }
}

fn create(value: &'static [u8]) -> Batch {
    Batch { preconditions: vec![Precondition::Absent(record())], ..put(value) }
}

async fn value(store: &RadosStore, name: &[u8]) -> Option<Bytes> {
    store.get(&partition(name), &record()).await.unwrap()
}

fn is_unknown(outcome: &Result<(), CommitError>) -> bool {
    matches!(outcome, Err(CommitError::Store(Error::Unavailable(_))))
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_an_operation_is_in_flight_goes_together_in_the_next() {
    let (store, gateway) = store().await;
    let before = gateway.count(Kind::Write);
    let names: Vec<_> = (0..40_u8).map(|number| vec![number]).collect();
    let outcomes =
        join_all(names.iter().map(|name| async { store.commit(&partition(name), create(b"1")).await })).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(gateway.count(Kind::Write) - before <= 3, "{}", gateway.count(Kind::Write) - before);
    for name in &names {
        assert_eq!(value(&store, name).await.unwrap(), "1");
    }
}

#[tokio::test(start_paused = true)]
async fn those_of_a_group_whose_demands_do_not_hold_do_not_keep_the_others_back() {
    let (store, _) = store().await;
    for number in (0..40_u8).step_by(3) {
        store.commit(&partition(&[number]), put(b"old")).await.unwrap();
    }
    let names: Vec<_> = (0..40_u8).map(|number| vec![number]).collect();
    let outcomes =
        join_all(names.iter().map(|name| async { store.commit(&partition(name), create(b"new")).await })).await;
    for (name, outcome) in names.iter().zip(outcomes) {
        let is_old = name[0] % 3 == 0;
        assert_eq!(matches!(outcome, Err(CommitError::Conflict(_))), is_old, "{name:?}");
        assert_eq!(value(&store, name).await.unwrap(), if is_old { "old" } else { "new" });
    }
}

#[tokio::test(start_paused = true)]
async fn changes_of_one_partition_see_each_other_in_their_order() {
    let (store, _) = store().await;
    let same = partition(b"same");
    let outcomes = join_all((0..10).map(|_| store.commit(&same, create(b"1")))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operation_without_an_answer_is_told_as_unknown_whether_it_happened_or_not() {
    let (store, gateway) = store().await;
    gateway.plan(0, Fault::Fail(RadosError::TimedOut));
    assert!(is_unknown(&store.commit(&partition(b"a"), create(b"1")).await));
    assert_eq!(value(&store, b"a").await, None);
    gateway.plan(0, Fault::Lose);
    assert!(is_unknown(&store.commit(&partition(b"a"), create(b"1")).await));
    assert_eq!(value(&store, b"a").await.unwrap(), "1");
    let gate = Gate::default();
    gateway.plan(0, Fault::Late(gate.clone()));
    assert!(is_unknown(&store.commit(&partition(b"a"), put(b"late")).await));
    store.commit(&partition(b"a"), put(b"2")).await.unwrap();
    gate.open();
    assert_eq!(value(&store, b"a").await.unwrap(), "late", "a write without a precondition may land at any time");
}

#[tokio::test(start_paused = true)]
async fn a_late_operation_whose_demands_no_longer_hold_changes_nothing() {
    let (store, gateway) = store().await;
    let gate = Gate::default();
    gateway.plan(0, Fault::Late(gate.clone()));
    assert!(is_unknown(&store.commit(&partition(b"a"), create(b"late")).await));
    store.commit(&partition(b"a"), create(b"in time")).await.unwrap();
    gate.open();
    assert_eq!(value(&store, b"a").await.unwrap(), "in time");
}

#[tokio::test(start_paused = true)]
async fn a_change_goes_on_when_nobody_waits_for_it_and_the_lane_serves_the_next() {
    let (store, gateway) = store().await;
    let gate = Gate::default();
    gateway.plan(0, Fault::Hold(gate.clone()));
    let asked = tokio::spawn({
        let store = store.clone();
        async move { store.commit(&partition(b"a"), put(b"1")).await }
    });
    while gate.held() == 0 {
        tokio::task::yield_now().await;
    }
    asked.abort();
    gate.open();
    store.commit(&partition(b"b"), put(b"2")).await.unwrap();
    assert_eq!(value(&store, b"a").await.unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_is_waited_for_until_the_deadline_and_served_when_there_is_room() {
    let (store, gateway) = store().await;
    for later in 0..3 {
        gateway.plan(later, Fault::Fail(RadosError::Full));
    }
    store.commit(&partition(b"a"), put(b"1")).await.unwrap();
    gateway.set_hook(|operation| match operation.kind {
        Kind::Write => Fault::Fail(RadosError::Full),
        _ => Fault::None,
    });
    let begun = tokio::time::Instant::now();
    assert!(is_unknown(&store.commit(&partition(b"a"), put(b"2")).await));
    let waited = begun.elapsed();
    assert!(waited >= config().deadline && waited < config().deadline * 2, "{waited:?}");
    gateway.clear_faults();
    assert_eq!(value(&store, b"a").await.unwrap(), "1");
}
