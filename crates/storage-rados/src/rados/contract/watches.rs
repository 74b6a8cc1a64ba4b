//! Watches and notifications.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::{Site, set};
use crate::rados::{RadosError, Watcher, WriteStep};

const TIME: Duration = Duration::from_secs(10);

/// Remembers what it is told.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<Vec<u8>>>,
    broken: Mutex<usize>,
    waits: Duration,
}

impl Watcher for Ear {
    fn notified(&self, payload: &[u8]) {
        std::thread::sleep(self.waits);
        self.heard.lock().unwrap().push(payload.to_vec());
    }

    fn broken(&self) {
        *self.broken.lock().unwrap() += 1;
    }
}

impl Ear {
    fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }
}

pub(crate) async fn a_notification_reaches_all_watchers_before_it_returns(site: Site) {
    site.write("a", vec![set("k", "v")]).await.unwrap();
    let ears: Vec<_> = (0..3).map(|_| Arc::new(Ear::default())).collect();
    let first = site.rados.watch(site.pool, "a", ears[0].clone()).await.unwrap();
    let second = site.rados.watch(site.pool, "a", ears[1].clone()).await.unwrap();
    let third = site.other.watch(site.pool, "a", ears[2].clone()).await.unwrap();
    let payload = Bytes::from_static(b"p\0q");
    site.rados.notify(site.pool, "a", payload.clone(), TIME).await.unwrap();
    site.other.notify(site.pool, "a", Bytes::new(), TIME).await.unwrap();
    for ear in &ears {
        assert_eq!(ear.heard(), [payload.to_vec(), Vec::new()]);
    }
    for watch in [first, second, third] {
        assert!(watch.is_sound());
    }
}

pub(crate) async fn a_watch_that_was_dropped_is_told_nothing(site: Site) {
    site.write("a", vec![set("k", "v")]).await.unwrap();
    // With nobody to tell it is done at once.
    site.rados.notify(site.pool, "a", Bytes::new(), TIME).await.unwrap();
    let ear = Arc::new(Ear::default());
    let watch = site.rados.watch(site.pool, "a", ear.clone()).await.unwrap();
    let started = Instant::now();
    drop(watch);
    assert!(started.elapsed() < Duration::from_millis(500), "dropping it does not wait");
    // It ends in its own time; then the watcher is dropped as well.
    let until = Instant::now() + TIME;
    while Arc::strong_count(&ear) > 1 && Instant::now() < until {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(Arc::strong_count(&ear), 1);
    site.other.notify(site.pool, "a", Bytes::new(), TIME).await.unwrap();
    assert_eq!(ear.heard(), [b""; 0]);
    assert_eq!(*ear.broken.lock().unwrap(), 0);
}

pub(crate) async fn a_removed_object_breaks_its_watches(site: Site) {
    site.write("a", vec![set("k", "v")]).await.unwrap();
    let ear = Arc::new(Ear::default());
    let watch = site.rados.watch(site.pool, "a", ear.clone()).await.unwrap();
    assert!(watch.is_sound());
    site.other.write(site.pool, "a", vec![WriteStep::Remove]).await.unwrap();
    let until = Instant::now() + TIME;
    while *ear.broken.lock().unwrap() == 0 && Instant::now() < until {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(*ear.broken.lock().unwrap(), 1);
    assert!(!watch.is_sound());
}

pub(crate) async fn a_missing_object_is_neither_watched_nor_notified(site: Site) {
    let watched = site.rados.watch(site.pool, "missing", Arc::new(Ear::default())).await;
    assert_eq!(watched.err(), Some(RadosError::NotFound));
    let notified = site.rados.notify(site.pool, "missing", Bytes::new(), TIME).await;
    assert_eq!(notified, Err(RadosError::NotFound));
}

pub(crate) async fn a_watcher_that_waits_too_long_is_not_waited_for(site: Site) {
    site.write("a", vec![set("k", "v")]).await.unwrap();
    let time = Duration::from_millis(300);
    let prompt = Arc::new(Ear::default());
    let _prompt_watch = site.rados.watch(site.pool, "a", prompt.clone()).await.unwrap();
    let ear = Arc::new(Ear { waits: Duration::from_millis(1500), ..Ear::default() });
    let _watch = site.other.watch(site.pool, "a", ear.clone()).await.unwrap();
    let started = std::time::Instant::now();
    let rados = site.rados.clone();
    let notified = tokio::spawn(async move { rados.notify(site.pool, "a", Bytes::new(), time).await }).await.unwrap();
    if notified.is_ok() {
        // The model tells its watchers on the thread of whoever notifies.
        assert!(started.elapsed() >= ear.waits);
    } else {
        assert_eq!(notified, Err(RadosError::TimedOut));
        assert!(started.elapsed() >= time && started.elapsed() < Duration::from_millis(1200));
    }
    assert_eq!(prompt.heard().len(), 1);
}
