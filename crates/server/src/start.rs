//! Puts a server together from its configuration, and takes it apart again.
//!
//! The order matters. The listeners are bound first: a port that is taken should not leave a half-made installation,
//! and a root pair that was made is shown at once, with nothing left that could fail before. Nothing is accepted until
//! everything stands. At the end the store is closed before the lock on the data directory is given back.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit_log::{AuditLog, AuditLogError};
use operations::{IssuedAccessKey, Operations};
use storage::Leases;
use storage_rados::SessionEnd;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::admin::{AdminApi, AdminSocket, AdminSocketError};
use crate::clock;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::gateway::{GatewayError, S3Answer};
use crate::health::Health;
use crate::http_server::{HttpServer, Scheme, Service};
use crate::installation::InstallationError;
use crate::key_changes::KeyChanges;
use crate::key_work::KeyWork;
use crate::kms_provider::KmsError;
use crate::lease::{self, LEASE_TIME};
use crate::root_pair::{self, RootPairError};
use crate::server_keys::ServerKeys;
use crate::site::{Site, SiteError};
use crate::store::StoreError;
use crate::tls::TlsError;
use crate::tls::authority::{self, AuthorityError};
use crate::tls::certificate::{CertificateError, ReloadedCertificate};

/// How often the local CA looks whether its certificate should be renewed.
const RENEWAL_EVERY: Duration = Duration::from_secs(3600);

/// How often leftovers of ended uploads are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The lease for that.
const SWEEP: &str = "sweep";

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be had.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The keys or the data directory.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditLogError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The local CA.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The admin socket.
    #[error(transparent)]
    AdminSocket(#[from] AdminSocketError),
    /// The root pair.
    #[error(transparent)]
    RootPair(#[from] RootPairError),
    /// The KMS.
    #[error(transparent)]
    Kms(#[from] KmsError),
}

impl From<SiteError> for StartError {
    fn from(error: SiteError) -> Self {
        match error {
            SiteError::Installation(error) => error.into(),
            SiteError::Store(error) => error.into(),
        }
    }
}

/// A server that runs.
pub struct Running {
    http_server: HttpServer<S3Answer>,
    health: Health,
    background: JoinSet<()>,
    https: Option<SocketAddr>,
    http: Option<SocketAddr>,
    authority: Option<PathBuf>,
    root_pair: Option<IssuedAccessKey>,
    grace: Duration,
    audit: AuditLog,
    // Dropped after what uses the store.
    _session_end: Option<SessionEnd>,
    // Dropped last: with it goes the lock.
    _data_dir: DataDir,
}

impl Running {
    /// Where HTTPS is served.
    #[must_use]
    pub const fn https(&self) -> Option<SocketAddr> {
        self.https
    }

    /// Where plain HTTP is served.
    #[must_use]
    pub const fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The certificate of the local CA, if that issued the server's.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// The root pair, if this start made it; to be shown once.
    pub const fn take_root_pair(&mut self) -> Option<IssuedAccessKey> {
        self.root_pair.take()
    }

    /// Refuses new connections, lets running requests finish within the configured time, and closes everything.
    pub async fn stop(mut self) {
        self.health.set_stopping();
        self.http_server.stop(self.grace).await;
        self.background.shutdown().await;
        // An operator who keeps the line elsewhere finds out later if the end of the log is cut off.
        match self.audit.close().await {
            Some(head) => tracing::info!(%head, "the audit log is closed"),
            None => tracing::error!("the audit log could not be written to its end"),
        }
    }
}

/// Starts a server.
///
/// # Errors
/// [`StartError`] says what is in the way; nothing runs then.
pub async fn start(config: &Config) -> Result<Running, StartError> {
    let https = bind(config.listen).await?;
    let http = bind(config.listen_http).await?;

    // Where something fails below, they are dropped in the opposite order.
    let Site { data_dir, session_end, backend, keyring } = Site::open_or_create(config).await?;
    let mut background = JoinSet::new();
    let mut authority = None;
    let tls = match &https {
        None => None,
        Some((_, address)) => {
            let files = match &config.certificate {
                Some(files) => files.clone(),
                None => {
                    let directory = data_dir.tls();
                    authority = Some(absolute(&directory.join("ca.pem")));
                    let names = authority::names(Some(address.ip()), &config.domains);
                    let files = authority::ensure(&directory, &names, clock::now())?;
                    background.spawn(renew(directory, names));
                    files
                }
            };
            let certificate = Arc::new(ReloadedCertificate::load(files)?);
            let tls = crate::tls::server_config(Arc::clone(&certificate))?;
            background.spawn(async move { certificate.keep_current().await });
            Some(Arc::new(tls))
        }
    };

    let (keys, kms) = ServerKeys::new(keyring, &config.kms)?;
    let audit = crate::audit::open(&config.audit, &keys.keyring.store_key())?;
    let operations = backend.operations(&keys, Arc::new(audit.clone()));
    let changes = KeyChanges::new(Arc::new(audit.clone()));
    let health = Health::new(operations.users.clone());
    let leases = backend.leases;
    let key_work =
        KeyWork::new(operations.rewrapper.clone(), Arc::clone(&keys.keyring), changes.clone(), leases.clone());
    let admin = AdminApi::new(operations.users.clone(), keys.clone(), key_work.clone(), changes.clone());
    let root = operations.users.root().await.map_err(|error| StoreError::Records(error.to_string()))?;
    let socket = AdminSocket::bind(data_dir.admin_socket())?;
    let root_pair = root_pair::ensure(&operations.users, config.root_pair.as_ref()).await?;
    background.spawn(socket.serve(admin.clone(), root.clone()));
    background.spawn(key_work.run(root));
    background.spawn(sweep(operations.clone(), leases));
    background.spawn(keys.clone().keep_cache(config.kms.cache.time));
    background.spawn(keys.clone().keep_up_with_others());
    background.spawn(keys.destroy_due_daily(changes));
    background.spawn(kms.keep_up());

    let answer = S3Answer::new(config, operations, health.clone(), admin)?;
    let service = Service::new(answer, config.trusted_proxies.clone(), config.limits.body_timeout);
    let http_server = HttpServer::new(service, config.limits);
    let (https, http) = (
        serve_at(&http_server, https, || Scheme::Https(tls.expect("there is TLS for every HTTPS listener"))),
        serve_at(&http_server, http, || Scheme::Http),
    );
    Ok(Running {
        http_server,
        health,
        background,
        https,
        http,
        authority,
        root_pair,
        grace: config.shutdown_grace,
        audit,
        _session_end: session_end,
        _data_dir: data_dir,
    })
}

async fn bind(address: Option<SocketAddr>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let bound = TcpListener::bind(address).await.and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map(Some).map_err(|error| StartError::Listen(address, error))
}

fn serve_at(
    http_server: &HttpServer<S3Answer>,
    bound: Option<(TcpListener, SocketAddr)>,
    scheme: impl FnOnce() -> Scheme,
) -> Option<SocketAddr> {
    let (listener, address) = bound?;
    http_server.listen(listener, scheme());
    Some(address)
}

/// Takes up what a crash left of ended uploads, at the start and now and then. One of several gateways does it for all.
async fn sweep(operations: Operations, leases: Arc<dyn Leases>) {
    let mut interval = tokio::time::interval(SWEEP_EVERY);
    loop {
        interval.tick().await;
        let swept = match leases.hold(SWEEP, LEASE_TIME).await {
            Ok(true) => {
                let sweep = operations.uploads.sweep(&operations.buckets);
                lease::keep_during(&*leases, SWEEP, sweep).await.unwrap_or(Ok(()))
            }
            Ok(false) => continue,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = swept {
            tracing::warn!(%error, "leftovers of ended uploads could not be removed");
        }
        // It is kept until shortly before the next time, so that the other gateways do not do the same again.
        if let Err(error) = leases.hold(SWEEP, SWEEP_EVERY / 2).await {
            tracing::debug!(%error, "the lease of a sweep could not be kept");
        }
    }
}

/// Clients start in other directories.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

async fn renew(directory: PathBuf, names: Vec<String>) {
    let mut interval = tokio::time::interval(RENEWAL_EVERY);
    loop {
        interval.tick().await;
        // The new file is picked up like any other change.
        if let Err(error) = authority::ensure(&directory, &names, clock::now()) {
            tracing::error!(%error, "the server's certificate cannot be renewed");
        }
    }
}
