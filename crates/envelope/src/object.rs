use model::PartNumber;
use zeroize::Zeroizing;

use crate::layout::TAG_LEN;
use crate::manifest::manifest_tag;
use crate::primitives::{GcmKey, ONLY_NONCE, derive};
use crate::random::random_bytes;
use crate::{
    CustomerKey, Damaged, DataKey, KeyHolder, Manifest, ManifestTag, ObjectIdentity, PartEntry, PartOpener, PartSealer,
    UnwrapError, WrappedDataKey,
};

/// An object whose data key is wrapped: all it can do is say who holds the key.
pub struct LockedObject(WrappedDataKey);

impl LockedObject {
    /// Takes the wrapped key of an object.
    #[must_use]
    pub const fn new(wrapped: WrappedDataKey) -> Self {
        Self(wrapped)
    }

    /// Who can unlock it.
    #[must_use]
    pub const fn holder(&self) -> KeyHolder {
        self.0.holder()
    }

    /// The wrapped key, for a key service to unwrap.
    #[must_use]
    pub const fn wrapped(&self) -> &WrappedDataKey {
        &self.0
    }

    /// Unlocks with the key that a customer sent.
    ///
    /// # Errors
    /// See [`CustomerKey::unwrap`].
    pub fn unlock_with_customer_key(
        self,
        customer_key: &CustomerKey,
        identity: &ObjectIdentity<'_>,
    ) -> Result<UnlockedObject, UnwrapError> {
        customer_key.unwrap(&self.0, identity).map(UnlockedObject::new)
    }

    /// Unlocks with the data key that a key service unwrapped.
    #[must_use]
    pub fn unlock_with_data_key(self, data_key: DataKey) -> UnlockedObject {
        UnlockedObject::new(data_key)
    }
}

/// An object with its data key: the only thing that seals and opens its parts and its metadata.
pub struct UnlockedObject(DataKey);

impl UnlockedObject {
    /// Takes a data key: a fresh one, for an object to be, or one that was unwrapped.
    #[must_use]
    pub const fn new(data_key: DataKey) -> Self {
        Self(data_key)
    }

    /// The data key, to be wrapped for another holder.
    #[must_use]
    pub const fn data_key(&self) -> &DataKey {
        &self.0
    }

    /// Begins an attempt at a part, under a fresh salt.
    #[must_use]
    pub fn part_sealer(&self, number: PartNumber) -> PartSealer {
        PartSealer::new(&self.0.0, number, random_bytes())
    }

    /// Opens the chunks of a part.
    #[must_use]
    pub fn part_opener(&self, entry: &PartEntry) -> PartOpener {
        PartOpener::new(&self.0.0, entry)
    }

    /// Seals what is told of the object besides its bytes. The result is [`METADATA_OVERHEAD`] bytes longer.
    #[must_use]
    pub fn seal_metadata(&self, plaintext: &[u8]) -> Vec<u8> {
        self.seal_metadata_salted(random_bytes(), plaintext)
    }

    pub(crate) fn seal_metadata_salted(&self, salt: [u8; 16], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + METADATA_OVERHEAD);
        sealed.extend_from_slice(plaintext);
        self.metadata_key(&salt).seal(ONLY_NONCE, &[], &mut sealed);
        sealed.splice(..0, salt);
        sealed
    }

    /// Opens what [`Self::seal_metadata`] made.
    ///
    /// # Errors
    /// [`Damaged`] when it was changed or belongs to another object.
    pub fn open_metadata(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Damaged> {
        let (salt, sealed) = sealed.split_first_chunk().ok_or(Damaged)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = self.metadata_key(salt).open(ONLY_NONCE, &[], &mut buffer)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Proof that these parts, in this order, are the whole object; for [`Manifest::new`].
    #[must_use]
    pub fn manifest_tag(&self, entries: &[PartEntry]) -> ManifestTag {
        manifest_tag(&self.0.0, entries)
    }

    /// Verifies that proof. A manifest without one passes: see [`Manifest::new`].
    ///
    /// # Errors
    /// [`Damaged`] when it was made for another list or another object.
    pub fn verify_manifest(&self, manifest: &Manifest) -> Result<(), Damaged> {
        manifest.verify(&self.0.0)
    }

    fn metadata_key(&self, salt: &[u8; 16]) -> GcmKey {
        let mut key = Zeroizing::new([0; 32]);
        derive(self.0.0.expose(), salt, &[b"canopic/v1/metadata"], key.as_mut());
        GcmKey::new(&key)
    }
}

/// Bytes that sealing adds to metadata: salt and tag.
pub const METADATA_OVERHEAD: usize = 16 + TAG_LEN;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{customer_key, with_identity};

    #[test]
    fn only_the_key_of_a_locked_object_gives_its_metadata() {
        with_identity(|identity| {
            let data_key = DataKey::generate();
            let wrapped = customer_key(1).wrap(&data_key, identity);
            let sealed = UnlockedObject::new(data_key).seal_metadata(b"metadata");

            let locked = LockedObject::new(wrapped.clone());
            assert_eq!(locked.holder(), KeyHolder::Customer);
            assert!(locked.unlock_with_customer_key(&customer_key(2), identity).is_err());
            let unlocked =
                LockedObject::new(wrapped).unlock_with_customer_key(&customer_key(1), identity).ok().unwrap();
            assert_eq!(unlocked.open_metadata(&sealed).unwrap().as_slice(), b"metadata");
        });
    }

    #[test]
    fn metadata_that_was_changed_cut_or_moved_is_damage() {
        let object = UnlockedObject::new(DataKey::generate());
        let sealed = object.seal_metadata(b"metadata");
        assert_eq!(sealed.len(), 8 + METADATA_OVERHEAD);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(object.open_metadata(&flipped), Err(Damaged), "byte {at}");
            assert_eq!(object.open_metadata(&sealed[..at]), Err(Damaged), "{at} bytes");
        }
        assert_eq!(UnlockedObject::new(DataKey::generate()).open_metadata(&sealed), Err(Damaged));
    }

    #[test]
    fn empty_metadata_is_sealed_too() {
        let object = UnlockedObject::new(DataKey::generate());
        assert_eq!(object.open_metadata(&object.seal_metadata(b"")).unwrap().as_slice(), b"");
    }
}
