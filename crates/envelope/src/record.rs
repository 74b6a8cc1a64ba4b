use zeroize::Zeroizing;

use crate::primitives::{HmacKey, derive, length_prefix, same};
use crate::{Damaged, StoreKey};

/// Where a record stands. Its tag is bound to the place: a true record in another place is a damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace<'a> {
    /// The scope: a bucket's id, or one of the server's own.
    pub scope: &'a [u8; 16],
    /// The partition in its scope.
    pub partition: &'a [u8],
    /// The table in its partition.
    pub table: u8,
    /// The record in its table.
    pub suffix: &'a [u8],
}

/// Authenticates records under the store key. What it does not see is a record that was put back to an earlier state
/// of the same place.
pub struct RecordAuthenticator(HmacKey);

/// Bytes that authentication adds to a record.
pub const RECORD_TAG_LEN: usize = 32;

impl StoreKey {
    /// What authenticates records.
    #[must_use]
    pub fn authenticator(&self) -> RecordAuthenticator {
        let mut key = Zeroizing::new([0; 32]);
        derive(self.0.expose(), &[], &[b"canopic/v1/record"], key.as_mut());
        RecordAuthenticator(HmacKey::new(&key))
    }
}

impl RecordAuthenticator {
    /// Appends the tag, [`RECORD_TAG_LEN`] bytes.
    #[must_use]
    pub fn protect(&self, place: &RecordPlace<'_>, mut payload: Vec<u8>) -> Vec<u8> {
        let tag = self.tag(place, &payload);
        payload.extend_from_slice(&tag);
        payload
    }

    /// Verifies the tag; returns the payload before it.
    ///
    /// # Errors
    /// [`Damaged`] when these bytes were not written to this place under this store key.
    pub fn check<'a>(&self, place: &RecordPlace<'_>, record: &'a [u8]) -> Result<&'a [u8], Damaged> {
        let (payload, tag) = record.split_last_chunk::<RECORD_TAG_LEN>().ok_or(Damaged)?;
        if same(tag, &self.tag(place, payload)) { Ok(payload) } else { Err(Damaged) }
    }

    fn tag(&self, place: &RecordPlace<'_>, payload: &[u8]) -> [u8; RECORD_TAG_LEN] {
        self.0.tag(&[
            place.scope,
            &length_prefix(place.partition),
            place.partition,
            &[place.table],
            &length_prefix(place.suffix),
            place.suffix,
            payload,
        ])
    }
}

#[cfg(test)]
mod tests;
