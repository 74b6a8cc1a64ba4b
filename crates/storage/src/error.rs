use model::BlobId;

/// What any backend can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room for more bytes. Reads go on; nothing was changed.
    #[error("the store is full")]
    Full,
    /// The backend cannot answer now and may be able to later; whether a commit happened is unknown.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The blob does not exist (any more): a reader that lost a race reads the record again.
    #[error("no blob {0}")]
    NoSuchBlob(BlobId),
    /// A blob is shorter than the range that was asked for.
    #[error("blob {0} ends early")]
    BlobTooShort(BlobId),
    /// The backend's own structures do not make sense.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

impl Error {
    /// Whether the same call may succeed a little later without anybody doing anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// A precondition of a batch did not hold: another commit came first. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a precondition of the batch does not hold")]
pub struct ConflictedPrecondition;

/// The scope takes no more records. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scope is retired")]
pub struct ScopeRetired;

/// The scope still holds records in one of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scope still holds records")]
pub struct ScopeNotEmpty;

/// The backend has no place of this name for new scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such placement")]
pub struct NoSuchPlacement;

/// Why a batch was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// See [`ConflictedPrecondition`].
    #[error(transparent)]
    Conflict(#[from] ConflictedPrecondition),
    /// See [`ScopeRetired`].
    #[error(transparent)]
    Retired(#[from] ScopeRetired),
    /// The backend failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Why a scope was not retired.
#[derive(Debug, thiserror::Error)]
pub enum RetireError {
    /// See [`ScopeNotEmpty`].
    #[error(transparent)]
    NotEmpty(#[from] ScopeNotEmpty),
    /// The backend failed.
    #[error(transparent)]
    Store(#[from] Error),
}
