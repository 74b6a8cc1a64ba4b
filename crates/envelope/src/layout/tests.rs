use proptest::prelude::*;

use super::*;

const CHUNK: u64 = CHUNK_LEN as u64;

fn range(start: u64, end: u64) -> ByteRange {
    ByteRange { start, end }
}

#[test]
fn a_part_takes_one_tag_for_each_chunk_and_one_when_empty() {
    for (plain, sealed) in [(0, 16), (1, 17), (CHUNK, CHUNK + 16), (CHUNK + 1, CHUNK + 33), (3 * CHUNK, 3 * CHUNK + 48)]
    {
        assert_eq!(sealed_len(plain), sealed, "{plain}");
    }
}

#[test]
fn a_range_in_the_middle_needs_its_chunks_only() {
    let needed = sealed_range(range(CHUNK + 5, 2 * CHUNK + 1), 10 * CHUNK);
    let bytes = range(CHUNK + 16, 3 * (CHUNK + 16));
    assert_eq!(needed, SealedRange { first_chunk: 1, chunks: 2, bytes, skip: 5, take: CHUNK - 4 });
}

#[test]
fn an_empty_part_needs_its_empty_chunk_and_another_empty_range_needs_none() {
    let empty = SealedRange { first_chunk: 0, chunks: 1, bytes: range(0, 16), skip: 0, take: 0 };
    assert_eq!(sealed_range(range(0, 0), 0), empty);
    let none = sealed_range(range(CHUNK, CHUNK), 2 * CHUNK);
    assert_eq!((none.chunks, none.bytes.len(), none.take), (0, 0, 0));
}

#[test]
fn lengths_that_no_part_has_saturate() {
    assert_eq!(sealed_len(u64::MAX), u64::MAX);
    let needed = sealed_range(range(u64::MAX - 1, u64::MAX), u64::MAX);
    assert_eq!(needed.first_chunk, u32::MAX);
    assert!(needed.bytes.start <= needed.bytes.end);
}

proptest! {
    #[test]
    fn what_a_range_needs_lies_in_the_part_and_covers_the_range(
        length in 0..20 * CHUNK, start in 0..21 * CHUNK, more in 0..21 * CHUNK,
    ) {
        let needed = sealed_range(range(start, start + more), length);
        let plain = range(start.min(length), (start + more).min(length));
        prop_assert!(needed.bytes.end <= sealed_len(length));
        prop_assert_eq!(needed.take, plain.len());
        prop_assert_eq!(u64::from(needed.chunks), needed.bytes.len().div_ceil(CHUNK + 16));
        prop_assert_eq!(needed.bytes.start, u64::from(needed.first_chunk) * (CHUNK + 16));
        if !plain.is_empty() {
            prop_assert_eq!(u64::from(needed.first_chunk) * CHUNK + needed.skip as u64, plain.start);
            let plain_in_chunks = needed.bytes.len() - u64::from(needed.chunks) * 16;
            prop_assert!(needed.skip as u64 + needed.take <= plain_in_chunks);
        }
    }
}
