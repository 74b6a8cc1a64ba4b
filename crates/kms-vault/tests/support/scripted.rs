//! A server over TLS that answers by script, and so can do what a real one does only on a bad day.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What comes back for one request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A status and a body.
    Json(u16, &'static str),
    /// The same, after a while.
    Late(Duration, u16, &'static str),
    /// The connection is closed without a word.
    Close,
    /// More bytes are announced than come.
    Cut(&'static str),
    /// Something that is not HTTP.
    Noise,
    /// More than anybody should read.
    Endless,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Scripted {
    port: u16,
    ca_pem: String,
    script: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Answers the requests in this order; when the script is over it closes every connection.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let ca_pem = made.cert.pem();
        let private_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], private_key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (replies, log) = (Arc::clone(&script), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, replies, log) = (acceptor.clone(), Arc::clone(&replies), Arc::clone(&log));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    while let Some(request) = read_request(&mut stream).await {
                        log.lock().unwrap().push(request);
                        let reply = replies.lock().unwrap().pop_front().unwrap_or(Reply::Close);
                        if !answer(&mut stream, reply).await {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, ca_pem, script, seen }
    }

    pub(crate) fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn ca_pem(&self) -> &[u8] {
        self.ca_pem.as_bytes()
    }

    /// What arrived, oldest first.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Replies that nobody fetched.
    pub(crate) fn left(&self) -> usize {
        self.script.lock().unwrap().len()
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        bytes.push(stream.read_u8().await.ok()?);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { head, body: String::from_utf8(body).unwrap() })
}

/// False when nothing more comes over this connection.
async fn answer(stream: &mut (impl AsyncWrite + Unpin), reply: Reply) -> bool {
    let (text, goes_on) = match reply {
        Reply::Json(status, body) => (http(status, body, body.len()), true),
        Reply::Late(pause, status, body) => {
            tokio::time::sleep(pause).await;
            (http(status, body, body.len()), true)
        }
        Reply::Close => (String::new(), false),
        Reply::Cut(body) => (http(200, body, body.len() + 10), false),
        Reply::Noise => ("220 ready to relay mail\r\n".to_owned(), false),
        Reply::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
            return false;
        }
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
    goes_on
}

fn http(status: u16, body: &str, announced: usize) -> String {
    format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {announced}\r\n\r\n{body}")
}
