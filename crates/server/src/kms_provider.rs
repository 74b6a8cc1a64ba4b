//! Makes the KMS that the configuration names. The one place that names a concrete one.

use std::path::PathBuf;
use std::sync::Arc;

use kms::{KeyService, KeyServiceError, LocalKeyring};
use kms_kmip::KmipKeys;
use kms_vault::VaultTransit;
use model::KmsKeyId;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{ClientConfig, RootCertStore};

use crate::config::{CertificateFiles, KmsService, KmsTls};

/// The KMS cannot be set up. Whether it answers is another matter: a server starts without it.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// A file cannot be read, or holds something else.
    #[error("{}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// A file of authorities holds none.
    #[error("{}: there is no certificate in it", .0.display())]
    NoAuthority(PathBuf),
    /// The certificates are no good.
    #[error("the TLS of the KMS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// The KMS, and what has to be done for it all the time.
pub(crate) struct Provider {
    pub(crate) service: Arc<dyn KeyService>,
    upkeep: Upkeep,
}

enum Upkeep {
    Nothing,
    Vault(Arc<VaultTransit>),
    Kmip(Arc<KmipKeys>),
}

impl Provider {
    /// Makes the service; nothing is sent yet.
    pub(crate) fn new(service: &KmsService, keyring: &Arc<LocalKeyring>) -> Result<Self, KmsError> {
        Ok(match service {
            KmsService::Local => Self { service: keyring.clone(), upkeep: Upkeep::Nothing },
            KmsService::Vault(tls, settings) => {
                let transit = Arc::new(VaultTransit::new(Arc::clone(settings), client_config(tls)?));
                Self { service: transit.clone(), upkeep: Upkeep::Vault(transit) }
            }
            KmsService::Kmip(tls, settings) => {
                let keys = Arc::new(KmipKeys::new(settings, client_config(tls)?));
                Self { service: keys.clone(), upkeep: Upkeep::Kmip(keys) }
            }
        })
    }

    /// Says in the log whether the KMS answers, and keeps signed in where that is needed. Never returns for Vault.
    pub(crate) async fn keep_up(self) {
        match self.upkeep {
            Upkeep::Nothing => {}
            Upkeep::Vault(transit) => {
                announce(&*transit).await;
                transit.keep_signed_in().await;
            }
            Upkeep::Kmip(keys) => announce(&*keys).await,
        }
    }
}

/// A wrong setting should be seen at the start and not by the first client.
async fn announce(service: &dyn KeyService) {
    match service.describe(&KmsKeyId::default_key()).await {
        Ok(_) | Err(KeyServiceError::NotFound(_)) => tracing::info!("the KMS answers"),
        Err(error) => tracing::error!(%error, "the KMS does not serve: what needs SSE-KMS is refused until it does"),
    }
}

fn client_config(tls: &KmsTls) -> Result<Arc<ClientConfig>, KmsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.authorities)? {
        roots.add(certificate)?;
    }
    if roots.is_empty() {
        return Err(KmsError::NoAuthority(tls.authorities.clone()));
    }
    let config = ClientConfig::builder_with_provider(crate::tls::provider()).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots);
    Ok(Arc::new(match &tls.client {
        None => config.with_no_client_auth(),
        Some(CertificateFiles { chain, private_key }) => {
            let pem = |source| KmsError::Pem { path: private_key.clone(), source };
            let key = PrivateKeyDer::from_pem_file(private_key).map_err(pem)?;
            config.with_client_auth_cert(certificates(chain)?, key)?
        }
    }))
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, KmsError> {
    let bad = |source| KmsError::Pem { path: path.clone(), source };
    CertificateDer::pem_file_iter(path).map_err(bad)?.map(|certificate| certificate.map_err(bad)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        use std::io::Write as _;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn files_that_hold_no_certificates_are_named() {
        let made = rcgen::generate_simple_self_signed(vec!["kms.example".to_owned()]).unwrap();
        let (good, empty) = (file(&made.cert.pem()), file(""));
        let broken = file("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
        let key = file(&made.signing_key.serialize_pem());
        let tls =
            |authorities: &tempfile::NamedTempFile, client| KmsTls { authorities: authorities.path().into(), client };
        let client = |chain: &tempfile::NamedTempFile, private_key: &tempfile::NamedTempFile| {
            Some(CertificateFiles { chain: chain.path().into(), private_key: private_key.path().into() })
        };
        assert!(client_config(&tls(&good, None)).is_ok() && client_config(&tls(&good, client(&good, &key))).is_ok());
        assert!(matches!(client_config(&tls(&empty, None)), Err(KmsError::NoAuthority(_))));
        for (tls, place) in [
            (tls(&broken, None), &broken),
            (tls(&good, client(&good, &empty)), &empty),
            (tls(&good, client(&broken, &key)), &broken),
        ] {
            let error = client_config(&tls).err().unwrap().to_string();
            assert!(error.starts_with(&place.path().display().to_string()), "{error}");
        }
    }
}
