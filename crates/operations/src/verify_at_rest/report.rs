//! What a verification tells, and whom.

use async_trait::async_trait;

use super::ciphertext::Giveaway;
use crate::held_by::HeldBy;

/// Hears what is found, as it is found; nothing is kept for later.
pub trait VerifySink: Send {
    /// One object or upload was looked at.
    fn object(&mut self, verdict: &ObjectVerdict);
    /// Something deserves to be told.
    fn finding(&mut self, finding: &Finding);
    /// So many sealed bytes were read, or so many objects passed by, since the last call.
    fn progress(&mut self, objects: u64, bytes: u64);
}

/// Slows a verification down, so that others can work.
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Returns when so many more bytes may be read.
    async fn admit(&self, bytes: u64);
}

/// What is known of one object or upload in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVerdict {
    /// The name of its bucket, as it stands in the store.
    pub bucket: String,
    /// Its object key, as it stands in the store.
    pub object_key: String,
    /// The upload in progress, in hexadecimal digits, if it is one.
    pub upload: Option<String>,
    /// Whose key opens it; `None` when its record cannot be read.
    pub held_by: Option<HeldBy>,
    /// Whether its record is the one that was written to this place.
    pub is_record_authentic: bool,
    /// Its sealed bytes.
    pub bytes: u64,
    /// Chunks that were looked at.
    pub chunks: u64,
    /// What is known of them.
    pub proof: Proof,
    /// How many findings there were that are no notes.
    pub findings: u64,
}

/// How much is known of the bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Each chunk was opened with the server's key.
    Authenticated,
    /// The key is not at hand; each chunk has its length and looks like ciphertext.
    LooksSealed,
    /// Only lengths were looked at.
    LengthsOnly,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The bucket, where there is one.
    pub bucket: Option<String>,
    /// The object key, where there is one.
    pub object_key: Option<String>,
    /// What it is about: a record, a part, a file.
    pub what: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a thing, or worth to be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A record was changed, or moved here from another place.
    #[error("it does not authenticate: it was changed, or it belongs to another place")]
    NotAuthentic,
    /// A record or something in it has no known layout.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// What a record names is not there.
    #[error("it is missing: {0}")]
    Missing(String),
    /// The wrap does not open with the key that it names.
    #[error("the wrapped data key does not open: {0}")]
    WrapDoesNotOpen(String),
    /// A part has another length than its entry says.
    #[error("it has {found} sealed bytes instead of {expected}")]
    Length {
        /// Bytes that are there.
        found: u64,
        /// Bytes that should be.
        expected: u64,
    },
    /// Numbers of a record contradict each other.
    #[error("its parts have {parts} bytes, and the object {object}")]
    Size {
        /// Plaintext bytes of all parts.
        parts: u64,
        /// Plaintext bytes that the object's record says.
        object: u64,
    },
    /// Chunks do not open with the object's key.
    #[error("{count} of its chunks do not authenticate, the first of them chunk {first}")]
    ChunksNotAuthentic {
        /// How many.
        count: u64,
        /// The index of the first.
        first: u64,
    },
    /// Bytes look like plaintext.
    #[error("{count} of its chunks look like plaintext ({giveaway:?}), the first of them chunk {first}")]
    LooksLikePlaintext {
        /// How many chunks.
        count: u64,
        /// The index of the first.
        first: u64,
        /// What gave the first one away.
        giveaway: Giveaway,
    },
    /// Something that the store never made.
    #[error("the store never made this; it has {0} bytes")]
    Stranger(u64),
    /// A record that no object or upload has.
    #[error("no object names this record")]
    UnnamedRecord,
    /// A note: sealed bytes that no record names any more, as a crash or a damaged record leaves them.
    #[error("no record names these bytes; they look sealed")]
    UnnamedBytes,
    /// A note: a part whose upload is over, as a crash leaves it.
    #[error("its upload is over; the server removes it")]
    LeftPart,
    /// A note: the key that would prove it is not at hand, so its chunks were judged by their looks.
    #[error("it could not be proven: {0}")]
    KeyNotAtHand(String),
}

impl Problem {
    /// Whether it only deserves to be known, and nothing is wrong.
    #[must_use]
    pub const fn is_note(&self) -> bool {
        matches!(self, Self::UnnamedBytes | Self::LeftPart | Self::KeyNotAtHand(_))
    }

    /// A word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAuthentic => "not-authentic",
            Self::Unreadable(_) => "unreadable",
            Self::Missing(_) => "missing",
            Self::WrapDoesNotOpen(_) => "wrap-does-not-open",
            Self::Length { .. } => "length",
            Self::Size { .. } => "size",
            Self::ChunksNotAuthentic { .. } => "chunks-not-authentic",
            Self::LooksLikePlaintext { .. } => "looks-like-plaintext",
            Self::Stranger(_) => "stranger",
            Self::UnnamedRecord => "unnamed-record",
            Self::UnnamedBytes => "unnamed-bytes",
            Self::LeftPart => "left-part",
            Self::KeyNotAtHand(_) => "key-not-at-hand",
        }
    }
}
