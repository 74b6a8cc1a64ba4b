//! The model keeps the contract, and its faults are what they say.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::{Fault, Gate, Gateway, Kind, Model, PoolKind};
use crate::rados::contract::{Site, contract};
use crate::rados::{PoolId, Rados as _, RadosError, WriteStep};

async fn site() -> Site {
    let model = Model::with_pools(5);
    let ec_pool = Some(model.create_pool("canopic-ec", PoolKind::ErasureCoded { alignment: 4096 }));
    let pool = model.gateway().pool("canopic-index").await.unwrap();
    Site { rados: model.gateway(), other: model.gateway(), pool, ec_pool }
}

contract!(site(), [tokio::test(start_paused = true)]);

fn cluster() -> (Model, PoolId) {
    let model = Model::new(1);
    let pool = model.create_pool("pool", PoolKind::Replicated);
    (model, pool)
}

async fn set(gateway: &Arc<Gateway>, pool: PoolId, omap_key: &str) -> Result<(), RadosError> {
    let entry = (omap_key.as_bytes().to_vec(), Bytes::from_static(b"v"));
    gateway.write(pool, "a", vec![WriteStep::SetOmap(vec![entry])]).await
}

fn is_set(model: &Model, pool: PoolId, omap_key: &str) -> bool {
    model.omap(pool, "a").contains_key(omap_key.as_bytes())
}

#[tokio::test]
async fn an_operation_fails_before_or_after_its_effect() {
    let (model, pool) = cluster();
    let gateway = model.gateway();
    gateway.plan(0, Fault::Fail(RadosError::Full));
    gateway.plan(2, Fault::Lose);
    assert_eq!(set(&gateway, pool, "first").await, Err(RadosError::Full));
    set(&gateway, pool, "second").await.unwrap();
    assert_eq!(set(&gateway, pool, "third").await, Err(RadosError::TimedOut));
    assert_eq!(["first", "second", "third"].map(|key| is_set(&model, pool, key)), [false, true, true]);
    assert_eq!((gateway.operations(), gateway.count(Kind::Write), gateway.count(Kind::Read)), (3, 3, 0));
}

#[tokio::test]
async fn a_late_operation_happens_when_its_gate_opens() {
    let (model, pool) = cluster();
    let (gateway, gate) = (model.gateway(), Gate::default());
    let held = gate.clone();
    gateway.set_hook(move |operation| match (operation.object, operation.number_of_kind) {
        ("a", 0) => Fault::Late(held.clone()),
        ("a", 1) => Fault::Hold(held.clone()),
        _ => Fault::None,
    });
    assert_eq!(set(&gateway, pool, "late").await, Err(RadosError::TimedOut));
    let holding = tokio::spawn({
        let gateway = gateway.clone();
        async move { set(&gateway, pool, "held").await }
    });
    while gate.held() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(!is_set(&model, pool, "late") && !is_set(&model, pool, "held"));
    // It happens whether the process lives or not.
    gateway.clear_faults();
    gate.open();
    assert!(is_set(&model, pool, "late") && is_set(&model, pool, "held"));
    assert_eq!(holding.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_killed_process_does_nothing_more_and_is_believed_in_for_a_while() {
    let (model, pool) = cluster();
    let (gateway, other) = (model.gateway(), model.gateway());
    set(&gateway, pool, "first").await.unwrap();
    let watch = gateway.watch(pool, "a", Arc::new(Indifferent)).await.unwrap();
    gateway.plan(0, Fault::DieAfter);
    assert!(set(&gateway, pool, "last").await.is_err());
    assert!(gateway.is_dead() && is_set(&model, pool, "last"));
    assert!(set(&gateway, pool, "never").await.is_err());
    assert!(!is_set(&model, pool, "never"));

    // Ending the watch is what it cannot do any more.
    drop(watch);
    let (started, second) = (Instant::now(), Duration::from_secs(1));
    assert_eq!(other.notify(pool, "a", Bytes::new(), second).await, Err(RadosError::TimedOut));
    assert_eq!(started.elapsed(), second);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(other.notify(pool, "a", Bytes::new(), second).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn watches_go_deaf_and_break() {
    let (model, pool) = cluster();
    let (gateway, second) = (model.gateway(), Duration::from_secs(1));
    set(&gateway, pool, "k").await.unwrap();
    let watch = gateway.watch(pool, "a", Arc::new(Indifferent)).await.unwrap();
    gateway.set_deaf(true);
    assert!(watch.is_sound());
    assert_eq!(gateway.notify(pool, "a", Bytes::new(), second).await, Err(RadosError::TimedOut));
    gateway.set_deaf(false);
    assert_eq!(gateway.notify(pool, "a", Bytes::new(), second).await, Ok(()));
    gateway.break_watches();
    assert!(!watch.is_sound());
}

#[tokio::test]
async fn a_full_pool_takes_what_does_not_grow() {
    let (model, pool) = cluster();
    let gateway = model.gateway();
    let write = |object, len| gateway.write(pool, object, vec![WriteStep::Write(0, Bytes::from(vec![1; len]))]);
    write("old", 10).await.unwrap();
    model.set_full(pool, true);
    assert_eq!(write("old", 11).await, Err(RadosError::Full));
    assert_eq!(write("new", 0).await, Err(RadosError::Full));
    write("old", 10).await.unwrap();
    gateway.write(pool, "old", vec![WriteStep::Remove]).await.unwrap();
    model.set_full(pool, false);
    write("new", 1).await.unwrap();
    assert_eq!(model.objects(pool), ["new"]);
}

struct Indifferent;

impl crate::rados::Watcher for Indifferent {
    fn notified(&self, _payload: &[u8]) {}
    fn broken(&self) {}
}
