//! The three primitives, HKDF-SHA-256, HMAC-SHA-256 and AES-256-GCM, in the only shapes that this crate uses.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Damaged;

/// The nonce of a key that seals exactly one message.
pub(crate) const ONLY_NONCE: [u8; 12] = [0; 12];

/// HKDF-SHA-256 (RFC 5869) into `output`. `info` is the concatenation of its pieces and begins with a label of
/// `docs/format.md`; no label is the beginning of another.
pub(crate) fn derive(secret: &[u8; 32], salt: &[u8], info: &[&[u8]], output: &mut [u8]) {
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, Length(output.len()))
        .and_then(|okm| okm.fill(output))
        .expect("no output here is longer than HKDF allows, 8,160 bytes");
}

/// A key that seals one message, and a commitment to the secret, the salt and the info that it comes from: whoever
/// finds another commitment knows that it holds another secret, before any ciphertext is looked at.
pub(crate) fn committed_key(secret: &[u8; 32], salt: &[u8; 32], info: &[&[u8]]) -> (GcmKey, [u8; 32]) {
    let mut output = Zeroizing::new([0; 64]);
    derive(secret, salt, info, output.as_mut());
    let (key, commitment) = output.split_at(32);
    (
        GcmKey::new(key.try_into().expect("the first half of 64 bytes")),
        commitment.try_into().expect("the second half of 64 bytes"),
    )
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The length that stands before a field of variable length, so that no two lists of fields concatenate to the same.
pub(crate) const fn length_prefix(field: &[u8]) -> [u8; 8] {
    (field.len() as u64).to_be_bytes()
}

/// An AES-256-GCM key, its schedule computed once.
pub(crate) struct GcmKey(LessSafeKey);

impl GcmKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes")))
    }

    /// Seals in place and appends the tag.
    pub(crate) fn seal<B>(&self, nonce: [u8; 12], associated: &[u8], buffer: &mut B)
    where
        B: AsMut<[u8]> + for<'b> Extend<&'b u8>,
    {
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), buffer)
            .expect("no message here is longer than GCM allows, 64 GiB");
    }

    /// Verifies and opens in place; returns the plaintext, without the tag.
    pub(crate) fn open<'a>(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Damaged> {
        self.0.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated), sealed).map_err(|_| Damaged)
    }
}

/// An HMAC-SHA-256 key, its two first blocks computed once.
pub(crate) struct HmacKey(hmac::Key);

impl HmacKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The tag of the concatenation of `pieces`.
    pub(crate) fn tag(&self, pieces: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for piece in pieces {
            context.update(piece);
        }
        context.sign().as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
    }
}

/// Compares without telling by its time where the difference is.
pub(crate) fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.ct_eq(right).into()
}

/// The SHA-256 of some bytes. Without a key it recognises accidents only.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 gives 32 bytes")
}
