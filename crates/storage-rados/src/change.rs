//! One atomic change of one partition, in the words of the omap.

use bytes::Bytes;
use storage::Error;

/// Checks and changes of entries that all belong to one partition. Values are as [`crate::names::value`] makes them.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// What entries must be; empty for missing.
    pub(crate) compare: Vec<(Vec<u8>, Bytes)>,
    /// Entries to write.
    pub(crate) set: Vec<(Vec<u8>, Bytes)>,
    /// Entries to remove; a missing one is no error.
    pub(crate) remove: Vec<Vec<u8>>,
    /// Whether a retired scope refuses it.
    pub(crate) puts: bool,
}

/// Why a change did not happen.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// Entries were not what was demanded: their places in [`Change::compare`], in order, at least one.
    Conflict(Vec<usize>),
    /// The scope is retired, and something was to be put.
    Retired,
    /// RADOS failed. After [`Error::Unavailable`] the outcome is unknown.
    Store(Error),
}

impl From<Error> for ChangeError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Change {
    /// Whether it changes nothing.
    pub(crate) fn only_checks(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// The bytes of what it sets.
    pub(crate) fn set_len(&self) -> usize {
        self.set.iter().map(|(omap_key, value)| omap_key.len() + value.len()).sum()
    }
}
