//! An object as a store holds it, in every mode, and a reader that does with it what the operations do.

use std::collections::BTreeMap;

use envelope::{
    CHUNK_LEN, ContextDigest, CustomerKey, Damaged, DataKey, KeyEncryptionKey, KeyHolder, KeyId, Manifest,
    ObjectIdentity, PartEntry, PartSealer, SEALED_CHUNK_LEN, UnlockedObject, UnwrapError, WrappedDataKey, sealed_len,
    sealed_range,
};
use model::{BucketId, ByteRange, EncryptionContext, ObjectKey, PartNumber, VersionId};
use zeroize::Zeroizing;

/// Who holds the data key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    SseC,
    SseS3,
    SseKms,
}

pub(crate) const MODES: [Mode; 3] = [Mode::SseC, Mode::SseS3, Mode::SseKms];

/// The keys of one installation and one customer.
pub(crate) struct Keys {
    pub(crate) customer: CustomerKey,
    pub(crate) keyring: KeyEncryptionKey,
    pub(crate) kms: KeyEncryptionKey,
    pub(crate) context: ContextDigest,
}

impl Keys {
    /// All keys are made of `seed`; the names of the keyring's keys are the same whatever it is.
    pub(crate) fn new(seed: u8) -> Self {
        let bytes = |purpose: u8| Zeroizing::new([seed ^ purpose; 32]);
        Self {
            customer: CustomerKey::new(bytes(0)),
            keyring: KeyEncryptionKey::new(KeyId::from_bytes([1; 16]), bytes(64)),
            kms: KeyEncryptionKey::new(KeyId::from_bytes([2; 16]), bytes(128)),
            context: context("project", "a"),
        }
    }

    pub(crate) fn wrap(&self, mode: Mode, data_key: &DataKey, identity: &ObjectIdentity<'_>) -> WrappedDataKey {
        match mode {
            Mode::SseC => self.customer.wrap(data_key, identity),
            Mode::SseS3 => self.keyring.wrap(data_key, identity),
            Mode::SseKms => self.kms.wrap_for_kms(data_key, identity, self.context),
        }
    }

    /// Unwraps with the key that the wrap asks for.
    pub(crate) fn unlock(
        &self,
        wrapped: &WrappedDataKey,
        identity: &ObjectIdentity<'_>,
    ) -> Result<UnlockedObject, UnwrapError> {
        match wrapped.holder() {
            KeyHolder::Customer => self.customer.unwrap(wrapped, identity),
            KeyHolder::Keyring(_) => self.keyring.unwrap(wrapped, identity),
            KeyHolder::Kms(_) => self.kms.unwrap_for_kms(wrapped, identity, self.context),
        }
        .map(UnlockedObject::new)
    }
}

pub(crate) fn context(name: &str, value: &str) -> ContextDigest {
    let pairs = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    ContextDigest::of(&EncryptionContext::new(pairs).unwrap())
}

/// An object's name in a bucket, with its version.
pub(crate) struct Name {
    pub(crate) bucket: BucketId,
    pub(crate) object: ObjectKey,
    pub(crate) version: VersionId,
}

impl Name {
    pub(crate) fn new(bucket: u8, object: &str, version: u8) -> Self {
        Self {
            bucket: BucketId::from_bytes([bucket; 16]),
            object: ObjectKey::parse(object).unwrap(),
            version: VersionId::from_bytes([version; 16]),
        }
    }

    pub(crate) fn identity(&self) -> ObjectIdentity<'_> {
        ObjectIdentity { bucket: self.bucket, object: &self.object, version: self.version }
    }
}

/// Everything that a store holds of an object, and that somebody with the disk can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) wrapped: Vec<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Why a stored object does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    WrongKey,
    Damaged,
}

impl From<Damaged> for Refused {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

impl From<UnwrapError> for Refused {
    fn from(error: UnwrapError) -> Self {
        match error {
            UnwrapError::WrongKey(_) => Self::WrongKey,
            UnwrapError::Damaged(_) => Self::Damaged,
        }
    }
}

impl Stored {
    /// Seals an object of these parts, numbered from 1.
    pub(crate) fn new(keys: &Keys, mode: Mode, name: &Name, parts: &[Vec<u8>]) -> Self {
        let data_key = DataKey::generate();
        let wrapped = keys.wrap(mode, &data_key, &name.identity()).encode();
        let object = UnlockedObject::new(data_key);
        let (entries, sealed): (Vec<_>, Vec<_>) = (1..)
            .zip(parts)
            .map(|(number, plaintext)| seal_part(object.part_sealer(part_number(number)), &[plaintext]))
            .unzip();
        let tag = object.manifest_tag(&entries);
        Self {
            wrapped,
            metadata: object.seal_metadata(METADATA),
            manifest: Manifest::new(entries, Some(tag)).unwrap().encode(),
            parts: sealed,
        }
    }

    /// Reads a range of it, as the operations do: the key, the list of parts, the metadata, then what the range needs.
    pub(crate) fn read_range(&self, keys: &Keys, name: &Name, range: ByteRange) -> Result<Vec<u8>, Refused> {
        let wrapped = WrappedDataKey::decode(&self.wrapped)?;
        let object = keys.unlock(&wrapped, &name.identity())?;
        let manifest = Manifest::decode(&self.manifest)?;
        object.verify_manifest(&manifest)?;
        if object.open_metadata(&self.metadata)?.as_slice() != METADATA || manifest.entries().len() != self.parts.len()
        {
            return Err(Refused::Damaged);
        }
        let mut plaintext = Vec::new();
        let mut before = 0;
        for (entry, sealed) in manifest.entries().iter().zip(&self.parts) {
            let in_part = ByteRange {
                start: range.start.saturating_sub(before).min(entry.length),
                end: range.end.saturating_sub(before).min(entry.length),
            };
            // The whole part has to be there, and nothing behind it, as a blob's length says.
            if sealed.len() as u64 != sealed_len(entry.length) {
                return Err(Refused::Damaged);
            }
            plaintext.extend(open_range(&object, entry, sealed, in_part)?);
            before += entry.length;
        }
        Ok(plaintext)
    }

    pub(crate) fn read(&self, keys: &Keys, name: &Name) -> Result<Vec<u8>, Refused> {
        self.read_range(keys, name, ByteRange { start: 0, end: u64::MAX })
    }

    pub(crate) fn entries(&self) -> Vec<PartEntry> {
        Manifest::decode(&self.manifest).unwrap().entries().to_vec()
    }

    /// Puts another list in the place of the parts', with the tag that stands there.
    pub(crate) fn list_with_the_old_tag(&mut self, entries: Vec<PartEntry>) {
        let tag = self.manifest.split_off(self.manifest.len() - 33);
        self.list_without_tag(entries);
        self.manifest.pop();
        self.manifest.extend(tag);
    }

    /// Puts another list in the place of the parts', without any tag.
    pub(crate) fn list_without_tag(&mut self, entries: Vec<PartEntry>) {
        self.manifest = Manifest::new(entries, None).unwrap().encode();
    }

    /// Every field that can be changed, one behind the other.
    pub(crate) fn fields(&mut self) -> Vec<&mut Vec<u8>> {
        let own = [&mut self.wrapped, &mut self.metadata, &mut self.manifest];
        own.into_iter().chain(&mut self.parts).collect()
    }
}

/// Opens what a range of one part needs.
pub(crate) fn open_range(
    object: &UnlockedObject,
    entry: &PartEntry,
    sealed: &[u8],
    range: ByteRange,
) -> Result<Vec<u8>, Damaged> {
    let needed = sealed_range(range, entry.length);
    let bytes = usize::try_from(needed.bytes.start).unwrap()..usize::try_from(needed.bytes.end).unwrap();
    let mut sealed = sealed.get(bytes).ok_or(Damaged)?.to_vec();
    let opener = object.part_opener(entry);
    let mut plaintext = Vec::new();
    for (index, chunk) in (needed.first_chunk..).zip(sealed.chunks_mut(SEALED_CHUNK_LEN)) {
        plaintext.extend_from_slice(opener.open_chunk(index, chunk)?);
    }
    // An empty range of a part that is not empty needs no chunk, and has nothing to skip.
    plaintext.drain(..needed.skip.min(plaintext.len()));
    plaintext.truncate(usize::try_from(needed.take).unwrap());
    Ok(plaintext)
}

/// Seals a part whose plaintext comes in pieces of any length; its sealed chunks stand behind each other.
pub(crate) fn seal_part<P: AsRef<[u8]>>(mut sealer: PartSealer, pieces: &[P]) -> (PartEntry, Vec<u8>) {
    let (mut sealed, mut chunk) = (Vec::new(), Vec::new());
    for mut piece in pieces.iter().map(AsRef::as_ref) {
        while !piece.is_empty() {
            if chunk.len() == CHUNK_LEN {
                sealer.seal_chunk(&mut chunk).unwrap();
                sealed.append(&mut chunk);
            }
            let (taken, rest) = piece.split_at(piece.len().min(CHUNK_LEN - chunk.len()));
            chunk.extend_from_slice(taken);
            piece = rest;
        }
    }
    let entry = sealer.finish(&mut chunk).unwrap();
    sealed.append(&mut chunk);
    (entry, sealed)
}

pub(crate) fn part_number(number: i64) -> PartNumber {
    PartNumber::new(number).unwrap()
}

/// Bytes that no position repeats for long; another seed gives others.
pub(crate) fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251 + usize::from(seed)) % 256).unwrap()).collect()
}

pub(crate) const METADATA: &[u8] = b"what is told of the object";
