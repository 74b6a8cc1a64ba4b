//! What the tests need on the other side: a real OpenBao, or a server that misbehaves by script.
#![allow(dead_code, reason = "each test program uses its own half")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod bao;
pub(crate) mod scripted;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use canopic_kms_vault::{MountPath, Secret, SignIn, VaultAddress, VaultSettings};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

/// A client that believes one authority.
pub(crate) fn trusting(ca_pem: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

pub(crate) fn trusting_file(ca_file: &Path) -> Arc<ClientConfig> {
    trusting(&std::fs::read(ca_file).unwrap())
}

pub(crate) fn settings(address: &str, sign_in: SignIn) -> VaultSettings {
    VaultSettings {
        address: VaultAddress::parse(address).unwrap(),
        mount: MountPath::parse("transit").unwrap(),
        namespace: None,
        sign_in,
        timeout: Duration::from_secs(10),
        retries: 3,
    }
}

pub(crate) fn token(text: &str) -> SignIn {
    SignIn::Token(secret(text))
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::Text(Zeroizing::new(text.to_owned()))
}
