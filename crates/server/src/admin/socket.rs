//! The admin API at a Unix socket in the data directory, for whoever may open it: the user that runs the server.
//!
//! HTTP/1.1 like the rest, one request or many. The mode of the file is 0600, the directory above it 0700, and the
//! kernel says whose process is at the other end; all three must agree.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admin_api::CALL_LEN_MAX;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use model::Principal;
use rustix::fs::{Mode, OFlags};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::{AdminApi, Door};
use crate::http_server::json;

/// Calls take milliseconds; whoever needs longer than this hangs.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECTIONS_MAX: usize = 16;
/// Bytes of the path of a socket, its ending NUL not counted (unix(7)).
const SOCKET_PATH_LEN_MAX: usize = 107;

/// The socket cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the admin socket {}: {source}", path.display())]
pub struct AdminSocketError {
    path: PathBuf,
    source: io::Error,
}

/// The socket, removed when dropped.
pub(crate) struct AdminSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl AdminSocket {
    /// Makes the socket in a data directory that is ours alone, so whatever lies there is a leftover.
    pub(crate) fn bind(path: PathBuf) -> Result<Self, AdminSocketError> {
        let bind = || {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let short = ShortPath::of(&path)?;
            let listener = UnixListener::bind(&short.path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let bound = bind();
        match bound {
            Ok(listener) => Ok(Self { path, listener }),
            Err(source) => Err(AdminSocketError { path, source }),
        }
    }

    /// Answers calls as `caller`, the administrator. Never returns.
    pub(crate) async fn serve(self, api: AdminApi, caller: Principal) {
        let (api, caller) = (Arc::new(api), Arc::new(caller));
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await.expect("the semaphore is never closed");
            let stream = match self.listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => stream,
                Ok(_) => {
                    tracing::warn!("a process of another user was turned away from the admin socket");
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "cannot accept at the admin socket");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (api, caller) = (Arc::clone(&api), Arc::clone(&caller));
            tokio::spawn(async move {
                let served = tokio::time::timeout(CONNECTION_TIMEOUT, serve_connection(stream, api, caller));
                if served.await.is_err() {
                    tracing::debug!("a connection to the admin socket took too long");
                }
                drop(permit);
            });
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // The next start removes what is left now.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0)
}

async fn serve_connection(stream: UnixStream, api: Arc<AdminApi>, caller: Arc<Principal>) {
    let service = service_fn(move |request| {
        let (api, caller) = (Arc::clone(&api), Arc::clone(&caller));
        async move { Ok::<_, std::convert::Infallible>(answer(&api, &caller, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(CONNECTION_TIMEOUT).max_buf_size(64 * 1024);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the admin socket ended early");
    }
}

async fn answer(api: &AdminApi, caller: &Principal, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    match Limited::new(body, CALL_LEN_MAX).collect().await {
        Ok(body) => api.answer((Door::Machine, caller), &head.method, head.uri.path(), &body.to_bytes()).await,
        Err(_) => json(
            StatusCode::BAD_REQUEST,
            r#"{"code":"invalid_call","message":"the call is cut or too long"}"#.to_owned(),
        ),
    }
}

/// A way to name a socket whose path is too long for the system: through a descriptor of its directory.
pub struct ShortPath {
    /// The path to use while this value lives.
    pub path: PathBuf,
    _directory: Option<OwnedFd>,
}

impl ShortPath {
    /// A usable name for `path`, which is `path` itself if it is short enough.
    ///
    /// # Errors
    /// When the directory cannot be opened.
    pub fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= SOCKET_PATH_LEN_MAX {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::other("not the path of a socket"));
        };
        let directory = rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }
}
