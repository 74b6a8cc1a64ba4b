//! A server's URL, taken apart.

use crate::tls::TlsTarget;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::net::IpAddr;
use std::sync::Arc;

/// `http://HOST[:PORT]` or `https://HOST[:PORT]`, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Whether it is `https`.
    pub secure: bool,
    /// `HOST:PORT` as it stands in the URL: the `Host` header.
    pub authority: String,
    /// The host alone; an IPv6 address without brackets.
    pub host: String,
    /// As given, or that of the scheme.
    pub port: u16,
}

impl Location {
    /// Takes a URL apart; none when it has another scheme, a path, a query or a user.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let uri: http::Uri = url.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        let plain = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // `Authority::port` also says "none" for a port that is no number, so the text behind the host is read here.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" if secure => 443,
            "" => 80,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        (plain && !host.is_empty()).then(|| Self { secure, authority: authority.to_string(), host, port })
    }

    /// What TLS needs to know of the server; none when its host can be no name in a certificate.
    #[must_use]
    pub fn tls_target(&self, config: Arc<ClientConfig>) -> Option<TlsTarget> {
        let server_name = ServerName::try_from(self.host.clone()).ok()?;
        Some(TlsTarget { config, server_name })
    }

    /// Whether the host is this machine by its name alone: `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// The same server under `BUCKET.HOST`, for virtual-host addressing.
    #[must_use]
    pub fn of_bucket(&self, bucket: &str) -> Self {
        let authority = format!("{bucket}.{}", self.authority);
        Self { authority, host: format!("{bucket}.{}", self.host), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, secure, host, port) in [
            ("http://127.0.0.1:9000", false, "127.0.0.1", 9000),
            ("https://localhost:9443/", true, "localhost", 9443),
            ("https://[::1]:9443", true, "::1", 9443),
            ("http://localhost", false, "localhost", 80),
            ("https://localhost", true, "localhost", 443),
        ] {
            let location = Location::parse(url).unwrap();
            assert_eq!((location.secure, location.host.as_str(), location.port), (secure, host, port), "{url}");
            assert!(location.is_loopback(), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["", "localhost", "localhost:9000", "ftp://localhost", "http://a/b", "http://a/?x", "http://u:p@a"] {
            assert_eq!(Location::parse(url), None, "{url}");
        }
        assert_eq!(Location::parse("http://a:99999"), None);
    }

    #[test]
    fn a_bucket_in_the_host_keeps_the_port() {
        let location = Location::parse("https://s3.example.org:8443").unwrap().of_bucket("results");
        assert_eq!(location.authority, "results.s3.example.org:8443");
        assert_eq!((location.host.as_str(), location.port), ("results.s3.example.org", 8443));
        assert!(!location.is_loopback());
    }
}
