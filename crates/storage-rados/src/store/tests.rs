//! The store on the model of RADOS.

pub(crate) mod alternating;
pub(crate) mod real;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::conformance::run_records;
use storage::{Batch, Beside, Metadata, Partition, RecordKey, Scope, Table};

use self::alternating::Alternating;
use super::RadosStore;
use crate::collector::Collector;
use crate::config::Config;
use crate::model::Model;

/// A store on a cluster of its own that forgets garbage soon.
pub(crate) async fn fresh() -> Arc<RadosStore> {
    on(&Model::with_pools(1)).await
}

/// One more gateway of a cluster.
pub(crate) async fn on(model: &Model) -> Arc<RadosStore> {
    Arc::new(RadosStore::on(model.gateway(), &config()).await.unwrap())
}

/// With garbage that goes soon.
pub(crate) fn config() -> Config {
    Config {
        grace: Duration::from_millis(300),
        collect_every: Duration::from_millis(100),
        ..Config::new("unused", "canopic-data", "canopic-index")
    }
}

/// The collector of a gateway, whatever its configuration says.
pub(crate) fn collector(store: &RadosStore, config: &Config) -> Collector {
    Collector::new(store.rados.clone(), store.index.clone(), &store.placements, config)
}

#[tokio::test(start_paused = true)]
async fn two_gateways_in_turn_are_like_one() {
    for seed in 0..10 {
        run_records(async || Alternating::fresh(seed).await).await;
    }
}

/// Waits until a gateway may keep records of the system scope.
async fn until_watched(store: &RadosStore) {
    while !store.system.is_watched() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_by_one_gateway_counts_on_the_others_when_it_is_answered() {
    let model = Model::with_pools(1);
    let (one, two) = (on(&model).await, on(&model).await);
    until_watched(&one).await;
    until_watched(&two).await;
    let (partition, key) = (Partition::new(Scope::SYSTEM, *b"access key"), RecordKey::new(Table(3), *b""));
    let put = |value: &'static [u8]| Batch { put: vec![(key.clone(), Bytes::from_static(value))], ..Batch::default() };
    for value in [b"1", b"2", b"3"] {
        one.commit(&partition, put(value)).await.unwrap();
        assert_eq!(two.get(&partition, &key).await.unwrap().unwrap(), value[..]);
        assert_eq!(two.get(&partition, &key).await.unwrap().unwrap(), value[..], "from the cache");
    }
    one.commit(&partition, Batch { delete: vec![key.clone()], ..Batch::default() }).await.unwrap();
    assert_eq!(two.get(&partition, &key).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_until_a_gateway_that_does_not_answer_believes_nothing_old() {
    let model = Model::with_pools(1);
    let (one, gateway) = (on(&model).await, model.gateway());
    let deaf = Arc::new(RadosStore::on(gateway.clone(), &config()).await.unwrap());
    until_watched(&one).await;
    until_watched(&deaf).await;
    let (partition, key) = (Partition::new(Scope::SYSTEM, *b"bucket"), RecordKey::new(Table(1), *b""));
    let put = |value: &'static [u8]| Batch { put: vec![(key.clone(), Bytes::from_static(value))], ..Batch::default() };
    one.commit(&partition, put(b"old")).await.unwrap();
    assert_eq!(deaf.get(&partition, &key).await.unwrap().unwrap(), "old");
    gateway.set_deaf(true);
    let begun = tokio::time::Instant::now();
    one.commit(&partition, put(b"new")).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "a second is what is promised");
    assert_eq!(deaf.get(&partition, &key).await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn a_record_comes_with_the_first_of_another_table() {
    let store = fresh().await;
    let partition = Partition::new(Scope::bucket(model::BucketId::from_bytes([1; 16])), *b"object");
    let (head, body) = (RecordKey::new(Table(16), *b""), RecordKey::new(Table(18), *b"\0v"));
    let batch = Batch {
        put: vec![(head.clone(), Bytes::from_static(b"head")), (body, Bytes::from_static(b"body"))],
        ..Batch::default()
    };
    store.commit(&partition, batch).await.unwrap();
    let (record, beside) = store.get_with(&partition, &head, Table(18)).await.unwrap();
    assert_eq!(record.unwrap(), "head");
    assert_eq!(beside, Some(Beside { suffix: b"\0v".to_vec(), value: Bytes::from_static(b"body") }));
    let longer = Partition::new(partition.scope, *b"objec");
    assert_eq!(store.get_with(&longer, &head, Table(18)).await.unwrap(), (None, None));
}
