//! Splits on a real cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use storage::Metadata as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{HEADS, assert_is, delete, listed, name, partition, put, scope};
use crate::config::{Config, SplitAt};
use crate::store::RadosStore;
use crate::store::tests::real::cluster_config;

const NAMES: u32 = 3000;

/// How many ranges the map of the scope names.
async fn ranges(store: &RadosStore) -> usize {
    let maps = store.index().maps();
    let (mut lower, mut count) = (Some(Vec::new()), 0);
    while let Some(name) = lower {
        let page = maps.read(scope(), maps.pools(scope()).unwrap(), &name).await.unwrap().unwrap();
        count += page.len();
        lower = page.last().and_then(|range| range.upper.clone());
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Ceph cluster: ./check --ceph"]
async fn what_two_gateways_write_and_list_meanwhile_is_all_there_and_in_small_ranges() {
    let config = Config { split_at: SplitAt { entries: 400, bytes: 1 << 20 }, collects: false, ..cluster_config() };
    let mut gateways = Vec::new();
    for _ in 0..2 {
        gateways.push(Arc::new(RadosStore::connect(&config).await.unwrap().0));
    }
    let begun = AtomicUsize::new(0);
    let (begun, mut tasks) = (Arc::new(begun), JoinSet::new());
    for writer in 0..16_u32 {
        let (store, begun) = (gateways[usize::try_from(writer % 2).unwrap()].clone(), begun.clone());
        tasks.spawn(async move {
            let (mut reference, mut slowest) = (BTreeMap::new(), Duration::ZERO);
            for number in (writer..NAMES).step_by(16) {
                begun.fetch_add(1, Ordering::Relaxed);
                let asked = Instant::now();
                store.commit(&partition(&name(number)), put(number)).await.unwrap();
                reference.insert(name(number), number);
                if number % 5 == 0 {
                    store.commit(&partition(&name(number)), delete()).await.unwrap();
                    reference.remove(&name(number));
                }
                slowest = slowest.max(asked.elapsed());
            }
            (reference, slowest)
        });
    }
    while begun.load(Ordering::Relaxed) < usize::try_from(NAMES).unwrap() {
        for store in &gateways {
            let all = listed(store, HEADS, 250).await;
            assert!(all.is_sorted_by(|one, next| one.0 < next.0), "in order and none twice");
        }
    }
    let (mut reference, mut slowest) = (BTreeMap::new(), Duration::ZERO);
    for (part, took) in tasks.join_all().await {
        reference.extend(part);
        slowest = slowest.max(took);
    }
    assert!(slowest < Duration::from_secs(10), "writers wait a moment for a split, not for long: {slowest:?}");
    let until = Instant::now() + Duration::from_secs(60);
    while ranges(&gateways[0]).await < 2 * reference.len() / 400 && Instant::now() < until {
        sleep(Duration::from_millis(100)).await;
    }
    let ranges = ranges(&gateways[1]).await;
    assert!(ranges >= 2 * reference.len() / 400, "{ranges} ranges for {} names", reference.len());
    assert_is(&gateways[0], &reference).await;
    assert_eq!(listed(&gateways[1], HEADS, 1000).await.len(), reference.len());
}
