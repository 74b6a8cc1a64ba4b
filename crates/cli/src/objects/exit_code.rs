//! Exit codes by what a script can do about a failure. They are documented in docs/client.md and never change their
//! meaning.

use client::{ClientError, KeyAnswer};

/// The credentials are not good for this.
pub(super) const ACCESS_DENIED: u8 = 3;
/// No such object or bucket.
pub(super) const NOT_FOUND: u8 = 4;
/// The object cannot be read whole and right.
pub(super) const DAMAGED: u8 = 5;
/// The server cannot be reached, or does not keep up.
pub(super) const UNAVAILABLE: u8 = 6;
/// File or object changed under way; the same command may succeed.
pub(super) const CHANGED: u8 = 7;
/// Another customer key is needed.
pub(super) const WRONG_KEY: u8 = 10;
/// A customer key is needed.
pub(super) const KEY_REQUIRED: u8 = 11;
/// No customer key is needed.
pub(super) const KEY_NOT_APPLICABLE: u8 = 12;
/// The server did not confirm the customer key.
pub(super) const KEY_IGNORED: u8 = 13;

/// The exit code of an error: 1 for all that has none of its own.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<ClientError>().map_or(1, of)
}

/// The same of an error of the client.
pub(super) const fn of(error: &ClientError) -> u8 {
    match error {
        ClientError::AccessDenied { .. } => ACCESS_DENIED,
        ClientError::NoSuchBucket(_) | ClientError::NoSuchObject(_) => NOT_FOUND,
        ClientError::Damaged { .. } => DAMAGED,
        ClientError::Unavailable { .. } => UNAVAILABLE,
        ClientError::Replaced(_) | ClientError::FileChanged(_) => CHANGED,
        ClientError::WrongCustomerKey { .. } => WRONG_KEY,
        ClientError::CustomerKeyRequired { .. } => KEY_REQUIRED,
        ClientError::CustomerKeyNotApplicable { .. } => KEY_NOT_APPLICABLE,
        ClientError::CustomerKeyIgnored { .. } => KEY_IGNORED,
        ClientError::CustomerKeyInTheClear
        | ClientError::TokenInTheClear
        | ClientError::Refused { .. }
        | ClientError::Nonsense { .. }
        | ClientError::File { .. }
        | ClientError::TooManyParts(_)
        | ClientError::Random(_) => 1,
    }
}

/// What `which-key` ends with.
pub(super) const fn of_answer(answer: KeyAnswer) -> u8 {
    match answer {
        KeyAnswer::OpenedBy(_) => 0,
        KeyAnswer::NoneOpens => WRONG_KEY,
        KeyAnswer::NeedsNone => KEY_NOT_APPLICABLE,
    }
}
