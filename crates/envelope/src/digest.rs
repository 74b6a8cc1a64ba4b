use zeroize::Zeroizing;

use crate::primitives::{GcmKey, derive};
use crate::{Damaged, StoreKey};

/// Seals digests of plaintext (the MD5 that is an ETag), so that they do not stand readable on the disk.
///
/// One key serves a scope, so that a page of a listing needs one derivation; the random id that comes with each digest
/// makes the nonce. 2^32 digests are the most that one scope should ever seal (NIST SP 800-38D section 8.3).
pub struct DigestSealer(GcmKey);

impl StoreKey {
    /// What seals the digests of one scope (a bucket).
    #[must_use]
    pub fn digest_sealer(&self, scope: &[u8; 16]) -> DigestSealer {
        let mut key = Zeroizing::new([0; 32]);
        derive(self.0.expose(), &[], &[b"canopic/v1/digest", scope], key.as_mut());
        DigestSealer(GcmKey::new(&key))
    }
}

impl DigestSealer {
    /// Seals a digest. `unique` is a random id that serves one digest and never another: a version's id, the salt of an
    /// attempt at a part.
    ///
    /// # Panics
    /// Never: the lengths are fixed.
    #[must_use]
    pub fn seal(&self, unique: &[u8; 16], digest: [u8; 16]) -> [u8; 32] {
        let (nonce, associated) = halves(unique);
        let mut sealed = SealedDigest { bytes: [0; 32], length: 16 };
        sealed.bytes[..16].copy_from_slice(&digest);
        self.0.seal(nonce, &associated, &mut sealed);
        sealed.bytes
    }

    /// Opens what [`Self::seal`] made with the same id.
    ///
    /// # Errors
    /// [`Damaged`] when it was changed, or sealed with another id or in another scope.
    pub fn open(&self, unique: &[u8; 16], sealed: &[u8; 32]) -> Result<[u8; 16], Damaged> {
        let (nonce, associated) = halves(unique);
        let mut buffer = *sealed;
        let opened = self.0.open(nonce, &associated, &mut buffer)?;
        (&*opened).try_into().map_err(|_| Damaged)
    }
}

fn halves(unique: &[u8; 16]) -> ([u8; 12], [u8; 4]) {
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&unique[..12]);
    let mut associated = [0; 4];
    associated.copy_from_slice(&unique[12..]);
    (nonce, associated)
}

/// A buffer on the stack that takes a digest and its tag.
struct SealedDigest {
    bytes: [u8; 32],
    length: usize,
}

impl AsMut<[u8]> for SealedDigest {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }
}

impl<'a> Extend<&'a u8> for SealedDigest {
    fn extend<I: IntoIterator<Item = &'a u8>>(&mut self, tag: I) {
        for (place, byte) in self.bytes[self.length..].iter_mut().zip(tag) {
            *place = *byte;
            self.length += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::secret;

    const UNIQUE: [u8; 16] = [5; 16];
    const DIGEST: [u8; 16] = *b"sixteen bytes...";

    fn sealer(scope: u8) -> DigestSealer {
        StoreKey::new(secret([3; 32])).digest_sealer(&[scope; 16])
    }

    #[test]
    fn a_digest_opens_with_its_id_and_scope_only() {
        let sealed = sealer(1).seal(&UNIQUE, DIGEST);
        assert_eq!(sealer(1).open(&UNIQUE, &sealed), Ok(DIGEST));
        assert_eq!(sealer(2).open(&UNIQUE, &sealed), Err(Damaged));
        for at in 0..16 {
            let mut other = UNIQUE;
            other[at] ^= 1;
            assert_eq!(sealer(1).open(&other, &sealed), Err(Damaged), "byte {at} of the id");
        }
    }

    #[test]
    fn a_sealed_digest_does_not_show_it_and_a_changed_one_is_damage() {
        let sealed = sealer(1).seal(&UNIQUE, DIGEST);
        assert_ne!(sealed[..16], DIGEST);
        for at in 0..sealed.len() {
            let mut flipped = sealed;
            flipped[at] ^= 1;
            assert_eq!(sealer(1).open(&UNIQUE, &flipped), Err(Damaged), "byte {at}");
        }
    }
}
