//! The three ways to the admin API: the socket of a running server, its data directory, or HTTPS.

use std::io;
use std::path::{Path, PathBuf};

use admin_api::{CALL_LEN_MAX, Call, ErrorAnswer, PREFIX};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use server::{Offline, ShortPath, admin_socket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use crate::https_door::HttpsDoor;
use crate::setting_args::{Place, SettingArgs};

/// Bytes of the largest answer: a list of all access keys.
const ANSWER_LEN_MAX: usize = 64 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct DoorArgs {
    /// Open the data directory directly; no server may run on it
    #[arg(long, conflicts_with = "endpoint")]
    offline: bool,
    /// Ask a server over HTTPS, signed with the pair in CANOPIC_ACCESS_KEY and CANOPIC_SECRET_KEY
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The CA certificate of the endpoint [default: that of the data directory]
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingArgs<Place>,
}

/// An open way to the admin API.
pub(crate) enum Door {
    Socket(PathBuf),
    Offline(Box<Offline>),
    Https(Box<HttpsDoor>),
}

impl DoorArgs {
    pub(crate) async fn open(self) -> anyhow::Result<Door> {
        let config = self.settings.load()?;
        if self.offline {
            return Ok(Door::Offline(Box::new(Offline::open(&config).await?)));
        }
        let Some(endpoint) = self.endpoint else { return Ok(Door::Socket(admin_socket(&config.data_dir))) };
        let authority = self.ca.unwrap_or_else(|| config.data_dir.join("tls/ca.pem"));
        Ok(Door::Https(Box::new(HttpsDoor::new(&endpoint, &authority, config.region.as_str())?)))
    }
}

impl Door {
    /// Asks, and gives the answer or says in clear words why there is none.
    pub(crate) async fn call<C: Call>(&self, call: &C) -> anyhow::Result<C::Answer> {
        let path = format!("{PREFIX}{}", C::NAME);
        let body = serde_json::to_vec(call)?;
        anyhow::ensure!(body.len() <= CALL_LEN_MAX, "this is too long to ask");
        let (status, answer) = match self {
            Self::Socket(socket) => through_socket(socket, &path, body).await?,
            Self::Offline(offline) => offline.call(&path, &body).await,
            Self::Https(https) => https.call(&path, body).await?,
        };
        if status.is_success() {
            return serde_json::from_slice(&answer)
                .context("the server's answer makes no sense: is it another version?");
        }
        match serde_json::from_slice::<ErrorAnswer>(&answer) {
            Ok(error) => bail!(error.message),
            Err(_) => bail!("the server refused ({status}): {}", refusal(&String::from_utf8_lossy(&answer))),
        }
    }
}

/// What the gateway, which refuses a bad signature in XML, says in it.
fn refusal(xml: &str) -> &str {
    let message = xml.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
    message.map_or("it does not say why", |(message, _)| message)
}

async fn through_socket(socket: &Path, path: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, Zeroizing<Vec<u8>>)> {
    let connected = async { UnixStream::connect(&ShortPath::of(socket)?.path).await }.await;
    let stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => anyhow::anyhow!(
            "no server is running on this data directory ({} does not answer); start it, or use --offline",
            socket.display()
        ),
        _ => anyhow::Error::new(error).context(socket.display().to_string()),
    })?;
    let request = Request::post(path).header(header::HOST, "localhost").body(Full::new(Bytes::from(body)))?;
    exchange(stream, request).await
}

/// Sends one request over a fresh connection and reads the whole answer.
pub(crate) async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Zeroizing<Vec<u8>>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_LEN_MAX).collect().await;
    driven.abort();
    let body = body.map_err(|error| anyhow::anyhow!("the answer is cut or too long: {error}"))?;
    Ok((status, Zeroizing::new(body.to_bytes().to_vec())))
}
