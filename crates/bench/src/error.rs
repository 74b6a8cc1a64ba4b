//! Why a benchmark cannot be run at all, and why one request of it failed.

use client::ConnectionError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// The benchmark could not begin, or its preparation failed; nothing was measured.
///
/// Requests that fail while measuring are not errors of this kind: the report counts them.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The endpoint is not a URL of the form `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    #[error("--endpoint {0}: write http://HOST:PORT or https://HOST:PORT")]
    InvalidEndpoint(String),
    /// The endpoint's name has no address.
    #[error("--endpoint {endpoint}: no address found")]
    Resolve {
        /// As given.
        endpoint: String,
        /// Of the system's resolver.
        #[source]
        source: Option<io::Error>,
    },
    /// The endpoint is another machine.
    #[error("--endpoint {0} is not on this machine; a benchmark is load, so this needs --allow-remote")]
    RemoteEndpoint(String),
    /// Certificates are only left unchecked on this machine.
    #[error("--insecure-skip-verify works for loopback addresses only, not for {0}; use --ca FILE")]
    UnverifiedRemote(String),
    /// TLS without anything to check the certificate against.
    #[error("an https endpoint needs --ca FILE (a Canopic server keeps its own in DATA-DIR/tls/ca.pem)")]
    NoCertificateAuthority,
    /// The file of certificates cannot be used.
    #[error("--ca {}: {reason}", path.display())]
    CertificateAuthority {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refuses its configuration.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// Nobody to sign as.
    #[error(transparent)]
    Credentials(#[from] client::CredentialsError),
    /// An option that belongs to endpoints came neither once nor once for each.
    #[error("{option} was given {given} times for {endpoints} endpoints: give it once for each")]
    CountMismatch {
        /// Such as `--pid`.
        option: &'static str,
        /// How often it was given.
        given: usize,
        /// How many endpoints there are.
        endpoints: usize,
    },
    /// The bucket cannot be called so.
    #[error("--bucket {0}: not a valid bucket name")]
    InvalidBucket(String),
    /// An option is outside of its bounds, or does not go with another one.
    #[error("{0}")]
    OutOfBounds(String),
    /// A process to be watched does not exist, or does not let itself be read.
    #[error("--pid {pid}: cannot read its counters")]
    Process {
        /// As given.
        pid: u32,
        /// Of reading below `/proc`.
        #[source]
        source: io::Error,
    },
    /// See [`client::NoRandomness`].
    #[error(transparent)]
    Random(#[from] client::NoRandomness),
    /// Bucket or objects could not be prepared.
    #[error("{endpoint}: {step} failed: {failure}")]
    Preparation {
        /// Where.
        endpoint: String,
        /// What was being done.
        step: &'static str,
        /// What came back.
        failure: String,
    },
    /// A worker ended early: a defect of the benchmark itself.
    #[error("a worker of the benchmark ended early")]
    WorkerLost,
    /// The report could not be written.
    #[error("cannot write the report")]
    Output(#[from] io::Error),
}

/// Why one request failed. Shown in the report, where equal failures are counted together: therefore nothing in it
/// varies from request to request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// No connection.
    Connect(io::ErrorKind),
    /// No TLS session: a certificate that does not fit, most likely.
    TlsHandshake,
    /// The connection broke.
    Connection(&'static str),
    /// The request took longer than allowed.
    Timeout,
    /// Another status than the operation has; with the error code of the body.
    Status { status: u16, code: String },
    /// The answer is not what it must be.
    Mismatch(&'static str),
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Connect(kind) => Self::Connect(kind),
            ConnectionError::TlsHandshake(_) => Self::TlsHandshake,
            ConnectionError::Broken(what) => Self::Connection(what),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(kind) => write!(f, "connect: {kind}"),
            Self::TlsHandshake => f.write_str("TLS handshake failed"),
            Self::Connection(what) => write!(f, "connection: {what}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status { status, code } if code.is_empty() => write!(f, "{status}"),
            Self::Status { status, code } => write!(f, "{status} {code}"),
            Self::Mismatch(what) => write!(f, "mismatch: {what}"),
        }
    }
}
