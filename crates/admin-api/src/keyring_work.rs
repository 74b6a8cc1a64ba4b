use serde::{Deserialize, Serialize};

use crate::Call;

/// Begins to wrap data keys anew, with the current version of the key that holds each; or takes the rate over when that
/// is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewrapKeyring {
    /// How many a second at most; as many as go if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_s: Option<u32>,
}

impl Call for RewrapKeyring {
    const NAME: &'static str = "rewrap-keyring";
    type Answer = KeyringWork;
}

/// Begins to count which keys the objects and uploads of the store need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountKeyUses {}

impl Call for CountKeyUses {
    const NAME: &'static str = "count-key-uses";
    type Answer = KeyringWork;
}

/// Begins to take away the versions of the keyring's key that no record needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneKeyring {}

impl Call for PruneKeyring {
    const NAME: &'static str = "prune-keyring";
    type Answer = KeyringWork;
}

/// Asks how the work that was begun last goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookAtKeyringWork {}

impl Call for LookAtKeyringWork {
    const NAME: &'static str = "look-at-keyring-work";
    type Answer = KeyringWork;
}

/// Stops the work that goes on. What a rewrap did stays done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopKeyringWork {}

impl Call for StopKeyringWork {
    const NAME: &'static str = "stop-keyring-work";
    type Answer = KeyringWork;
}

/// Work that goes through the whole store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyringWork {
    /// What it is; missing when nothing was begun since the server started.
    pub kind: Option<KeyringWorkKind>,
    /// Whether it goes on.
    pub is_running: bool,
    /// Whether it still counts what there is to do.
    pub is_counting: bool,
    /// Objects and uploads that were looked at.
    pub looked_at: u64,
    /// How many there are, once that is known.
    pub total: Option<u64>,
    /// How many data keys were wrapped anew.
    pub rewrapped: u64,
    /// How many could not be; the log names them.
    pub failed: u64,
    /// Why it ended before its end.
    pub error: Option<String>,
    /// What was counted.
    pub uses: Option<KeyUses>,
    /// The versions that were taken away.
    pub pruned: Vec<String>,
}

/// Kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyringWorkKind {
    /// See [`CountKeyUses`].
    Count,
    /// See [`RewrapKeyring`].
    Rewrap,
    /// See [`PruneKeyring`].
    Prune,
}

/// Which keys the objects and uploads of the store need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUses {
    /// By key, ordered.
    pub held: Vec<HeldCount>,
    /// Those among them whose key the server holds and would wrap with a newer version now.
    pub outdated: u64,
    /// Records that cannot be read: which key they need, nobody knows.
    pub unreadable: u64,
}

/// How many records one key opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCount {
    /// Whose key it is.
    pub holder: KeyHolder,
    /// Which of them; missing for customers.
    pub id: Option<String>,
    /// Objects.
    pub objects: u64,
    /// Uploads in progress.
    pub uploads: u64,
    /// Those of both whose key is not there: nothing opens them now.
    #[serde(default)]
    pub missing: u64,
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyHolder {
    /// A version of the keyring's key (SSE-S3).
    Keyring,
    /// A key of the KMS (SSE-KMS).
    Kms,
    /// Some customer's (SSE-C).
    Customer,
}
