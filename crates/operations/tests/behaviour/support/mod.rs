//! A whole site over the reference store, and short words for what clients do with it.

mod bodies;
mod counting;
mod dawdling;
mod random;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use envelope::{CustomerKey, RootKey, StoreKey};
use futures::StreamExt;
use kms::{CacheLimits, CachedKms, DataKeys, Keeper, LocalKeyring, MemoryKeyringFile, NoAudit};
use model::{AccountId, BucketName, ObjectKey, Principal, Timestamp, UserName};
use operations::{
    BodyStream, Bucket, Caller, CannedAcl, Clock, Created, GetObject, Granted, ObjectMetadata, Operations, Ports,
    PutObject, PutObjectError, PutObjectOutput, ReadError, RequestBody, WriteConditions, WriteEncryption,
};
use policy::{Action, Context};
use storage::faults::{Faults, FaultyStore};
use storage::memory::MemoryStore;
use storage::{Blobs, Metadata};
use zeroize::Zeroizing;

pub(crate) use bodies::{body, body_in, broken_body, endless_body, with_checksum, with_md5};
pub(crate) use counting::{Counting, Counts};
pub(crate) use dawdling::Dawdling;
pub(crate) use random::{Random, pattern};

/// The bucket that every site has.
pub(crate) const BUCKET: &str = "bucket";

/// Bodies up to this many bytes stand in a record of the reference store.
pub(crate) const INLINE_LEN_MAX: usize = 4096;

/// The seed of a customer key, or none for the server's.
pub(crate) type KeySeed = Option<u8>;

/// Both modes.
pub(crate) const MODES: [KeySeed; 2] = [None, Some(1)];

/// A clock that stands still until it is set.
#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl kms::Clock for TestClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The operations, and what they stand on.
pub(crate) struct Site {
    pub(crate) store: MemoryStore,
    pub(crate) faults: Faults,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store_key: Arc<StoreKey>,
    pub(crate) keys: DataKeys,
    pub(crate) keyring: Arc<LocalKeyring>,
    pub(crate) operations: Operations,
}

impl Site {
    /// A site with one bucket, [`BUCKET`], that belongs to [`owner`].
    pub(crate) async fn new() -> Self {
        let (store, faults) = (MemoryStore::new(), Faults::default());
        let metadata = Arc::new(FaultyStore::new(store.clone(), faults.clone()));
        let blobs = Arc::new(FaultyStore::new(store.clone(), faults.clone()));
        Self::over(store, faults, metadata, blobs).await
    }

    /// A site whose ports yield at random, so that tasks on one thread meet in ever new ways.
    pub(crate) async fn dawdling(seed: u64) -> Self {
        let (store, random) = (MemoryStore::new(), Random::shared(seed));
        let metadata = Arc::new(Dawdling::new(store.clone(), random.clone()));
        let blobs = Arc::new(Dawdling::new(store.clone(), random));
        Self::over(store, Faults::default(), metadata, blobs).await
    }

    /// A site, and what is asked of its records.
    pub(crate) async fn counting() -> (Self, Arc<Counts>) {
        let (inner, counts) = (MemoryStore::new(), Arc::<Counts>::default());
        let metadata = Arc::new(Counting { inner: inner.clone(), counts: counts.clone() });
        (Self::over(inner.clone(), Faults::default(), metadata, Arc::new(inner)).await, counts)
    }

    pub(crate) async fn over(
        store: MemoryStore,
        faults: Faults,
        metadata: Arc<dyn Metadata>,
        blobs: Arc<dyn Blobs>,
    ) -> Self {
        let clock = Arc::new(TestClock::default());
        clock.set(1_700_000_000_500);
        let root_key = RootKey::generate();
        let (keyring, sealed) = LocalKeyring::create(&root_key);
        let file = Arc::new(MemoryKeyringFile::new(sealed));
        let keyring = Arc::new(keyring.kept_by(Keeper { root_key, file, clock: clock.clone() }));
        Self::with(store, faults, metadata, blobs, clock, keyring).await
    }

    /// A site whose keyring was there before; it is its own KMS.
    pub(crate) async fn with(
        store: MemoryStore,
        faults: Faults,
        metadata: Arc<dyn Metadata>,
        blobs: Arc<dyn Blobs>,
        clock: Arc<TestClock>,
        keyring: Arc<LocalKeyring>,
    ) -> Self {
        let limits = CacheLimits { time: Duration::from_secs(60), keys: 100 };
        let kms = Arc::new(CachedKms::new(keyring.clone(), limits));
        let store_key = keyring.store_key();
        let keys = DataKeys::new(keyring.clone(), Some(kms), Arc::new(NoAudit));
        let ports = Ports { metadata, blobs, keys: keys.clone(), store_key: store_key.clone(), clock: clock.clone() };
        let site = Self { store, faults, clock, store_key, keys, keyring, operations: Operations::new(ports) };
        site.create_bucket(BUCKET).await;
        site
    }

    pub(crate) async fn create_bucket(&self, name: &str) -> Created {
        let granted = self.operations.authorizer.new_bucket(&caller(&owner()), &bucket_name(name)).unwrap();
        self.operations.buckets.create(&granted, CannedAcl::Private, "").await.unwrap()
    }

    /// The owner's grant of an action on an object of [`BUCKET`].
    pub(crate) async fn grant(&self, action: Action, object: &str) -> Granted {
        self.grant_in(BUCKET, action, object).await
    }

    pub(crate) async fn grant_in(&self, bucket: &str, action: Action, object: &str) -> Granted {
        let (name, object) = (bucket_name(bucket), object_key(object));
        self.operations.authorizer.object(&caller(&owner()), action, &name, &object).await.unwrap()
    }

    /// The owner's grant of an action on [`BUCKET`] itself.
    pub(crate) async fn bucket_grant(&self, action: Action) -> Granted {
        self.operations.authorizer.bucket(&caller(&owner()), action, &bucket_name(BUCKET)).await.unwrap()
    }

    pub(crate) async fn bucket(&self) -> Arc<Bucket> {
        self.bucket_grant(Action::ListBucket).await.bucket_facts().unwrap().clone()
    }

    pub(crate) async fn put(
        &self,
        object: &str,
        bytes: &[u8],
        seed: KeySeed,
    ) -> Result<PutObjectOutput, PutObjectError> {
        self.put_with(object, put_request(body(bytes), seed)).await
    }

    pub(crate) async fn put_with(&self, object: &str, put: PutObject) -> Result<PutObjectOutput, PutObjectError> {
        let granted = self.grant(Action::PutObject, object).await;
        self.operations.objects.put_object(&granted, put).await
    }

    pub(crate) async fn get(&self, object: &str, seed: KeySeed) -> Result<Vec<u8>, ReadError> {
        self.get_with(object, with_seed(seed)).await
    }

    /// The bytes of a read, whole or not at all.
    pub(crate) async fn get_with(&self, object: &str, get: GetObject) -> Result<Vec<u8>, ReadError> {
        collect(self.open(object, get).await?).await
    }

    /// A read that has begun.
    pub(crate) async fn open(&self, object: &str, get: GetObject) -> Result<BodyStream, ReadError> {
        let granted = self.grant(Action::GetObject, object).await;
        Ok(self.operations.objects.get_object(&granted, &get).await?.body)
    }

    pub(crate) async fn head(&self, object: &str, seed: KeySeed) -> Result<operations::ObjectInfo, ReadError> {
        let granted = self.grant(Action::GetObject, object).await;
        Ok(self.operations.objects.head_object(&granted, &with_seed(seed)).await?.0)
    }

    pub(crate) async fn delete(&self, object: &str) {
        let granted = self.grant(Action::DeleteObject, object).await;
        self.operations.objects.delete_object(&granted).await.unwrap();
    }

    /// Every object and upload is deleted: nothing may be left but the bucket's record.
    pub(crate) fn assert_nothing_is_stored(&self) {
        assert_eq!((self.store.record_count(), self.store.blob_count()), (1, 0));
    }
}

pub(crate) async fn collect(mut stream: BodyStream) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

pub(crate) fn put_request(body: RequestBody, seed: KeySeed) -> PutObject {
    PutObject {
        metadata: ObjectMetadata::default(),
        acl: CannedAcl::Private,
        encryption: encryption(seed),
        conditions: WriteConditions::default(),
        body,
    }
}

pub(crate) fn encryption(seed: KeySeed) -> WriteEncryption {
    seed.map_or(WriteEncryption::Server, |seed| WriteEncryption::Customer(customer_key(seed)))
}

pub(crate) fn with_seed(seed: KeySeed) -> GetObject {
    GetObject { customer_key: seed.map(customer_key), ..GetObject::default() }
}

pub(crate) fn customer_key(seed: u8) -> CustomerKey {
    CustomerKey::new(Zeroizing::new([seed; 32]))
}

pub(crate) fn account() -> AccountId {
    AccountId::parse("111122223333").unwrap()
}

pub(crate) fn user(name: &str) -> Principal {
    Principal::User(account(), UserName::parse(name).unwrap())
}

pub(crate) fn owner() -> Principal {
    user("owner")
}

pub(crate) fn caller(principal: &Principal) -> Caller {
    Caller { principal: principal.clone(), context: Context::new() }
}

pub(crate) fn bucket_name(text: &str) -> BucketName {
    BucketName::parse(text).unwrap()
}

pub(crate) fn object_key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

pub(crate) fn contains(haystack: &[Bytes], needle: &[u8]) -> bool {
    haystack.iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
}
