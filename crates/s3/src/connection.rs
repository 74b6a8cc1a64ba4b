use std::net::SocketAddr;

/// What the server knows of the connection that a request came on.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The client's bytes were encrypted all the way to us or to a proxy that we trust.
    pub secure: bool,
    /// Who is at the other end; behind a trusted proxy, the client that it names.
    pub peer: SocketAddr,
}
