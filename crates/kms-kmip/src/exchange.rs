//! One message and its answer, over connections that are kept for the next.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::KmipAddress;
use crate::message::ANSWER_LEN_MAX;

/// Calls that are under way at a time; more wait, within their deadline. It bounds the connections too.
const CALLS_MAX: usize = 32;
/// For how long an unused connection is kept.
const IDLE_KEPT: Duration = Duration::from_secs(30);

/// The way to one server.
pub(crate) struct Exchange {
    address: KmipAddress,
    connector: TlsConnector,
    idle: Mutex<Vec<(Instant, TlsStream<TcpStream>)>>,
    turns: Semaphore,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The server has not seen the message.
    Unreached(String),
    /// It may have seen the message.
    Lost(String),
}

impl Exchange {
    pub(crate) fn new(address: KmipAddress, tls: Arc<ClientConfig>) -> Self {
        let connector = TlsConnector::from(tls);
        Self { address, connector, idle: Mutex::new(Vec::new()), turns: Semaphore::new(CALLS_MAX) }
    }

    pub(crate) const fn address(&self) -> &KmipAddress {
        &self.address
    }

    /// Sends a message and reads the whole answer. A message that may not arrive twice goes over a new connection: of a
    /// kept one that breaks, nobody can say whether the message arrived.
    pub(crate) async fn send(&self, message: &[u8], repeatable: bool) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
        let _turn = self.turns.acquire().await.expect("nobody closes it");
        if repeatable && let Some(stream) = self.take_idle() {
            // The server may have closed it meanwhile. Then the message goes over a new one.
            if let Ok(answer) = self.over(stream, message).await {
                return Ok(answer);
            }
        }
        let stream = self.connect().await.map_err(Unanswered::Unreached)?;
        self.over(stream, message).await.map_err(Unanswered::Lost)
    }

    async fn over(&self, mut stream: TlsStream<TcpStream>, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        let answer = async {
            stream.write_all(message).await?;
            stream.flush().await?;
            read_answer(&mut stream).await
        };
        let answer = answer.await.map_err(|error| error.to_string())?;
        self.idle.lock().expect("nothing panics while it is held").push((Instant::now(), stream));
        Ok(answer)
    }

    /// Closes what is kept: where one call got no answer, the others would wait for one in vain too.
    pub(crate) fn forget_idle(&self) {
        self.idle.lock().expect("nothing panics while it is held").clear();
    }

    /// The one that was used last. Where that is long ago, something between us and the server may have forgotten it.
    fn take_idle(&self) -> Option<TlsStream<TcpStream>> {
        let mut idle = self.idle.lock().expect("nothing panics while it is held");
        idle.retain(|(since, _)| since.elapsed() < IDLE_KEPT);
        idle.pop().map(|(_, stream)| stream)
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, String> {
        let (host, port) = (self.address.host(), self.address.port());
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect((host, port)).await.map_err(|error| format!("cannot connect: {error}"))?;
        // Messages are small and answers are waited for.
        let _ = stream.set_nodelay(true);
        self.connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))
    }
}

async fn read_answer(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    let [0x42, 0, 0x7b, 1, length @ ..] = header else {
        return Err(std::io::Error::other("the answer is no KMIP message"));
    };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > ANSWER_LEN_MAX {
        return Err(std::io::Error::other("the answer is too long"));
    }
    let mut answer = Zeroizing::new(vec![0; 8 + length]);
    answer[..8].copy_from_slice(&header);
    stream.read_exact(&mut answer[8..]).await?;
    Ok(answer)
}
