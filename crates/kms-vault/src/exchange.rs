//! One HTTP request and its whole answer, over connections that are kept for the next.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::VaultAddress;

/// Bytes of the longest answer: a list of some ten thousand keys.
const ANSWER_LEN_MAX: usize = 1024 * 1024;
/// Calls that are under way at a time; more wait, within their deadline. It bounds the connections too.
const CALLS_MAX: usize = 32;
/// For how long an unused connection is kept.
const IDLE_KEPT: Duration = Duration::from_secs(30);

/// The way to one server.
pub(crate) struct Exchange {
    address: VaultAddress,
    connector: TlsConnector,
    idle: Mutex<Vec<(Instant, SendRequest<Full<Bytes>>)>>,
    turns: Semaphore,
}

/// What the server said.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The server has not seen the request.
    Unreached(String),
    /// It may have seen the request.
    Lost(String),
}

impl Exchange {
    pub(crate) fn new(address: VaultAddress, tls: Arc<ClientConfig>) -> Self {
        let connector = TlsConnector::from(tls);
        Self { address, connector, idle: Mutex::new(Vec::new()), turns: Semaphore::new(CALLS_MAX) }
    }

    pub(crate) const fn address(&self) -> &VaultAddress {
        &self.address
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Unanswered> {
        let _turn = self.turns.acquire().await.expect("nobody closes it");
        let mut request = request;
        // A kept connection may have been closed meanwhile; then hyper gives the request back.
        while let Some(mut sender) = self.take_idle() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return self.finish(sender, response).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Unanswered::Lost(error.into_error().to_string())),
                },
            }
        }
        let mut sender = self.connect().await.map_err(Unanswered::Unreached)?;
        match sender.try_send_request(request).await {
            Ok(response) => self.finish(sender, response).await,
            Err(mut error) => {
                let unsent = error.take_message().is_some();
                let text = error.into_error().to_string();
                Err(if unsent { Unanswered::Unreached(text) } else { Unanswered::Lost(text) })
            }
        }
    }

    async fn finish(
        &self,
        sender: SendRequest<Full<Bytes>>,
        response: http::Response<hyper::body::Incoming>,
    ) -> Result<Answer, Unanswered> {
        let status = response.status();
        let body = read_whole(response.into_body()).await.map_err(Unanswered::Lost)?;
        if !sender.is_closed() {
            self.idle.lock().expect("nothing panics while it is held").push((Instant::now(), sender));
        }
        Ok(Answer { status, body })
    }

    /// Closes what is kept: where one call got no answer, the others would wait for one in vain too.
    pub(crate) fn forget_idle(&self) {
        self.idle.lock().expect("nothing panics while it is held").clear();
    }

    /// The one that was used last. Where that is long ago, something between us and the server may have forgotten it.
    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().expect("nothing panics while it is held");
        idle.retain(|(since, _)| since.elapsed() < IDLE_KEPT);
        idle.pop().map(|(_, sender)| sender)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let (host, port) = (self.address.host(), self.address.port());
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect((host, port)).await.map_err(|error| format!("cannot connect: {error}"))?;
        // Requests are small and answers are waited for.
        let _ = stream.set_nodelay(true);
        let stream = self.connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // It ends when its sender is dropped or the server closes.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Reads a body into memory that is wiped, without leaving copies of what outgrew its buffer.
async fn read_whole(mut body: hyper::body::Incoming) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut whole = Zeroizing::new(Vec::with_capacity(16 * 1024));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > ANSWER_LEN_MAX {
            return Err("the answer is too long".to_owned());
        }
        if whole.len() + data.len() > whole.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity((whole.len() + data.len()) * 2));
            larger.extend_from_slice(&whole);
            whole = larger;
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}
