//! A server and how its buckets are addressed.

use crate::location::Location;
use crate::tls::{self, TlsTarget, TrustError};
use rustls::ClientConfig;
use std::path::PathBuf;
use std::sync::Arc;

/// An S3 endpoint.
pub struct Endpoint {
    url: String,
    location: Location,
    /// Absent for plain HTTP.
    tls: Option<Arc<ClientConfig>>,
    addressing: Addressing,
}

/// Where the name of a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// In the host for Amazon's own endpoints, else in the path.
    #[default]
    Auto,
    /// `https://HOST/BUCKET/KEY`.
    Path,
    /// `https://BUCKET.HOST/KEY`.
    VirtualHost,
}

/// Whose certificates are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities of the system.
    System,
    /// Those of this PEM file, and no others.
    File(PathBuf),
}

/// An endpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// No URL of the form `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    #[error("{0}: write http://HOST:PORT or https://HOST:PORT")]
    InvalidUrl(String),
    /// The certificates of authorities.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Where a request goes: what is connected to, and the `Host` header and path that name the resource.
pub(crate) struct Route {
    pub location: Location,
    /// In front of the object key, with its slash; percent-encoded.
    pub path: String,
}

impl Endpoint {
    /// Checks a URL and reads the certificates; connects to nothing.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn new(url: &str, trust: &Trust, addressing: Addressing) -> Result<Self, EndpointError> {
        let invalid = || EndpointError::InvalidUrl(url.to_owned());
        let location = Location::parse(url).ok_or_else(invalid)?;
        let tls = match trust {
            _ if !location.secure => None,
            Trust::System => Some(Arc::new(tls::trusting_system()?)),
            Trust::File(path) => Some(Arc::new(tls::trusting(std::slice::from_ref(path))?)),
        };
        if let Some(config) = &tls {
            location.tls_target(config.clone()).ok_or_else(invalid)?;
        }
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, location, tls, addressing })
    }

    /// As given, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is `https`.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.location.secure
    }

    /// Whether a customer key may go there: encrypted, or not off this machine.
    #[must_use]
    pub fn keeps_secrets(&self) -> bool {
        self.location.secure || self.location.is_loopback()
    }

    /// The way to a bucket.
    pub(crate) fn route(&self, bucket: &str) -> Route {
        let by_host = match self.addressing {
            Addressing::Path => false,
            Addressing::VirtualHost => true,
            // A dot in the name would leave the wildcard of Amazon's certificate.
            Addressing::Auto => self.location.host.ends_with(".amazonaws.com") && !bucket.contains('.'),
        };
        if bucket.is_empty() {
            // The service itself, which lists buckets.
            Route { location: self.location.clone(), path: "/".to_owned() }
        } else if by_host {
            Route { location: self.location.of_bucket(bucket), path: "/".to_owned() }
        } else {
            Route { location: self.location.clone(), path: format!("/{bucket}/") }
        }
    }

    pub(crate) fn tls_target(&self, location: &Location) -> Option<TlsTarget> {
        location.tls_target(self.tls.clone()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(url: &str, addressing: Addressing, bucket: &str) -> (String, String) {
        let route = Endpoint::new(url, &Trust::System, addressing).unwrap().route(bucket);
        (route.location.authority, route.path)
    }

    #[test]
    fn the_bucket_stands_in_path_or_host() {
        let (path, host) = (("h:1".to_owned(), "/b-1/".to_owned()), ("b-1.h:1".to_owned(), "/".to_owned()));
        assert_eq!(route("http://h:1", Addressing::Auto, "b-1"), path);
        assert_eq!(route("http://h:1", Addressing::Path, "b-1"), path);
        assert_eq!(route("http://h:1", Addressing::VirtualHost, "b-1"), host);
        let amazon = "http://s3.us-east-1.amazonaws.com";
        assert_eq!(route(amazon, Addressing::Auto, "b-1").0, "b-1.s3.us-east-1.amazonaws.com");
        assert_eq!(route(amazon, Addressing::Auto, "b.1").1, "/b.1/");
    }

    #[test]
    fn a_customer_key_goes_nowhere_in_the_clear() {
        let keeps = |url| Endpoint::new(url, &Trust::System, Addressing::Auto).unwrap().keeps_secrets();
        assert!(keeps("http://127.0.0.1:9000") && keeps("http://localhost"));
        assert!(!keeps("http://s3.example.org") && !keeps("http://192.0.2.1"));
    }
}
