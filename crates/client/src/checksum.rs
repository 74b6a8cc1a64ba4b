//! Checksums of S3: sent with what is uploaded, compared with what is downloaded ("Checking object integrity").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc, checksum_combine};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use std::str::FromStr;

/// An algorithm that this client computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksum {
    /// CRC-64/NVME, what SDKs of today send; over the whole object also when it is uploaded in parts.
    #[default]
    Crc64Nvme,
    /// CRC-32C.
    Crc32c,
    /// CRC-32, known to older servers.
    Crc32,
    /// SHA-256; of an object in parts, S3 keeps only a hash of hashes.
    Sha256,
}

/// The text names no algorithm that this client computes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write crc64nvme, crc32c, crc32 or sha256")]
pub struct InvalidChecksum;

/// A checksum in the making.
pub(crate) enum Summing {
    Crc(Checksum, Box<Crc>),
    Sha256(Box<Sha256>),
}

impl Checksum {
    const ALL: [Self; 4] = [Self::Crc64Nvme, Self::Crc32c, Self::Crc32, Self::Sha256];

    /// As the API writes it, such as `CRC64NVME`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "CRC64NVME",
            Self::Crc32c => "CRC32C",
            Self::Crc32 => "CRC32",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries it.
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The element that carries it.
    pub(crate) const fn element(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc32 => "ChecksumCRC32",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// What an upload in parts gets: only CRCs can be put together.
    pub(crate) const fn type_in_parts(self) -> &'static str {
        match self {
            Self::Crc64Nvme | Self::Crc32c | Self::Crc32 => "FULL_OBJECT",
            Self::Sha256 => "COMPOSITE",
        }
    }

    const fn crc(self) -> Option<(CrcAlgorithm, usize)> {
        match self {
            Self::Crc64Nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
            Self::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
            Self::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
            Self::Sha256 => None,
        }
    }

    /// In base64, as headers and elements have it.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> String {
        let mut summing = Summing::new(self);
        summing.update(bytes);
        summing.finish()
    }

    /// The checksum of the whole from those of its parts in order, each with its length; none where that cannot be.
    pub(crate) fn of_parts<'a>(self, mut parts: impl Iterator<Item = (&'a str, u64)>) -> Option<String> {
        let (algorithm, length) = self.crc()?;
        let (first, _) = parts.next()?;
        let mut whole = number(first, length)?;
        for (part, bytes) in parts {
            whole = checksum_combine(algorithm, whole, number(part, length)?, bytes);
        }
        Some(text(whole, length))
    }
}

impl FromStr for Checksum {
    type Err = InvalidChecksum;

    fn from_str(name: &str) -> Result<Self, InvalidChecksum> {
        Self::ALL.into_iter().find(|each| each.name().eq_ignore_ascii_case(name)).ok_or(InvalidChecksum)
    }
}

impl Summing {
    pub(crate) fn new(checksum: Checksum) -> Self {
        match checksum.crc() {
            Some((algorithm, _)) => Self::Crc(checksum, Box::new(Crc::new(algorithm))),
            None => Self::Sha256(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> String {
        match self {
            Self::Crc(checksum, crc) => text(crc.finalize(), checksum.crc().map_or(8, |(_, length)| length)),
            Self::Sha256(hash) => STANDARD.encode(hash.finalize()),
        }
    }
}

/// What a server says of the whole object: the first checksum that can be compared with the bytes. One of parts (a
/// number behind a dash) cannot.
pub(crate) fn of_whole_object(headers: &HeaderMap) -> Option<(Checksum, String)> {
    let composite = headers.get("x-amz-checksum-type").is_some_and(|kind| kind == "COMPOSITE");
    Checksum::ALL.into_iter().filter(|_| !composite).find_map(|checksum| {
        let value = headers.get(checksum.header())?.to_str().ok()?;
        (!value.contains('-')).then(|| (checksum, value.to_owned()))
    })
}

fn number(base64: &str, length: usize) -> Option<u64> {
    let bytes = STANDARD.decode(base64).ok().filter(|bytes| bytes.len() == length)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn text(number: u64, length: usize) -> String {
    STANDARD.encode(&number.to_be_bytes()[8 - length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check values of the catalogue of parametrised CRC algorithms; the SHA-256 is that of FIPS 180-4's "abc".
    #[test]
    fn known_values_are_met() {
        let hex = |checksum: Checksum, text: &str| hex::encode(STANDARD.decode(checksum.of(text.as_bytes())).unwrap());
        assert_eq!(hex(Checksum::Crc64Nvme, "123456789"), "ae8b14860a799888");
        assert_eq!(hex(Checksum::Crc32c, "123456789"), "e3069283");
        assert_eq!(hex(Checksum::Crc32, "123456789"), "cbf43926");
        assert!(hex(Checksum::Sha256, "abc").starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn crcs_of_parts_make_that_of_the_whole() {
        let whole: Vec<u8> = (0..100_000u32).map(|at| ((at * 31) >> 3) as u8).collect();
        for checksum in [Checksum::Crc64Nvme, Checksum::Crc32c, Checksum::Crc32] {
            let parts: Vec<(String, u64)> =
                whole.chunks(33_333).map(|part| (checksum.of(part), part.len() as u64)).collect();
            let made = checksum.of_parts(parts.iter().map(|(sum, length)| (sum.as_str(), *length)));
            assert_eq!(made, Some(checksum.of(&whole)), "{checksum:?}");
        }
        assert_eq!(Checksum::Sha256.of_parts([("AA==", 1)].into_iter()), None);
        assert_eq!(Checksum::Crc32.of_parts([("no", 1)].into_iter()), None);
    }

    #[test]
    fn only_a_checksum_of_the_whole_is_compared() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        let found = |pairs| of_whole_object(&headers(pairs)).map(|(checksum, _)| checksum);
        assert_eq!(found(&[("x-amz-checksum-sha256", "abc")]), Some(Checksum::Sha256));
        assert_eq!(found(&[("x-amz-checksum-sha256", "abc-2")]), None);
        assert_eq!(found(&[("x-amz-checksum-crc32", "abc"), ("x-amz-checksum-type", "COMPOSITE")]), None);
        assert_eq!(found(&[("etag", "abc")]), None);
    }
}
