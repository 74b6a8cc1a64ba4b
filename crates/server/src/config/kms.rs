//! Settings of the KMS: which one serves SSE-KMS, where it is, and who we are there.
//!
//! Credentials come from files or from variables of the environment and have no flags, because a command line can be read
//! by everybody on the machine.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kms::CacheLimits;
use kms_kmip::{KeyPrefix, KmipAddress, KmipSettings};
use kms_vault::{MountPath, Namespace, Secret, SignIn, VaultAddress, VaultSettings};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::settings::Layer;
use super::value::{InvalidValue, Period, Value};
use super::{BadValue, CertificateFiles};

/// Holds the token for Vault.
pub const KMS_TOKEN_VARIABLE: &str = "CANOPIC_KMS_TOKEN";
/// Holds the AppRole's role id.
pub const KMS_ROLE_ID_VARIABLE: &str = "CANOPIC_KMS_ROLE_ID";
/// Holds the AppRole's secret id.
pub const KMS_SECRET_ID_VARIABLE: &str = "CANOPIC_KMS_SECRET_ID";

/// What serves SSE-KMS, and how long opened keys are kept.
#[derive(Debug)]
pub struct Kms {
    /// The service.
    pub service: KmsService,
    /// What the cache in front of it may keep.
    pub cache: CacheLimits,
}

/// What serves SSE-KMS.
#[derive(Debug)]
pub enum KmsService {
    /// The keyring.
    Local,
    /// The Transit engine of Vault or OpenBao.
    Vault(KmsTls, Arc<VaultSettings>),
    /// A KMIP server.
    Kmip(KmsTls, KmipSettings),
}

/// How a KMS and we know each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsTls {
    /// The authorities that its certificate may come from, PEM.
    pub authorities: PathBuf,
    /// The certificate that we show.
    pub client: Option<CertificateFiles>,
}

/// Why the settings make no KMS.
#[derive(Debug, thiserror::Error)]
pub enum KmsConfigError {
    /// Something is missing.
    #[error("kms = \"{kms}\" needs `{missing}`")]
    Missing {
        /// The provider.
        kms: KmsProvider,
        /// The setting or settings.
        missing: &'static str,
    },
    /// Something would be ignored.
    #[error("`{setting}` says nothing to kms = \"{kms}\": take it away, or choose another kms")]
    Unused {
        /// The provider.
        kms: KmsProvider,
        /// The setting.
        setting: &'static str,
    },
    /// Two that exclude each other.
    #[error("`{one}` and `{other}` are both set: one of them would be ignored")]
    Two {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A text is no value.
    #[error(transparent)]
    Value(#[from] BadValue),
}

/// Which KMS serves SSE-KMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum KmsProvider {
    /// The keyring.
    Local,
    /// The Transit engine of Vault or OpenBao.
    Vault,
    /// A KMIP server.
    Kmip,
}

impl Value for KmsProvider {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "local" => Ok(Self::Local),
            "vault" => Ok(Self::Vault),
            "kmip" => Ok(Self::Kmip),
            _ => Err(InvalidValue { expected: "local, vault or kmip" }),
        }
    }
}

impl TryFrom<String> for KmsProvider {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::parse(&text)
    }
}

impl fmt::Display for KmsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Vault => "vault",
            Self::Kmip => "kmip",
        })
    }
}

/// A text that the chosen provider makes sense of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProviderText(String);

impl Value for ProviderText {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let plain = (1..=512).contains(&text.len()) && !text.chars().any(char::is_control);
        plain.then(|| Self(text.to_owned())).ok_or(InvalidValue { expected: "1 to 512 characters" })
    }
}

impl TryFrom<String> for ProviderText {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::parse(&text)
    }
}

/// Takes the settings of the KMS out of the layers.
pub(super) fn of(layer: &mut Layer, environment: &impl Fn(&str) -> Option<OsString>) -> Result<Kms, KmsConfigError> {
    let defaulted = "has a default";
    let provider = layer.kms.expect(defaulted);
    let cache = CacheLimits {
        time: layer.kms_cache_time.expect(defaulted).0,
        keys: usize::try_from(layer.kms_cache_keys.expect(defaulted)).unwrap_or(usize::MAX),
    };
    refuse_unused(layer, provider)?;
    let service = match provider {
        KmsProvider::Local => KmsService::Local,
        KmsProvider::Vault => {
            let tls = tls(layer, provider)?;
            KmsService::Vault(tls, Arc::new(vault(layer, environment)?))
        }
        KmsProvider::Kmip => {
            let tls = tls(layer, provider)?;
            if tls.client.is_none() {
                return Err(KmsConfigError::Missing { kms: provider, missing: "kms_client_cert` and `kms_client_key" });
            }
            KmsService::Kmip(tls, kmip(layer)?)
        }
    };
    Ok(Kms { service, cache })
}

/// A setting of another provider is a mistake: whoever sets an address and forgets `kms` should not get the keyring.
fn refuse_unused(layer: &Layer, kms: KmsProvider) -> Result<(), KmsConfigError> {
    let vault = kms == KmsProvider::Vault;
    let remote = kms != KmsProvider::Local;
    let set = [
        ("kms_address", layer.kms_address.is_some(), remote),
        ("kms_ca_file", layer.kms_ca_file.is_some(), remote),
        ("kms_client_cert", layer.kms_client_cert.is_some(), remote),
        ("kms_client_key", layer.kms_client_key.is_some(), remote),
        ("kms_mount", layer.kms_mount.is_some(), vault),
        ("kms_namespace", layer.kms_namespace.is_some(), vault),
        ("kms_token_file", layer.kms_token_file.is_some(), vault),
        ("kms_approle_mount", layer.kms_approle_mount.is_some(), vault),
        ("kms_role_id_file", layer.kms_role_id_file.is_some(), vault),
        ("kms_secret_id_file", layer.kms_secret_id_file.is_some(), vault),
        ("kms_prefix", layer.kms_prefix.is_some(), kms == KmsProvider::Kmip),
    ];
    let unused = set.into_iter().find(|(_, is_set, is_used)| *is_set && !is_used);
    unused.map_or(Ok(()), |(setting, ..)| Err(KmsConfigError::Unused { kms, setting }))
}

fn tls(layer: &mut Layer, kms: KmsProvider) -> Result<KmsTls, KmsConfigError> {
    let authorities = layer.kms_ca_file.take().ok_or(KmsConfigError::Missing { kms, missing: "kms_ca_file" })?;
    let client = match (layer.kms_client_cert.take(), layer.kms_client_key.take()) {
        (Some(chain), Some(private_key)) => Some(CertificateFiles { chain, private_key }),
        (None, None) => None,
        (Some(_), None) => return Err(KmsConfigError::Missing { kms, missing: "kms_client_key" }),
        (None, Some(_)) => return Err(KmsConfigError::Missing { kms, missing: "kms_client_cert" }),
    };
    Ok(KmsTls { authorities, client })
}

fn vault(layer: &Layer, environment: &impl Fn(&str) -> Option<OsString>) -> Result<VaultSettings, KmsConfigError> {
    let mount = |setting: &'static str, given: &Option<ProviderText>, default| {
        let text = given.as_ref().map_or(default, |text| text.0.as_str());
        MountPath::parse(text).map_err(|error| bad(setting, error.expected))
    };
    let namespace = layer.kms_namespace.as_ref().map(|text| Namespace::parse(&text.0)).transpose();
    Ok(VaultSettings {
        address: VaultAddress::parse(address(layer, KmsProvider::Vault)?)
            .map_err(|error| bad("kms_address", error.expected))?,
        mount: mount("kms_mount", &layer.kms_mount, "transit")?,
        namespace: namespace.map_err(|error| bad("kms_namespace", error.expected))?,
        sign_in: sign_in(layer, environment, mount("kms_approle_mount", &layer.kms_approle_mount, "approle")?)?,
        timeout: layer.kms_timeout.expect("has a default").0,
        retries: layer.kms_retries.expect("has a default"),
    })
}

fn sign_in(
    layer: &Layer,
    environment: &impl Fn(&str) -> Option<OsString>,
    mount: MountPath,
) -> Result<SignIn, KmsConfigError> {
    let token = secret("kms_token_file", layer.kms_token_file.as_ref(), KMS_TOKEN_VARIABLE, environment)?;
    let role_id = secret("kms_role_id_file", layer.kms_role_id_file.as_ref(), KMS_ROLE_ID_VARIABLE, environment)?;
    let secret_id =
        secret("kms_secret_id_file", layer.kms_secret_id_file.as_ref(), KMS_SECRET_ID_VARIABLE, environment)?;
    match (token, role_id, secret_id) {
        (Some(token), None, None) => Ok(SignIn::Token(token)),
        (None, Some(role_id), Some(secret_id)) => Ok(SignIn::AppRole { mount, role_id, secret_id }),
        (Some(_), ..) => Err(KmsConfigError::Two { one: "a token", other: "a role id or secret id" }),
        (None, ..) => Err(KmsConfigError::Missing {
            kms: KmsProvider::Vault,
            missing: "kms_token_file`, or `kms_role_id_file` and `kms_secret_id_file",
        }),
    }
}

fn secret(
    setting: &'static str,
    file: Option<&PathBuf>,
    variable: &'static str,
    environment: &impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Secret>, KmsConfigError> {
    match (file, environment(variable)) {
        (Some(_), Some(_)) => Err(KmsConfigError::Two { one: setting, other: variable }),
        (Some(file), None) => Ok(Some(Secret::File(file.clone()))),
        (None, Some(text)) => match text.into_string() {
            Ok(text) => Ok(Some(Secret::Text(Zeroizing::new(text)))),
            Err(_) => Err(bad(variable, "UTF-8").into()),
        },
        (None, None) => Ok(None),
    }
}

fn kmip(layer: &Layer) -> Result<KmipSettings, KmsConfigError> {
    let prefix = layer.kms_prefix.as_ref().map_or("canopic", |text| text.0.as_str());
    Ok(KmipSettings {
        address: KmipAddress::parse(address(layer, KmsProvider::Kmip)?)
            .map_err(|error| bad("kms_address", error.expected))?,
        prefix: KeyPrefix::parse(prefix).map_err(|error| bad("kms_prefix", error.expected))?,
        timeout: layer.kms_timeout.expect("has a default").0,
        retries: layer.kms_retries.expect("has a default"),
    })
}

fn address(layer: &Layer, kms: KmsProvider) -> Result<&str, KmsConfigError> {
    let address = layer.kms_address.as_ref().ok_or(KmsConfigError::Missing { kms, missing: "kms_address" })?;
    Ok(&address.0)
}

fn bad(origin: &str, expected: &'static str) -> BadValue {
    BadValue { origin: origin.to_owned(), source: InvalidValue { expected } }
}

/// The names of the settings that are not secret, and their values as the file says them.
pub(super) fn explain(kms: &Kms) -> Vec<(&'static str, toml::Value)> {
    let mut lines: Vec<(&'static str, toml::Value)> = Vec::new();
    let text = |name: &'static str, text: String| (name, toml::Value::String(text));
    let remote = |tls: &KmsTls, address: String, timeout, retries: u32| {
        let path = |path: &Path| path.display().to_string();
        let client = tls.client.iter().flat_map(|client| {
            [text("kms_client_cert", path(&client.chain)), text("kms_client_key", path(&client.private_key))]
        });
        let first = [text("kms_address", address), text("kms_ca_file", path(&tls.authorities))];
        let last = [text("kms_timeout", Period(timeout).to_string()), ("kms_retries", i64::from(retries).into())];
        first.into_iter().chain(client).chain(last).collect::<Vec<_>>()
    };
    match &kms.service {
        KmsService::Local => lines.push(text("kms", KmsProvider::Local.to_string())),
        KmsService::Vault(tls, settings) => {
            lines.push(text("kms", KmsProvider::Vault.to_string()));
            lines.extend(remote(tls, settings.address.to_string(), settings.timeout, settings.retries));
            lines.push(text("kms_mount", settings.mount.as_str().to_owned()));
            let namespace = settings.namespace.as_ref();
            lines.extend(namespace.map(|namespace| text("kms_namespace", namespace.as_str().to_owned())));
            lines.extend(explain_sign_in(&settings.sign_in).into_iter().map(|(name, value)| text(name, value)));
        }
        KmsService::Kmip(tls, settings) => {
            lines.push(text("kms", KmsProvider::Kmip.to_string()));
            lines.extend(remote(tls, settings.address.to_string(), settings.timeout, settings.retries));
            lines.push(text("kms_prefix", settings.prefix.as_str().to_owned()));
        }
    }
    lines.push(text("kms_cache_time", Period(kms.cache.time).to_string()));
    lines.push(("kms_cache_keys", i64::try_from(kms.cache.keys).unwrap_or(i64::MAX).into()));
    lines
}

/// The files; what came from a variable is not told.
fn explain_sign_in(sign_in: &SignIn) -> Vec<(&'static str, String)> {
    let file = |name, secret: &Secret| match secret {
        Secret::File(path) => Some((name, path.display().to_string())),
        Secret::Text(_) => None,
    };
    match sign_in {
        SignIn::Token(token) => file("kms_token_file", token).into_iter().collect(),
        SignIn::AppRole { mount, role_id, secret_id } => {
            let mount = ("kms_approle_mount", mount.as_str().to_owned());
            let files = [file("kms_role_id_file", role_id), file("kms_secret_id_file", secret_id)];
            std::iter::once(mount).chain(files.into_iter().flatten()).collect()
        }
    }
}

#[cfg(test)]
mod tests;
