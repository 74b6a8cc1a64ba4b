use crc_fast::{CrcAlgorithm, Digest as CrcDigest};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::error::{BadChecksum, BadContentMd5};

/// The checksums of the S3 API ("Checking object integrity in Amazon S3").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumAlgorithm {
    /// CRC-32, 4 bytes big-endian.
    Crc32,
    /// CRC-32C, 4 bytes big-endian.
    Crc32c,
    /// CRC-64/NVME, 8 bytes big-endian.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl ChecksumAlgorithm {
    /// The name that the API uses, such as `CRC64NVME`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// Reads [`Self::name`], in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The length of a value in bytes.
    #[must_use]
    pub const fn value_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The CRC of `crc_fast` that it is, unless it is a hash.
    pub(crate) const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Crc32 => 1,
            Self::Crc32c => 2,
            Self::Crc64Nvme => 3,
            Self::Sha1 => 4,
            Self::Sha256 => 5,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.code() == code)
    }
}

/// Where the claimed value of a checksum comes from.
pub enum ChecksumSource {
    /// It came in a header.
    Header(Vec<u8>),
    /// It comes behind the body; asked for once the body has ended. `None` when it did not come or is malformed.
    Trailer(Box<dyn FnOnce() -> Option<Vec<u8>> + Send>),
    /// None is claimed: compute and keep it.
    Computed,
}

/// A checksum that the client names, and where its value is.
pub struct ClaimedChecksum {
    /// Which one.
    pub algorithm: ChecksumAlgorithm,
    /// Where its value comes from.
    pub source: ChecksumSource,
}

/// What a client claims of a body; all of it is checked before a commit.
#[derive(Default)]
pub struct Claims {
    /// `Content-MD5`.
    pub content_md5: Option<[u8; 16]>,
    /// At most one checksum, as the API allows.
    pub checksum: Option<ClaimedChecksum>,
}

/// A checksum kept with an object, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChecksum {
    /// Which one.
    pub algorithm: ChecksumAlgorithm,
    /// Over the whole body, or a checksum of the parts' checksums.
    pub parts: Option<u16>,
    /// The value.
    pub value: Vec<u8>,
}

enum Hasher {
    Crc(CrcDigest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Crc32 => Self::Crc(CrcDigest::new(CrcAlgorithm::Crc32IsoHdlc)),
            ChecksumAlgorithm::Crc32c => Self::Crc(CrcDigest::new(CrcAlgorithm::Crc32Iscsi)),
            ChecksumAlgorithm::Crc64Nvme => Self::Crc(CrcDigest::new(CrcAlgorithm::Crc64Nvme)),
            ChecksumAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    fn finish(self, value_len: usize) -> Vec<u8> {
        match self {
            Self::Crc(digest) => digest.finalize().to_be_bytes()[8 - value_len..].to_vec(),
            Self::Sha1(digest) => digest.finalize().to_vec(),
            Self::Sha256(digest) => digest.finalize().to_vec(),
        }
    }
}

/// A checksum over bytes that are at hand, such as the parts' checksums.
pub(crate) fn checksum_of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish(algorithm.value_len())
}

/// An MD5 over bytes that are at hand.
pub(crate) fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// What became known of a body once it had passed.
pub(crate) struct Digests {
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) checksum: Option<StoredChecksum>,
}

/// Why a body was refused after it had passed.
#[derive(Debug, thiserror::Error)]
pub enum BadDigest {
    /// See [`BadContentMd5`].
    #[error(transparent)]
    Md5(#[from] BadContentMd5),
    /// See [`BadChecksum`].
    #[error(transparent)]
    Checksum(#[from] BadChecksum),
}

/// Watches a body pass and checks the claims at its end. Computes nothing that nobody needs.
pub(crate) struct Witness {
    md5: Option<Md5>,
    content_md5: Option<[u8; 16]>,
    checksum: Option<(ClaimedChecksum, Hasher)>,
}

impl Witness {
    /// `want_md5`: compute the MD5 even when none is claimed.
    pub(crate) fn new(claims: Claims, want_md5: bool) -> Self {
        Self {
            md5: (want_md5 || claims.content_md5.is_some()).then(Md5::new),
            content_md5: claims.content_md5,
            checksum: claims.checksum.map(|claimed| {
                let hasher = Hasher::new(claimed.algorithm);
                (claimed, hasher)
            }),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some((_, hasher)) = &mut self.checksum {
            hasher.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Result<Digests, BadDigest> {
        let md5: Option<[u8; 16]> = self.md5.map(|md5| md5.finalize().into());
        if self.content_md5.is_some() && self.content_md5 != md5 {
            return Err(BadContentMd5.into());
        }
        let checksum = match self.checksum {
            None => None,
            Some((ClaimedChecksum { algorithm, source }, hasher)) => {
                let value = hasher.finish(algorithm.value_len());
                let claimed = match source {
                    ChecksumSource::Header(claimed) => Some(claimed),
                    ChecksumSource::Trailer(take) => Some(take().ok_or(BadChecksum(algorithm.name()))?),
                    ChecksumSource::Computed => None,
                };
                if claimed.is_some_and(|claimed| claimed != value) {
                    return Err(BadChecksum(algorithm.name()).into());
                }
                Some(StoredChecksum { algorithm, parts: None, value })
            }
        };
        Ok(Digests { md5, checksum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogues_come_out() {
        let of = |algorithm| hex::encode(checksum_of(algorithm, b"123456789"));
        assert_eq!(of(ChecksumAlgorithm::Crc32), "cbf43926");
        assert_eq!(of(ChecksumAlgorithm::Crc32c), "e3069283");
        assert_eq!(of(ChecksumAlgorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(of(ChecksumAlgorithm::Sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
    }

    #[test]
    fn a_wrong_claim_is_refused() {
        let claims = Claims { content_md5: Some([1; 16]), checksum: None };
        assert!(matches!(Witness::new(claims, false).finish(), Err(BadDigest::Md5(_))));
        let checksum =
            ClaimedChecksum { algorithm: ChecksumAlgorithm::Crc32, source: ChecksumSource::Trailer(Box::new(|| None)) };
        let claims = Claims { content_md5: None, checksum: Some(checksum) };
        assert!(matches!(Witness::new(claims, false).finish(), Err(BadDigest::Checksum(_))));
    }
}
