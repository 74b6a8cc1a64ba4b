use proptest::prelude::*;

use super::*;

const UID: &str = "17";

/// Operation, status, reason, message and identifiers.
type Made<'a> = (Option<u32>, u32, Option<u32>, &'a str, &'a [&'a str]);

/// The answer of a KMIP server to Create and Activate, put together by hand.
fn response(items: &[Made<'_>]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.structure(tag::RESPONSE_MESSAGE, |w| {
        w.structure(0x42_007a, |w| w.integer(tag::BATCH_COUNT, 1));
        for (operation, status, reason, message, uids) in items {
            w.structure(tag::BATCH_ITEM, |w| {
                if let Some(operation) = operation {
                    w.enumeration(tag::OPERATION, *operation);
                }
                w.enumeration(tag::RESULT_STATUS, *status);
                if let Some(reason) = reason {
                    w.enumeration(tag::RESULT_REASON, *reason).text(tag::RESULT_MESSAGE, message);
                }
                w.structure(tag::RESPONSE_PAYLOAD, |w| {
                    for uid in *uids {
                        w.text(tag::UNIQUE_IDENTIFIER, uid);
                    }
                    w
                })
            });
        }
        w
    });
    writer.finish().to_vec()
}

#[test]
fn an_encryption_is_asked_for_as_a_foreign_client_asks() {
    // Captured between the client and the server of PyKMIP: version 1.4, AES-GCM, identifier "1". Ours says beside it how
    // long an answer may be, and binds data.
    let theirs = "42002b010000003042001105000000040000000900000000420028050000000400000003000000004200ce02000000040000001000000000\
                  4200c20800000020303030303030303030303030303030303030303030303030303030303030303042003d080000000c3131313131313131\
                  3131313100000000";
    let asks = [Ask::Encrypt { uid: "1", nonce: b"111111111111", bound: b"x", data: &[b'0'; 32] }];
    let ours: String = request(&asks).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(ours.contains(theirs), "{ours}");
}

#[test]
fn outcomes_come_in_the_order_of_what_was_asked() {
    let asks = [Ask::Attributes { uid: UID }, Ask::Activate { uid: UID }];
    let bytes = response(&[(Some(0xb), 0, None, "", &["1"]), (Some(0x12), 0, None, "", &["2"])]);
    let outcomes = outcomes(&bytes, &asks).unwrap();
    let uids: Vec<_> = outcomes.into_iter().map(|payload| created(payload.unwrap()).unwrap()).collect();
    assert_eq!(uids, ["1", "2"]);
}

#[test]
fn a_refusal_is_the_last_outcome_and_one_line() {
    let asks = [Ask::Attributes { uid: UID }, Ask::Activate { uid: UID }];
    let bytes = response(&[(Some(0xb), 1, Some(1), "not\nthere", &[])]);
    let refusal = Refusal { reason: Reason::ItemNotFound, message: "not there".to_owned() };
    assert_eq!(outcomes(&bytes, &asks), Ok(vec![Err(refusal)]));
    // What refuses the whole message names no operation.
    let bytes = response(&[(None, 1, Some(3), "who?", &[])]);
    let refusal = Refusal { reason: Reason::NotAuthenticated, message: "who?".to_owned() };
    assert_eq!(outcomes(&bytes, &asks), Ok(vec![Err(refusal)]));
}

#[test]
fn answers_to_something_else_are_malformed() {
    let asks = [Ask::Attributes { uid: UID }, Ask::Activate { uid: UID }];
    let good: Made<'_> = (Some(0xb), 0, None, "", &["1"]);
    let second = (Some(0x12), 0, None, "", good.4);
    let cases = [
        response(&[]),
        response(&[good]),
        response(&[second, good]),
        response(&[good, second, second]),
        response(&[(None, 0, None, "", &["1"]), second]),
        [response(&[good, second]), response(&[good, second])].concat(),
        request(&asks).to_vec(),
    ];
    for bytes in cases {
        assert_eq!(outcomes(&bytes, &asks), Err(Malformed));
    }
}

#[test]
fn identifiers_that_do_not_fit_into_a_record_are_malformed() {
    let asks = [Ask::Locate { group: None }];
    for uid in ["", &"x".repeat(256)] {
        let bytes = response(&[(Some(8), 0, None, "", &[uid])]);
        let payload = outcomes(&bytes, &asks).unwrap().pop().unwrap().unwrap();
        assert_eq!(located(payload), Err(Malformed));
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let asks = [Ask::Attributes { uid: UID }, Ask::Activate { uid: UID }];
        let mut bytes = response(&[(Some(0xb), 0, None, "", &["1"]), (Some(0x12), 1, Some(0x100), "no", &["2"])]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let cut = cut.index(bytes.len() + 1);
        for bytes in [&bytes[..], &bytes[..cut]] {
            for payload in outcomes(bytes, &asks).into_iter().flatten().flatten() {
                let _ = (located(payload), created(payload), attributes(payload, "x").is_ok());
                let _ = (encrypted(payload).is_ok(), decrypted(payload).is_ok());
            }
        }
    }
}
