use kms::{DataKeys, NoAudit};
use operations::{Operations, Ports};
use storage::memory::MemoryStore;

use super::*;
use crate::clock::SystemClock;
use crate::key_changes::Trail;
use crate::server_keys::ServerKeys;

/// The work of one gateway on a store that others use too.
struct Gateway {
    key_work: KeyWork,
    operations: Operations,
    store: MemoryStore,
}

impl Gateway {
    fn new(store: MemoryStore, keyring: Arc<LocalKeyring>) -> Self {
        let keys = ServerKeys::local(keyring.clone());
        let operations = Operations::new(Ports {
            metadata: Arc::new(store.clone()),
            blobs: Arc::new(store.clone()),
            keys: DataKeys::new(keys.keyring, Some(keys.kms), Arc::new(NoAudit)),
            store_key: keyring.store_key(),
            clock: Arc::new(SystemClock),
        });
        let changes = KeyChanges::new(Arc::new(Trail::default()));
        let key_work = KeyWork::new(operations.rewrapper.clone(), keyring, changes, Arc::new(store.clone()));
        Self { key_work, operations, store }
    }

    fn two() -> (Self, Self) {
        let store = MemoryStore::new();
        let keyring = Arc::new(LocalKeyring::create(&envelope::RootKey::generate()).0);
        let other = store.another_process();
        (Self::new(store, keyring.clone()), Self::new(other, keyring))
    }

    async fn run(&self) -> tokio::task::JoinHandle<()> {
        let root = self.operations.users.root().await.unwrap();
        tokio::spawn(self.key_work.clone().run(root))
    }

    async fn has_begun(&self) -> bool {
        self.operations.rewrapper.progress().await.unwrap().is_some()
    }

    async fn until(&self, reached: impl Fn(&Progress) -> bool) -> Progress {
        let look = async {
            loop {
                let progress = self.key_work.progress();
                if reached(&progress) {
                    return progress;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.unwrap()
    }
}

#[tokio::test]
async fn a_rewrap_that_another_gateway_does_is_watched_and_ends_with_that() {
    let (one, other) = Gateway::two();
    assert!(one.store.hold(REWRAP, LEASE_TIME).await.unwrap());
    one.operations.rewrapper.begin(7, None).await.unwrap();
    other.run().await;
    other.key_work.begin(Work::Rewrap(None)).unwrap();
    assert!(other.until(|progress| progress.total == Some(7)).await.is_running);
    one.operations.rewrapper.end().await.unwrap();
    one.store.release(REWRAP).await.unwrap();
    assert_eq!(other.until(|progress| !progress.is_running).await.error, None);
    assert!(one.store.hold(REWRAP, LEASE_TIME).await.unwrap(), "the lease was given back");
}

#[tokio::test]
async fn a_rewrap_that_another_gateway_does_is_not_stopped_from_here() {
    let (one, other) = Gateway::two();
    assert!(one.store.hold(REWRAP, LEASE_TIME).await.unwrap());
    one.operations.rewrapper.begin(7, None).await.unwrap();
    other.run().await;
    other.key_work.begin(Work::Rewrap(None)).unwrap();
    other.until(|progress| progress.total == Some(7)).await;
    other.key_work.stop();
    let error = other.until(|progress| !progress.is_running).await.error.unwrap();
    assert!(error.contains("another gateway"), "{error}");
    assert!(one.has_begun().await);
}

#[tokio::test]
async fn a_rewrap_whose_gateway_died_is_taken_up_once_its_lease_has_ended() {
    let (one, other) = Gateway::two();
    one.operations.rewrapper.begin(0, None).await.unwrap();
    assert!(one.store.hold(REWRAP, LEASE_TIME).await.unwrap());
    assert!(other.key_work.take_up().await);
    assert!(!other.key_work.progress().is_running, "its gateway may live");
    // The lease ends.
    one.store.hold(REWRAP, Duration::ZERO).await.unwrap();
    other.run().await;
    other.until(|progress| progress.work == Some(Work::Rewrap(None)) && !progress.is_running).await;
    assert!(!one.has_begun().await);
}

#[tokio::test]
async fn work_ends_where_it_is_when_another_gateway_takes_its_lease() {
    let one = MemoryStore::new();
    let rival = one.another_process();
    assert!(rival.hold("work", LEASE_TIME).await.unwrap());
    let endless = std::future::pending::<()>();
    assert_eq!(lease::keep_during(&one, "work", endless).await, None);
    rival.release("work").await.unwrap();
    assert_eq!(lease::keep_during(&one, "work", async {}).await, Some(()));
}
