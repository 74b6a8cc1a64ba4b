use std::path::Path;

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
        let data_dir = DataDir::open_or_create(&dir.path().join("data")).unwrap();
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

fn stays_empty(path: &Path) -> bool {
    std::fs::read_dir(path).unwrap().all(|entry| entry.unwrap().file_name() == "lock")
}

#[tokio::test]
async fn the_first_gateway_makes_the_keys_and_others_find_them() {
    let (store, first) = (MemoryStore::new(), Machine::new());
    let made = first.start(&store).await.unwrap();
    use_store(&store, &made).await;
    let found = Machine::with_root_key_of(&first).start(&store).await.unwrap();
    let again = first.start(&store).await.unwrap();
    assert!(found.same_as(&made) && again.same_as(&made));
    assert!(stays_empty(first.data_dir.path()), "the keyring is in the store and nowhere else");
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
    let beside = DataDir::open_or_create(&one.dir.path().join("data-2")).unwrap();
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

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_taken_in_and_changed_further() {
    let (store, machine, faults) = (MemoryStore::new(), Machine::new(), Faults::default());
    let keyring = machine.start_on(Arc::new(FaultyStore::new(store.clone(), faults.clone()))).await.unwrap();
    let before = keyring.current();
    faults.fail_once(Operation::Commit, 0, Fault::LostAnswer);
    assert!(keyring.rotate_own().await.is_err());
    assert_eq!(keyring.current(), before);
    let rotated = keyring.rotate_own().await.unwrap();
    assert_eq!((keyring.current(), keyring.versions().len()), (rotated.id, 3));
    assert!(machine.start(&store).await.unwrap().same_as(&keyring));
}
