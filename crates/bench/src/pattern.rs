//! The bytes of the benchmark's objects: any of them can be said again from the object's name and the position.
//!
//! Every object is a rotation of one pool of pseudo-random bytes that all requests share, so sending costs no memory
//! and comparing costs no generator. The rotation depends on the name, and the pool's length shares no factor with a
//! power of two, so a swapped, shifted or repeated chunk shows.

use bytes::Bytes;

/// The shared pool; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pattern(Bytes);

/// A position in the bytes of one object.
#[derive(Clone)]
pub(crate) struct Cursor {
    pool: Bytes,
    position: usize,
}

/// The bytes are not those of the object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Differs;

impl Pattern {
    /// Generates the pool, the same in every run.
    pub(crate) fn generate() -> Self {
        let mut random = SplitMix::new(0x63616e_6f706963);
        let mut pool = vec![0; POOL];
        for piece in pool.chunks_mut(8) {
            let bytes = random.next_u64().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
        Self(Bytes::from(pool))
    }

    /// The bytes of the object `name`, from `offset` on.
    pub(crate) fn at(&self, name: &str, offset: u64) -> Cursor {
        let start = u128::from(hash(name)) + u128::from(offset);
        Cursor { pool: self.0.clone(), position: (start % POOL as u128) as usize }
    }
}

impl Cursor {
    /// A cursor over bytes that are given instead of generated; reading beyond their end begins anew.
    pub(crate) fn over(bytes: Bytes) -> Self {
        Self { pool: bytes, position: 0 }
    }

    /// The next bytes, at most `most` and at least one (none when the pool is empty), shared with the pool.
    pub(crate) fn take(&mut self, most: usize) -> Bytes {
        let length = (self.pool.len() - self.position).min(most);
        let bytes = self.pool.slice(self.position..self.position + length);
        self.advance(length);
        bytes
    }

    /// Compares received bytes with the next ones and moves on.
    ///
    /// # Errors
    /// [`Differs`] when any byte is another.
    pub(crate) fn compare(&mut self, mut received: &[u8]) -> Result<(), Differs> {
        while !received.is_empty() {
            let expected = self.take(received.len());
            let (head, rest) = received.split_at(expected.len());
            if head != expected {
                return Err(Differs);
            }
            received = rest;
        }
        Ok(())
    }

    fn advance(&mut self, length: usize) {
        self.position += length;
        if self.position == self.pool.len() {
            self.position = 0;
        }
    }
}

/// The generator splitmix64: choices of a benchmark need speed and repeatability, not secrecy.
pub(crate) struct SplitMix(u64);

impl SplitMix {
    /// A generator that always gives the same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; zero when `bound` is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// FNV-1a, stirred once.
fn hash(name: &str) -> u64 {
    let fnv = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    SplitMix::new(fnv).next_u64()
}

/// One MiB and an odd bit: large enough that no compression finds much, small enough to stay in a processor's cache.
const POOL: usize = (1 << 20) + 4099;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut cursor: Cursor, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            bytes.extend_from_slice(&cursor.take(length - bytes.len()));
        }
        bytes
    }

    #[test]
    fn a_range_of_an_object_is_the_same_bytes_as_in_the_whole() {
        let pattern = Pattern::generate();
        let whole = read(pattern.at("a", 0), 3 * POOL);
        for (offset, length) in [(0, 1), (65_535, 2), (POOL - 1, 100_000), (2 * POOL + 7, 9)] {
            assert_eq!(read(pattern.at("a", offset as u64), length), whole[offset..offset + length]);
        }
    }

    #[test]
    fn another_name_or_a_swapped_chunk_differs() {
        let pattern = Pattern::generate();
        let whole = read(pattern.at("a", 0), 4 << 16);
        assert_eq!(pattern.at("a", 0).compare(&whole), Ok(()));
        assert_eq!(pattern.at("b", 0).compare(&whole), Err(Differs));
        assert_eq!(pattern.at("a", 0).compare(&whole[1 << 16..2 << 16]), Err(Differs));
        let mut flipped = whole.clone();
        flipped[200_000] ^= 1;
        assert_eq!(pattern.at("a", 0).compare(&flipped), Err(Differs));
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = SplitMix::new(1);
        assert_eq!(random.below(0), 0);
        assert!((0..1000).all(|_| random.below(3) < 3));
    }
}
