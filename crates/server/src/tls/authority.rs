//! A certificate authority for one installation, so that TLS works from the first minute without a public name.
//!
//! Four files in one directory, made in this order, each only if it is missing: `ca.key`, `ca.pem`, `server.key`,
//! `server.pem`. A crash in between leaves a prefix of the list, and the next start goes on from there. A certificate
//! that is about to expire, or lacks a name, is issued anew for the same key, so that one atomic replacement is
//! enough. A CA whose key was taken away (a fine idea) still serves; only renewal stops, with a warning.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;
use zeroize::Zeroizing;

use crate::config::CertificateFiles;
use crate::secret_file::{self, SecretFileError};

const DAY: Duration = Duration::from_secs(86_400);
const AUTHORITY_VALIDITY: Duration = Duration::from_secs(3650 * 86_400);
/// The most that today's clients accept of a server's certificate (CA/Browser Forum, section 6.3.2).
const SERVER_VALIDITY: Duration = Duration::from_secs(397 * 86_400);
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The directory cannot be made.
    #[error("{0}: {1}")]
    Directory(String, io::Error),
    /// A file holds something else than it should.
    #[error("{0} does not hold what it should: {1}")]
    Unusable(String, String),
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Issue(#[from] rcgen::Error),
}

/// Sees to it that the four files are there and that the server's certificate is good for `names` for a while.
///
/// # Errors
/// [`AuthorityError`] when a file is unusable or cannot be written.
pub fn ensure(directory: &Path, names: &[String], now: Timestamp) -> Result<CertificateFiles, AuthorityError> {
    std::fs::create_dir_all(directory).map_err(|e| AuthorityError::Directory(directory.display().to_string(), e))?;
    let path = |name: &str| directory.join(name);
    let files = CertificateFiles { chain: path("server.pem"), private_key: path("server.key") };

    let authority_key = match (read_key(&path("ca.key"))?, path("ca.pem").exists()) {
        (Some(private_key), _) => Some(private_key),
        (None, true) => None,
        (None, false) => Some(create_key(&path("ca.key"))?),
    };
    let server_key = match read_key(&files.private_key)? {
        Some(private_key) => private_key,
        None => create_key(&files.private_key)?,
    };
    let Some(authority_key) = authority_key else {
        if !is_good(&files.chain, names, now)? {
            tracing::warn!(directory = %directory.display(), "the server's certificate should be renewed, and ca.key is not there");
        }
        return Ok(files);
    };
    let authority = match read_text(&path("ca.pem"))? {
        Some(pem) => Issuer::from_ca_cert_pem(&pem, authority_key)?,
        None => {
            let params = authority_params(now)?;
            secret_file::create(&path("ca.pem"), params.self_signed(&authority_key)?.pem().as_bytes())?;
            // Whatever an older CA issued is worthless now.
            remove(&files.chain)?;
            Issuer::new(params, authority_key)
        }
    };
    if !is_good(&files.chain, names, now)? {
        let certificate = server_params(names, now)?.signed_by(&server_key, &authority)?;
        secret_file::replace(&files.chain, certificate.pem().as_bytes())?;
        tracing::info!(names = names.join(" "), "issued a certificate for the server");
    }
    Ok(files)
}

/// The names that a server's certificate should carry: this machine's, the addresses it listens on, and the domains
/// with one level below them, where buckets live.
#[must_use]
pub fn names(listen: Option<IpAddr>, domains: &[crate::config::Domain]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    if let Ok(host) = <crate::config::Domain as crate::config::Value>::parse(&host) {
        add(host.as_str().to_owned());
    }
    if let Some(address) = listen.filter(|address| !address.is_unspecified()) {
        add(address.to_string());
    }
    for domain in domains {
        add(domain.as_str().to_owned());
        add(format!("*.{domain}"));
    }
    names
}

fn authority_params(now: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Canopic local CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now, AUTHORITY_VALIDITY);
    Ok(params)
}

fn server_params(names: &[String], now: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Canopic");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, SERVER_VALIDITY);
    Ok(params)
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, validity: Duration) {
    let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
    // A client whose clock is a little behind should not call the certificate not yet valid.
    params.not_before = now - DAY;
    params.not_after = now - DAY + validity;
}

/// Whether there is a certificate that covers all names and does not end soon.
fn is_good(chain: &Path, names: &[String], now: Timestamp) -> Result<bool, AuthorityError> {
    let Some(pem) = read_text(chain)? else { return Ok(false) };
    let unusable = |why: String| AuthorityError::Unusable(chain.display().to_string(), why);
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|e| unusable(e.to_string()))?;
    let certificate = pem.parse_x509().map_err(|e| unusable(e.to_string()))?;
    let until = certificate.validity().not_after.timestamp();
    let renew_at = now.as_secs().saturating_add(RENEW_BEFORE.as_secs());
    let alternatives = certificate.subject_alternative_name().map_err(|e| unusable(e.to_string()))?;
    let covered: Vec<String> =
        alternatives.iter().flat_map(|names| names.value.general_names.iter()).filter_map(name_text).collect();
    Ok(u64::try_from(until).is_ok_and(|until| until > renew_at) && names.iter().all(|name| covered.contains(name)))
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

fn read_key(path: &Path) -> Result<Option<KeyPair>, AuthorityError> {
    let Some(pem) = read_text(path)? else { return Ok(None) };
    let private_key = KeyPair::from_pem(&pem);
    private_key.map(Some).map_err(|e| AuthorityError::Unusable(path.display().to_string(), e.to_string()))
}

fn create_key(path: &Path) -> Result<KeyPair, AuthorityError> {
    let private_key = KeyPair::generate()?;
    secret_file::create(path, Zeroizing::new(private_key.serialize_pem()).as_bytes())?;
    Ok(private_key)
}

fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, AuthorityError> {
    match secret_file::read(path) {
        Ok(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
            Err(_) => Err(AuthorityError::Unusable(path.display().to_string(), "not text".to_owned())),
        },
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remove(path: &Path) -> Result<(), AuthorityError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(AuthorityError::Directory(path.display().to_string(), e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn later(days: u64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + days * 86_400_000)
    }

    fn contents(directory: &Path) -> Vec<Option<Vec<u8>>> {
        ["ca.key", "ca.pem", "server.key", "server.pem"].map(|f| std::fs::read(directory.join(f)).ok()).into()
    }

    #[test]
    fn a_good_certificate_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let names = names(None, &[]);
        ensure(dir.path(), &names, NOW).unwrap();
        let before = contents(dir.path());
        assert!(before.iter().all(Option::is_some));
        ensure(dir.path(), &names, later(300)).unwrap();
        assert_eq!(before, contents(dir.path()));
    }

    #[test]
    fn renewal_replaces_the_certificate_and_keeps_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let names = names(None, &[]);
        ensure(dir.path(), &names, NOW).unwrap();
        let before = contents(dir.path());
        ensure(dir.path(), &names, later(370)).unwrap();
        let after = contents(dir.path());
        assert_eq!(before[..3], after[..3]);
        assert_ne!(before[3], after[3]);
    }

    #[test]
    fn a_new_name_gets_a_new_certificate() {
        use crate::config::Value as _;
        let dir = tempfile::tempdir().unwrap();
        ensure(dir.path(), &names(None, &[]), NOW).unwrap();
        let before = contents(dir.path());
        let domain = crate::config::Domain::parse("s3.example.org").unwrap();
        let names = names(Some("192.0.2.7".parse().unwrap()), &[domain]);
        for name in ["localhost", "127.0.0.1", "::1", "192.0.2.7", "s3.example.org", "*.s3.example.org"] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
        ensure(dir.path(), &names, NOW).unwrap();
        assert_ne!(before[3], contents(dir.path())[3]);
    }

    #[test]
    fn any_prefix_of_the_files_is_completed() {
        let dir = tempfile::tempdir().unwrap();
        let names = names(None, &[]);
        for file in ["server.pem", "server.key", "ca.pem", "ca.key"] {
            ensure(dir.path(), &names, NOW).unwrap();
            std::fs::remove_file(dir.path().join(file)).unwrap();
            ensure(dir.path(), &names, NOW).unwrap();
            if file != "ca.key" {
                assert!(contents(dir.path()).iter().all(Option::is_some), "without {file}");
            }
            assert!(chain_verifies(dir.path()), "without {file}");
        }
    }

    #[test]
    fn without_the_authoritys_key_the_server_still_has_its_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let names = names(None, &[]);
        ensure(dir.path(), &names, NOW).unwrap();
        std::fs::remove_file(dir.path().join("ca.key")).unwrap();
        let before = contents(dir.path());
        ensure(dir.path(), &names, later(390)).unwrap();
        assert_eq!(before, contents(dir.path()));
    }

    fn chain_verifies(directory: &Path) -> bool {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
        let read = |name| CertificateDer::from_pem_file(directory.join(name)).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(read("ca.pem")).unwrap();
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), crate::tls::provider())
                .build()
                .unwrap();
        use rustls::client::danger::ServerCertVerifier as _;
        let name = ServerName::try_from("localhost").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.as_secs()));
        verifier.verify_server_cert(&read("server.pem"), &[], &name, &[], now).is_ok()
    }
}
