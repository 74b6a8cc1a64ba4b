use model::PartNumber;
use model::codec::{Decoder, Encoder};
use zeroize::Zeroizing;

use crate::keys::KeyBytes;
use crate::primitives::{HmacKey, derive, same};
use crate::{Damaged, PART_LEN_MAX, PartEntry};

/// Proof, under the data key, that a list of parts is the whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestTag(pub(crate) [u8; 32]);

/// These parts make no object: none or more than 10,000, numbers that do not rise, or a part longer than
/// [`PART_LEN_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these parts make no object")]
pub struct InvalidPartList;

/// The parts of an object in their order. Layout: docs/format.md, "Manifest".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<PartEntry>,
    tag: Option<ManifestTag>,
}

impl Manifest {
    /// Lists the parts. The tag is left out only when an upload is completed without the customer key: then each part
    /// still proves itself, while their list stands under the store key alone.
    ///
    /// # Errors
    /// [`InvalidPartList`].
    pub fn new(entries: Vec<PartEntry>, tag: Option<ManifestTag>) -> Result<Self, InvalidPartList> {
        let count_fits = (1..=usize::from(PartNumber::MAX)).contains(&entries.len());
        let numbers_rise = entries.windows(2).all(|pair| pair[0].number < pair[1].number);
        let lengths_fit = entries.iter().all(|entry| entry.length <= PART_LEN_MAX);
        if count_fits && numbers_rise && lengths_fit { Ok(Self { entries, tag }) } else { Err(InvalidPartList) }
    }

    /// The parts, by rising number; at least one.
    #[must_use]
    pub fn entries(&self) -> &[PartEntry] {
        &self.entries
    }

    /// Plaintext bytes of the object. 10,000 parts of [`PART_LEN_MAX`] are below 2^62.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.entries.iter().map(|entry| entry.length).sum()
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = encode_list(&self.entries);
        match &self.tag {
            None => bytes.push(WITHOUT_TAG),
            Some(ManifestTag(tag)) => {
                bytes.push(WITH_TAG);
                bytes.extend_from_slice(tag);
            }
        }
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] for another format, a wrong length, or a list that [`Self::new`] refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder::new(bytes, FORMAT)?;
        let count = decoder.u16()?;
        let mut entries = Vec::with_capacity(usize::from(count.min(PartNumber::MAX)));
        for _ in 0..count {
            let number = PartNumber::new(decoder.u16()?.into()).map_err(|_| Damaged)?;
            entries.push(PartEntry { number, length: decoder.u64()?, salt: decoder.array()? });
        }
        let tag = match decoder.u8()? {
            WITHOUT_TAG => None,
            WITH_TAG => Some(ManifestTag(decoder.array()?)),
            _ => return Err(Damaged),
        };
        decoder.finish()?;
        Self::new(entries, tag).map_err(|_| Damaged)
    }

    /// Whether the tag, if there is one, was made by this data key for this list.
    pub(crate) fn verify(&self, data_key: &KeyBytes) -> Result<(), Damaged> {
        match &self.tag {
            None => Ok(()),
            Some(ManifestTag(stored)) => {
                let ManifestTag(computed) = manifest_tag(data_key, &self.entries);
                if same(stored, &computed) { Ok(()) } else { Err(Damaged) }
            }
        }
    }
}

pub(crate) fn manifest_tag(data_key: &KeyBytes, entries: &[PartEntry]) -> ManifestTag {
    let mut key = Zeroizing::new([0; 32]);
    derive(data_key.expose(), &[], &[b"canopic/v1/manifest"], key.as_mut());
    ManifestTag(HmacKey::new(&key).tag(&[&encode_list(entries)]))
}

/// The part list, also what the tag is made over.
fn encode_list(entries: &[PartEntry]) -> Vec<u8> {
    let mut encoder = Encoder::new(FORMAT);
    // A list too long for its count is refused by `Manifest::new`, whatever its tag.
    encoder.u16(u16::try_from(entries.len()).unwrap_or(u16::MAX));
    for entry in entries {
        encoder.u16(entry.number.get()).u64(entry.length).raw(&entry.salt);
    }
    encoder.finish()
}

const FORMAT: u8 = 1;
const WITHOUT_TAG: u8 = 0;
const WITH_TAG: u8 = 1;

#[cfg(test)]
mod tests;
