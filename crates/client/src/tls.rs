//! TLS of the client: aws-lc-rs, TLS 1.2 and 1.3, HTTP/1.1 by ALPN.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a TLS session is begun with.
#[derive(Clone)]
pub struct TlsTarget {
    /// Whom to trust.
    pub config: Arc<ClientConfig>,
    /// What the certificate must be for.
    pub server_name: ServerName<'static>,
}

/// Certificates that cannot be checked against anything.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of certificates cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system has no bundle of authorities where systems have one.
    #[error("this system has no list of certificate authorities")]
    NoSystemBundle,
    /// The TLS library refuses its configuration.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// Trusts the authorities of the system: the first bundle that is there. An entry that the TLS library cannot read is
/// passed over: it can only make fewer servers trusted.
///
/// # Errors
/// [`TrustError`] when there is no bundle, or nothing in it.
pub fn trusting_system() -> Result<ClientConfig, TrustError> {
    let path = SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file());
    let path = path.ok_or(TrustError::NoSystemBundle)?;
    let pem =
        std::fs::read(&path).map_err(|error| TrustError::File { path: path.clone(), reason: error.to_string() })?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    if added == 0 {
        return Err(TrustError::File { path, reason: "no certificate in it".to_owned() });
    }
    checked_against(roots)
}

/// Trusts what the PEM files hold and nothing else; without a file, nobody.
///
/// # Errors
/// [`TrustError`] when a file cannot be read or holds no certificate.
pub fn trusting(files: &[PathBuf]) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    for path in files {
        add_certificates(&mut roots, path).map_err(|reason| TrustError::File { path: path.clone(), reason })?;
    }
    checked_against(roots)
}

/// Accepts every certificate. The caller has made sure that the server is on this machine.
///
/// # Errors
/// [`TrustError::Tls`].
pub fn unverified() -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(with_alpn(config))
}

fn checked_against(roots: RootCertStore) -> Result<ClientConfig, TrustError> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(with_alpn(config))
}

fn add_certificates(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before { Err("no certificate in it".to_owned()) } else { Ok(()) }
}

fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Where Debian and its kin, Red Hat and its kin, SUSE, and Alpine keep them.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Checks signatures of the handshake, but not who made them.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
