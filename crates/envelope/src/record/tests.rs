use super::*;
use crate::fixtures::secret;

const SCOPE: [u8; 16] = [1; 16];
const PLACE: RecordPlace<'_> = RecordPlace { scope: &SCOPE, partition: b"photos/cat", table: 16, suffix: b"v1" };

fn authenticator() -> RecordAuthenticator {
    StoreKey::new(secret([3; 32])).authenticator()
}

#[test]
fn a_record_in_its_place_is_accepted() {
    for payload in [&b""[..], b"payload"] {
        let record = authenticator().protect(&PLACE, payload.to_vec());
        assert_eq!(record.len(), payload.len() + RECORD_TAG_LEN);
        assert_eq!(authenticator().check(&PLACE, &record), Ok(payload));
    }
}

#[test]
fn a_record_in_another_place_is_refused() {
    let record = authenticator().protect(&PLACE, b"payload".to_vec());
    let places = [
        RecordPlace { scope: &[2; 16], ..PLACE },
        RecordPlace { partition: b"photos/dog", ..PLACE },
        RecordPlace { table: 17, ..PLACE },
        RecordPlace { suffix: b"v2", ..PLACE },
        RecordPlace { suffix: b"", ..PLACE },
        RecordPlace { partition: b"photos/catv1", suffix: b"", ..PLACE },
        RecordPlace { partition: b"photos/cat\x10", suffix: b"1", ..PLACE },
    ];
    for place in places {
        assert_eq!(authenticator().check(&place, &record), Err(Damaged), "{place:?}");
    }
}

#[test]
fn bytes_cannot_move_between_suffix_and_payload() {
    let record = authenticator().protect(&PLACE, b"payload".to_vec());
    let shifted = RecordPlace { suffix: b"v1p", ..PLACE };
    assert_eq!(authenticator().check(&shifted, &record[1..]), Err(Damaged));
}

#[test]
fn a_flipped_bit_at_any_byte_is_refused() {
    let record = authenticator().protect(&PLACE, b"payload".to_vec());
    for (at, bit) in (0..record.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut flipped = record.clone();
        flipped[at] ^= 1 << bit;
        assert_eq!(authenticator().check(&PLACE, &flipped), Err(Damaged), "byte {at}, bit {bit}");
    }
}

#[test]
fn a_cut_or_extended_record_is_refused() {
    let record = authenticator().protect(&PLACE, b"payload".to_vec());
    for length in 0..record.len() {
        assert_eq!(authenticator().check(&PLACE, &record[..length]), Err(Damaged), "{length}");
    }
    assert_eq!(authenticator().check(&PLACE, &[record.as_slice(), &[0]].concat()), Err(Damaged));
}

#[test]
fn a_record_of_another_installation_is_refused() {
    let record = StoreKey::generate().authenticator().protect(&PLACE, b"payload".to_vec());
    assert_eq!(authenticator().check(&PLACE, &record), Err(Damaged));
}
