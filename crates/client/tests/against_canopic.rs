//! The library against a real server: what the command line rests on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use canopic_client::{
    Address, Addressing, Checksum, Client, ClientError, CustomerKey, Damage, Encryption, Endpoint, KeyAnswer, KeyPair,
    NewObject, Patience, Progress, Trust, UploadOptions, Uploader, download, which_key,
};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use testkit::{ROOT_ACCESS_KEY_ID, ROOT_SECRET, TestServer};
use zeroize::Zeroizing;

const MIB: u64 = 1 << 20;

/// Counts what moves, and what has to move again.
#[derive(Default)]
struct Counting {
    expected: AtomicU64,
    moved: AtomicU64,
}

impl Progress for Counting {
    fn expect(&self, bytes: u64) {
        self.expected.fetch_add(bytes, Ordering::Relaxed);
    }

    fn moved(&self, bytes: u64) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    fn taken_back(&self, bytes: u64) {
        self.moved.fetch_sub(bytes, Ordering::Relaxed);
    }
}

struct Place {
    server: TestServer,
    client: Client,
    dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let server = TestServer::start(&[]).await.unwrap();
        let client = client_of(&server);
        client.create_bucket(&"s3://bucket".parse().unwrap()).await.unwrap();
        Self { server, client, dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, length: u64) -> PathBuf {
        let bytes: Vec<u8> = (0..length).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
        let path = self.path(name);
        std::fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        path
    }

    fn uploader(&self) -> Uploader {
        let options = UploadOptions {
            part_size: 5 * MIB,
            parts_in_flight: 2,
            checksum: Some(Checksum::Crc64Nvme),
            journals: Some(self.path("journals")),
        };
        Uploader::new(self.client.clone(), options)
    }

    async fn upload(&self, file: &Path, object: &NewObject) -> canopic_client::Uploaded {
        let counting = Arc::new(Counting::default());
        let progress: Arc<dyn Progress> = counting.clone();
        let uploaded = self.uploader().upload_file(file, object, &progress).await.unwrap();
        assert_eq!(counting.moved.load(Ordering::Relaxed), uploaded.size);
        assert_eq!(counting.expected.load(Ordering::Relaxed), uploaded.size);
        uploaded
    }
}

fn client_of(server: &TestServer) -> Client {
    let url = format!("https://localhost:{}", server.https().port());
    let trust = Trust::File(server.authority().to_owned());
    let endpoint = Endpoint::new(&url, &trust, Addressing::Auto).unwrap();
    let pair = KeyPair {
        access_key_id: Zeroizing::new(ROOT_ACCESS_KEY_ID.to_owned()),
        secret_key: Zeroizing::new(ROOT_SECRET.to_owned()),
        session_token: None,
    };
    let patience = Patience { attempts: 3, first_wait: Duration::from_millis(5), ..Patience::default() };
    Client::new(endpoint, Some(pair), "us-east-1", patience).unwrap()
}

fn sealed(address: &str, key: &Arc<CustomerKey>) -> NewObject {
    let encryption = Encryption::CustomerKey(key.clone());
    NewObject {
        address: address.parse().unwrap(),
        encryption,
        content_type: None,
        content_headers: Vec::new(),
        metadata: Vec::new(),
    }
}

fn fresh_key() -> Arc<CustomerKey> {
    Arc::new(CustomerKey::generate().unwrap())
}

#[tokio::test]
async fn files_of_one_and_many_parts_go_there_and_back() {
    let place = Place::new().await;
    let key = fresh_key();
    for length in [0, 1, 5 * MIB, 5 * MIB + 1, 12 * MIB] {
        let file = place.file("there", length);
        let object = sealed("s3://bucket/o", &key);
        let uploaded = place.upload(&file, &object).await;
        assert_eq!((uploaded.size, uploaded.resumed), (length, 0));
        let back = place.path("back");
        let counting = Counting::default();
        let downloaded = download(&place.client, &object.address, Some(&key), &back, &counting).await.unwrap();
        assert_eq!((downloaded.size, downloaded.verified), (length, Some("CRC64NVME")));
        assert_eq!(counting.moved.load(Ordering::Relaxed), length);
        assert_eq!(std::fs::read(&back).unwrap(), std::fs::read(&file).unwrap(), "{length}");
    }
    assert_eq!(std::fs::read_dir(place.path("journals")).unwrap().count(), 0);
}

#[tokio::test]
async fn keys_are_told_apart() {
    let place = Place::new().await;
    let (key, other) = (fresh_key(), fresh_key());
    let file = place.file("there", 10);
    let object = sealed("s3://bucket/sealed", &key);
    place.upload(&file, &object).await;
    let plain = NewObject { encryption: Encryption::Unspecified, ..sealed("s3://bucket/plain", &key) };
    place.upload(&file, &plain).await;
    let gone: Address = "s3://bucket/gone".parse().unwrap();
    let head = async |address: &Address, key: Option<&CustomerKey>| place.client.head_object(address, key).await;
    let get = async |address: &Address, key: Option<&CustomerKey>| {
        download(&place.client, address, key, &place.path("back"), &Counting::default()).await
    };
    let (sealed, plain) = (&object.address, &plain.address);
    for error in [head(sealed, Some(&other)).await.unwrap_err(), get(sealed, Some(&other)).await.unwrap_err()] {
        assert!(matches!(error, ClientError::WrongCustomerKey { .. }), "{error}");
    }
    for error in [head(sealed, None).await.unwrap_err(), get(sealed, None).await.unwrap_err()] {
        assert!(matches!(error, ClientError::CustomerKeyRequired { .. }), "{error}");
    }
    for error in [head(plain, Some(&key)).await.unwrap_err(), get(plain, Some(&key)).await.unwrap_err()] {
        assert!(matches!(error, ClientError::CustomerKeyNotApplicable { .. }), "{error}");
    }
    for error in [head(&gone, Some(&key)).await.unwrap_err(), get(&gone, None).await.unwrap_err()] {
        assert!(matches!(error, ClientError::NoSuchObject(_)), "{error}");
    }
    assert!(!place.path("back").exists());
    let which = async |address: &Address, keys: &[&CustomerKey]| {
        which_key(&place.client, address, keys.iter().copied()).await.unwrap()
    };
    assert_eq!(which(sealed, &[&other, &key]).await, KeyAnswer::OpenedBy(1));
    assert_eq!(which(sealed, &[&other]).await, KeyAnswer::NoneOpens);
    assert_eq!(which(plain, &[&other]).await, KeyAnswer::NeedsNone);
}

#[tokio::test]
async fn a_damaged_object_never_becomes_a_file() {
    let place = Place::new().await;
    let key = fresh_key();
    let object = sealed("s3://bucket/o", &key);
    let file = place.file("there", 3 * MIB);
    place.upload(&file, &object).await;
    let Place { server, dir, .. } = place;
    let stopped = server.stop().await;
    let blob = largest_file(&stopped.data_dir(), "blob");
    let mut stored = std::fs::read(&blob).unwrap();
    let near_the_end = stored.len() - 100;
    stored[near_the_end] ^= 1;
    std::fs::File::create(&blob).unwrap().write_all(&stored).unwrap();
    let server = TestServer::start_at(stopped, &[]).await.unwrap();
    let back = dir.path().join("back");
    let error = download(&client_of(&server), &object.address, Some(&key), &back, &Counting::default()).await;
    match error {
        Err(ClientError::Damaged { what: Damage::EndsEarly { at, size }, .. }) => {
            assert!(at > MIB && at < size && size == 3 * MIB, "{at} of {size}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!back.exists());
}

fn largest_file(directory: &Path, among: &str) -> PathBuf {
    let mut directories = vec![directory.to_owned()];
    let mut largest = (0, PathBuf::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.len() > largest.0 && entry.path().to_str().unwrap().contains(among) {
                largest = (metadata.len(), entry.path());
            }
        }
    }
    largest.1
}

/// Ends an upload as a crash would: its future is dropped once so many bytes have moved.
async fn cut_upload(place: &Place, file: &Path, object: &NewObject, after: u64) {
    let counting = Arc::new(Counting::default());
    let progress: Arc<dyn Progress> = counting.clone();
    let uploader = place.uploader();
    let far_enough = async {
        while counting.moved.load(Ordering::Relaxed) < after {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        done = uploader.upload_file(file, object, &progress) => panic!("it was quicker: {done:?}"),
        () = far_enough => {}
    }
}

#[tokio::test]
async fn a_cut_upload_goes_on_and_one_of_a_changed_file_does_not() {
    let place = Place::new().await;
    let key = fresh_key();
    let object = sealed("s3://bucket/o", &key);
    let file = place.file("there", 60 * MIB);
    cut_upload(&place, &file, &object, 30 * MIB).await;
    let uploaded = place.upload(&file, &object).await;
    assert!(uploaded.resumed >= 5 * MIB && uploaded.resumed < 60 * MIB, "{}", uploaded.resumed);
    let back = place.path("back");
    download(&place.client, &object.address, Some(&key), &back, &Counting::default()).await.unwrap();
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&file).unwrap());

    cut_upload(&place, &file, &object, 30 * MIB).await;
    std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"more").unwrap();
    let uploaded = place.upload(&file, &object).await;
    assert_eq!((uploaded.resumed, uploaded.size), (0, 60 * MIB + 4));
}

#[tokio::test]
async fn a_cut_upload_does_not_go_on_under_another_key() {
    let place = Place::new().await;
    let (key, other) = (fresh_key(), fresh_key());
    let file = place.file("there", 60 * MIB);
    cut_upload(&place, &file, &sealed("s3://bucket/o", &key), 30 * MIB).await;
    let object = sealed("s3://bucket/o", &other);
    assert_eq!(place.upload(&file, &object).await.resumed, 0);
    place.client.head_object(&object.address, Some(&other)).await.unwrap();
}
