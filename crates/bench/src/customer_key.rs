//! The customer key of one run: random, in memory only.

use crate::error::BenchError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

/// A random 256-bit key as the SSE-C headers want it. Neither `Clone` nor `Debug`; cleared when dropped.
pub(crate) struct CustomerKey {
    base64: Zeroizing<String>,
    md5_base64: String,
}

impl CustomerKey {
    pub(crate) fn random() -> Result<Self, BenchError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut *bytes)?;
        let base64 = Zeroizing::new(BASE64.encode(*bytes));
        Ok(Self { base64, md5_base64: BASE64.encode(Md5::digest(*bytes)) })
    }

    /// The headers of every request that writes or reads the object.
    pub(crate) fn headers(&self) -> [(&'static str, &str); 3] {
        [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-customer-key", &self.base64),
            ("x-amz-server-side-encryption-customer-key-md5", &self.md5_base64),
        ]
    }

    /// The headers that open the source of a copy.
    pub(crate) fn copy_source_headers(&self) -> [(&'static str, &str); 3] {
        [
            ("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-copy-source-server-side-encryption-customer-key", &self.base64),
            ("x-amz-copy-source-server-side-encryption-customer-key-md5", &self.md5_base64),
        ]
    }
}

/// Fills `bytes` from the generator of the TLS library, which is here anyway.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), BenchError> {
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(bytes).map_err(|_| BenchError::Random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_belongs_to_the_key_and_no_two_runs_share_one() {
        let (first, second) = (CustomerKey::random().unwrap(), CustomerKey::random().unwrap());
        let [algorithm, key, digest] = first.headers();
        let bytes = BASE64.decode(key.1).unwrap();
        assert_eq!((algorithm.1, bytes.len()), ("AES256", 32));
        assert_eq!(digest.1, BASE64.encode(Md5::digest(&bytes)));
        assert_ne!(key.1, second.headers()[1].1);
    }
}
