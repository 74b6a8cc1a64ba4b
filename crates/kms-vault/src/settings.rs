use std::fmt;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;

use crate::Secret;

/// Where Vault is, what we use of it, and who we are there.
pub struct VaultSettings {
    /// The server.
    pub address: VaultAddress,
    /// Where the Transit engine is mounted.
    pub mount: MountPath,
    /// The namespace of Vault Enterprise or OpenBao.
    pub namespace: Option<Namespace>,
    /// Who we are.
    pub sign_in: SignIn,
    /// How long one call may take, its retries included.
    pub timeout: Duration,
    /// How often a call that may be repeated is repeated.
    pub retries: u32,
}

impl fmt::Debug for VaultSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultSettings({}/v1/{})", self.address, self.mount.as_str())
    }
}

/// How to get a token.
pub enum SignIn {
    /// It is given. It is renewed if it can be, and read anew when Vault takes it no longer.
    Token(Secret),
    /// By the AppRole method. The token is renewed while it can be, and a new one is got after that.
    AppRole {
        /// Where the method is mounted.
        mount: MountPath,
        /// Which role.
        role_id: Secret,
        /// The proof of being it.
        secret_id: Secret,
    },
}

/// A text is no value of its setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct InvalidVaultSetting {
    /// What would have been accepted, for people.
    pub expected: &'static str,
}

/// A host and a port that speak HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultAddress {
    host: String,
    port: u16,
}

impl VaultAddress {
    /// Reads `https://HOST[:PORT]`. The port is 8200 unless said.
    ///
    /// # Errors
    /// [`InvalidVaultSetting`]; so for plain HTTP, which would tell keys to the network.
    pub fn parse(text: &str) -> Result<Self, InvalidVaultSetting> {
        let invalid =
            InvalidVaultSetting { expected: "https://HOST[:PORT]; plain http would tell keys to the network" };
        let uri: Uri = text.parse().map_err(|_| invalid.clone())?;
        let bare = matches!(uri.path_and_query().map(|rest| rest.as_str()), None | Some("/"));
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if uri.scheme() != Some(&Scheme::HTTPS) || !bare || host.is_empty() || has_user {
            return Err(invalid);
        }
        Ok(Self { host, port: uri.port_u16().unwrap_or(8200) })
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

    /// `HOST:PORT`, as a `Host` header has it.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for VaultAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

/// Where an engine or a sign-in method is mounted: `transit`, `teams/storage/transit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPath(String);

impl MountPath {
    /// Reads a path, slashes at its ends left out.
    ///
    /// # Errors
    /// [`InvalidVaultSetting`] for what is no path of plain names.
    pub fn parse(text: &str) -> Result<Self, InvalidVaultSetting> {
        let expected = "a mount path such as transit: letters, digits, _ - . and single slashes";
        plain_path(text).map(Self).ok_or(InvalidVaultSetting { expected })
    }

    /// The path without slashes at its ends.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A namespace: `team-a`, `org/team-a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// Reads a path, slashes at its ends left out.
    ///
    /// # Errors
    /// [`InvalidVaultSetting`] for what is no path of plain names.
    pub fn parse(text: &str) -> Result<Self, InvalidVaultSetting> {
        let expected = "a namespace such as org/team-a: letters, digits, _ - . and single slashes";
        plain_path(text).map(Self).ok_or(InvalidVaultSetting { expected })
    }

    /// The path without slashes at its ends.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn plain_path(text: &str) -> Option<String> {
    let path = text.strip_prefix('/').unwrap_or(text);
    let path = path.strip_suffix('/').unwrap_or(path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let name = |segment: &str| {
        (1..=128).contains(&segment.len()) && segment.bytes().all(plain) && segment.bytes().any(|byte| byte != b'.')
    };
    (path.len() <= 512 && path.split('/').all(name)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_and_a_host() {
        let port = |text| VaultAddress::parse(text).map(|address| address.to_string()).ok();
        assert_eq!(port("https://vault.example.org").as_deref(), Some("https://vault.example.org:8200"));
        assert_eq!(port("https://[::1]:8201/").as_deref(), Some("https://[::1]:8201"));
        assert_eq!(VaultAddress::parse("https://[::1]").unwrap().host(), "::1");
        for bad in ["", "vault", "http://vault", "https://", "https://vault/v1", "https://u:p@vault", "https://v?x=1"] {
            assert_eq!(port(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_mount_path_has_plain_names() {
        assert_eq!(MountPath::parse("/a/b-1/").unwrap().as_str(), "a/b-1");
        for bad in ["", "/", "a//b", "..", "a/../b", "a b", "a?b", "a%2fb", "ä"] {
            assert!(MountPath::parse(bad).is_err() && Namespace::parse(bad).is_err(), "{bad}");
        }
    }
}
