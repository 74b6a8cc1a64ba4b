//! RADOS by the C library: what `Rados` asks for, in calls of `ffi`.
//!
//! Changes and reads of objects are asynchronous. The few calls that block (looking up pools, locks, listing) run on
//! threads for that.

mod ffi;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::CString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::ffi::{Cluster, IoCtx, OpenError, ReadOp, Symbols, Watching, WriteOp, text};
use crate::config::Config;
use crate::rados::{PoolId, Rados, RadosError, ReadAnswer, ReadStep, Watch, Watcher, WriteStep};

/// Why there is no session with a cluster.
#[derive(Debug, thiserror::Error)]
pub enum LibradosError {
    /// The library is not installed.
    #[error("librados.so.2 cannot be loaded: install the package librados2 of Ceph 16.2 or later ({0})")]
    Library(String),
    /// The library lacks a function.
    #[error(
        "librados.so.2 of this machine is too old, it lacks {0}: install the package librados2 of Ceph 16.2 or later"
    )]
    TooOld(&'static str),
    /// The configuration cannot be used.
    #[error("the Ceph configuration {} cannot be used: {reason}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// In the words of the system.
        reason: std::io::Error,
    },
    /// The user is unknown, or its keyring is missing or wrong.
    #[error(
        "the cluster does not take {user}: {reason}. Is that its whole name (client.NAME), is the user there (ceph auth \
         get {user}), and does the keyring that the Ceph configuration names hold its key?"
    )]
    User {
        /// The cephx user.
        user: String,
        /// In the words of the system.
        reason: std::io::Error,
    },
    /// No monitor answered in time.
    #[error("no monitor of the cluster answered within {} s: is the address in the Ceph configuration right?", .0.as_secs())]
    NoAnswer(Duration),
    /// Anything else.
    #[error("the cluster cannot be reached: {0}")]
    Other(std::io::Error),
}

/// A session with a cluster.
pub(crate) struct Librados {
    symbols: Arc<Symbols>,
    cluster: Arc<Cluster>,
    namespace: CString,
    deadline: Duration,
    io_ctxs: Mutex<HashMap<PoolId, Arc<IoCtx>>>,
    /// Bounds what librados has to keep for us while a cluster does not answer, in KiB.
    in_flight: Arc<Semaphore>,
}

impl Librados {
    /// Connects, on a thread for that.
    ///
    /// # Errors
    /// [`LibradosError`] says what stands in the way.
    pub(crate) async fn connect(config: &Config) -> Result<Self, LibradosError> {
        let config = config.clone();
        let connected = spawn_blocking(move || Self::connect_blocking(&config)).await;
        connected.map_err(|error| LibradosError::Other(std::io::Error::other(error)))?
    }

    fn connect_blocking(config: &Config) -> Result<Self, LibradosError> {
        if std::env::var_os("CEPH_ARGS").is_some() {
            tracing::warn!("the environment variable CEPH_ARGS is set, and librados obeys it");
        }
        let symbols = Symbols::open().map_err(|error| match error {
            OpenError::Library(reason) => LibradosError::Library(reason),
            OpenError::Symbol(name) => LibradosError::TooOld(name),
        })?;
        let configuration = |error| LibradosError::Configuration { path: config.conf.clone(), reason: errno(error) };
        let namespace = text(config.namespace.as_str()).map_err(configuration)?;
        let refused = |error| LibradosError::User { user: config.user.clone(), reason: errno(error) };
        let user = text(config.user.as_str()).map_err(refused)?;
        let cluster = Cluster::new(Arc::clone(&symbols), &user).map_err(refused)?;
        let path = text(config.conf.as_os_str().as_encoded_bytes()).map_err(configuration)?;
        cluster.read_conf(&path).map_err(configuration)?;
        let seconds = text(config.deadline.as_secs().max(1).to_string()).map_err(configuration)?;
        for option in [c"rados_osd_op_timeout", c"rados_mon_op_timeout", c"client_mount_timeout"] {
            cluster.set_conf(option, &seconds).map_err(configuration)?;
        }
        // librados would let the calling thread wait for room, before its timeouts begin; we wait ourselves, for less.
        for option in [c"objecter_inflight_ops", c"objecter_inflight_op_bytes"] {
            cluster.set_conf(option, c"1099511627776").map_err(configuration)?;
        }
        // The gateways of one user would quarrel over one socket.
        cluster.set_conf(c"admin_socket", c"").map_err(configuration)?;
        // The process has a log of its own, and a data directory that nothing else writes into.
        for option in [c"log_to_stderr", c"err_to_stderr", c"log_to_file"] {
            cluster.set_conf(option, c"false").map_err(configuration)?;
        }
        cluster.connect().map_err(|error| match error {
            // The last one for a keyring that cannot be read as one.
            EACCES | EPERM | EIO => refused(error),
            ENOENT | EINVAL => {
                let reason = "it names no monitor that can be found, or no keyring of the user";
                let reason = std::io::Error::new(std::io::ErrorKind::NotFound, reason);
                LibradosError::Configuration { path: config.conf.clone(), reason }
            }
            ETIMEDOUT => LibradosError::NoAnswer(config.deadline),
            other => LibradosError::Other(errno(other)),
        })?;
        Ok(Self {
            symbols,
            cluster: Arc::new(cluster),
            namespace,
            deadline: config.deadline,
            io_ctxs: Mutex::default(),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_KIB_MAX as usize)),
        })
    }

    /// To be waited for at the end.
    pub(crate) fn session_end(&self) -> SessionEnd {
        SessionEnd { alive: self.cluster.alive() }
    }

    async fn io_ctx(&self, pool: PoolId) -> Result<Arc<IoCtx>, RadosError> {
        if let Some(io_ctx) = self.io_ctxs.lock().unwrap_or_else(PoisonError::into_inner).get(&pool) {
            return Ok(Arc::clone(io_ctx));
        }
        let (cluster, namespace) = (Arc::clone(&self.cluster), self.namespace.clone());
        let io_ctx = blocking(move || IoCtx::new(cluster, pool.0, &namespace)).await?;
        let mut io_ctxs = self.io_ctxs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(io_ctxs.entry(pool).or_insert_with(|| Arc::new(io_ctx))))
    }

    /// Waits for room for an operation of so many bytes.
    async fn permit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, RadosError> {
        let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).saturating_add(OPERATION_KIB);
        let permit = Arc::clone(&self.in_flight).acquire_many_owned(kib.min(IN_FLIGHT_KIB_MAX)).await;
        permit.map_err(|_| RadosError::TimedOut)
    }

    /// Whatever librados does, nobody waits for longer. What was asked may go on; it belongs to librados then.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, RadosError>>) -> Result<T, RadosError> {
        timeout(self.deadline, asked).await.unwrap_or(Err(RadosError::TimedOut))
    }
}

/// Waits, when it is dropped, until the session of a store with its cluster has ended, for some milliseconds. Whoever ends
/// the process drops it after all that uses the store: librados has threads of its own, which do not survive that the
/// process ends around them.
#[derive(Debug)]
pub struct SessionEnd {
    alive: Weak<()>,
}

impl Drop for SessionEnd {
    fn drop(&mut self) {
        for _ in 0..WAITS_MAX {
            if self.alive.strong_count() == 0 {
                return;
            }
            std::thread::sleep(WAIT);
        }
        tracing::warn!("the session with the cluster does not end");
    }
}

#[async_trait]
impl Rados for Librados {
    async fn write(&self, pool: PoolId, object: &str, steps: Vec<WriteStep>) -> Result<(), RadosError> {
        self.in_time(async {
            let (io_ctx, permit) = (self.io_ctx(pool).await?, self.permit(written(&steps)).await?);
            let object = text(object).map_err(error)?;
            let write_op = WriteOp::new(&self.symbols, &steps).map_err(error)?;
            drop(steps);
            answer(io_ctx.write(&object, write_op, permit)).await
        })
        .await
    }

    async fn read(&self, pool: PoolId, object: &str, steps: Vec<ReadStep>) -> Result<Vec<ReadAnswer>, RadosError> {
        self.in_time(async {
            let (io_ctx, permit) = (self.io_ctx(pool).await?, self.permit(expected(&steps)).await?);
            let object = text(object).map_err(error)?;
            let read_op = ReadOp::new(&self.symbols, &steps).map_err(error)?;
            let slots = answer(io_ctx.read(&object, read_op, permit)).await?;
            slots.into_answers().map_err(error)
        })
        .await
    }

    async fn list(&self, pool: PoolId, after: Option<String>) -> Result<(Vec<String>, Option<String>), RadosError> {
        self.in_time(async {
            let io_ctx = self.io_ctx(pool).await?;
            let from = after.map(|after| after.parse::<u32>()).transpose().map_err(|_| RadosError::Other(EINVAL))?;
            let (names, position) = blocking(move || io_ctx.list(from, LIST_PAGE)).await?;
            Ok((names, position.map(|position| position.to_string())))
        })
        .await
    }

    async fn lock(
        &self,
        pool: PoolId,
        object: &str,
        name: &'static str,
        cookie: &str,
        time: Duration,
    ) -> Result<bool, RadosError> {
        self.in_time(async {
            let io_ctx = self.io_ctx(pool).await?;
            let (object, name, cookie) = (text(object), text(name), text(cookie));
            blocking(move || io_ctx.lock(&object?, &name?, &cookie?, time)).await
        })
        .await
    }

    async fn unlock(&self, pool: PoolId, object: &str, name: &'static str, cookie: &str) -> Result<(), RadosError> {
        let unlocked = self.in_time(async {
            let io_ctx = self.io_ctx(pool).await?;
            let (object, name, cookie) = (text(object), text(name), text(cookie));
            blocking(move || io_ctx.unlock(&object?, &name?, &cookie?)).await
        });
        match unlocked.await {
            Err(RadosError::NotFound) => Ok(()),
            outcome => outcome,
        }
    }

    async fn watch(&self, pool: PoolId, object: &str, watcher: Arc<dyn Watcher>) -> Result<Box<dyn Watch>, RadosError> {
        self.in_time(async {
            let io_ctx = self.io_ctx(pool).await?;
            let object = text(object).map_err(error)?;
            let watching: Box<dyn Watch> = Box::new(answer(io_ctx.watch(object, watcher)).await?);
            Ok(watching)
        })
        .await
    }

    async fn notify(&self, pool: PoolId, object: &str, payload: Bytes, time: Duration) -> Result<(), RadosError> {
        // RADOS counts in seconds here, and whoever waits may want less.
        let notified = self.in_time(async {
            let io_ctx = self.io_ctx(pool).await?;
            let object = text(object).map_err(error)?;
            answer(io_ctx.notify(&object, &payload, time)).await
        });
        timeout(time, notified).await.unwrap_or(Err(RadosError::TimedOut))
    }

    async fn pool(&self, name: &str) -> Result<PoolId, RadosError> {
        let (cluster, name) = (Arc::clone(&self.cluster), text(name).map_err(error)?);
        self.in_time(blocking(move || cluster.pool(&name))).await.map(PoolId)
    }

    async fn alignment(&self, pool: PoolId) -> Result<Option<u64>, RadosError> {
        self.in_time(async {
            let io_ctx = self.io_ctx(pool).await?;
            blocking(move || io_ctx.alignment()).await
        })
        .await
    }
}

impl Watch for Watching {
    fn is_sound(&self) -> bool {
        self.confirmed_before().is_ok_and(|age| age < CONFIRMED_WITHIN)
    }
}

/// The bytes that a write sends.
fn written(steps: &[WriteStep]) -> usize {
    let of_step = |step: &WriteStep| match step {
        WriteStep::Write(_, bytes) => bytes.len(),
        WriteStep::SetOmap(entries) => entries.iter().map(|(omap_key, value)| omap_key.len() + value.len()).sum(),
        _ => 0,
    };
    steps.iter().map(of_step).sum()
}

/// The bytes that a read may bring, as far as that is known.
fn expected(steps: &[ReadStep]) -> usize {
    let of_step = |step: &ReadStep| match step {
        ReadStep::Read { length, .. } => *length,
        ReadStep::OmapScan { limit, .. } => limit * ENTRY_LEN,
        ReadStep::OmapGet(omap_keys) => omap_keys.len() * ENTRY_LEN,
        _ => 0,
    };
    steps.iter().map(of_step).sum()
}

async fn answer<T>(asked: Result<oneshot::Receiver<Result<T, i32>>, i32>) -> Result<T, RadosError> {
    let answered = asked.map_err(error)?.await;
    // Without an answer nobody knows what happened.
    answered.map_err(|_| RadosError::TimedOut)?.map_err(error)
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, i32> + Send + 'static) -> Result<T, RadosError> {
    spawn_blocking(call).await.map_err(|_| RadosError::TimedOut)?.map_err(error)
}

fn error(errno: i32) -> RadosError {
    match errno {
        ENOENT => RadosError::NotFound,
        EEXIST => RadosError::Exists,
        ECANCELED | ENODATA => RadosError::Mismatch,
        ENOSPC | EDQUOT => RadosError::Full,
        EOPNOTSUPP => RadosError::Unsupported,
        ETIMEDOUT => RadosError::TimedOut,
        other => RadosError::Other(other),
    }
}

fn errno(errno: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno)
}

/// What librados has at once: enough for a fast network, little for a gateway's memory.
const IN_FLIGHT_KIB_MAX: u32 = 256 << 10;
/// What an operation costs beside its bytes.
const OPERATION_KIB: u32 = 16;
/// What an omap entry is taken for before it is seen.
const ENTRY_LEN: usize = 1 << 10;
/// Names in a page of a listing.
const LIST_PAGE: usize = 1000;
/// OSDs forget a watcher that has not been heard of for 30 s. librados calls every 5 s.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(25);

/// How long and how often a session that ends is waited for: it takes a round trip.
const WAIT: Duration = Duration::from_millis(2);
const WAITS_MAX: u32 = 2500;

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;
const ENODATA: i32 = 61;
const EOPNOTSUPP: i32 = 95;
const ETIMEDOUT: i32 = 110;
const EDQUOT: i32 = 122;
const ECANCELED: i32 = 125;
