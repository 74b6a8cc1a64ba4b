//! The checksum behind every value: the engine verifies its pages only when it repairs itself.
//!
//! ```text
//! value                                    CRC-64/NVME of key length (u32 LE), key, value; u64 little endian
//! ```
//!
//! It finds accidents, not attackers: those are the envelope's affair.
use crc_fast::{CrcAlgorithm, Digest};

use super::EngineError;

const LEN: usize = 8;

/// `value` with its checksum.
pub(super) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(value.len() + LEN);
    stored.extend_from_slice(value);
    stored.extend_from_slice(&checksum(key, value).to_le_bytes());
    stored
}

/// The value in `stored`, when the checksum says that it is the one written under `key`.
pub(super) fn open<'a>(key: &[u8], stored: &'a [u8]) -> Result<&'a [u8], EngineError> {
    let damaged = || EngineError::Damaged("the checksum of a record is wrong".into());
    let (value, sum) = stored.split_last_chunk::<LEN>().ok_or_else(damaged)?;
    if checksum(key, value).to_le_bytes() == *sum { Ok(value) } else { Err(damaged()) }
}

fn checksum(key: &[u8], value: &[u8]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&(key.len() as u64).to_le_bytes()[..4]);
    digest.update(key);
    digest.update(value);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_only_whole_and_under_its_key() {
        let stored = seal(b"key", b"value");
        assert_eq!(open(b"key", &stored).unwrap(), b"value");
        assert!(open(b"kez", &stored).is_err());
        assert!(open(b"key", &stored[..7]).is_err());
        for index in 0..stored.len() {
            let mut flipped = stored.clone();
            flipped[index] ^= 1;
            assert!(open(b"key", &flipped).is_err());
        }
    }
}
