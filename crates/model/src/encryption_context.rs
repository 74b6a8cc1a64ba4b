use std::collections::BTreeMap;

/// The encryption context of SSE-KMS: names and values that a wrap is bound to. Usually empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncryptionContext(BTreeMap<String, String>);

/// The context has more or longer pairs than one may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an encryption context has at most 8,192 bytes")]
pub struct EncryptionContextTooLarge;

impl EncryptionContext {
    /// The most bytes of names and values together (AWS KMS: "Encryption context").
    pub const LEN_MAX: usize = 8192;

    /// Takes pairs; a name that comes twice has its last value.
    ///
    /// # Errors
    /// [`EncryptionContextTooLarge`].
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, EncryptionContextTooLarge> {
        let len: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        if len > Self::LEN_MAX { Err(EncryptionContextTooLarge) } else { Ok(Self(pairs)) }
    }

    /// The same bytes for the same pairs: for each, by name, `u64(length) ‖ name ‖ u64(length) ‖ value`, big-endian.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in self.0.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        EncryptionContext::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()).unwrap()
    }

    #[test]
    fn the_order_of_pairs_does_not_matter_and_their_borders_do() {
        assert_eq!(context(&[("a", "1"), ("b", "2")]), context(&[("b", "2"), ("a", "1")]));
        assert_ne!(context(&[("a", "bc")]).canonical_bytes(), context(&[("ab", "c")]).canonical_bytes());
        assert!(EncryptionContext::default().canonical_bytes().is_empty());
    }

    #[test]
    fn a_context_has_a_limit() {
        let long = |n| EncryptionContext::new(BTreeMap::from([("a".to_owned(), "x".repeat(n))]));
        assert!(long(EncryptionContext::LEN_MAX - 1).is_ok());
        assert_eq!(long(EncryptionContext::LEN_MAX), Err(EncryptionContextTooLarge));
    }
}
