//! The collector beside an engine that cannot be asked, and after batches whose outcome nobody knew.
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use bytes::Bytes;
use storage::{Batch, Partition, Scope};

use super::*;
use crate::blobs::generation::Generations;
use crate::blobs::pending::Pending;
use crate::committer::Committer;
use crate::data_dir::DataDir;
use crate::engine::Write;
use crate::group::Group;

const ID: BlobId = BlobId::from_bytes([7; 16]);

struct Setting {
    _temp: tempfile::TempDir,
    collector: Collector,
    errands: Receiver<Errand>,
    /// Keeps the collector's weak one alive.
    _queue: (mpsc::Sender<Queued>, mpsc::Receiver<Queued>),
}

impl Setting {
    /// An empty store, beside it the file of a finished blob that nobody claimed for long enough.
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = Arc::new(DataDir::open(temp.path(), 0).unwrap());
        let engine = Arc::new(Engine::open(&dir.records(), 1 << 20).unwrap());
        std::fs::File::create(dir.blob(ID)).unwrap();
        let (sender, errands) = channel();
        let files = BlobFiles {
            dir,
            pending: Pending::default(),
            generations: Generations::default(),
            errands: sender,
            garbage_waits: AtomicBool::new(false),
        };
        files.pending.finish(ID);
        let queue = mpsc::channel(16);
        let collector = Collector {
            files: Arc::new(files),
            engine,
            unlinked_age_max: Duration::ZERO,
            collects: true,
            committer: queue.0.downgrade(),
            waiting: VecDeque::new(),
            find_garbage: false,
        };
        Self { _temp: temp, collector, errands, _queue: queue }
    }

    fn is_there(&self) -> bool {
        self.collector.files.dir.blob(ID).exists()
    }

    fn write(&self, key: Vec<u8>, value: &'static [u8]) {
        self.collector.engine.apply(&[Write::Put(key, Bytes::from_static(value))]).unwrap();
    }
}

#[test]
fn an_expired_blob_that_a_record_names_is_kept() {
    let mut setting = Setting::new();
    setting.write(keys::blob(ID), &[1, 0, 0, 0]);
    setting.collector.tick();
    assert!(setting.is_there());
    assert!(!setting.collector.files.pending.contains(ID), "it is on its way no more");
}

#[test]
fn an_expired_blob_is_kept_until_the_engine_can_be_asked() {
    let mut setting = Setting::new();
    setting.collector.engine.close();
    setting.collector.tick();
    assert!(setting.is_there());
    assert!(!setting.collector.files.pending.is_unreadable(ID), "a record may name it");
    setting.collector.engine.recover_if_failed();
    setting.collector.tick();
    assert!(!setting.is_there());
    assert!(!setting.collector.files.pending.contains(ID));
}

#[test]
fn after_an_unknown_outcome_garbage_is_looked_for_and_blobs_wait_again() {
    let mut setting = Setting::new();
    let garbage = BlobId::from_bytes([8; 16]);
    setting.write(keys::blob(garbage), &[1, 0, 0, 0]);
    let collector = &setting.collector;
    let committer = Committer { engine: Arc::clone(&collector.engine), files: Arc::clone(&collector.files) };
    let mut group = Group::new(&collector.engine, &collector.files.pending, true);
    let batch = Batch { link: vec![ID], unlink: vec![garbage], ..Batch::default() };
    group.add(&Partition::new(Scope::SYSTEM, "a"), batch).unwrap();
    collector.engine.close();
    committer.write(group, Vec::new());
    assert!(collector.files.pending.claim(ID), "a second attempt may link it");
    assert!(matches!(setting.errands.try_recv(), Ok(Errand::FindGarbage)));

    // Had the batch been committed, the engine would tell.
    let path = setting.collector.files.dir.blob(garbage);
    std::fs::File::create(&path).unwrap();
    setting.write(keys::garbage(garbage), b"");
    setting.collector.engine.close();
    setting.collector.find_garbage = true;
    setting.collector.tick();
    assert!(path.exists(), "the engine could not be asked");
    setting.collector.engine.recover_if_failed();
    setting.collector.tick();
    assert!(!path.exists());
    assert!(!setting.collector.find_garbage);
}

#[test]
fn errands_without_end_do_not_put_off_what_is_due() {
    let Setting { _temp, collector, errands, _queue } = Setting::new();
    let (files, path) = (Arc::clone(&collector.files), collector.files.dir.blob(ID));
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || collector.run(&errands));
        while path.exists() && began.elapsed() < 5 * TICK {
            files.errands.send(Errand::Look).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        files.errands.send(Errand::Stop).unwrap();
    });
    assert!(!path.exists());
}
