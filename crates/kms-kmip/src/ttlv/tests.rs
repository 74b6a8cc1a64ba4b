use proptest::prelude::*;

use super::*;

fn written(write: impl FnOnce(&mut Writer) -> &mut Writer) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.finish().to_vec()
}

#[test]
fn the_examples_of_the_standard_are_written_and_read() {
    // KMIP 1.4, section 9.1.2.
    let examples: [(Vec<u8>, &[u8], Value<'_>); 6] = [
        (
            written(|w| w.integer(0x42_0020, 8)),
            &[0x42, 0, 0x20, 2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 0],
            Value::Integer(8),
        ),
        (
            written(|w| w.enumeration(0x42_0020, 255)),
            &[0x42, 0, 0x20, 5, 0, 0, 0, 4, 0, 0, 0, 255, 0, 0, 0, 0],
            Value::Enumeration(255),
        ),
        (
            written(|w| w.boolean(0x42_0020, true)),
            &[0x42, 0, 0x20, 6, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1],
            Value::Boolean(true),
        ),
        (
            written(|w| w.text(0x42_0020, "Hello World")),
            b"\x42\x00\x20\x07\x00\x00\x00\x0bHello World\0\0\0\0\0",
            Value::Text("Hello World"),
        ),
        (
            written(|w| w.bytes(0x42_0020, &[1, 2, 3])),
            &[0x42, 0, 0x20, 8, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0],
            Value::Bytes(&[1, 2, 3]),
        ),
        (
            b"\x42\x00\x20\x09\x00\x00\x00\x08\x00\x00\x00\x00\x47\xda\x67\xf8".to_vec(),
            b"\x42\x00\x20\x09\x00\x00\x00\x08\x00\x00\x00\x00\x47\xda\x67\xf8",
            Value::DateTime(0x47da_67f8),
        ),
    ];
    for (ours, theirs, value) in examples {
        assert_eq!(ours, theirs);
        let mut reader = Reader::new(theirs);
        assert_eq!(reader.next(), Ok(Some(Item { tag: 0x42_0020, value })));
        assert_eq!(reader.next(), Ok(None));
    }
}

#[test]
fn structures_nest() {
    let bytes = written(|w| w.structure(1, |w| w.structure(2, |w| w.integer(3, -7)).text(4, "")));
    let outer = Reader::new(&bytes).require(1).unwrap().structure().unwrap();
    let inner = outer.require(2).unwrap().structure().unwrap();
    assert_eq!(inner.require(3), Ok(Value::Integer(-7)));
    assert_eq!(outer.require(4), Ok(Value::Text("")));
    assert_eq!((outer.find(5), outer.require(5)), (Ok(None), Err(Malformed)));
}

#[test]
fn what_the_standard_does_not_allow_is_malformed() {
    let bad: [&[u8]; 11] = [
        b"\x42\x00\x20",                                                     // cut in the header
        b"\x42\x00\x20\x02\x00\x00\x00\x04\x00\x00\x00\x08",                 // cut in the padding
        b"\x42\x00\x20\x02\x00\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00\x01", // padding that is not zero
        b"\x42\x00\x20\x02\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00\x00\x00", // an integer of eight bytes
        b"\x42\x00\x20\x06\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02", // neither true nor false
        b"\x42\x00\x20\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00", // a structure of half an item
        b"\x42\x00\x20\x07\x00\x00\x00\x01\xff\x00\x00\x00\x00\x00\x00\x00", // no UTF-8
        b"\x42\x00\x20\x00\x00\x00\x00\x00",                                 // no type
        b"\x42\x00\x20\x0b\x00\x00\x00\x00",                                 // a type of another version
        b"\x42\x00\x20\x08\xff\xff\xff\xff",                                 // a length beyond everything
        b"\x42\x00\x20\x03\x00\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00\x00", // a long integer of four bytes
    ];
    for bytes in bad {
        assert_eq!(Reader::new(bytes).next(), Err(Malformed), "{bytes:x?}");
    }
}

/// Visits everything, as deep as it goes, with a stack of its own.
fn visit(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut open = vec![Reader::new(bytes)];
    let mut items = 0;
    while let Some(mut reader) = open.pop() {
        while let Some(item) = reader.next()? {
            items += 1;
            if let Value::Structure(inner) = item.value {
                open.push(inner);
            }
        }
    }
    Ok(items)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = visit(&bytes);
    }

    #[test]
    fn no_item_like_bytes_make_it_panic(
        items in proptest::collection::vec((0_u8..12, 0_u32..64, any::<[u8; 24]>()), 0..16),
    ) {
        let bytes: Vec<u8> = items
            .iter()
            .flat_map(|(kind, length, value)| {
                [&[0x42, 0, 1, *kind], &length.to_be_bytes()[..], &value[..]].concat()
            })
            .collect();
        let _ = visit(&bytes);
    }

    #[test]
    fn a_cut_message_is_malformed_and_a_whole_one_is_not(
        text in "\\PC{0,20}", data in proptest::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(),
    ) {
        let bytes = written(|w| {
            w.structure(1, |w| {
                w.text(2, &text).bytes(3, &data).structure(4, |w| w.boolean(5, false))
            })
        });
        prop_assert_eq!(visit(&bytes), Ok(5));
        let at = at.index(bytes.len());
        prop_assert_eq!(visit(&bytes[..at]).is_err(), at > 0);
    }
}
