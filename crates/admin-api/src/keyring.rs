use serde::{Deserialize, Serialize};

use crate::{Call, Secret};

/// Asks for the versions of the keyring's own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyringStatus {}

impl Call for KeyringStatus {
    const NAME: &'static str = "keyring-status";
    type Answer = Keyring;
}

/// What is known of the keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyring {
    /// Names the root key that seals it.
    pub root_key_id: String,
    /// The versions of its own key, the current one first.
    pub versions: Vec<KeyringVersion>,
}

/// A version of the keyring's own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyringVersion {
    /// Its name.
    pub id: String,
    /// When it was made, milliseconds since 1970, where the keyring tells.
    pub created_ms: Option<u64>,
    /// Whether it wraps new data keys.
    pub is_current: bool,
}

/// Starts a new version of the keyring's own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKeyring {}

impl Call for RotateKeyring {
    const NAME: &'static str = "rotate-keyring";
    type Answer = KeyringVersion;
}

/// Asks for a copy of the keyring, sealed under a root key of the caller's. The keyring stays as it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportKeyring {
    /// The root key, as the text of a root key file.
    pub root_key: Secret,
}

impl Call for ExportKeyring {
    const NAME: &'static str = "export-keyring";
    type Answer = ExportedKeyring;
}

/// A copy of the keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedKeyring {
    /// A keyring file, base64.
    pub sealed: String,
}

/// Seals the keyring under another root key. From then on the old one does not open it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResealKeyring {
    /// The root key, as the text of a root key file.
    pub root_key: Secret,
}

impl Call for ResealKeyring {
    const NAME: &'static str = "reseal-keyring";
    type Answer = Keyring;
}
