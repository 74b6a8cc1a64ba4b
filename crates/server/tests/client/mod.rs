//! A client small enough to read: one request, one connection.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bench::{Credentials, SignedParts, Signer, stamp};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use zeroize::Zeroizing;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
    credentials: Arc<Credentials>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, authority: &Path, access_key_id: &str, secret: &str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(canopic_server::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let credentials = Credentials {
            access_key_id: access_key_id.to_owned().into(),
            secret_key: Zeroizing::new(secret.to_owned()),
            region: "us-east-1".to_owned(),
        };
        Self { address, tls: Some(Arc::new(tls)), credentials: Arc::new(credentials) }
    }

    /// The same client without TLS.
    pub(crate) fn plain(&self, address: SocketAddr) -> Self {
        Self { address, tls: None, credentials: Arc::clone(&self.credentials) }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let payload_hash = hex::encode(Sha256::digest(body));
        let stamp = stamp(OffsetDateTime::now_utc());
        let host = self.address.to_string();
        let headers = [
            ("host", Cow::from(&host)),
            ("x-amz-content-sha256", Cow::from(&payload_hash)),
            ("x-amz-date", Cow::from(&stamp)),
        ];
        let parts = SignedParts { method, path, query: "", headers: &headers, payload_hash: &payload_hash };
        let authorization = Signer::new(Arc::clone(&self.credentials)).authorization(&parts, &stamp);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &host)
            .header("x-amz-content-sha256", &payload_hash)
            .header("x-amz-date", &stamp)
            .header("authorization", authorization);
        self.send(request.body(Full::new(Bytes::copy_from_slice(body))).unwrap()).await
    }

    pub(crate) async fn unsigned(&self, method: &str, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        self.send(request.body(Full::default()).unwrap()).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        match &self.tls {
            None => exchange(stream, request).await,
            Some(tls) => {
                let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls));
                let name = ServerName::from(self.address.ip());
                exchange(connector.connect(name, stream).await.unwrap(), request).await
            }
        }
    }
}

pub(crate) async fn socket_call(socket: &Path, path: &str, body: Vec<u8>) -> Answer {
    let stream = UnixStream::connect(socket).await.unwrap();
    let request = Request::post(path).header("host", "localhost").body(Full::new(Bytes::from(body))).unwrap();
    exchange(stream, request).await
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    Answer { status, body: response.into_body().collect().await.unwrap().to_bytes().to_vec() }
}
