use model::ByteRange;

/// Plaintext bytes of every chunk of a part but its last.
pub const CHUNK_LEN: usize = 65_536;
/// Bytes that sealing adds to a chunk.
pub const TAG_LEN: usize = 16;
/// Sealed bytes of every chunk of a part but its last. Reserve this much, and sealing never moves a buffer.
pub const SEALED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;
/// The longest plaintext of one part, in bytes: chunks are counted in 32 bits (256 TiB).
pub const PART_LEN_MAX: u64 = (1 << 32) * CHUNK_LEN as u64;

/// Chunks of a part: an empty part has one, empty.
pub(crate) const fn chunk_count(plaintext_len: u64) -> u64 {
    match plaintext_len.div_ceil(CHUNK_LEN as u64) {
        0 => 1,
        chunks => chunks,
    }
}

/// Sealed bytes of a part of `plaintext_len` bytes. Saturates far beyond [`PART_LEN_MAX`].
#[must_use]
pub const fn sealed_len(plaintext_len: u64) -> u64 {
    plaintext_len.saturating_add(chunk_count(plaintext_len).saturating_mul(TAG_LEN as u64))
}

/// The sealed bytes that a range of a part's plaintext needs.
///
/// They begin with a chunk and end with one; only the part's last chunk is shorter than [`SEALED_CHUNK_LEN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedRange {
    /// Index of the first chunk.
    pub first_chunk: u32,
    /// How many chunks.
    pub chunks: u32,
    /// Where they are in the sealed part.
    pub bytes: ByteRange,
    /// Plaintext bytes to drop from the first chunk.
    pub skip: usize,
    /// Plaintext bytes that the range has.
    pub take: u64,
}

/// Which sealed bytes a plaintext range of a part of `plaintext_len` bytes needs.
///
/// What reaches behind the end is cut off. An empty part gives its one empty chunk, because its emptiness has to be
/// verified too; another empty range gives no chunk. Lengths beyond [`PART_LEN_MAX`], which no part has, saturate to
/// chunks that do not open.
#[must_use]
pub fn sealed_range(range: ByteRange, plaintext_len: u64) -> SealedRange {
    const CHUNK: u64 = CHUNK_LEN as u64;
    const SEALED: u64 = SEALED_CHUNK_LEN as u64;
    let end = range.end.min(plaintext_len);
    let start = range.start.min(end);
    let first = start / CHUNK;
    let behind = match (start == end, plaintext_len == 0) {
        (false, _) => end.div_ceil(CHUNK),
        (true, true) => 1,
        (true, false) => first,
    };
    let sealed_len = sealed_len(plaintext_len);
    let bytes = ByteRange {
        start: first.saturating_mul(SEALED).min(sealed_len),
        end: behind.saturating_mul(SEALED).min(sealed_len),
    };
    SealedRange {
        first_chunk: u32::try_from(first).unwrap_or(u32::MAX),
        chunks: u32::try_from(behind - first).unwrap_or(u32::MAX),
        bytes,
        skip: usize::try_from(start % CHUNK).expect("a position in a chunk is below 65,536"),
        take: end - start,
    }
}

#[cfg(test)]
mod tests;
