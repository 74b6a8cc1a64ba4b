use std::fmt;
use std::time::Duration;

/// Where the KMIP server is and what we use of it. Who we are, the TLS configuration says: by its client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmipSettings {
    /// The server.
    pub address: KmipAddress,
    /// What the names of our objects begin with.
    pub prefix: KeyPrefix,
    /// How long one call may take, its retries included.
    pub timeout: Duration,
    /// How often a call that may be repeated is repeated.
    pub retries: u32,
}

/// A text is no value of its setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct InvalidKmipSetting {
    /// What would have been accepted, for people.
    pub expected: &'static str,
}

/// A host and a port that speak KMIP over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmipAddress {
    host: String,
    port: u16,
}

impl KmipAddress {
    /// Reads `HOST[:PORT]`; an IPv6 address stands in brackets. The port is 5696 unless said.
    ///
    /// # Errors
    /// [`InvalidKmipSetting`].
    pub fn parse(text: &str) -> Result<Self, InvalidKmipSetting> {
        let invalid = InvalidKmipSetting { expected: "HOST[:PORT], such as kmip.example.org:5696 or [fd00::1]" };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(invalid.clone())?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| invalid.clone())?;
                (host, rest.strip_prefix(':').or(rest.is_empty().then_some("5696")))
            }
            None => {
                let (host, port) = text.split_once(':').unwrap_or((text, "5696"));
                (host, Some(port))
            }
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
            return Err(invalid);
        }
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0).ok_or(invalid)?;
        Ok(Self { host: host.to_owned(), port })
    }

    /// The name or address, an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for KmipAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What the names of our objects begin with, so that several users of a server keep out of each other's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Reads a prefix of 1 to 64 letters, digits, `_`, `-` and `.`.
    ///
    /// # Errors
    /// [`InvalidKmipSetting`].
    pub fn parse(text: &str) -> Result<Self, InvalidKmipSetting> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKmipSetting { expected: "1 to 64 letters, digits, _ - and ." })
        }
    }

    /// The prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        let read = |text| KmipAddress::parse(text).map(|address| address.to_string()).ok();
        assert_eq!(read("kmip.example.org").as_deref(), Some("kmip.example.org:5696"));
        assert_eq!(read("10.0.0.1:1").as_deref(), Some("10.0.0.1:1"));
        assert_eq!(read("[::1]").as_deref(), Some("[::1]:5696"));
        assert_eq!(read("[::1]:7").as_deref(), Some("[::1]:7"));
        for bad in ["", ":1", "h:", "h:0", "h:65536", "h:1:2", "::1", "[::1", "[x]", "[::1]7", "a b", "https://h"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_prefix_has_no_slash() {
        assert_eq!(KeyPrefix::parse("canopic-1").unwrap().as_str(), "canopic-1");
        for bad in ["", "a/b", "a b", &"x".repeat(65)] {
            assert!(KeyPrefix::parse(bad).is_err(), "{bad}");
        }
    }
}
