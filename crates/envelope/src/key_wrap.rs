//! A key-encryption key under another one: how a KMS key of the local keyring seals the key-encryption keys that stand
//! beside the wraps of objects. Layout: docs/format.md, "Sealed key-encryption key".

use model::codec::{Decoder, Encoder};
use zeroize::Zeroizing;

use crate::keys::{KeyBytes, KeyEncryptionKey, KeyId};
use crate::primitives::{GcmKey, ONLY_NONCE, committed_key, length_prefix, same};
use crate::random::random_bytes;
use crate::{Damaged, UnwrapError, WrongKey};

impl KeyEncryptionKey {
    /// Seals another key-encryption key, for a context that has to be told again to open it. The result names the key
    /// that sealed it, so that [`Self::sealer_of`] finds it.
    #[must_use]
    pub fn seal_key(&self, inner: &Self, context: &[u8]) -> Vec<u8> {
        self.seal_key_salted(random_bytes(), inner, context)
    }

    pub(crate) fn seal_key_salted(&self, salt: [u8; 32], inner: &Self, context: &[u8]) -> Vec<u8> {
        let (sealing_key, commitment) = self.key_sealing_key(&salt, inner.id(), context);
        let mut encoder = Encoder::new(FORMAT);
        encoder.raw(self.id().as_bytes()).raw(&salt).raw(&commitment);
        let mut header = encoder.finish();
        let mut sealed = Zeroizing::new(Vec::with_capacity(48));
        sealed.extend_from_slice(inner.bytes.expose());
        sealing_key.seal(ONLY_NONCE, &header, &mut *sealed);
        header.extend_from_slice(&sealed);
        header
    }

    /// The name of the key that sealed this.
    ///
    /// # Errors
    /// [`Damaged`] for another format or a wrong length.
    pub fn sealer_of(sealed: &[u8]) -> Result<KeyId, Damaged> {
        if sealed.len() != HEADER_LEN + 48 {
            return Err(Damaged);
        }
        Ok(KeyId::from_bytes(Decoder::new(sealed, FORMAT)?.array()?))
    }

    /// Opens what [`Self::seal_key`] made: the key named `inner`, for the same context.
    ///
    /// # Errors
    /// [`UnwrapError::WrongKey`] when another key sealed it, or sealed it for another name or context;
    /// [`UnwrapError::Damaged`].
    pub fn open_key(&self, inner: KeyId, sealed: &[u8], context: &[u8]) -> Result<Self, UnwrapError> {
        let (header, body) = sealed.split_at_checked(HEADER_LEN).ok_or(Damaged)?;
        let mut decoder = Decoder::new(header, FORMAT).map_err(Damaged::from)?;
        let id: [u8; 16] = decoder.array().map_err(Damaged::from)?;
        let salt = decoder.array().map_err(Damaged::from)?;
        let stored: [u8; 32] = decoder.array().map_err(Damaged::from)?;
        let (sealing_key, commitment) = self.key_sealing_key(&salt, inner, context);
        if id != *self.id().as_bytes() || !same(&commitment, &stored) {
            return Err(WrongKey.into());
        }
        let mut buffer: Zeroizing<[u8; 48]> = Zeroizing::new(body.try_into().map_err(|_| Damaged)?);
        let opened = sealing_key.open(ONLY_NONCE, header, buffer.as_mut())?;
        let bytes = KeyBytes::copy_of((&*opened).try_into().expect("48 bytes without the tag are 32"));
        Ok(Self { id: inner, bytes })
    }

    fn key_sealing_key(&self, salt: &[u8; 32], inner: KeyId, context: &[u8]) -> (GcmKey, [u8; 32]) {
        let (id_len, context_len) = (length_prefix(inner.as_bytes()), length_prefix(context));
        let info: [&[u8]; 5] = [b"canopic/v1/key-seal", &id_len, inner.as_bytes(), &context_len, context];
        committed_key(self.bytes.expose(), salt, &info)
    }
}

const FORMAT: u8 = 1;
const HEADER_LEN: usize = 1 + 16 + 32 + 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_under_its_sealer_its_name_and_its_context_only() {
        let (sealer, inner) = (KeyEncryptionKey::generate(), KeyEncryptionKey::generate());
        let sealed = sealer.seal_key(&inner, b"bucket");
        assert_eq!(KeyEncryptionKey::sealer_of(&sealed), Ok(sealer.id()));
        let opened = sealer.open_key(inner.id(), &sealed, b"bucket").ok().unwrap();
        assert_eq!((opened.id(), opened.expose()), (inner.id(), inner.expose()));

        let wrong = Some(UnwrapError::WrongKey(WrongKey));
        assert_eq!(sealer.open_key(inner.id(), &sealed, b"other").err(), wrong);
        assert_eq!(sealer.open_key(sealer.id(), &sealed, b"bucket").err(), wrong);
        assert_eq!(KeyEncryptionKey::generate().open_key(inner.id(), &sealed, b"bucket").err(), wrong);
    }

    #[test]
    fn a_sealed_key_that_was_changed_or_cut_does_not_open() {
        let (sealer, inner) = (KeyEncryptionKey::generate(), KeyEncryptionKey::generate());
        let sealed = sealer.seal_key(&inner, b"bucket");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(sealer.open_key(inner.id(), &flipped, b"bucket").is_err(), "byte {at}");
            assert!(sealer.open_key(inner.id(), &sealed[..at], b"bucket").is_err(), "{at} bytes");
            assert!(KeyEncryptionKey::sealer_of(&sealed[..at]).is_err(), "{at} bytes");
        }
    }
}
