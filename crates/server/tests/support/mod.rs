//! A server around a stand-in that answers, and clients for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![allow(dead_code, reason = "each test binary uses another part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use canopic_server::config::{CertificateFiles, Limits};
use canopic_server::http_server::{Answer, Connection, HttpServer, ReceivedBody, Scheme, Service};
use canopic_server::tls::authority;
use canopic_server::tls::certificate::ReloadedCertificate;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

pub(crate) type Body = BoxBody<Bytes, std::convert::Infallible>;

/// Answers by path: `/slow` after 400 ms, `/big` with 64 MiB bit by bit, `/lump` with 1 MiB at once, `/body` with the
/// length of what came.
pub(crate) struct StandIn;

impl Answer for StandIn {
    type Body = Body;

    async fn answer(&self, request: Request<ReceivedBody>, _: Connection) -> Response<Body> {
        match request.uri().path() {
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(400)).await;
                Response::new(Full::from("slow").boxed())
            }
            "/big" => {
                let frames = (0..1024).map(|_| Ok(Frame::data(Bytes::from_static(&[0; 65_536]))));
                Response::new(StreamBody::new(futures::stream::iter(frames)).boxed())
            }
            "/lump" => Response::new(Full::from(vec![0; 1 << 20]).boxed()),
            "/body" => match request.into_body().collect().await {
                Ok(body) => Response::new(Full::from(body.to_bytes().len().to_string()).boxed()),
                Err(error) => {
                    let mut response = Response::new(Full::from(error.to_string()).boxed());
                    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
                    response
                }
            },
            _ => Response::new(Empty::new().boxed()),
        }
    }
}

pub(crate) struct Fixture {
    pub(crate) server: HttpServer<StandIn>,
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) files: CertificateFiles,
    pub(crate) certificate: Arc<ReloadedCertificate>,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) const LIMITS: Limits = Limits {
    connections_max: 100,
    handshake_timeout: Duration::from_secs(30),
    header_timeout: Duration::from_secs(30),
    body_timeout: Duration::from_secs(30),
};

pub(crate) fn issue(directory: &std::path::Path) -> CertificateFiles {
    // From 2026 on, whatever the clock of the machine says in the next years.
    let now = Timestamp::from_millis(1_790_000_000_000);
    authority::ensure(directory, &authority::names(None, &[]), now).unwrap()
}

pub(crate) async fn fixture(limits: Limits) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let files = issue(dir.path());
    let certificate = Arc::new(ReloadedCertificate::load(files.clone()).unwrap());
    let tls = canopic_server::tls::server_config(Arc::clone(&certificate)).unwrap();
    let server = HttpServer::new(Service::new(StandIn, Vec::new(), limits.body_timeout), limits);
    let bind = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
    let (https, http) = (bind().await, bind().await);
    let (https_address, http_address) = (https.local_addr().unwrap(), http.local_addr().unwrap());
    server.listen(https, Scheme::Https(Arc::new(tls)));
    server.listen(http, Scheme::Http);
    Fixture { server, https: https_address, http: http_address, files, certificate, dir }
}

impl Fixture {
    pub(crate) async fn tls(
        &self,
        alpn: &[u8],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsStream<TcpStream> {
        let config = client_config(&self.dir.path().join("ca.pem"), alpn, versions);
        let stream = TcpStream::connect(self.https).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    pub(crate) async fn http1(&self) -> http1::SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.http).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub(crate) async fn http2(
        &self,
        window: u32,
    ) -> (http2::SendRequest<Full<Bytes>>, tokio::task::JoinHandle<hyper::Result<()>>) {
        let stream = self.tls(b"h2", rustls::ALL_VERSIONS).await;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window).initial_connection_window_size(window);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        (sender, tokio::spawn(connection))
    }
}

pub(crate) fn client_config(
    authority: &std::path::Path,
    alpn: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(canopic_server::tls::provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "localhost").body(Full::default()).unwrap()
}
