use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;
use storage::{
    Batch, BlobReader, BlobWriter, Blobs, CommitError, Entry, Error, Held, Inventory, Leases, Metadata, Partition,
    Precondition, RecordKey, RetireError, Scan, Scope, Table,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;

use crate::blobs::generation::Generations;
use crate::blobs::pending::Pending;
use crate::blobs::{BlobFiles, FileReader, FileWriter};
use crate::collector::{Collector, Errand};
use crate::committer::{Committer, Queued, Task};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::engine::Engine;
use crate::error::OpenError;
use crate::format;
use crate::inventory;
use crate::keys;

/// Records and blobs below one data directory, which it holds exclusively.
///
/// Dropping it commits what is queued, joins its two threads and so blocks for some milliseconds.
pub struct EmbeddedStore {
    engine: Arc<Engine>,
    files: Arc<BlobFiles>,
    inline_len_max: usize,
    /// Bounds the bytes that wait in the queue.
    queue_room: Arc<Semaphore>,
    /// `None` only while the store is dropped.
    queue: Option<mpsc::Sender<Queued>>,
    committer: Option<JoinHandle<()>>,
    collector: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens the store below `dir`, which is created when it is missing (its parent must exist).
    ///
    /// Blocks on I/O: after a crash under load the engine first checks its whole file.
    ///
    /// # Errors
    /// [`OpenError`] says what stands in the way; nothing is changed then.
    pub fn open(dir: impl AsRef<Path>, config: &Config) -> Result<Self, OpenError> {
        let dir = Arc::new(DataDir::open(dir.as_ref(), config.reserve_bytes)?);
        let engine = Arc::new(format::open_engine(&dir, config.cache_bytes)?);
        let (errands, errands_in) = channel();
        let files = Arc::new(BlobFiles {
            dir,
            pending: Pending::default(),
            generations: Generations::default(),
            errands,
            garbage_waits: AtomicBool::new(false),
        });
        let (queue, queue_in) = mpsc::channel(QUEUE_LEN);
        let collector = Collector {
            files: Arc::clone(&files),
            engine: Arc::clone(&engine),
            unlinked_age_max: config.unlinked_age_max,
            collects: config.collects,
            committer: queue.downgrade(),
            waiting: VecDeque::new(),
            find_garbage: false,
        };
        let committer = Committer { engine: Arc::clone(&engine), files: Arc::clone(&files) };
        Ok(Self {
            engine,
            files,
            inline_len_max: config.inline_len_max,
            queue_room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            queue: Some(queue),
            committer: Some(spawn("committer", move || committer.run(queue_in))?),
            collector: Some(spawn("collector", move || collector.run(&errands_in))?),
        })
    }

    /// Deletes all garbage that can be deleted now and returns when it is gone. The store does this by itself; this is
    /// for tests and for operators who want the room at once.
    pub async fn collect_garbage(&self) {
        let (answer, answered) = oneshot::channel();
        if self.files.errands.send(Errand::Finish(answer)).is_ok() {
            let _ = answered.await;
        }
    }

    async fn ask<T>(&self, task: Task, bytes: usize, answered: oneshot::Receiver<T>) -> Result<T, Error> {
        // A batch larger than the whole queue goes alone.
        let permits = u32::try_from(bytes.clamp(1, QUEUE_BYTES)).unwrap_or(u32::MAX);
        let closed = || Error::Unavailable("the store is closing".into());
        let room = Arc::clone(&self.queue_room).acquire_many_owned(permits).await.map_err(|_| closed())?;
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(Queued { task, room: Some(room) }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| Error::Unavailable("the committer gave up".into()))
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let spawned = std::thread::Builder::new().name(format!("store-{name}")).spawn(run);
    spawned.map_err(|source| OpenError::Io { path: name.into(), source })
}

fn batch_bytes(batch: &Batch) -> usize {
    let put: usize = batch.put.iter().map(|(_, value)| value.len() + RECORD_OVERHEAD).sum();
    let checked = batch.preconditions.iter().map(|precondition| match precondition {
        Precondition::Absent(_) => RECORD_OVERHEAD,
        Precondition::Unchanged(_, value) => value.len() + RECORD_OVERHEAD,
    });
    let named = batch.delete.len() + batch.link.len() + batch.unlink.len();
    put + checked.sum::<usize>() + named * RECORD_OVERHEAD
}

#[async_trait]
impl Metadata for EmbeddedStore {
    /// Reads in place: the records asked for are nearly always in one of the two caches, where a look-up takes
    /// microseconds. From a cold disk it holds the thread for the few pages of one path through the tree.
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error> {
        Ok(self.engine.get(&keys::record(partition, key))?)
    }

    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        let (answer, answered) = oneshot::channel();
        let bytes = batch_bytes(&batch);
        self.ask(Task::Commit(partition.clone(), batch, answer), bytes, answered).await?
    }

    /// A long page is read on a blocking thread: about a millisecond for 1,000 records from memory.
    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error> {
        let engine = Arc::clone(&self.engine);
        if scan.limit <= SCAN_IN_PLACE {
            return read_page(&engine, &scan);
        }
        let page = spawn_blocking(move || read_page(&engine, &scan)).await;
        page.map_err(|error| Error::Unavailable(format!("a scan: {error}")))?
    }

    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Task::Retire(scope, tables.to_vec(), answer), RECORD_OVERHEAD, answered).await?
    }

    fn inline_len_max(&self) -> usize {
        self.inline_len_max
    }
}

fn read_page(engine: &Engine, scan: &Scan) -> Result<Vec<Entry>, Error> {
    let (from, to) = keys::scan_range(scan);
    let mut page = Vec::with_capacity(scan.limit.min(SCAN_CAPACITY));
    if scan.limit > 0 {
        engine.scan(&from, &to, |key, value| {
            let (partition, suffix) = keys::parse_record(key)
                .ok_or_else(|| crate::engine::EngineError::Damaged("a key that no record has".into()))?;
            page.push(Entry { partition, suffix, value: Bytes::copy_from_slice(value) });
            Ok(page.len() < scan.limit)
        })?;
    }
    Ok(page)
}

#[async_trait]
impl Blobs for EmbeddedStore {
    async fn create(&self, _partition: &Partition) -> Result<Box<dyn BlobWriter>, Error> {
        Ok(Box::new(FileWriter::new(Arc::clone(&self.files))?))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error> {
        match FileReader::open(Arc::clone(&self.files), id).await? {
            Some(reader) => Ok(Box::new(reader)),
            // A record still names it: somebody took the file away, and reading the record again would not help.
            None if self.engine.get(&keys::blob(id))?.is_some() => {
                Err(Error::Damaged(format!("the file of blob {id} is missing")))
            }
            None => Err(Error::NoSuchBlob(id)),
        }
    }
}

#[async_trait]
impl Inventory for EmbeddedStore {
    async fn held(&self, after: Option<&str>, limit: usize) -> Result<Vec<Held>, Error> {
        let (engine, dir, after) = (Arc::clone(&self.engine), Arc::clone(&self.files.dir), after.map(str::to_owned));
        let page = spawn_blocking(move || inventory::page(&engine, &dir, after.as_deref(), limit)).await;
        page.map_err(|error| Error::Unavailable(format!("the inventory: {error}")))?
    }
}

/// One process has the store to itself.
#[async_trait]
impl Leases for EmbeddedStore {
    async fn hold(&self, _: &str, _: Duration) -> Result<bool, Error> {
        Ok(true)
    }

    async fn release(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // The collector first: it may wait for room in the queue.
        let _ = self.files.errands.send(Errand::Stop);
        let join = |thread: Option<JoinHandle<()>>| thread.is_some_and(|thread| thread.join().is_err());
        let collector_failed = join(self.collector.take());
        drop(self.queue.take());
        if join(self.committer.take()) || collector_failed {
            tracing::error!("a thread of the store ended with a panic");
        }
    }
}

/// Tasks that may wait for the committer; more writers wait at the door.
const QUEUE_LEN: usize = 256;
/// Bytes that may wait for the committer.
const QUEUE_BYTES: usize = 8 << 20;
/// What one record takes besides its value, roughly.
const RECORD_OVERHEAD: usize = 256;
/// Scans of at most this many entries are read in place.
const SCAN_IN_PLACE: usize = 16;
const SCAN_CAPACITY: usize = 1024;
