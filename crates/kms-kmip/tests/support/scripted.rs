//! A server over TLS that answers by script.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::Authority;

/// What comes back for one message.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing for a while, then the end of the connection.
    Silence(Duration),
    /// The end of the connection.
    Close,
}

pub(crate) struct Scripted {
    pub(crate) authority: Authority,
    port: u16,
    script: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Scripted {
    /// Answers messages in this order; when the script is over it closes every connection.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let authority = Authority::new();
        let issued = authority.server();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(issued.chain(), issued.private_key())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::new(AtomicUsize::new(0));
        let connections = Arc::new(AtomicUsize::new(0));
        let (replies, counter, accepted) = (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, replies, counter) = (acceptor.clone(), Arc::clone(&replies), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut header = [0; 8];
                    while stream.read_exact(&mut header).await.is_ok() {
                        let length = u32::from_be_bytes(header[4..].try_into().unwrap());
                        let mut body = vec![0; length as usize];
                        stream.read_exact(&mut body).await.unwrap();
                        counter.fetch_add(1, Ordering::SeqCst);
                        let reply = replies.lock().unwrap().pop_front().unwrap_or(Reply::Close);
                        match reply {
                            Reply::Bytes(bytes) => {
                                let _ = stream.write_all(&bytes).await;
                                let _ = stream.flush().await;
                            }
                            Reply::Silence(time) => return tokio::time::sleep(time).await,
                            Reply::Close => return,
                        }
                    }
                });
            }
        });
        Self { authority, port, script, seen, connections }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Messages that arrived.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Connections that were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Replies that nobody fetched.
    pub(crate) fn left(&self) -> usize {
        self.script.lock().unwrap().len()
    }
}
