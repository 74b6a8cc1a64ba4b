//! Several things at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep, timeout};

use super::{Site, set};
use crate::rados::{RadosError, ReadAnswer, ReadStep, WriteStep};

pub(crate) async fn one_of_many_changes_wins(site: Site) {
    site.write("a", vec![WriteStep::CreateExclusive]).await.unwrap();
    let take = |number: usize| {
        let rados = if number.is_multiple_of(2) { &site.rados } else { &site.other };
        let absent = WriteStep::CompareOmap(b"k".to_vec(), Bytes::new());
        rados.write(site.pool, "a", vec![absent, set("k", &number.to_string())])
    };
    let outcomes = join_all((0..20).map(take)).await;
    let winners: Vec<_> = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let losers = outcomes.iter().filter(|outcome| **outcome == Err(RadosError::Mismatch)).count();
    assert_eq!(losers, 19, "{outcomes:?}");
    let winner = winners[0].0.to_string();
    assert_eq!(site.entries("a").await, [(b"k".to_vec(), Bytes::from(winner))]);
}

/// Whoever stops waiting leaves an operation behind that still happens, or does not, and harms nobody.
pub(crate) async fn operations_may_be_left_in_flight(site: Site) {
    let bytes = Bytes::from(vec![9; 1 << 20]);
    site.write("big", vec![WriteStep::Write(0, bytes.clone()), set("k", "v")]).await.unwrap();
    for round in 0..40_u64 {
        let patience = Duration::from_micros(round * 50);
        let object = format!("written-{round}");
        let write = site.write(&object, vec![WriteStep::Write(0, bytes.clone()), set("k", "v")]);
        let read = ReadStep::Read { offset: 0, length: 1 << 20 };
        let scan = ReadStep::OmapScan { after: Vec::new(), prefix: Vec::new(), limit: 1000 };
        let read = site.rados.read(site.pool, "big", vec![read, scan, ReadStep::Xattrs, ReadStep::Stat]);
        let watcher = Arc::new(Deaf);
        let watch = site.rados.watch(site.pool, "big", watcher);
        let notify = site.other.notify(site.pool, "big", Bytes::new(), Duration::from_secs(1));
        let _ = timeout(patience, async { tokio::join!(write, read, watch, notify) }).await;
    }
    // All that was left behind is whole or not there, once it is over.
    let until = Instant::now() + Duration::from_secs(10);
    for round in 0..40 {
        let object = format!("written-{round}");
        while site.exists(&object).await && site.bytes(&object, 0, 2 << 20).await != bytes {
            assert!(Instant::now() < until, "{object} is neither there nor not");
            sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(site.bytes("big", 0, 2 << 20).await, bytes);
}

pub(crate) async fn a_read_sees_one_instant(site: Site) {
    let value = |number: u32| Bytes::copy_from_slice(&number.to_be_bytes());
    let steps = |number: u32| {
        let entry = (b"k".to_vec(), value(number));
        vec![
            WriteStep::SetXattr("x", value(number)),
            WriteStep::SetOmap(vec![entry]),
            WriteStep::Write(0, value(number)),
        ]
    };
    site.write("a", steps(0)).await.unwrap();
    let writes = async {
        for number in 1..50 {
            site.write("a", steps(number)).await.unwrap();
        }
    };
    let read = async || {
        for _ in 0..50 {
            let read =
                vec![ReadStep::Xattrs, ReadStep::OmapGet(vec![b"k".to_vec()]), ReadStep::Read { offset: 0, length: 4 }];
            let answers = site.other.read(site.pool, "a", read).await.unwrap();
            match &answers[..] {
                [ReadAnswer::Xattrs(xattrs), ReadAnswer::Omap { entries, .. }, ReadAnswer::Bytes(bytes)] => {
                    assert_eq!((&xattrs[0].1, &entries[0].1), (bytes, bytes));
                }
                other => panic!("{other:?}"),
            }
        }
        Ok::<_, RadosError>(())
    };
    let (_, read) = tokio::join!(writes, try_join_all((0..3).map(|_| read())));
    read.unwrap();
}

struct Deaf;

impl crate::rados::Watcher for Deaf {
    fn notified(&self, _payload: &[u8]) {}
    fn broken(&self) {}
}
