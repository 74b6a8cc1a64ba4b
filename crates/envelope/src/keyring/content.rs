//! What is sealed in a keyring file. Layout: docs/format.md, "Keyring file" and "Keyring file, format 1".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::codec::Decoder;
use model::{KmsKeyId, Timestamp};
use zeroize::Zeroizing;

use super::{KEY_VERSIONS_MAX, KeyVersion, KeyVersions, KeyringKeys, NAMED_KEYS_MAX, NamedKey, NamedKeyState};
use crate::keys::{KeyBytes, KeyEncryptionKey, KeyId, StoreKey};
use crate::{Damaged, TAG_LEN};

impl KeyringKeys {
    /// The content of format 2. Reserved in full, tag included: a buffer that grew would leave keys behind.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.encoded_len() + TAG_LEN));
        bytes.push(LAYOUT);
        bytes.extend_from_slice(self.store_key.0.expose());
        encode_versions(&mut bytes, &self.versions);
        bytes.extend_from_slice(&count(self.named.len()));
        for (id, key) in &self.named {
            let id = id.as_str().as_bytes();
            bytes.extend_from_slice(&u32::try_from(id.len()).expect("an id has at most 256 bytes").to_be_bytes());
            bytes.extend_from_slice(id);
            let (state, deletion) = match key.state {
                NamedKeyState::Enabled => (ENABLED, NEVER),
                NamedKeyState::Disabled => (DISABLED, NEVER),
                NamedKeyState::PendingDeletion(at) => (PENDING_DELETION, at.as_millis()),
            };
            bytes.push(state);
            bytes.extend_from_slice(&deletion.to_be_bytes());
            bytes.extend_from_slice(&key.created.as_millis().to_be_bytes());
            encode_versions(&mut bytes, &key.versions);
        }
        debug_assert_eq!(bytes.len(), self.encoded_len(), "the length is known beforehand");
        bytes
    }

    /// How many bytes [`Self::encode`] gives.
    pub(super) fn encoded_len(&self) -> usize {
        let named = self.named.iter().map(|(id, key)| 4 + id.as_str().len() + 1 + 8 + 8 + versions_len(&key.versions));
        1 + 32 + versions_len(&self.versions) + 2 + named.sum::<usize>()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let store_key = Arc::new(StoreKey(secret(&mut decoder)?));
        // Every key of a keyring has a name of its own.
        let mut ids = BTreeSet::new();
        let versions = decode_versions(&mut decoder, &mut ids)?;
        let count = usize::from(decoder.u16()?);
        if count > NAMED_KEYS_MAX {
            return Err(Damaged);
        }
        let mut named = BTreeMap::<KmsKeyId, Arc<NamedKey>>::new();
        for _ in 0..count {
            let text = decoder.text()?;
            let id = KmsKeyId::parse(text).ok().filter(|id| id.as_str() == text).ok_or(Damaged)?;
            if named.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(Damaged);
            }
            let state = match (decoder.u8()?, decoder.u64()?) {
                (ENABLED, NEVER) => NamedKeyState::Enabled,
                (DISABLED, NEVER) => NamedKeyState::Disabled,
                (PENDING_DELETION, at) => NamedKeyState::PendingDeletion(Timestamp::from_millis(at)),
                _ => return Err(Damaged),
            };
            let created = Timestamp::from_millis(decoder.u64()?);
            let versions = decode_versions(&mut decoder, &mut ids)?;
            named.insert(id, Arc::new(NamedKey { state, created, versions }));
        }
        decoder.finish()?;
        Ok(Self { store_key, versions, named })
    }

    /// Reads the content of format 1, which is no longer written.
    pub(super) fn decode_format_1(bytes: &[u8]) -> Result<Self, Damaged> {
        let (store_key, keys) = bytes.split_first_chunk().ok_or(Damaged)?;
        let (keys, []) = keys.as_chunks() else {
            return Err(Damaged);
        };
        if keys.is_empty() || keys.len() > KEY_VERSIONS_MAX {
            return Err(Damaged);
        }
        let list = keys.iter().map(|bytes| Arc::new(KeyVersion { key: key_of_format_1(bytes), created: None }));
        Ok(Self {
            store_key: Arc::new(StoreKey(KeyBytes::copy_of(store_key))),
            versions: KeyVersions { list: list.collect() },
            named: BTreeMap::new(),
        })
    }
}

fn encode_versions(bytes: &mut Vec<u8>, versions: &KeyVersions) {
    bytes.extend_from_slice(&count(versions.list.len()));
    for version in &versions.list {
        bytes.extend_from_slice(version.key.id().as_bytes());
        let created = version.created.map_or(UNKNOWN, Timestamp::as_millis);
        bytes.extend_from_slice(&created.to_be_bytes());
        bytes.extend_from_slice(version.key.bytes.expose());
    }
}

fn versions_len(versions: &KeyVersions) -> usize {
    2 + versions.list.len() * VERSION_LEN
}

fn decode_versions(decoder: &mut Decoder<'_>, ids: &mut BTreeSet<KeyId>) -> Result<KeyVersions, Damaged> {
    let count = usize::from(decoder.u16()?);
    if count == 0 || count > KEY_VERSIONS_MAX {
        return Err(Damaged);
    }
    let mut list = Vec::new();
    for _ in 0..count {
        let id = KeyId::from_bytes(decoder.array()?);
        if !ids.insert(id) {
            return Err(Damaged);
        }
        let created = Some(decoder.u64()?).filter(|created| *created != UNKNOWN).map(Timestamp::from_millis);
        list.push(Arc::new(KeyVersion { key: KeyEncryptionKey { id, bytes: secret(decoder)? }, created }));
    }
    Ok(KeyVersions { list })
}

/// 32 secret bytes, from where they lie to where they are kept.
fn secret(decoder: &mut Decoder<'_>) -> Result<KeyBytes, Damaged> {
    let bytes = decoder.raw(32)?;
    Ok(KeyBytes::copy_of(bytes.try_into().expect("32 bytes were asked for")))
}

fn key_of_format_1(bytes: &[u8; 48]) -> KeyEncryptionKey {
    let (id, key) = bytes.split_first_chunk().expect("16 of 48 bytes");
    let key = key.try_into().expect("the other 32 of 48 bytes");
    KeyEncryptionKey { id: KeyId::from_bytes(*id), bytes: KeyBytes::copy_of(key) }
}

fn count(count: usize) -> [u8; 2] {
    u16::try_from(count).expect("keys and versions are at most 10,000").to_be_bytes()
}

const LAYOUT: u8 = 1;
const ENABLED: u8 = 1;
const DISABLED: u8 = 2;
const PENDING_DELETION: u8 = 3;
const NEVER: u64 = 0;
const UNKNOWN: u64 = 0;
const VERSION_LEN: usize = 16 + 8 + 32;
