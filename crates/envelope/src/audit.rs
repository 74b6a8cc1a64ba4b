use zeroize::Zeroizing;

use crate::StoreKey;
use crate::primitives::{HmacKey, derive, same};

/// Chains the entries of the audit log: the tag of an entry covers the tag before it, so that none can be changed, taken
/// out or put in between without the store key. Layout: docs/format.md, "Audit log".
pub struct AuditChain(HmacKey);

/// The tag of an entry.
pub type AuditTag = [u8; 32];

impl StoreKey {
    /// What chains the entries of the audit log.
    #[must_use]
    pub fn audit_chain(&self) -> AuditChain {
        let mut key = Zeroizing::new([0; 32]);
        derive(self.0.expose(), &[], &[b"canopic/v1/audit"], key.as_mut());
        AuditChain(HmacKey::new(&key))
    }
}

impl AuditChain {
    /// The tag of an entry behind the entry with the tag `previous`.
    #[must_use]
    pub fn tag(&self, previous: &AuditTag, entry: &[u8]) -> AuditTag {
        self.0.tag(&[previous, entry])
    }

    /// Whether an entry with this tag stands rightly behind the one with the tag `previous`.
    #[must_use]
    pub fn follows(&self, previous: &AuditTag, entry: &[u8], tag: &AuditTag) -> bool {
        same(&self.tag(previous, entry), tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_follows_the_one_it_was_written_behind_and_no_other() {
        let chain = StoreKey::generate().audit_chain();
        let first = chain.tag(&[0; 32], b"first");
        let second = chain.tag(&first, b"second");
        assert!(chain.follows(&[0; 32], b"first", &first) && chain.follows(&first, b"second", &second));
        assert!(!chain.follows(&[0; 32], b"second", &second), "an entry was taken out");
        assert!(!chain.follows(&first, b"Second", &second), "an entry was changed");
        assert!(!StoreKey::generate().audit_chain().follows(&[0; 32], b"first", &first));
    }
}
