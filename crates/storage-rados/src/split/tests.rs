//! Splits under load, and left at every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::BucketId;
use storage::{Batch, CommitError, Metadata as _, Partition, Precondition, RecordKey, Scan, Scope, Start, Table};

use crate::config::{Config, SplitAt};
use crate::model::{Fault, Gate, Gateway, Model};
use crate::names;
use crate::rados::RadosError;
use crate::store::RadosStore;
use crate::store::tests::config;

mod real;
mod storm;

const HEADS: Table = Table(16);
const BODIES: Table = Table(18);

fn scope() -> Scope {
    Scope::bucket(BucketId::from_bytes([6; 16]))
}

fn partition(name: &[u8]) -> Partition {
    Partition::new(scope(), name)
}

fn record(table: Table) -> RecordKey {
    RecordKey::new(table, *b"\0v")
}

fn tiny() -> Config {
    Config { split_at: SplitAt { entries: 24, bytes: 1 << 20 }, collects: false, ..config() }
}

/// One that never counts, so that a test alone decides on splits.
fn never() -> Config {
    Config { split_at: SplitAt { entries: u64::MAX, bytes: u64::MAX }, ..tiny() }
}

async fn connect(gateway: Arc<Gateway>, config: &Config) -> Arc<RadosStore> {
    Arc::new(RadosStore::on(gateway, config).await.unwrap())
}

fn put(number: u32) -> Batch {
    let value = Bytes::from(number.to_string());
    Batch { put: vec![(record(HEADS), value.clone()), (record(BODIES), value)], ..Batch::default() }
}

fn delete() -> Batch {
    Batch { delete: vec![record(HEADS), record(BODIES)], ..Batch::default() }
}

/// All heads, in pages of `limit`.
async fn listed(store: &RadosStore, table: Table, limit: usize) -> Vec<(Vec<u8>, Bytes)> {
    let (mut all, mut start) = (Vec::new(), Start::AtPartition(Vec::new()));
    loop {
        let page = store.scan(Scan { scope: scope(), table, start, end: None, limit }).await.unwrap();
        let ended = page.len() < limit;
        all.extend(page.into_iter().map(|entry| (entry.partition, entry.value)));
        match all.last() {
            Some((name, _)) if !ended => start = Start::AfterPartition(name.clone()),
            _ => return all,
        }
    }
}

/// What stands in the store is what the reference says, in every table, by lists and by single looks.
async fn assert_is(store: &RadosStore, reference: &BTreeMap<Vec<u8>, u32>) {
    let wanted: Vec<_> =
        reference.iter().map(|(name, number)| (name.clone(), Bytes::from(number.to_string()))).collect();
    for table in [HEADS, BODIES] {
        assert_eq!(listed(store, table, 7).await, wanted);
        for (name, value) in &wanted {
            assert_eq!(store.get(&partition(name), &record(table)).await.unwrap().as_ref(), Some(value));
        }
    }
}

/// The map covers every name, and each of its ranges knows the same epoch and is open; beside them are as many index objects
/// as `unnamed` allows. How many ranges there are.
async fn assert_map(store: &RadosStore, model: &Model, unnamed: usize) -> usize {
    let maps = store.index().maps();
    let pools = maps.pools(scope()).unwrap();
    let (mut lower, mut ranges) = (Vec::new(), 0);
    loop {
        let page = maps.read(scope(), pools, &lower).await.unwrap().unwrap();
        let range = page.into_iter().find(|range| range.covers(&lower)).expect("no hole");
        assert_eq!(range.lower, lower, "no hole and no overlap");
        let looked = super::look(store.rados(), &range).await.unwrap();
        assert_eq!(looked, Some((range.epoch, crate::status::RangeStatus::Open)));
        ranges += 1;
        match &range.upper {
            Some(upper) => lower.clone_from(upper),
            None => break,
        }
    }
    let objects = model.objects(pools.index).into_iter();
    let of_scope = objects.filter(|object| names::parse_range_object(object).is_some_and(|(of, _)| of == scope()));
    assert!(of_scope.count() <= ranges + unnamed, "index objects that the map does not name");
    ranges
}

fn name(number: u32) -> Vec<u8> {
    // Prefixes of each other, and bytes that are escaped.
    let mut name = format!("{:04}", number * 7919 % 10_000).into_bytes();
    name.extend(std::iter::repeat_n(u8::try_from(number % 3).unwrap(), usize::try_from(number % 4).unwrap()));
    name
}

#[tokio::test(start_paused = true)]
async fn many_names_end_in_small_ranges_whatever_two_gateways_do_meanwhile() {
    for seed in 0..6 {
        let model = Model::with_pools(seed);
        let gateways = [connect(model.gateway(), &tiny()).await, connect(model.gateway(), &tiny()).await];
        let mut tasks = tokio::task::JoinSet::new();
        for (writer, store) in gateways.iter().cloned().enumerate() {
            tasks.spawn(async move {
                let mut reference = BTreeMap::new();
                for step in 0..500_u32 {
                    // Each has names of its own, between those of the other.
                    let name = name((step * 31 % 200) * 2 + u32::try_from(writer).unwrap());
                    if step % 5 == 4 {
                        store.commit(&partition(&name), delete()).await.unwrap();
                        reference.remove(&name);
                    } else {
                        store.commit(&partition(&name), put(step)).await.unwrap();
                        reference.insert(name, step);
                    }
                }
                reference
            });
        }
        // What nobody touches is in every list, once and in its place.
        let fixed: Vec<_> = (1000..1060).map(name).collect();
        for name in &fixed {
            gateways[0].commit(&partition(name), put(1)).await.unwrap();
        }
        for round in 0..20 {
            let all = listed(&gateways[round % 2], HEADS, 11).await;
            assert!(all.is_sorted_by(|one, next| one.0 < next.0), "in order and none twice");
            for name in &fixed {
                assert!(all.iter().any(|(listed, _)| listed == name), "seed {seed}, round {round}");
            }
        }
        let mut reference: BTreeMap<_, _> = tasks.join_all().await.into_iter().flatten().collect();
        reference.extend(fixed.into_iter().map(|name| (name, 1)));
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        for store in &gateways {
            assert_is(store, &reference).await;
        }
        let ranges = assert_map(&gateways[0], &model, 0).await;
        assert!(ranges >= 2 * reference.len() / 24, "{ranges} ranges for {} names", reference.len());
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_names_there_are_no_range_is_large() {
    let model = Model::with_pools(1);
    let config = Config { split_at: SplitAt { entries: 200, bytes: 1 << 20 }, ..tiny() };
    let store = connect(model.gateway(), &config).await;
    let names: Vec<_> = (0..5000).map(name).collect();
    for some in names.chunks(100) {
        futures::future::join_all(
            some.iter().map(|name| async { store.commit(&partition(name), put(1)).await.unwrap() }),
        )
        .await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    let pool = store.index().maps().pools(scope()).unwrap().index;
    assert!(assert_map(&store, &model, 0).await >= 2 * names.len() / 200);
    for object in model.objects(pool).into_iter().filter(|object| object.starts_with("range.")) {
        // A quarter may have come since the last count.
        let entries = model.omap(pool, &object).len();
        assert!(entries < 250, "{object}: {entries}");
    }
    assert_eq!(listed(&store, HEADS, 1000).await.len(), names.len());
}

/// A scope with forty names, and the range that holds them.
async fn forty(store: &RadosStore) -> (BTreeMap<Vec<u8>, u32>, Arc<crate::map::Range>) {
    let mut reference = BTreeMap::new();
    for number in 0..40 {
        store.commit(&partition(&name(number)), put(number)).await.unwrap();
        reference.insert(name(number), number);
    }
    let range = store.index().maps().range(scope(), b"").await.unwrap().unwrap();
    (reference, range)
}

fn middle(reference: &BTreeMap<Vec<u8>, u32>) -> Vec<u8> {
    reference.keys().nth(20).unwrap().clone()
}

/// Splits with `fault` at the operation after `later` others, while and after which another gateway goes on. Whether the
/// fault was met.
async fn left_at(later: u64, fault: Fault, gate: &Gate) -> bool {
    let model = Model::with_pools(later);
    let other = connect(model.gateway(), &never()).await;
    let gateway = model.gateway();
    let splitter = connect(gateway.clone(), &never()).await;
    let (mut reference, range) = forty(&other).await;
    let middle = middle(&reference);
    let (before, is_late) = (gateway.operations(), matches!(fault, Fault::Late(_)));
    gateway.plan(later, fault);
    let split = super::split(splitter.rados(), &range, &middle);
    let writes = async {
        for number in 40..60 {
            other.commit(&partition(&name(number)), put(number)).await.unwrap();
            reference.insert(name(number), number);
        }
        for number in (0..40).step_by(3) {
            other.commit(&partition(&name(number)), delete()).await.unwrap();
            reference.remove(&name(number));
        }
    };
    let (_, ()) = tokio::join!(split, writes);
    let was_met = gateway.operations() - before > later;
    assert_is(&other, &reference).await;
    gate.open();
    assert_is(&other, &reference).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    super::help(other.rados(), &range).await.unwrap();
    for number in 60..70 {
        other.commit(&partition(&name(number)), put(number)).await.unwrap();
        reference.insert(name(number), number);
    }
    assert_is(&other, &reference).await;
    // An object that was made later than it was asked for is the collector's.
    assert_map(&other, &model, usize::from(is_late)).await;
    was_met
}

#[tokio::test(start_paused = true)]
async fn a_gateway_killed_at_any_step_of_a_split_loses_and_doubles_nothing() {
    for later in 0.. {
        let met = left_at(later, Fault::Die, &Gate::default()).await;
        left_at(later, Fault::DieAfter, &Gate::default()).await;
        if !met {
            assert!(later > 20, "a split has so many steps: {later}");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_a_split_that_is_lost_or_late_changes_nothing_that_counts() {
    for later in 0.. {
        let gate = Gate::default();
        let met = left_at(later, Fault::Late(gate.clone()), &gate).await;
        left_at(later, Fault::Lose, &Gate::default()).await;
        left_at(later, Fault::Fail(RadosError::TimedOut), &Gate::default()).await;
        if !met {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_splitter_that_slept_through_its_lock_changes_nothing() {
    for later in 2.. {
        let model = Model::with_pools(later);
        let other = connect(model.gateway(), &never()).await;
        let gateway = model.gateway();
        let splitter = connect(gateway.clone(), &never()).await;
        let (reference, range) = forty(&other).await;
        let (middle, gate) = (middle(&reference), Gate::default());
        let before = gateway.operations();
        gateway.plan(later, Fault::Hold(gate.clone()));
        let split = async {
            let _ = super::split(splitter.rados(), &range, &middle).await;
        };
        let meanwhile = async {
            tokio::time::sleep(std::time::Duration::from_secs(15)).await;
            super::help(other.rados(), &range).await.unwrap();
            assert_is(&other, &reference).await;
            gate.open();
        };
        tokio::join!(split, meanwhile);
        assert_is(&other, &reference).await;
        if gateway.operations() - before <= later {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn preconditions_hold_across_a_split() {
    let model = Model::with_pools(3);
    let stores = [connect(model.gateway(), &tiny()).await, connect(model.gateway(), &tiny()).await];
    let mut created = 0;
    for number in 0..200 {
        for store in &stores {
            let batch = Batch { preconditions: vec![Precondition::Absent(record(HEADS))], ..put(number) };
            match store.commit(&partition(&name(number)), batch).await {
                Ok(()) => created += 1,
                Err(CommitError::Conflict(_)) => {}
                Err(error) => panic!("neither created nor refused: {error}"),
            }
        }
    }
    assert_eq!(created, 200);
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_is_being_split_is_retired_only_when_it_is_empty() {
    for seed in 0..10 {
        let model = Model::with_pools(seed);
        let (one, two) = (connect(model.gateway(), &never()).await, connect(model.gateway(), &never()).await);
        let (reference, range) = forty(&one).await;
        let middle = middle(&reference);
        let (split, retired) = tokio::join!(super::split(one.rados(), &range, &middle), two.retire(scope(), &[HEADS]));
        split.unwrap();
        assert!(retired.is_err(), "it holds forty names");
        assert_is(&two, &reference).await;
        let emptied = async {
            for name in reference.keys() {
                one.commit(&partition(name), delete()).await.unwrap();
            }
            two.retire(scope(), &[HEADS]).await
        };
        let range = one.index().maps().range(scope(), b"").await.unwrap().unwrap();
        let early = reference.keys().nth(9).unwrap().clone();
        let (_, retired) = tokio::join!(super::split(one.rados(), &range, &early), emptied);
        retired.unwrap();
        assert!(matches!(one.commit(&partition(b"new"), put(1)).await, Err(CommitError::Retired(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn large_values_are_split_by_their_bytes() {
    let model = Model::with_pools(1);
    let config = Config { split_at: SplitAt { entries: 1000, bytes: 1 << 20 }, ..tiny() };
    let store = connect(model.gateway(), &config).await;
    for number in 0..64 {
        let batch = Batch { put: vec![(record(BODIES), Bytes::from(vec![7; 64 << 10]))], ..Batch::default() };
        store.commit(&partition(&name(number)), batch).await.unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(assert_map(&store, &model, 0).await >= 4);
    assert_eq!(listed(&store, BODIES, 10).await.len(), 64);
}
