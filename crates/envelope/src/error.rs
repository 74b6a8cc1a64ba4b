use model::codec::Malformed;

/// Stored bytes are not what was written: cut, extended, changed, or moved from another place.
///
/// This is our fault or an attacker's, never the client's. Nothing about where it went wrong is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are damaged")]
pub struct Damaged;

/// The commitment was made with another key: the key that was presented never wrapped this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key is not the one that wrapped this")]
pub struct WrongKey;

impl From<Malformed> for Damaged {
    fn from(_: Malformed) -> Self {
        Self
    }
}
