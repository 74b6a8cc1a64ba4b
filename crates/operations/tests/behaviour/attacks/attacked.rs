//! A site with a KMS, objects in every mode and of every kind of body, and what somebody at its disk does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use envelope::{ContextDigest, KeyVersion, KeyringKeys, RECORD_TAG_LEN, RootKey, StoreKey};
use kms::{CacheLimits, CachedKms, DataKeys, Keeper, KmsWrapRequest, LocalKeyring, MemoryKeyringFile, NoAudit};
use model::{BlobId, EncryptionContext, Timestamp};
use operations::{
    AuthorizeError, CannedAcl, CreateMultipartUpload, Created, ObjectMetadata, Operations, Ports, PutObject, ReadError,
    RequestedEncryption, WriteEncryption,
};
use policy::Action;
use storage::Table;
use storage::faults::Faults;
use storage::memory::MemoryStore;

use crate::damage::{Place, blob_bytes, forge, places, write};
use crate::multipart::{PART_LEN_MIN, complete, completion, listed, upload_part};
use crate::support::{
    BUCKET, KeySeed, Site, TestClock, body, bucket_name, caller, collect, customer_key, object_key, owner, pattern,
    put_request, with_seed,
};

/// Who holds the key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    SseC,
    SseS3,
    SseKms,
}

pub(super) const MODES: [Mode; 3] = [Mode::SseC, Mode::SseS3, Mode::SseKms];

impl Mode {
    /// The seed of the customer key that a request brings.
    pub(super) fn seed(self) -> KeySeed {
        (self == Self::SseC).then_some(1)
    }

    fn encryption(self) -> WriteEncryption {
        match self {
            Self::SseC => WriteEncryption::Customer(customer_key(1)),
            Self::SseS3 => WriteEncryption::Server,
            Self::SseKms => WriteEncryption::Kms(KmsWrapRequest {
                kms_key: None,
                context: ContextDigest::of(&EncryptionContext::default()),
                bucket_key: false,
            }),
        }
    }
}

/// Where the sealed bytes of an object are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Inline,
    Blob,
    Parts,
}

pub(super) const KINDS: [Kind; 3] = [Kind::Inline, Kind::Blob, Kind::Parts];

/// Each mode with each kind of body.
pub(super) fn every_case() -> impl Iterator<Item = (Mode, Kind)> {
    MODES.into_iter().flat_map(|mode| KINDS.map(|kind| (mode, kind)))
}

impl Kind {
    /// The parts of an object of this kind; another seed gives other bytes of the same length.
    pub(super) fn parts(self, seed: u64) -> Vec<Vec<u8>> {
        match self {
            Self::Inline => vec![pattern(300, seed)],
            Self::Blob => vec![pattern(3 * CHUNK, seed)],
            Self::Parts => vec![pattern(PART_LEN_MIN, seed), pattern(PART_LEN_MIN, seed + 1000)],
        }
    }
}

/// Plaintext bytes of a chunk, and sealed ones.
pub(super) const CHUNK: usize = 65_536;
pub(super) const SEALED_CHUNK: usize = CHUNK + 16;

/// How a read ended that met what was done at the disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(Vec<u8>),
    /// Our fault: a 500, or a body that does not end.
    Fault,
    /// The customer key is told to be another one: a 403.
    WrongKey,
    /// A customer key is wanted, or is not: a 400.
    OtherMode,
    /// There is no such object: a 404.
    Nothing,
}

impl Read {
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Fault | Self::WrongKey | Self::OtherMode)
    }
}

struct Stopped;

impl kms::Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

/// A site under attack.
pub(super) struct Attacked {
    pub(super) site: Site,
}

impl Attacked {
    /// A site with a keyring that is its KMS as well.
    pub(super) async fn new() -> Self {
        let root_key = RootKey::generate();
        let (keyring, _) = LocalKeyring::create(&root_key);
        let this = Self { site: site(MemoryStore::new(), keyring, root_key) };
        assert_eq!(this.site.create_bucket(BUCKET).await, Created::New);
        this
    }

    /// The same store under a keyring that has another key-encryption key, and the same store key.
    pub(super) fn with_another_keyring(&self) -> Self {
        let root_key = RootKey::generate();
        let keys = KeyringKeys::new(self.site.store_key.clone(), KeyVersion::generate(None), Vec::new());
        let keyring = LocalKeyring::open(&root_key, &root_key.seal_keyring(&keys)).unwrap();
        Self { site: site(self.site.store.clone(), keyring, root_key) }
    }

    /// An object as [`Kind::parts`] of this seed gives it.
    pub(super) async fn put(&self, object: &str, mode: Mode, kind: Kind, seed: u64) {
        let parts = kind.parts(seed);
        if kind == Kind::Parts {
            self.upload(object, mode, &parts, mode.seed()).await;
        } else {
            let put = PutObject { encryption: mode.encryption(), ..put_request(body(&parts[0]), None) };
            self.site.put_with(object, put).await.unwrap();
        }
        let bytes = self.read(object, mode).await;
        assert!(bytes == Read::Bytes(parts.concat()), "{mode:?} {kind:?} is readable");
    }

    /// A multipart upload, completed with this customer key.
    pub(super) async fn upload(&self, object: &str, mode: Mode, parts: &[Vec<u8>], completed_with: KeySeed) {
        let create = CreateMultipartUpload {
            metadata: ObjectMetadata::default(),
            acl: CannedAcl::Private,
            encryption: mode.encryption(),
            requested: RequestedEncryption::default(),
            checksum: None,
            full_object_checksum: false,
        };
        let granted = self.site.grant(Action::PutObject, object).await;
        let upload = self.site.operations.uploads.create(&granted, create).await.unwrap().upload;
        let mut listing = Vec::new();
        for (number, part) in (1..).zip(parts) {
            let output = upload_part(&self.site, object, upload, number, part, mode.seed()).await.unwrap();
            listing.push(listed(number, &output.etag));
        }
        complete(&self.site, object, completion(upload, listing, completed_with)).await.unwrap();
    }

    pub(super) async fn read(&self, object: &str, mode: Mode) -> Read {
        self.read_with(object, mode.seed()).await
    }

    pub(super) async fn read_with(&self, object: &str, seed: KeySeed) -> Read {
        let (name, object) = (bucket_name(BUCKET), object_key(object));
        let authorizer = &self.site.operations.authorizer;
        let granted = match authorizer.object(&caller(&owner()), Action::GetObject, &name, &object).await {
            Ok(granted) => granted,
            Err(AuthorizeError::Fault(_) | AuthorizeError::NoSuchBucket(_)) => return Read::Fault,
            Err(error) => panic!("{error}"),
        };
        let read = async {
            let output = self.site.operations.objects.get_object(&granted, &with_seed(seed)).await?;
            collect(output.body).await
        };
        match read.await {
            Ok(bytes) => Read::Bytes(bytes),
            Err(ReadError::Fault(_)) => Read::Fault,
            Err(ReadError::WrongKey(_)) => Read::WrongKey,
            Err(ReadError::KeyRequired(_) | ReadError::KeyNotApplicable(_)) => Read::OtherMode,
            Err(ReadError::NoSuchKey(_)) => Read::Nothing,
            Err(error) => panic!("{error}"),
        }
    }

    /// What stands in the records of an object.
    pub(super) async fn records(&self, object: &str) -> Vec<(Place, Bytes)> {
        let all = places(&self.site).await;
        all.into_iter().filter(|(Place(partition, _), _)| partition.name == object.as_bytes()).collect()
    }

    /// One record of an object: its place, and its payload without the frame.
    pub(super) async fn record(&self, object: &str, table: u8) -> (Place, Vec<u8>) {
        let records = self.records(object).await;
        let mut found = records.into_iter().filter(|(Place(_, record_key), _)| record_key.table == Table(table));
        let (place, value) = found.next().unwrap();
        assert!(found.next().is_none());
        (place, value[..value.len() - RECORD_TAG_LEN].to_vec())
    }

    pub(super) async fn write(&self, place: &Place, value: Bytes) {
        write(&self.site.store, place, Some(value)).await;
    }

    /// Removes what stands in an object's records, and puts these in its place.
    pub(super) async fn put_back(&self, object: &str, records: &[(Place, Bytes)]) {
        for (place, _) in self.records(object).await {
            write(&self.site.store, &place, None).await;
        }
        for (place, value) in records {
            self.write(place, value.clone()).await;
        }
    }

    /// Writes a payload with a true frame, as whoever has the store key can.
    pub(super) async fn forge(&self, place: &Place, payload: Vec<u8>) {
        forge(&self.site, place, payload).await;
    }

    /// The blobs of an object, in the order of its parts.
    pub(super) async fn blobs(&self, object: &str, kind: Kind) -> Vec<BlobId> {
        let (payload, count) = match kind {
            Kind::Inline => return Vec::new(),
            Kind::Blob => (self.record(object, HEAD).await.1, 1),
            Kind::Parts => (self.record(object, LIST).await.1, 2),
        };
        let ids = payload[payload.len() - 16 * count..].chunks(16);
        ids.map(|id| BlobId::from_bytes(id.try_into().unwrap())).collect()
    }

    pub(super) async fn blob(&self, id: BlobId) -> Vec<u8> {
        blob_bytes(&self.site.store, id).await.to_vec()
    }

    pub(super) fn overwrite(&self, id: BlobId, bytes: Vec<u8>) {
        assert!(self.site.store.overwrite_blob(id, bytes.into()));
    }

    /// The sealed bytes of a body of one piece.
    pub(super) async fn body(&self, object: &str, kind: Kind) -> Vec<u8> {
        if kind == Kind::Inline {
            let records = self.records(object).await;
            let found = records.into_iter().find(|(Place(_, record_key), _)| record_key.table == Table(BODY));
            return found.unwrap().1.to_vec();
        }
        self.blob(self.blobs(object, kind).await[0]).await
    }

    /// Changes the sealed bytes of a body of one piece, wherever they are.
    pub(super) async fn change_body(&self, object: &str, kind: Kind, change: impl Fn(&mut Vec<u8>)) {
        if kind == Kind::Inline {
            let records = self.records(object).await;
            let found = records.into_iter().find(|(Place(_, record_key), _)| record_key.table == Table(BODY));
            let (place, value) = found.unwrap();
            let mut bytes = value.to_vec();
            change(&mut bytes);
            self.write(&place, bytes.into()).await;
        } else {
            let id = self.blobs(object, kind).await[0];
            let mut bytes = self.blob(id).await;
            change(&mut bytes);
            self.overwrite(id, bytes);
        }
    }
}

fn site(store: MemoryStore, keyring: LocalKeyring, root_key: RootKey) -> Site {
    let file = Arc::new(MemoryKeyringFile::new(keyring.sealed_under(&root_key)));
    let keyring = Arc::new(keyring.kept_by(Keeper { root_key, file, clock: Arc::new(Stopped) }));
    let store_key: Arc<StoreKey> = keyring.store_key();
    // Nothing is kept, so that each read asks the KMS.
    let kms = CachedKms::new(keyring.clone(), CacheLimits { time: Duration::ZERO, keys: 0 });
    let keys = DataKeys::new(keyring.clone(), Some(Arc::new(kms)), Arc::new(NoAudit));
    let clock = Arc::new(TestClock::default());
    clock.set(1_700_000_000_500);
    let ports = Ports {
        metadata: Arc::new(store.clone()),
        blobs: Arc::new(store.clone()),
        keys: keys.clone(),
        store_key: store_key.clone(),
        clock: clock.clone(),
    };
    Site { store, faults: Faults::default(), clock, store_key, keys, keyring, operations: Operations::new(ports) }
}

/// Where the wrap stands in the payload of an object's record (docs/format.md, "Object").
pub(super) fn wrap_in(payload: &[u8]) -> std::ops::Range<usize> {
    let etag = 34;
    let behind = etag + if payload[etag] == 1 { 19 } else { 51 };
    assert_eq!(payload[behind..behind + 4], [0, 0, 0, 130]);
    behind + 4..behind + 4 + 130
}

/// Gives the object another size, and its only part another length.
pub(super) fn resize(payload: &mut [u8], kind: Kind, length: u64) {
    payload[25..33].copy_from_slice(&length.to_be_bytes());
    let entry = payload.len() - if kind == Kind::Inline { 26 } else { 42 };
    payload[entry + 2..entry + 10].copy_from_slice(&length.to_be_bytes());
}

/// Tables of an object's records.
pub(super) const HEAD: u8 = 16;
pub(super) const LIST: u8 = 17;
pub(super) const BODY: u8 = 18;
