//! The admin API over HTTPS, each call signed by an administrator's key pair (Signature V4).

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use client::{Credentials, SignedParts, Signer, stamp};
use http::uri::Scheme;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::door::exchange;

const ACCESS_KEY_VARIABLE: &str = "CANOPIC_ACCESS_KEY";
const SECRET_KEY_VARIABLE: &str = "CANOPIC_SECRET_KEY";
/// For a whole call; the longest one lists all access keys.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// An endpoint and who asks.
pub(crate) struct HttpsDoor {
    host: String,
    port: u16,
    connector: tokio_rustls::TlsConnector,
    signer: Mutex<Signer>,
}

impl HttpsDoor {
    pub(crate) fn new(endpoint: &str, authority: &Path, region: &str) -> anyhow::Result<Self> {
        let uri: Uri = endpoint.parse().context("--endpoint")?;
        anyhow::ensure!(uri.scheme() == Some(&Scheme::HTTPS), "--endpoint: expected https://HOST[:PORT]");
        let host = uri.host().context("--endpoint: expected https://HOST[:PORT]")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
        let credentials = Credentials {
            access_key_id: Zeroizing::new(variable(ACCESS_KEY_VARIABLE)?),
            secret_key: Zeroizing::new(variable(SECRET_KEY_VARIABLE)?),
            region: region.to_owned(),
        };
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(443),
            connector: connector(authority)?,
            signer: Mutex::new(Signer::new(Arc::new(credentials))),
        })
    }

    pub(crate) async fn call(&self, path: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, Zeroizing<Vec<u8>>)> {
        let request = self.signed(path, body)?;
        let called = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            let name = ServerName::try_from(self.host.clone())?;
            let stream = self.connector.connect(name, stream).await?;
            exchange(stream, request).await
        };
        let place = || format!("https://{}:{}", self.host, self.port);
        tokio::time::timeout(CALL_TIMEOUT, called).await.with_context(place)?.with_context(place)
    }

    fn signed(&self, path: &str, body: Vec<u8>) -> anyhow::Result<Request<Full<Bytes>>> {
        let name = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let host = format!("{name}:{}", self.port);
        let payload_hash = hex::encode(Sha256::digest(&body));
        let stamp = stamp(OffsetDateTime::now_utc());
        let headers = [
            ("host", Cow::from(&host)),
            ("x-amz-content-sha256", Cow::from(&payload_hash)),
            ("x-amz-date", Cow::from(&stamp)),
        ];
        let parts = SignedParts { method: "POST", path, query: "", headers: &headers, payload_hash: &payload_hash };
        let mut signer = self.signer.lock().expect("nothing panics while it is held");
        let authorization = signer.authorization(&parts, &stamp);
        let request = Request::post(path)
            .header(header::HOST, &host)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-amz-content-sha256", &payload_hash)
            .header("x-amz-date", &stamp)
            .header(header::AUTHORIZATION, authorization);
        Ok(request.body(Full::new(Bytes::from(body)))?)
    }
}

fn connector(authority: &Path) -> anyhow::Result<tokio_rustls::TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).with_context(|| authority.display().to_string())? {
        roots.add(certificate.with_context(|| authority.display().to_string())?)?;
    }
    anyhow::ensure!(!roots.is_empty(), "{} holds no certificate", authority.display());
    let config = rustls::ClientConfig::builder_with_provider(server::tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}
