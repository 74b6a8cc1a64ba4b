//! What the admin API is asked and what it answers, as JSON: shared by the server, the command and a later console.
//!
//! Each question is a [`Call`]: `POST /-/admin/v1/<NAME>` with the call as JSON body, and its answer as JSON back, or an
//! [`ErrorAnswer`]. Names of users travel in bodies, so no path ever needs escaping. Deliberately absent: HTTP and
//! sockets; any secret in an answer other than the one that issues it.

mod access_keys;
mod error;
mod keyring;
mod keyring_work;
mod kms_keys;
mod secret;
mod users;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use access_keys::{
    AccessKey, AccessKeyKind, AccessKeyList, IssueAccessKey, IssueToken, IssuedAccessKey, IssuedToken, ListAccessKeys,
    Owner, RevokeAccessKey, Revoked,
};
pub use error::{ErrorAnswer, ErrorCode};
pub use keyring::{
    ExportKeyring, ExportedKeyring, Keyring, KeyringStatus, KeyringVersion, ResealKeyring, RotateKeyring,
};
pub use keyring_work::{
    CountKeyUses, HeldCount, KeyHolder, KeyUses, KeyringWork, KeyringWorkKind, LookAtKeyringWork, PruneKeyring,
    RewrapKeyring, StopKeyringWork,
};
pub use kms_keys::{
    CreateKmsKey, DescribeKmsKey, DisableKmsKey, EnableKmsKey, KeyCache, KmsKey, KmsKeyList, KmsKeyState, ListKmsKeys,
    RotateKmsKey, ScheduleKmsKeyDeletion,
};
pub use secret::Secret;
pub use users::{CreateUser, ListUsers, User, UserList};

/// What the paths of all calls begin with.
pub const PREFIX: &str = "/-/admin/v1/";

/// Bytes of the largest body of a call.
pub const CALL_LEN_MAX: usize = 64 * 1024;

/// A question to the admin API.
pub trait Call: Serialize + DeserializeOwned {
    /// The last part of its path.
    const NAME: &'static str;
    /// What comes back when it succeeds.
    type Answer: Serialize + DeserializeOwned;
}
