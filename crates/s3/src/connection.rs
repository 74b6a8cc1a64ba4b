use std::net::SocketAddr;

/// What the server knows of the connection that a request came on.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The client's bytes were encrypted all the way to us or to a proxy that we trust.
    pub secure: bool,
    /// The version of TLS between the client and us. `None` when TLS ends elsewhere, or when there is none.
    pub tls: Option<TlsVersion>,
    /// Who is at the other end of the socket: behind a proxy, the proxy. `X-Forwarded-For` is not believed.
    pub peer: SocketAddr,
}

/// A version of TLS that is still spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    /// The number, as policies compare it (AWS: `s3:TlsVersion`).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}
