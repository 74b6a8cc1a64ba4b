use zeroize::Zeroizing;

use crate::keys::KeyBytes;
use crate::primitives::{GcmKey, ONLY_NONCE, derive, length_prefix};
use crate::random::random_bytes;
use crate::{Damaged, StoreKey};

/// Seals the secrets that the server itself has to read again, such as the secret of an access key.
pub struct SecretSealer(KeyBytes);

impl StoreKey {
    /// What seals the server's own secrets.
    #[must_use]
    pub fn secret_sealer(&self) -> SecretSealer {
        SecretSealer(KeyBytes::copy_of(self.0.expose()))
    }
}

impl SecretSealer {
    /// Seals for a context (what the secret is, and whose), under a fresh key.
    #[must_use]
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Vec<u8> {
        self.seal_salted(random_bytes(), context, plaintext)
    }

    pub(crate) fn seal_salted(&self, salt: [u8; 32], context: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + 32 + 16);
        sealed.extend_from_slice(plaintext);
        self.secret_key(&salt, context).seal(ONLY_NONCE, &[], &mut sealed);
        sealed.splice(..0, salt);
        sealed
    }

    /// Opens what [`Self::seal`] made for the same context.
    ///
    /// # Errors
    /// [`Damaged`] when it was changed, or sealed for another context.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Damaged> {
        let (salt, sealed) = sealed.split_first_chunk().ok_or(Damaged)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = self.secret_key(salt, context).open(ONLY_NONCE, &[], &mut buffer)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    fn secret_key(&self, salt: &[u8; 32], context: &[u8]) -> GcmKey {
        let mut key = Zeroizing::new([0; 32]);
        let info: [&[u8]; 3] = [b"canopic/v1/secret", &length_prefix(context), context];
        derive(self.0.expose(), salt, &info, key.as_mut());
        GcmKey::new(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::secret;

    fn sealer() -> SecretSealer {
        StoreKey::new(secret([3; 32])).secret_sealer()
    }

    #[test]
    fn a_secret_opens_for_its_context_only() {
        let sealed = sealer().seal(b"access-key/A", b"secret");
        assert_eq!(sealer().open(b"access-key/A", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(sealer().open(b"access-key/B", &sealed), Err(Damaged));
        assert_eq!(StoreKey::generate().secret_sealer().open(b"access-key/A", &sealed), Err(Damaged));
    }

    #[test]
    fn a_changed_or_cut_secret_is_damage() {
        let sealed = sealer().seal(b"context", b"secret");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(sealer().open(b"context", &flipped), Err(Damaged), "byte {at}");
            assert_eq!(sealer().open(b"context", &sealed[..at]), Err(Damaged), "{at} bytes");
        }
    }

    #[test]
    fn sealing_twice_gives_nothing_to_compare() {
        let (first, second) = (sealer().seal(b"context", b"secret"), sealer().seal(b"context", b"secret"));
        assert!(first.iter().zip(&second).filter(|(a, b)| a == b).count() < 10);
    }
}
