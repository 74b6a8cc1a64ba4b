//! What the tests need on the other side: PyKMIP's server, or one that misbehaves by script; and certificates for both.
#![allow(dead_code, reason = "each test program uses its own half")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod pykmip;
pub(crate) mod scripted;

use std::sync::Arc;
use std::time::Duration;

use canopic_kms_kmip::{KeyPrefix, KmipAddress, KmipKeys, KmipSettings};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// An authority and what it has issued.
pub(crate) struct Authority {
    pub(crate) certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, PEM.
pub(crate) struct Issued {
    pub(crate) certificate_pem: String,
    pub(crate) private_key_pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let private_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let certificate_pem = params.self_signed(&private_key).unwrap().pem();
        Self { certificate_pem, issuer: Issuer::new(params, private_key) }
    }

    pub(crate) fn server(&self) -> Issued {
        self.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub(crate) fn client(&self, name: &str) -> Issued {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Issued {
        let private_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(usage);
        let certificate_pem = params.signed_by(&private_key, &self.issuer).unwrap().pem();
        Issued { certificate_pem, private_key_pem: private_key.serialize_pem() }
    }
}

impl Issued {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes()).map(Result::unwrap).collect()
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.private_key_pem.as_bytes()).unwrap()
    }
}

/// A client that believes one authority and shows a certificate.
pub(crate) fn tls(authority: &Authority, client: &Issued) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.certificate_pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    Arc::new(config.with_client_auth_cert(client.chain(), client.private_key()).unwrap())
}

pub(crate) fn keys(port: u16, tls: Arc<ClientConfig>, timeout: Duration) -> KmipKeys {
    let settings = KmipSettings {
        address: KmipAddress::parse(&format!("127.0.0.1:{port}")).unwrap(),
        prefix: KeyPrefix::parse("canopic").unwrap(),
        timeout,
        retries: 3,
    };
    KmipKeys::new(&settings, tls)
}
