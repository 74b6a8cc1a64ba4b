use std::path::Path;

use envelope::{ContextDigest, DataKey, ObjectIdentity};
use kms::{DataKeys, KeyService as _, KeyServiceError, KmsWrapRequest, NoAudit, Requester, ServerHolder, StoredWrap};
use model::{BucketId, BucketName, KmsKeyId, ObjectKey, Principal, VersionId};
use operations::{Operations, Ports};
use storage::Batch;
use storage::faults::{Fault, Faults, FaultyStore, Operation};
use storage::memory::MemoryStore;

use super::*;
use crate::server_keys::ServerKeys;

/// A machine with a data directory and a root key file of its own.
struct Machine {
    dir: tempfile::TempDir,
    data_dir: DataDir,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open_or_create_for_gateway(&dir.path().join("data")).unwrap();
        Self { dir, data_dir }
    }

    fn with_root_key_of(other: &Self) -> Self {
        let machine = Self::new();
        std::fs::copy(other.root_key(), machine.root_key()).unwrap();
        machine
    }

    fn root_key(&self) -> PathBuf {
        self.dir.path().join("data.root-key")
    }

    fn source(&self) -> RootKeySource {
        RootKeySource::File(self.root_key())
    }

    async fn start(&self, store: &MemoryStore) -> Result<Arc<LocalKeyring>, InstallationError> {
        self.start_on(Arc::new(store.clone())).await
    }

    async fn start_on(&self, metadata: Arc<dyn Metadata>) -> Result<Arc<LocalKeyring>, InstallationError> {
        open_or_create(&self.data_dir, &self.source(), &metadata).await.map(Arc::new)
    }
}

fn shared(error: InstallationError) -> SharedInstallationError {
    match error {
        InstallationError::Shared(error) => error,
        error => panic!("{error}"),
    }
}

async fn use_store(store: &MemoryStore, keyring: &Arc<LocalKeyring>) {
    let keys = ServerKeys::local(keyring.clone());
    let ports = Ports {
        metadata: Arc::new(store.clone()),
        blobs: Arc::new(store.clone()),
        store_key: keyring.store_key(),
        keys: kms::DataKeys::new(keys.keyring, Some(keys.kms), Arc::new(kms::NoAudit)),
        clock: Arc::new(SystemClock),
    };
    Operations::new(ports).users.root().await.unwrap();
}

fn holds_no_data(path: &Path) -> bool {
    let mut names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    names.all(|name| name == "lock" || name == "gateway")
}

#[tokio::test]
async fn the_first_gateway_makes_the_keys_and_others_find_them() {
    let (store, first) = (MemoryStore::new(), Machine::new());
    let made = first.start(&store).await.unwrap();
    use_store(&store, &made).await;
    let found = Machine::with_root_key_of(&first).start(&store).await.unwrap();
    let again = first.start(&store).await.unwrap();
    assert!(found.same_as(&made) && again.same_as(&made));
    assert!(holds_no_data(first.data_dir.path()), "the keyring is in the store and nowhere else");
}

#[tokio::test]
async fn a_gateway_without_the_root_key_is_refused_and_gets_no_new_one() {
    let (store, first, other) = (MemoryStore::new(), Machine::new(), Machine::new());
    let made = first.start(&store).await.unwrap();
    let error = shared(other.start(&store).await.err().unwrap());
    assert!(matches!(error, SharedInstallationError::RootKeyMissing { .. }), "{error}");
    assert!(error.to_string().contains(&made.root_key_id().to_string()), "{error}");
    assert!(!other.root_key().exists());
}

#[tokio::test]
async fn of_two_first_starts_with_two_root_keys_one_wins_and_the_other_says_what_to_do() {
    // The other one makes the keyring between this one's look and its own keyring.
    let (store, one, other) = (MemoryStore::new(), Machine::new(), Machine::new());
    create_root_key(&one.root_key()).unwrap();
    let won = other.start(&store).await.unwrap();
    let root_key = read_root_key(&one.source()).unwrap().unwrap();
    let sealed = make(&root_key, &store).await.unwrap();
    assert_eq!(Some(sealed), keyring_record::read(&store).await.unwrap());
    let error = shared(one.start(&store).await.err().unwrap());
    assert!(matches!(error, SharedInstallationError::KeyringUnusable { .. }), "{error}");
    assert!(error.to_string().contains("bring its root key here"), "{error}");
    assert!(other.start(&store).await.unwrap().same_as(&won));
}

#[tokio::test]
async fn two_first_starts_on_one_machine_share_the_root_key_that_one_of_them_makes() {
    let (store, one) = (MemoryStore::new(), Machine::new());
    let beside = DataDir::open_or_create_for_gateway(&one.dir.path().join("data-2")).unwrap();
    let (source, metadata): (_, Arc<dyn Metadata>) = (one.source(), Arc::new(store.clone()));
    let (first, second) = tokio::join!(one.start(&store), open_or_create(&beside, &source, &metadata));
    assert!(first.unwrap().same_as(&second.unwrap()));
}

#[tokio::test]
async fn a_used_store_without_its_keyring_is_refused_and_gets_no_new_one() {
    let (store, machine) = (MemoryStore::new(), Machine::new());
    let made = machine.start(&store).await.unwrap();
    use_store(&store, &made).await;
    let (partition, record_key) = operations::records::keyring_place();
    store.commit(&partition, Batch { delete: vec![record_key], ..Batch::default() }).await.unwrap();
    let error = shared(machine.start(&store).await.err().unwrap());
    assert!(matches!(error, SharedInstallationError::KeyringMissing), "{error}");
    assert!(keyring_record::read(&store).await.unwrap().is_none());
}

#[tokio::test]
async fn a_first_start_whose_answer_was_lost_is_finished_by_the_next() {
    let (store, machine, faults) = (MemoryStore::new(), Machine::new(), Faults::default());
    faults.fail_once(Operation::Commit, 0, Fault::LostAnswer);
    let faulty = Arc::new(FaultyStore::new(store.clone(), faults));
    assert!(machine.start_on(faulty.clone()).await.is_err());
    machine.start_on(faulty).await.unwrap();
}

#[tokio::test]
async fn a_data_directory_that_holds_data_is_no_gateways() {
    let (store, machine) = (MemoryStore::new(), Machine::new());
    std::fs::create_dir(machine.data_dir.store()).unwrap();
    let error = shared(machine.start(&store).await.err().unwrap());
    assert!(matches!(error, SharedInstallationError::NotOfAGateway(_)), "{error}");
    assert!(!machine.root_key().exists());
}

#[tokio::test]
async fn nothing_is_made_by_who_only_opens() {
    let (store, machine) = (MemoryStore::new(), Machine::new());
    let metadata: Arc<dyn Metadata> = Arc::new(store.clone());
    let error = shared(open(&machine.source(), &metadata).await.err().unwrap());
    assert!(matches!(error, SharedInstallationError::Missing), "{error}");
    assert!(!machine.root_key().exists() && store.record_count() == 0);
}

#[tokio::test]
async fn a_rotation_at_one_gateway_is_taken_in_by_the_other_within_a_second() {
    let (store, one) = (MemoryStore::new(), Machine::new());
    let first = one.start(&store).await.unwrap();
    let second = Machine::with_root_key_of(&one).start(&store).await.unwrap();
    let follower = tokio::spawn(ServerKeys::local(second.clone()).keep_up_with_others());
    let rotated = first.rotate_own().await.unwrap();
    let followed = async {
        while second.current() != rotated.id {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(1), followed).await.unwrap();
    assert!(!follower.is_finished());
    follower.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_of_two_gateways_at_once_are_all_kept() {
    let (store, one) = (MemoryStore::new(), Machine::new());
    let first = one.start(&store).await.unwrap();
    let second = Machine::with_root_key_of(&one).start(&store).await.unwrap();
    let rotate = async |keyring: Arc<LocalKeyring>| {
        let mut made = Vec::new();
        for _ in 0..10 {
            made.push(keyring.rotate_own().await.unwrap().id);
        }
        made
    };
    let (by_first, by_second) = tokio::join!(tokio::spawn(rotate(first)), tokio::spawn(rotate(second)));
    let after = one.start(&store).await.unwrap();
    assert!([by_first.unwrap(), by_second.unwrap()].concat().iter().all(|id| after.has(*id)));
    assert_eq!(after.versions().len(), 21);
}

/// Two gateways on one store, and one of their machines.
async fn two_gateways(store: &MemoryStore) -> (Machine, Arc<LocalKeyring>, Arc<LocalKeyring>) {
    let machine = Machine::new();
    let first = machine.start(store).await.unwrap();
    let second = Machine::with_root_key_of(&machine).start(store).await.unwrap();
    (machine, first, second)
}

/// Wraps and opens for one object of a bucket.
struct Wrapping {
    object: ObjectKey,
    bucket: BucketName,
}

impl Wrapping {
    fn new() -> Self {
        Self { object: ObjectKey::parse("testfile").unwrap(), bucket: BucketName::parse("bucket").unwrap() }
    }

    fn identity(&self) -> ObjectIdentity<'_> {
        let (bucket, version) = (BucketId::from_bytes([1; 16]), VersionId::from_bytes([2; 16]));
        ObjectIdentity { bucket, object: &self.object, version }
    }

    fn requester(&self) -> Requester<'_> {
        Requester { principal: &Principal::Anonymous, bucket: &self.bucket }
    }

    async fn wrap(&self, keys: &ServerKeys, holder: &ServerHolder) -> StoredWrap {
        let identity = self.identity();
        data_keys(keys).wrap(&DataKey::generate(), &identity, holder, self.requester()).await.unwrap()
    }

    async fn unwrap(&self, keys: &ServerKeys, wrap: &StoredWrap) -> Result<(), KeyServiceError> {
        data_keys(keys).unwrap(wrap, &self.identity(), self.requester()).await.map(drop)
    }
}

fn data_keys(keys: &ServerKeys) -> DataKeys {
    DataKeys::new(keys.keyring.clone(), Some(keys.kms.clone()), Arc::new(NoAudit))
}

fn by_kms_key(id: &KmsKeyId) -> ServerHolder {
    let context = ContextDigest::of(&Default::default());
    ServerHolder::Kms(KmsWrapRequest { kms_key: Some(id.clone()), context, bucket_key: true })
}

#[tokio::test]
async fn what_one_gateway_wraps_right_after_a_rotation_opens_on_the_other_at_once() {
    let store = MemoryStore::new();
    let (_machine, first, second) = two_gateways(&store).await;
    let (first, second) = (ServerKeys::local(first), ServerKeys::local(second));
    let wrapping = Wrapping::new();
    first.keyring.rotate_own().await.unwrap();
    let by_version = wrapping.wrap(&first, &ServerHolder::Keyring).await;
    wrapping.unwrap(&second, &by_version).await.unwrap();
    let id = KmsKeyId::parse("tenant").unwrap();
    first.kms.create(&id).await.unwrap();
    let by_tenant = wrapping.wrap(&first, &by_kms_key(&id)).await;
    wrapping.unwrap(&second, &by_tenant).await.unwrap();
}

#[tokio::test]
async fn what_one_gateway_disables_or_destroys_is_wiped_at_the_other_within_a_second() {
    let store = MemoryStore::new();
    let (_machine, first, second) = two_gateways(&store).await;
    let (first, second) = (ServerKeys::local(first), ServerKeys::local(second));
    let wrapping = Wrapping::new();
    let (id, other_id) = (KmsKeyId::parse("destroyed").unwrap(), KmsKeyId::parse("disabled").unwrap());
    let mut wraps = Vec::new();
    for id in [&id, &other_id] {
        first.kms.create(id).await.unwrap();
        wraps.push(wrapping.wrap(&second, &by_kms_key(id)).await);
        wrapping.unwrap(&second, wraps.last().unwrap()).await.unwrap();
    }
    assert!(second.kms.stats().keys > 0);
    let follower = tokio::spawn(second.clone().keep_up_with_others());
    first.kms.schedule_deletion(&id, clock::now()).await.unwrap();
    assert_eq!(first.keyring.destroy_due(clock::now()).await.unwrap(), std::slice::from_ref(&id));
    first.kms.disable(&other_id).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(second.kms.stats().keys, 0);
    assert_eq!(wrapping.unwrap(&second, &wraps[0]).await, Err(KeyServiceError::NotFound(id)));
    assert_eq!(wrapping.unwrap(&second, &wraps[1]).await, Err(KeyServiceError::Disabled(other_id)));
    follower.abort();
}

#[tokio::test]
async fn another_installations_keyring_in_the_record_is_not_taken_in_by_who_is_running() {
    let store = MemoryStore::new();
    let (machine, first, _) = two_gateways(&store).await;
    let before = first.current();
    let root_key = read_root_key(&machine.source()).unwrap().unwrap();
    let (partition, record_key) = operations::records::keyring_place();
    for foreign in [LocalKeyring::create(&root_key).1, vec![0; 200], Vec::new()] {
        let put = vec![(record_key.clone(), Bytes::from(foreign.clone()))];
        store.commit(&partition, Batch { put, ..Batch::default() }).await.unwrap();
        assert!(matches!(first.refresh().await, Err(KeyServiceError::Unavailable(_))));
        assert!(matches!(first.rotate_own().await, Err(KeyServiceError::Unavailable(_))));
        assert_eq!(first.current(), before);
        assert_eq!(keyring_record::read(&store).await.unwrap().unwrap(), foreign);
    }
}

#[tokio::test]
async fn a_reseal_leaves_gateways_with_the_old_root_key_running_and_starts_those_with_the_new_one() {
    let store = MemoryStore::new();
    let (machine, first, second) = two_gateways(&store).await;
    let (first, second) = (ServerKeys::local(first), ServerKeys::local(second));
    let wrapping = Wrapping::new();
    let root_key = RootKey::generate();
    let text = root_key.to_file_text();
    first.keyring.reseal(root_key).await.unwrap();
    assert!(matches!(second.keyring.refresh().await, Err(KeyServiceError::Unavailable(_))));
    let wrap = wrapping.wrap(&second, &ServerHolder::Keyring).await;
    wrapping.unwrap(&first, &wrap).await.unwrap();
    assert!(matches!(
        shared(machine.start(&store).await.err().unwrap()),
        SharedInstallationError::KeyringUnusable { .. }
    ));
    let metadata: Arc<dyn Metadata> = Arc::new(store.clone());
    let started = open_or_create(&machine.data_dir, &RootKeySource::Variable(text), &metadata).await.unwrap();
    assert!(started.same_as(&first.keyring));
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_has_happened() {
    let (store, machine, faults) = (MemoryStore::new(), Machine::new(), Faults::default());
    let keyring = machine.start_on(Arc::new(FaultyStore::new(store.clone(), faults.clone()))).await.unwrap();
    faults.fail_once(Operation::Commit, 0, Fault::LostAnswer);
    let rotated = keyring.rotate_own().await.unwrap();
    assert_eq!((keyring.current(), keyring.versions().len()), (rotated.id, 2));
    faults.fail_once(Operation::Commit, 0, Fault::LostAnswer);
    keyring.reseal(RootKey::generate()).await.unwrap();
    keyring.rotate_own().await.unwrap();
    assert_eq!(keyring.versions().len(), 3);
}

#[tokio::test]
async fn whatever_fails_the_keyring_agrees_with_the_store_afterwards() {
    for commit in [Fault::Full, Fault::Unavailable, Fault::LostAnswer] {
        // The read before the change, the one after a commit that failed, and none.
        for reads_that_pass in [0, 1, u32::MAX] {
            let (store, machine, faults) = (MemoryStore::new(), Machine::new(), Faults::default());
            let keyring = machine.start_on(Arc::new(FaultyStore::new(store.clone(), faults.clone()))).await.unwrap();
            faults.fail_once(Operation::Commit, 0, commit);
            faults.fail_once(Operation::Scan, reads_that_pass, Fault::Unavailable);
            let id = KmsKeyId::parse("tenant").unwrap();
            let created = keyring.create(&id).await;
            assert!(matches!(created, Ok(_) | Err(KeyServiceError::Unavailable(_))), "{created:?}");
            faults.heal();
            let again = keyring.create(&id).await;
            assert!(matches!(again, Ok(_) | Err(KeyServiceError::AlreadyExists(_))), "{again:?}");
            assert!(keyring.describe(&id).await.is_ok());
            assert!(machine.start(&store).await.unwrap().same_as(&keyring), "{commit:?} {reads_that_pass}");
        }
    }
}
