use serde::{Deserialize, Serialize};

/// Why a call failed, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The body is no such call.
    InvalidCall,
    /// There is no call of this name, or it is not POST.
    NoSuchCall,
    /// The caller is not the administrator.
    Forbidden,
    /// The name is taken.
    UserExists,
    /// There is no such user.
    NoSuchUser,
    /// There is no such access key or token.
    NoSuchAccessKey,
    /// The name is taken.
    KmsKeyExists,
    /// There is no such KMS key.
    NoSuchKmsKey,
    /// The KMS key, or the keyring, is in a state in which this cannot be done.
    WrongState,
    /// The KMS does not do this, or not for this server.
    NotSupported,
    /// The KMS does not answer, or the keyring cannot be written; asking again may help.
    Unavailable,
    /// The server's fault; its log says more.
    Internal,
}

/// The answer of a call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorAnswer {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}
