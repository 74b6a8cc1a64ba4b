//! What stands in an object's record for a key-encryption key that a KMIP server sealed:
//!
//! ```text
//! offset  bytes
//!      0      1  format, 1
//!      1      1  n, the length of the identifier
//!      2      n  identifier of the KMIP object that sealed (its Unique Identifier)
//!    2+n     12  nonce
//!   14+n     16  tag
//!   30+n     32  the key-encryption key, by AES-256-GCM
//! ```
//!
//! Bound to it, as associated data: the sixteen bytes that name the key-encryption key, and the context.

use envelope::KeyId;

/// The parts of a sealed key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SealedKey<'a> {
    pub(crate) uid: &'a str,
    pub(crate) nonce: &'a [u8; 12],
    pub(crate) tag: &'a [u8; 16],
    pub(crate) data: &'a [u8; 32],
}

impl<'a> SealedKey<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = u8::try_from(self.uid.len()).expect("identifiers are at most 255 bytes");
        [&[FORMAT, length], self.uid.as_bytes(), self.nonce, self.tag, self.data].concat()
    }

    /// `None` for what [`Self::encode`] does not make.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (&[format, length], rest) = bytes.split_first_chunk()?;
        let (uid, rest) = rest.split_at_checked(usize::from(length))?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (tag, data) = rest.split_first_chunk()?;
        let uid = std::str::from_utf8(uid).ok()?;
        let known = format == FORMAT && !uid.is_empty() && !uid.chars().any(char::is_control);
        known.then_some(())?;
        Some(Self { uid, nonce, tag, data: data.try_into().ok()? })
    }
}

/// What is bound to a sealed key.
pub(crate) fn bound(inner: KeyId, context: &[u8]) -> Vec<u8> {
    [inner.as_bytes(), context].concat()
}

const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let key = SealedKey { uid: "id-7", nonce: &[1; 12], tag: &[2; 16], data: &[3; 32] };
        let bytes = key.encode();
        assert_eq!(SealedKey::decode(&bytes), Some(key));
        for at in 0..bytes.len() {
            assert_eq!(SealedKey::decode(&bytes[..at]), None, "{at} bytes");
        }
        assert_eq!(SealedKey::decode(&[&bytes[..], &[0]].concat()), None);
        for (at, byte) in [(0, 2), (1, 0), (1, 5), (1, 255), (2, 0xff), (2, b'\n')] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            assert_eq!(SealedKey::decode(&changed), None, "byte {at} as {byte}");
        }
    }
}
