//! STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over one part: equal chunks, a counter and a final mark in each
//! nonce, so that no chunk can be moved, dropped, repeated or added. The key is fresh for every attempt at a part:
//! uploading a part again never meets a nonce again.

use model::PartNumber;
use zeroize::Zeroizing;

use crate::keys::KeyBytes;
use crate::layout::{CHUNK_LEN, TAG_LEN, chunk_count};
use crate::primitives::{GcmKey, derive};
use crate::{Damaged, PART_LEN_MAX};

/// What has to be kept to open a part. Nothing of it is secret; whoever changes it cannot open a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartEntry {
    /// The part's number.
    pub number: PartNumber,
    /// Plaintext bytes.
    pub length: u64,
    /// The salt of this attempt at the part: random, never used twice.
    pub salt: [u8; 16],
}

/// A chunk does not fit where it was put. The chunk and the sealer are unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Before the last chunk: not exactly [`CHUNK_LEN`] bytes. The last: more than that, or empty behind others.
    #[error("a chunk of {length} bytes cannot stand here")]
    ChunkLength {
        /// Bytes of the chunk.
        length: usize,
    },
    /// The part is longer than [`PART_LEN_MAX`].
    #[error("a part is at most {PART_LEN_MAX} bytes")]
    PartTooLong,
}

/// Seals one attempt at a part, chunk by chunk.
pub struct PartSealer {
    cipher: ChunkCipher,
    entry: PartEntry,
    next: u64,
}

impl PartSealer {
    pub(crate) fn new(data_key: &KeyBytes, number: PartNumber, salt: [u8; 16]) -> Self {
        let cipher = ChunkCipher::new(data_key, number, &salt);
        Self { cipher, entry: PartEntry { number, length: 0, salt }, next: 0 }
    }

    /// Seals a chunk that is not the last, in place, and appends its tag. The buffer is a `Vec<u8>` or a `BytesMut`;
    /// with a capacity of [`crate::SEALED_CHUNK_LEN`] it is not moved.
    ///
    /// # Errors
    /// [`SealError`] when the chunk is not [`CHUNK_LEN`] bytes or the counter is at its end.
    pub fn seal_chunk<B>(&mut self, chunk: &mut B) -> Result<(), SealError>
    where
        B: AsMut<[u8]> + for<'b> Extend<&'b u8>,
    {
        let length = chunk.as_mut().len();
        if length != CHUNK_LEN {
            return Err(SealError::ChunkLength { length });
        }
        // Always leaves an index for the last chunk.
        let index = u32::try_from(self.next).ok().filter(|index| *index < u32::MAX).ok_or(SealError::PartTooLong)?;
        self.cipher.key.seal(self.cipher.nonce(index, false), &[], chunk);
        self.next += 1;
        self.entry.length += CHUNK_LEN as u64;
        Ok(())
    }

    /// Seals the last chunk, in place, appends its tag, and gives what has to be kept of the part. The last chunk of an
    /// empty part is empty; that of any other part has 1 to [`CHUNK_LEN`] bytes.
    ///
    /// # Errors
    /// [`SealError::ChunkLength`].
    pub fn finish<B>(mut self, last: &mut B) -> Result<PartEntry, SealError>
    where
        B: AsMut<[u8]> + for<'b> Extend<&'b u8>,
    {
        let length = last.as_mut().len();
        if length > CHUNK_LEN || (length == 0 && self.next > 0) {
            return Err(SealError::ChunkLength { length });
        }
        let index = u32::try_from(self.next).map_err(|_| SealError::PartTooLong)?;
        self.cipher.key.seal(self.cipher.nonce(index, true), &[], last);
        self.entry.length += length as u64;
        Ok(self.entry)
    }
}

/// Opens the chunks of one part, in any order.
pub struct PartOpener {
    cipher: ChunkCipher,
    length: u64,
}

impl PartOpener {
    pub(crate) fn new(data_key: &KeyBytes, entry: &PartEntry) -> Self {
        Self { cipher: ChunkCipher::new(data_key, entry.number, &entry.salt), length: entry.length }
    }

    /// Verifies and opens the chunk of this index in place; returns its plaintext. `sealed` is exactly the chunk.
    ///
    /// # Errors
    /// [`Damaged`] when these are not the bytes that were sealed as this chunk of this part of this length.
    pub fn open_chunk<'a>(&self, index: u32, sealed: &'a mut [u8]) -> Result<&'a mut [u8], Damaged> {
        let chunks_behind = chunk_count(self.length).checked_sub(u64::from(index) + 1).ok_or(Damaged)?;
        let is_last = chunks_behind == 0;
        let plaintext_len = if is_last { self.length - u64::from(index) * CHUNK_LEN as u64 } else { CHUNK_LEN as u64 };
        if sealed.len() as u64 != plaintext_len + TAG_LEN as u64 {
            return Err(Damaged);
        }
        self.cipher.key.open(self.cipher.nonce(index, is_last), &[], sealed)
    }
}

struct ChunkCipher {
    key: GcmKey,
    nonce_prefix: [u8; 7],
}

impl ChunkCipher {
    fn new(data_key: &KeyBytes, number: PartNumber, salt: &[u8; 16]) -> Self {
        let mut output = Zeroizing::new([0; 39]);
        derive(data_key.expose(), salt, &[b"canopic/v1/part", &number.get().to_be_bytes()], output.as_mut());
        let (key, prefix) = output.split_at(32);
        Self {
            key: GcmKey::new(key.try_into().expect("the first 32 of 39 bytes")),
            nonce_prefix: prefix.try_into().expect("the last 7 of 39 bytes"),
        }
    }

    fn nonce(&self, index: u32, is_last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..7].copy_from_slice(&self.nonce_prefix);
        nonce[7..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = is_last.into();
        nonce
    }
}

#[cfg(test)]
mod tests;
