use proptest::prelude::*;

use super::*;

/// Feeds `body` in pieces of `step` bytes: the data, the sizes of the chunks, the trailers.
fn decode(body: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u64>, HeaderMap), Malformed> {
    let (mut decoder, mut data, mut sizes) = (Decoder::default(), Vec::new(), Vec::new());
    for piece in body.chunks(step.max(1)) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(piece) = decoder.next(&mut input)? {
            match piece {
                Piece::Chunk(size) => sizes.push(size),
                Piece::Data(bytes) => data.extend_from_slice(&bytes),
            }
        }
    }
    Ok((data, sizes, decoder.finish()?))
}

fn signed(size: &str) -> String {
    format!("{size};chunk-signature={}\r\n", "0".repeat(64))
}

#[test]
fn data_and_trailers_come_out_however_the_wire_cuts_them() {
    let body = b"3\r\nabc\r\nB\r\n01234567890\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    for step in 1..=body.len() {
        let (data, sizes, trailers) = decode(body, step).unwrap();
        assert_eq!(data, b"abc01234567890");
        assert_eq!(sizes, [3, 11, 0]);
        assert_eq!(trailers["x-amz-checksum-crc32"], "AAAAAA==");
    }
}

#[test]
fn signed_chunks_are_read_as_well() {
    let body = format!("{}abc\r\n{}\r\n", signed("3"), signed("0"));
    assert_eq!(decode(body.as_bytes(), 7).unwrap().0, b"abc");
}

#[test]
fn the_last_line_ends_may_be_missing() {
    for end in ["0\r\n", "0\r\n\r\n", "0\r\na:b", "0\r\na:b\r\n", "0\r\na:b\n\r\n", "0\r\na: b \r"] {
        assert!(decode(format!("1\r\nx\r\n{end}").as_bytes(), 3).is_ok(), "{end:?}");
    }
}

#[test]
fn a_body_that_stops_early_is_malformed_wherever_it_stops() {
    let body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n";
    for end in 0..body.len() - 1 {
        assert!(decode(&body[..end], 4).is_err(), "cut at {end}");
    }
}

#[test]
fn broken_framing_is_refused() {
    let long = "0".repeat(200);
    let trailers = format!("0\r\n{}", "a:b\r\n".repeat(2));
    let huge = format!("0\r\na:{}\r\n", "b".repeat(TRAILERS_LEN_MAX));
    for body in [
        "abc",
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        "+1\r\nx\r\n0\r\n\r\n",
        " 1\r\nx\r\n0\r\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nab\r\n0\r\n\r\n",
        "1;x=y\r\nx\r\n0\r\n\r\n",
        "1;chunk-signature=00\r\nx\r\n0\r\n\r\n",
        "11111111111111111\r\nx",
        "0\r\n\r\nmore",
        "0\r\nno colon\r\n\r\n",
        "0\r\na b: c\r\n\r\n",
        &long,
        &trailers,
        &huge,
    ] {
        assert_eq!(decode(body.as_bytes(), 16).err(), Some(Malformed), "{body:?}");
    }
}

proptest! {
    #[test]
    fn what_is_framed_is_decoded(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..8), step in 1usize..64) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        prop_assert_eq!(decode(&body, step).unwrap().0, chunks.concat());
    }

    #[test]
    fn no_body_makes_the_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..200), step in 1usize..64) {
        let _ = decode(&body, step);
    }

    #[test]
    fn nothing_like_a_frame_makes_the_decoder_panic(body in "([0-9a-f]{0,3}(\r\n|\n|;)?[a-z:]{0,6}(\r\n)?){0,10}", step in 1usize..8) {
        let _ = decode(body.as_bytes(), step);
    }
}
