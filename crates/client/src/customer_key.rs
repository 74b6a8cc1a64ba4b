//! The key of SSE-C, in the client's hands.
//!
//! It can be neither cloned nor printed, and is wiped on drop. The HTTP library copies header values into buffers of its
//! own, which only the allocator of the process can wipe; the command has one that does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use std::borrow::Cow;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 256 bits that the user keeps and the server forgets.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct CustomerKey {
    bytes: Box<[u8; 32]>,
    base64: String,
    #[zeroize(skip)]
    md5_base64: String,
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// Headers of a request: names in lower case, and their values.
pub(crate) type Headers<'a> = Vec<(&'a str, Cow<'a, str>)>;

impl CustomerKey {
    /// Takes 32 bytes.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy is wiped here")]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        // Reserved in full, since a text that grew would leave a part of the key behind.
        let mut base64 = String::with_capacity(BASE64_LEN);
        STANDARD.encode_string(*bytes, &mut base64);
        let mut cell = Box::new([0; 32]);
        cell.copy_from_slice(bytes.as_ref());
        Self { bytes: cell, base64, md5_base64: STANDARD.encode(Md5::digest(*bytes)) }
    }

    /// A fresh key from the operating system's randomness, through the generator of aws-lc-rs.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut())?;
        Ok(Self::new(bytes))
    }

    /// The bare key, for the file that keeps it and for the formats of other clients.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The bare key in base64, as the header and most clients want it.
    #[must_use]
    pub fn expose_base64(&self) -> &str {
        &self.base64
    }

    /// The base64 of the key's MD5: not secret, but it recognises the key.
    #[must_use]
    pub fn md5_base64(&self) -> &str {
        &self.md5_base64
    }

    /// The three headers of every request that writes or reads an object under the key.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, Cow<'_, str>); 3] {
        [
            (ALGORITHM, Cow::Borrowed("AES256")),
            ("x-amz-server-side-encryption-customer-key", Cow::Borrowed(&self.base64)),
            ("x-amz-server-side-encryption-customer-key-md5", Cow::Borrowed(&self.md5_base64)),
        ]
    }

    /// The three headers that open the source of a copy.
    #[must_use]
    pub fn copy_source_headers(&self) -> [(&'static str, Cow<'_, str>); 3] {
        [
            ("x-amz-copy-source-server-side-encryption-customer-algorithm", Cow::Borrowed("AES256")),
            ("x-amz-copy-source-server-side-encryption-customer-key", Cow::Borrowed(&self.base64)),
            ("x-amz-copy-source-server-side-encryption-customer-key-md5", Cow::Borrowed(&self.md5_base64)),
        ]
    }
}

/// Fills `bytes` from the generator of the TLS library, which is here anyway.
///
/// # Errors
/// [`NoRandomness`].
pub fn random(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(bytes).map_err(|_| NoRandomness)
}

/// The header by which a server confirms that it used the key.
pub(crate) const ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const BASE64_LEN: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_belongs_to_the_key_and_no_two_keys_are_equal() {
        let (first, second) = (CustomerKey::generate().unwrap(), CustomerKey::generate().unwrap());
        let [algorithm, key, digest] = first.headers();
        assert_eq!(algorithm.1, "AES256");
        assert_eq!(STANDARD.decode(&*key.1).unwrap(), first.expose());
        assert_eq!(digest.1, STANDARD.encode(Md5::digest(first.expose())));
        assert_ne!(first.expose(), second.expose());
        assert_eq!(first.base64.capacity(), first.base64.len());
    }

    #[test]
    fn a_key_is_wiped_on_drop() {
        const fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<CustomerKey>();
        let mut key = CustomerKey::new(Zeroizing::new([7; 32]));
        key.zeroize();
        assert_eq!((key.expose(), key.expose_base64()), (&[0; 32], ""));
    }

    /// Compiles only for a type that lacks the trait: else two implementations fit and none can be inferred.
    macro_rules! lacks {
        ($trait:path) => {{
            trait Ambiguous<A> {
                fn item() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct HasIt;
            impl<T: ?Sized + $trait> Ambiguous<HasIt> for T {}
            <CustomerKey as Ambiguous<_>>::item();
        }};
    }

    #[test]
    fn a_key_can_be_neither_cloned_nor_printed() {
        lacks!(Clone);
        lacks!(std::fmt::Debug);
        lacks!(std::fmt::Display);
    }
}
