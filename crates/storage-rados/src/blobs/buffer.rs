//! Bytes that wait to be written.

use bytes::{Bytes, BytesMut};

/// A queue of bytes. Large pieces are kept as they come and leave without a copy where they fit; small ones are copied
/// together, so that many of them cost no more than their bytes.
#[derive(Default)]
pub(super) struct Buffer {
    pieces: std::collections::VecDeque<Bytes>,
    /// Behind the pieces.
    tail: BytesMut,
    len: usize,
}

impl Buffer {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if bytes.len() < SMALL {
            self.tail.extend_from_slice(&bytes);
        } else {
            self.close_tail();
            self.pieces.push_back(bytes);
        }
    }

    /// The first `len` bytes, or all that there are.
    pub(super) fn take(&mut self, len: usize) -> Bytes {
        self.close_tail();
        let len = len.min(self.len);
        self.len -= len;
        let first = self.take_piece(len);
        if first.len() == len {
            return first;
        }
        let mut joined = BytesMut::with_capacity(len);
        joined.extend_from_slice(&first);
        while joined.len() < len {
            joined.extend_from_slice(&self.take_piece(len - joined.len()));
        }
        joined.freeze()
    }

    /// At most `len` bytes of the first piece.
    fn take_piece(&mut self, len: usize) -> Bytes {
        match self.pieces.front_mut() {
            Some(piece) if piece.len() > len => piece.split_to(len),
            _ => self.pieces.pop_front().unwrap_or_default(),
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
    }
}

const SMALL: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_in_which_they_came() {
        let all: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        let (mut buffer, mut left) = (Buffer::default(), Vec::new());
        let (mut at, mut round) = (0, 0);
        while left.len() < all.len() {
            round += 1;
            let end = all.len().min(at + [1, 20_000, 300, 0, 16_384][round % 5]);
            buffer.push(Bytes::copy_from_slice(&all[at..end]));
            at = end;
            assert_eq!(buffer.len(), at - left.len());
            left.extend_from_slice(&buffer.take([0, 7, 9_000, 21_000][round % 4]));
        }
        assert_eq!(left, all);
        assert!(buffer.take(5).is_empty());
    }

    #[test]
    fn a_large_piece_is_not_copied() {
        let piece = Bytes::from(vec![1; 100_000]);
        let mut buffer = Buffer::default();
        buffer.push(piece.clone());
        assert_eq!(buffer.take(60_000).as_ptr(), piece.as_ptr());
        assert_eq!(buffer.take(60_000).as_ptr(), piece[60_000..].as_ptr());
    }
}
