//! TLS: which versions and key exchanges, and where the certificate comes from.
//!
//! TLS 1.2 and 1.3 by rustls on aws-lc-rs, with the hybrid key exchange X25519MLKEM768 offered first, so that traffic
//! recorded today stays closed to a quantum computer of tomorrow. Clients without it get X25519 or the NIST curves.

pub mod authority;
pub mod certificate;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

use certificate::ReloadedCertificate;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// The one cryptographic provider.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What every HTTPS connection is accepted with.
///
/// # Errors
/// [`TlsError`] when the provider lacks what is needed.
pub fn server_config(certificate: Arc<ReloadedCertificate>) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets rather than a table of sessions: nothing to bound, and resumption works for any number of clients.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hybrid_key_exchange_is_preferred() {
        let first = provider().kx_groups[0].name();
        assert_eq!(first, rustls::NamedGroup::X25519MLKEM768);
    }
}
