//! What 64 KiB of an object cost, by how many parts it has; without HTTP, in memory.
//!
//! `cargo bench -p canopic-operations`. The aim: 5 GiB in 640 parts, and the longest list there can be, cost what one
//! MiB does. Setting up seals 55 GiB, which takes a while. `first` forgets what it read before each read.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use canopic_operations as operations;
use criterion::{Criterion, criterion_group, criterion_main};
use envelope::{CustomerKey, RootKey};
use futures::{StreamExt as _, stream};
use kms::{DataKeys, LocalKeyring, NoAudit};
use model::{AccountId, BlobId, BucketName, ObjectKey, PartNumber, Principal, RangeSpec, Timestamp};
use operations::{
    Caller, CannedAcl, Claims, Clock, CompleteMultipartUpload, CompletedPart, CreateMultipartUpload, GetObject,
    ObjectMetadata, Operations, Ports, PutObject, RequestBody, RequestedEncryption, UploadPart, WriteConditions,
    WriteEncryption,
};
use policy::{Action, Context};
use storage::memory::MemoryStore;
use storage::{BlobReader, BlobWriter, Blobs, Error, Partition};
use zeroize::Zeroizing;

const MIB: usize = 1 << 20;
const RANGE_LEN: u64 = 64 << 10;

fn main_benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let mut group = c.benchmark_group("64 KiB");
    for (name, parts, part_len) in
        [("of 1 MiB", 1, MIB), ("of 640 parts", 640, 8 * MIB), ("of 10,000 parts", 10_000, 5 * MIB)]
    {
        let site = Site::new();
        runtime.block_on(site.fill(parts, part_len));
        let start = (parts / 2 * part_len) as u64 + 3 * RANGE_LEN;
        group.bench_function(name, |b| b.iter(|| runtime.block_on(site.read(&site.operations, start))));
        group.bench_function(format!("{name}, first"), |b| {
            b.iter(|| runtime.block_on(site.read(&site.afresh(), start)));
        });
    }
    group.finish();
}

/// One object, and what it stands on.
struct Site {
    store: MemoryStore,
    blobs: Arc<Forgetful>,
    keyring: Arc<LocalKeyring>,
    operations: Operations,
}

impl Site {
    fn new() -> Self {
        let store = MemoryStore::new();
        let blobs = Arc::new(Forgetful { store: store.clone(), keeps: AtomicBool::new(true) });
        let (keyring, _) = LocalKeyring::create(&RootKey::generate());
        let keyring = Arc::new(keyring);
        let operations = operations(&store, &blobs, &keyring);
        Self { store, blobs, keyring, operations }
    }

    /// The same store, and operations that remember nothing of it.
    fn afresh(&self) -> Operations {
        operations(&self.store, &self.blobs, &self.keyring)
    }

    /// Stores the object; of many parts, the store keeps the bytes of the middle one alone.
    async fn fill(&self, parts: usize, part_len: usize) {
        let Operations { authorizer, buckets, objects, uploads, .. } = &self.operations;
        let granted = authorizer.new_bucket(&caller(), &bucket()).expect("root may");
        buckets.create(&granted, CannedAcl::Private, "").await.expect("a new bucket");
        let granted = authorizer.object(&caller(), Action::PutObject, &bucket(), &object()).await.expect("root may");
        let (metadata, acl, conditions) = Default::default();
        let encryption = WriteEncryption::Customer(customer_key());
        let piece = Bytes::from(vec![0x5a; part_len]);
        if parts == 1 {
            let put = PutObject { metadata, acl, encryption, conditions, body: body(piece) };
            objects.put_object(&granted, put).await.expect("an object");
            return;
        }
        let requested = RequestedEncryption { customer_header: true, ..RequestedEncryption::default() };
        let create = CreateMultipartUpload {
            metadata: ObjectMetadata::default(),
            acl,
            encryption,
            requested,
            checksum: None,
            full_object_checksum: false,
        };
        let upload = uploads.create(&granted, create).await.expect("an upload").upload;
        let mut completed = Vec::new();
        for index in 0..parts {
            self.blobs.keeps.store(index == parts / 2, Ordering::Relaxed);
            let number = PartNumber::new(index as i64 + 1).expect("at most 10,000");
            let part = UploadPart { upload, number, customer_key: Some(customer_key()), body: body(piece.clone()) };
            let etag = uploads.upload_part(&granted, part).await.expect("a part").etag;
            completed.push(CompletedPart { number, etag: Some(etag), checksum: None });
        }
        let complete = CompleteMultipartUpload {
            upload,
            parts: completed,
            customer_key: Some(customer_key()),
            conditions: WriteConditions::default(),
            checksum: None,
            full_object_checksum: None,
            size: None,
        };
        uploads.complete(&granted, complete).await.expect("an object");
    }

    async fn read(&self, operations: &Operations, start: u64) {
        let granted = operations.authorizer.object(&caller(), Action::GetObject, &bucket(), &object()).await;
        let get = GetObject {
            customer_key: Some(customer_key()),
            range: Some(RangeSpec::Bounded { first: start, last: start + RANGE_LEN - 1 }),
            ..GetObject::default()
        };
        let mut body = operations.objects.get_object(&granted.expect("root may"), &get).await.expect("the object").body;
        let mut length = 0;
        while let Some(piece) = body.next().await {
            length += piece.expect("undamaged").len() as u64;
        }
        assert_eq!(length, RANGE_LEN);
    }
}

fn operations(store: &MemoryStore, blobs: &Arc<Forgetful>, keyring: &Arc<LocalKeyring>) -> Operations {
    Operations::new(Ports {
        metadata: Arc::new(store.clone()),
        blobs: blobs.clone(),
        keys: DataKeys::new(keyring.clone(), None, Arc::new(NoAudit)),
        store_key: keyring.store_key(),
        clock: Arc::new(StandingClock),
    })
}

fn caller() -> Caller {
    let account = AccountId::parse("111122223333").expect("twelve digits");
    Caller { principal: Principal::Root(account), context: Context::new() }
}

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("a name")
}

fn object() -> ObjectKey {
    ObjectKey::parse("object").expect("a name")
}

fn customer_key() -> CustomerKey {
    CustomerKey::new(Zeroizing::new([7; 32]))
}

fn body(piece: Bytes) -> RequestBody {
    let length = Some(piece.len() as u64);
    let pieces =
        (0..piece.len()).step_by(64 << 10).map(move |at| Ok(piece.slice(at..piece.len().min(at + (64 << 10)))));
    RequestBody { stream: Box::pin(stream::iter(pieces)), length, claims: Claims::default() }
}

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

/// Blobs in memory whose bytes are thrown away unless they are to be read: 50 GiB would not fit.
struct Forgetful {
    store: MemoryStore,
    keeps: AtomicBool,
}

#[async_trait]
impl Blobs for Forgetful {
    async fn create(&self, partition: &Partition) -> Result<Box<dyn BlobWriter>, Error> {
        let inner = self.store.create(partition).await?;
        Ok(Box::new(ForgetfulWriter { inner, keeps: self.keeps.load(Ordering::Relaxed) }))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error> {
        self.store.open(id).await
    }
}

struct ForgetfulWriter {
    inner: Box<dyn BlobWriter>,
    keeps: bool,
}

#[async_trait]
impl BlobWriter for ForgetfulWriter {
    fn id(&self) -> BlobId {
        self.inner.id()
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), Error> {
        if self.keeps { self.inner.append(bytes).await } else { Ok(()) }
    }

    async fn finish(self: Box<Self>) -> Result<BlobId, Error> {
        self.inner.finish().await
    }
}

criterion_group!(benches, main_benches);
criterion_main!(benches);
