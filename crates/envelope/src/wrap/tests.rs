use super::*;
use crate::fixtures::{customer_key, object_key, other_identities, secret, with_identity};

fn data_key_of(result: Result<DataKey, UnwrapError>) -> Result<[u8; 32], UnwrapError> {
    result.map(|data_key| *data_key.0.expose())
}

#[test]
fn the_key_that_wrapped_unwraps() {
    with_identity(|identity| {
        let data_key = DataKey::generate();
        let (customer, server) = (customer_key(1), KeyEncryptionKey::generate());
        let by_customer = WrappedDataKey::decode(&customer.wrap(&data_key, identity).encode()).unwrap();
        let by_server = WrappedDataKey::decode(&server.wrap(&data_key, identity).encode()).unwrap();
        assert_eq!(by_customer.holder(), KeyHolder::Customer);
        assert_eq!(by_server.holder(), KeyHolder::Keyring(server.id()));
        assert_eq!(data_key_of(customer.unwrap(&by_customer, identity)), Ok(*data_key.0.expose()));
        assert_eq!(data_key_of(server.unwrap(&by_server, identity)), Ok(*data_key.0.expose()));
    });
}

#[test]
fn wrong_customer_key_is_refused_as_such() {
    with_identity(|identity| {
        let wrapped = customer_key(1).wrap(&DataKey::generate(), identity);
        assert_eq!(data_key_of(customer_key(2).unwrap(&wrapped, identity)), Err(WrongKey.into()));
    });
}

#[test]
fn a_wrap_moved_to_another_bucket_object_or_version_does_not_open() {
    with_identity(|identity| {
        let customer = customer_key(1);
        let wrapped = customer.wrap(&DataKey::generate(), identity);
        let other_object = object_key("another");
        for other in other_identities(identity, &other_object) {
            assert_eq!(data_key_of(customer.unwrap(&wrapped, &other)), Err(WrongKey.into()), "{other:?}");
        }
    });
}

#[test]
fn another_key_of_the_keyring_is_refused_whatever_its_name() {
    with_identity(|identity| {
        let server = KeyEncryptionKey::generate();
        let wrapped = server.wrap(&DataKey::generate(), identity);
        let renamed = KeyEncryptionKey::new(KeyId::from_bytes([9; 16]), secret(*server.bytes.expose()));
        let namesake = KeyEncryptionKey::new(server.id(), secret([9; 32]));
        for key in [&renamed, &namesake, &KeyEncryptionKey::generate()] {
            assert_eq!(data_key_of(key.unwrap(&wrapped, identity)), Err(WrongKey.into()));
        }
    });
}

#[test]
fn a_customers_wrap_cannot_pass_for_the_keyrings_even_under_the_same_bytes() {
    with_identity(|identity| {
        let mut encoded = customer_key(1).wrap(&DataKey::generate(), identity).encode();
        encoded[1] = HELD_BY_KEYRING;
        let relabelled = WrappedDataKey::decode(&encoded).unwrap();
        let namesake = KeyEncryptionKey::new(KeyId::from_bytes([0; 16]), secret([1; 32]));
        assert_eq!(data_key_of(namesake.unwrap(&relabelled, identity)), Err(WrongKey.into()));
    });
}

#[test]
fn a_flipped_bit_at_any_byte_is_refused() {
    with_identity(|identity| {
        let (customer, server) = (customer_key(1), KeyEncryptionKey::generate());
        let data_key = DataKey::generate();
        let context = ContextDigest::of(&EncryptionContext::default());
        let for_kms = server.wrap_for_kms(&data_key, identity, context);
        for wrapped in [customer.wrap(&data_key, identity), server.wrap(&data_key, identity), for_kms] {
            let encoded = wrapped.encode();
            for (at, bit) in (0..encoded.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut flipped = encoded.clone();
                flipped[at] ^= 1 << bit;
                let result = WrappedDataKey::decode(&flipped).map_err(UnwrapError::from).and_then(|wrapped| {
                    match wrapped.holder() {
                        KeyHolder::Customer => data_key_of(customer.unwrap(&wrapped, identity)),
                        KeyHolder::Keyring(_) => data_key_of(server.unwrap(&wrapped, identity)),
                        KeyHolder::Kms(_) => data_key_of(server.unwrap_for_kms(&wrapped, identity, context)),
                    }
                });
                let expected: &[UnwrapError] = match at {
                    0 => &[UnwrapError::Damaged(Damaged)],
                    // Holder, key id, salt and commitment: the layout breaks, or the commitment no longer fits.
                    1..82 => &[UnwrapError::Damaged(Damaged), UnwrapError::WrongKey(WrongKey)],
                    _ => &[UnwrapError::Damaged(Damaged)],
                };
                assert!(expected.contains(&result.unwrap_err()), "byte {at}, bit {bit}");
            }
        }
    });
}

#[test]
fn a_sealed_key_from_another_wrap_by_the_same_key_is_damage() {
    with_identity(|identity| {
        let customer = customer_key(1);
        let mut wrapped = customer.wrap(&DataKey::generate(), identity);
        wrapped.sealed = customer.wrap(&DataKey::generate(), identity).sealed;
        assert_eq!(data_key_of(customer.unwrap(&wrapped, identity)), Err(Damaged.into()));
    });
}

#[test]
fn a_cut_or_extended_encoding_is_damage() {
    with_identity(|identity| {
        let encoded = customer_key(1).wrap(&DataKey::generate(), identity).encode();
        assert_eq!(encoded.len(), WrappedDataKey::ENCODED_LEN);
        for length in 0..encoded.len() {
            assert_eq!(WrappedDataKey::decode(&encoded[..length]), Err(Damaged), "{length}");
        }
        assert_eq!(WrappedDataKey::decode(&[encoded.as_slice(), &[0]].concat()), Err(Damaged));
    });
}

#[test]
fn wrapping_twice_gives_nothing_to_compare() {
    with_identity(|identity| {
        let data_key = DataKey::generate();
        let (first, second) = (customer_key(1).wrap(&data_key, identity), customer_key(1).wrap(&data_key, identity));
        assert_ne!(first.salt, second.salt);
        assert_ne!(first.commitment, second.commitment);
        assert_ne!(first.sealed, second.sealed);
    });
}

#[test]
fn a_wrap_for_a_kms_opens_in_its_own_context_and_for_its_own_holder_only() {
    with_identity(|identity| {
        let server = KeyEncryptionKey::generate();
        let context = |value: &str| {
            let pairs = std::collections::BTreeMap::from([("project".to_owned(), value.to_owned())]);
            ContextDigest::of(&EncryptionContext::new(pairs).unwrap())
        };
        let wrapped = server.wrap_for_kms(&DataKey::generate(), identity, context("a"));
        assert_eq!(wrapped.holder(), KeyHolder::Kms(server.id()));
        assert!(server.unwrap_for_kms(&wrapped, identity, context("a")).is_ok());
        let other = data_key_of(server.unwrap_for_kms(&wrapped, identity, context("b")));
        assert_eq!(other, Err(WrongKey.into()));
        assert_eq!(data_key_of(server.unwrap(&wrapped, identity)), Err(WrongKey.into()));
    });
}
