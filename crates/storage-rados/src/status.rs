//! What the xattrs of index objects and of maps say, in bytes.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Whether an index object may be written, and what is going on with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RangeStatus {
    /// All is as usual.
    Open,
    /// Somebody copies the upper half. Whoever changes a name at or behind the middle marks it dirty.
    Splitting(Split),
    /// The copy is about to be whole. Nothing may be changed; reads go on.
    Frozen(Split),
    /// The copy holds the upper half from now on. The map may not know it yet.
    Flipped(Split),
    /// Nothing may be put: somebody retires the scope, or has.
    Closed {
        /// Names the attempt.
        token: u64,
    },
}

/// A split under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Split {
    /// Names the attempt.
    pub(crate) token: u64,
    /// The id of the index object that gets the upper half.
    pub(crate) upper_id: u64,
    /// The first name of the upper half.
    pub(crate) middle: Vec<u8>,
}

/// Whether a scope takes records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScopeState {
    /// It does.
    Open,
    /// Somebody is finding out whether it can be retired.
    Closing {
        /// Names the attempt.
        token: u64,
    },
    /// Never again.
    Retired {
        /// Milliseconds since 1970.
        since: u64,
    },
}

impl RangeStatus {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(32);
        let (kind, split) = match self {
            Self::Open => (OPEN, None),
            Self::Splitting(split) => (SPLITTING, Some(split)),
            Self::Frozen(split) => (FROZEN, Some(split)),
            Self::Flipped(split) => (FLIPPED, Some(split)),
            Self::Closed { .. } => (CLOSED, None),
        };
        bytes.put_u8(kind);
        if let Self::Closed { token } = self {
            bytes.put_u64(*token);
        }
        if let Some(split) = split {
            bytes.put_u64(split.token);
            bytes.put_u64(split.upper_id);
            bytes.put_slice(&split.middle);
        }
        bytes.freeze()
    }

    /// `None` for bytes that no status has.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let split = || {
            let (token, rest) = take_u64(rest)?;
            let (upper_id, middle) = take_u64(rest)?;
            Some(Split { token, upper_id, middle: middle.to_vec() })
        };
        match (*kind, rest) {
            (OPEN, []) => Some(Self::Open),
            (SPLITTING, _) => split().map(Self::Splitting),
            (FROZEN, _) => split().map(Self::Frozen),
            (FLIPPED, _) => split().map(Self::Flipped),
            (CLOSED, _) => match take_u64(rest)? {
                (token, []) => Some(Self::Closed { token }),
                _ => None,
            },
            _ => None,
        }
    }
}

impl ScopeState {
    pub(crate) fn encode(self) -> Bytes {
        let (kind, number) = match self {
            Self::Open => return Bytes::from_static(&[OPEN]),
            Self::Closing { token } => (CLOSING, token),
            Self::Retired { since } => (RETIRED, since),
        };
        let mut bytes = BytesMut::with_capacity(9);
        bytes.put_u8(kind);
        bytes.put_u64(number);
        bytes.freeze()
    }

    /// `None` for bytes that no state has.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        if (*kind, rest.len()) == (OPEN, 0) {
            return Some(Self::Open);
        }
        match (*kind, take_u64(rest)?) {
            (CLOSING, (token, [])) => Some(Self::Closing { token }),
            (RETIRED, (since, [])) => Some(Self::Retired { since }),
            _ => None,
        }
    }
}

/// One of an object's xattrs.
pub(crate) fn xattr<'a>(xattrs: &'a [(String, Bytes)], name: &str) -> Option<&'a Bytes> {
    xattrs.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// The epoch and the status of an index object, from its xattrs; `None` when it lacks one, or one makes no sense.
pub(crate) fn range_facts(xattrs: &[(String, Bytes)]) -> Option<(u64, RangeStatus)> {
    let epoch = decode_epoch(xattr(xattrs, EPOCH)?)?;
    Some((epoch, RangeStatus::decode(xattr(xattrs, STATUS)?)?))
}

/// The value of the xattr [`EPOCH`].
pub(crate) fn encode_epoch(epoch: u64) -> Bytes {
    Bytes::copy_from_slice(&epoch.to_be_bytes())
}

/// `None` for bytes that no epoch has.
pub(crate) fn decode_epoch(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// The value of the xattr [`BOUNDS`]: the length of the lower bound, the lower bound, then 0 or 1 and the upper bound.
pub(crate) fn encode_bounds(lower: &[u8], upper: Option<&[u8]>) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + lower.len() + upper.map_or(0, <[u8]>::len));
    bytes.put_u32(u32::try_from(lower.len()).expect("names are short"));
    bytes.put_slice(lower);
    bytes.put_u8(u8::from(upper.is_some()));
    bytes.put_slice(upper.unwrap_or_default());
    bytes.freeze()
}

/// The lower bound in a value of the xattr [`BOUNDS`]; `None` for bytes that no bounds have.
pub(crate) fn lower_bound(bytes: &[u8]) -> Option<Vec<u8>> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*len)).ok()?).map(<[u8]>::to_vec)
}

/// Eight bytes as a number, and what follows.
pub(crate) fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// The xattr of an index object that changes with its bounds.
pub(crate) const EPOCH: &str = "epoch";
/// The xattr of an index object with its [`RangeStatus`].
pub(crate) const STATUS: &str = "status";
/// The xattr of an index object with its bounds, for people and for repair.
pub(crate) const BOUNDS: &str = "bounds";
/// The xattr of a map with its [`ScopeState`].
pub(crate) const STATE: &str = "state";

const OPEN: u8 = 0;
const SPLITTING: u8 = 1;
const FROZEN: u8 = 2;
const FLIPPED: u8 = 3;
const CLOSED: u8 = 4;
const CLOSING: u8 = 1;
const RETIRED: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let split = Split { token: 1, upper_id: u64::MAX, middle: b"m\0".to_vec() };
        for status in [
            RangeStatus::Open,
            RangeStatus::Splitting(split.clone()),
            RangeStatus::Frozen(split.clone()),
            RangeStatus::Flipped(Split { middle: Vec::new(), ..split }),
            RangeStatus::Closed { token: 3 },
        ] {
            assert_eq!(RangeStatus::decode(&status.encode()), Some(status));
        }
        for state in [ScopeState::Open, ScopeState::Closing { token: 9 }, ScopeState::Retired { since: 12 }] {
            assert_eq!(ScopeState::decode(&state.encode()), Some(state));
        }
        assert_eq!(decode_epoch(&encode_epoch(77)), Some(77));
        assert_eq!(lower_bound(&encode_bounds(b"lower", Some(b"upper"))), Some(b"lower".to_vec()));
        assert_eq!(lower_bound(&[0, 0, 0, 9, 1]), None);
    }

    #[test]
    fn other_bytes_are_nothing() {
        for bytes in [&b""[..], &[0, 0], &[1], &[4, 1], &[9], &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(RangeStatus::decode(bytes), None, "{bytes:?}");
            assert_eq!(ScopeState::decode(bytes), None, "{bytes:?}");
        }
    }
}
