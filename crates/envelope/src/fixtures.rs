//! What the tests of this crate share.

use model::{BucketId, ObjectKey, VersionId};
use zeroize::Zeroizing;

use crate::{CustomerKey, ObjectIdentity};

pub(crate) fn secret(bytes: [u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(bytes)
}

pub(crate) fn customer_key(seed: u8) -> CustomerKey {
    CustomerKey::new(secret([seed; 32]))
}

pub(crate) fn object_key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

pub(crate) fn with_identity(test: impl FnOnce(&ObjectIdentity<'_>)) {
    let object = object_key("testfile");
    test(&ObjectIdentity {
        bucket: BucketId::from_bytes([1; 16]),
        object: &object,
        version: VersionId::from_bytes([2; 16]),
    });
}

/// Identities that differ in one thing each.
pub(crate) fn other_identities<'a>(identity: &ObjectIdentity<'a>, object: &'a ObjectKey) -> [ObjectIdentity<'a>; 3] {
    [
        ObjectIdentity { bucket: BucketId::from_bytes([7; 16]), ..*identity },
        ObjectIdentity { object, ..*identity },
        ObjectIdentity { version: VersionId::from_bytes([7; 16]), ..*identity },
    ]
}

/// Byte `i` is `i` mod 251.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect()
}
