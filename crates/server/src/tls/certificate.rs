//! The certificate in use, exchanged while connections go on.
//!
//! The files are looked at every few seconds rather than watched: it works on every file system, through links and
//! mounts that replace whole directories, and two seconds do not matter to a certificate. New connections get the new
//! one, old connections keep what they have. Files that do not fit together (half of a renewal) change nothing.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::CertificateFiles;
use crate::secret_file;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why files give no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] secret_file::SecretFileError),
    /// A file is not what it should be.
    #[error("{0}: {1}")]
    Pem(String, rustls::pki_types::pem::Error),
    /// There is none in the file.
    #[error("{0} holds no certificate")]
    Empty(String),
    /// The two files do not belong together, or the key is of an unknown kind.
    #[error("{0} and its key: {1}")]
    Mismatch(String, rustls::Error),
}

/// Answers every TLS handshake with the newest good certificate.
#[derive(Debug)]
pub struct ReloadedCertificate {
    files: CertificateFiles,
    current: ArcSwap<CertifiedKey>,
}

impl ReloadedCertificate {
    /// Loads the files for the first time.
    ///
    /// # Errors
    /// [`CertificateError`] when they give no certificate.
    pub fn load(files: CertificateFiles) -> Result<Self, CertificateError> {
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Self { files, current })
    }

    /// Looks at the files again and again, and takes over what changed. Never returns.
    pub async fn keep_current(&self) {
        let mut seen = self.stamp();
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // The stamp is taken first: a change during the reading is seen next time.
            let stamp = self.stamp();
            if stamp != seen {
                seen = stamp;
                self.reload();
            }
        }
    }

    fn reload(&self) {
        let path = self.files.chain.display();
        match read(&self.files) {
            Ok(new) => {
                self.current.store(Arc::new(new));
                tracing::info!(%path, "took over a new certificate");
            }
            Err(error) => tracing::error!(%path, %error, "the new certificate is no good, the old one stays"),
        }
    }

    fn stamp(&self) -> [Option<(u64, u64, i64, i64)>; 2] {
        let stamp = |path: &Path| -> io::Result<_> {
            let metadata = std::fs::metadata(path)?;
            Ok((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
        };
        [stamp(&self.files.chain).ok(), stamp(&self.files.private_key).ok()]
    }
}

impl ResolvesServerCert for ReloadedCertificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(files: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
    let name = |path: &Path| path.display().to_string();
    // A certificate is public, but a file of this size limit and error text is what is wanted of both.
    let chain_pem = std::fs::read(&files.chain)
        .map_err(|source| secret_file::SecretFileError { path: files.chain.clone(), source })?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<_, _>>()
        .map_err(|error| CertificateError::Pem(name(&files.chain), error))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty(name(&files.chain)));
    }
    let key_pem = secret_file::read(&files.private_key)?;
    let private_key = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|error| CertificateError::Pem(name(&files.private_key), error))?;
    CertifiedKey::from_der(chain, private_key, &super::provider())
        .map_err(|error| CertificateError::Mismatch(name(&files.chain), error))
}

#[cfg(test)]
mod tests {
    use super::super::authority;
    use super::*;
    use model::Timestamp;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn issue(directory: &Path) -> CertificateFiles {
        authority::ensure(directory, &authority::names(None, &[]), NOW).unwrap()
    }

    fn current(certificate: &ReloadedCertificate) -> Vec<u8> {
        certificate.current.load().cert[0].to_vec()
    }

    #[test]
    fn a_bad_new_file_changes_nothing_and_a_good_one_is_taken_over() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (files, new) = (issue(dir.path()), issue(other.path()));
        let certificate = ReloadedCertificate::load(files.clone()).unwrap();
        let before = current(&certificate);
        let stamp = certificate.stamp();

        std::fs::copy(&new.chain, &files.chain).unwrap();
        assert_ne!(certificate.stamp(), stamp);
        certificate.reload();
        assert_eq!(current(&certificate), before, "half of a renewal");

        std::fs::copy(&new.private_key, &files.private_key).unwrap();
        certificate.reload();
        assert_ne!(current(&certificate), before);
    }

    #[test]
    fn files_without_a_certificate_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let files = issue(dir.path());
        std::fs::copy(&files.private_key, &files.chain).unwrap();
        assert!(matches!(ReloadedCertificate::load(files), Err(CertificateError::Empty(_))));
    }
}
