//! Locks.

use std::time::Duration;

use tokio::time::sleep;

use super::Site;
use crate::rados::{RadosError, WriteStep};

const LONG: Duration = Duration::from_secs(60);

pub(crate) async fn a_lock_is_one_process_s_until_it_gives_it_back(site: Site) {
    let lock = async |rados: &dyn crate::rados::Rados, name, cookie| {
        rados.lock(site.pool, "a", name, cookie, LONG).await.unwrap()
    };
    let (first, other) = (site.rados.as_ref(), site.other.as_ref());
    assert!(lock(first, "work", "c").await);
    assert!(lock(first, "work", "c").await, "it is renewed");
    assert!(!lock(first, "work", "d").await);
    assert!(!lock(other, "work", "c").await, "the cookie of another process is another one");
    assert!(lock(other, "play", "c").await, "another lock");

    other.unlock(site.pool, "a", "work", "c").await.unwrap();
    first.unlock(site.pool, "a", "work", "d").await.unwrap();
    assert!(!lock(other, "work", "c").await, "neither of those held it");
    first.unlock(site.pool, "a", "work", "c").await.unwrap();
    assert!(lock(other, "work", "c").await);
    first.unlock(site.pool, "missing", "work", "c").await.unwrap();
}

pub(crate) async fn a_lock_expires_and_is_renewed(site: Site) {
    let time = Duration::from_secs(3);
    let lock = async |rados: &dyn crate::rados::Rados| rados.lock(site.pool, "a", "work", "c", time).await.unwrap();
    let (first, other) = (site.rados.as_ref(), site.other.as_ref());
    assert!(lock(first).await);
    sleep(Duration::from_secs(2)).await;
    assert!(lock(first).await);
    sleep(Duration::from_secs(2)).await;
    assert!(!lock(other).await, "renewing counts from then on");
    sleep(Duration::from_secs(2)).await;
    assert!(lock(other).await);
    assert!(!lock(first).await);
}

pub(crate) async fn a_lock_makes_its_object(site: Site) {
    assert!(site.rados.lock(site.pool, "a", "work", "c", LONG).await.unwrap());
    assert!(site.exists("a").await);
    assert_eq!(site.write("a", vec![WriteStep::CreateExclusive]).await, Err(RadosError::Exists));
    site.rados.unlock(site.pool, "a", "work", "c").await.unwrap();
    assert!(site.exists("a").await);
    // The lock goes with the object.
    assert!(site.rados.lock(site.pool, "a", "work", "c", LONG).await.unwrap());
    site.write("a", vec![WriteStep::Remove]).await.unwrap();
    assert!(site.other.lock(site.pool, "a", "work", "c", LONG).await.unwrap());
}
