use serde::{Deserialize, Serialize};

use crate::Call;

/// Creates a KMS key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateKmsKey {
    /// Its name.
    pub id: String,
}

impl Call for CreateKmsKey {
    const NAME: &'static str = "create-kms-key";
    type Answer = KmsKey;
}

/// Asks what is known of a KMS key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribeKmsKey {
    /// Its name.
    pub id: String,
}

impl Call for DescribeKmsKey {
    const NAME: &'static str = "describe-kms-key";
    type Answer = KmsKey;
}

/// Asks for all KMS keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListKmsKeys {}

impl Call for ListKmsKeys {
    const NAME: &'static str = "list-kms-keys";
    type Answer = KmsKeyList;
}

/// Lets a KMS key be used again; cancels its deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnableKmsKey {
    /// Its name.
    pub id: String,
}

impl Call for EnableKmsKey {
    const NAME: &'static str = "enable-kms-key";
    type Answer = KmsKey;
}

/// Forbids every use of a KMS key until it is enabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisableKmsKey {
    /// Its name.
    pub id: String,
}

impl Call for DisableKmsKey {
    const NAME: &'static str = "disable-kms-key";
    type Answer = KmsKey;
}

/// Forbids every use of a KMS key, and lets it be destroyed after a waiting time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleKmsKeyDeletion {
    /// Its name.
    pub id: String,
    /// Days until it is destroyed, 7 to 30; 30 if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_days: Option<u32>,
}

impl Call for ScheduleKmsKeyDeletion {
    const NAME: &'static str = "schedule-kms-key-deletion";
    type Answer = KmsKey;
}

/// Gives a KMS key a new version, which seals from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKmsKey {
    /// Its name.
    pub id: String,
}

impl Call for RotateKmsKey {
    const NAME: &'static str = "rotate-kms-key";
    type Answer = KmsKey;
}

/// What is known of a KMS key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsKey {
    /// Its name.
    pub id: String,
    /// Whether it may be used.
    pub state: KmsKeyState,
    /// When it is destroyed, milliseconds since 1970, if its deletion is pending.
    pub deletion_ms: Option<u64>,
    /// When it was created, milliseconds since 1970, where the KMS tells.
    pub created_ms: Option<u64>,
    /// How many versions it has had.
    pub versions: u32,
}

/// Whether a KMS key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KmsKeyState {
    /// It may.
    Enabled,
    /// Not until it is enabled.
    Disabled,
    /// Not until its deletion is cancelled, by enabling it.
    PendingDeletion,
}

/// All KMS keys, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsKeyList {
    /// The keys.
    pub kms_keys: Vec<KmsKey>,
    /// How well the server's cache of opened keys has done since its start.
    #[serde(default)]
    pub cache: KeyCache,
}

/// The server's cache of the keys that a KMS opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyCache {
    /// How often a key was there.
    pub hits: u64,
    /// How often the KMS was asked.
    pub misses: u64,
    /// Keys that are kept now.
    pub keys: u64,
}
