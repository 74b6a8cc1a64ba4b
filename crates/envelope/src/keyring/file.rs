//! The sealed file around the keys. Layout: docs/format.md, "Keyring file".

use std::fmt;

use model::codec::{Decoder, Encoder};
use zeroize::Zeroizing;

use super::{KEYRING_FILE_LEN_MAX, KeyringKeys};
use crate::keys::RootKey;
use crate::primitives::{GcmKey, ONLY_NONCE, committed_key, derive, same, sha256};
use crate::random::random_bytes;
use crate::{Damaged, TAG_LEN};

/// Names a root key. It is derived from the key by a way of its own and tells nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RootKeyId([u8; 8]);

/// Why a keyring file does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenKeyringError {
    /// The file is whole, but another root key sealed it.
    #[error("it was sealed by {}, and this is the root key {presented}", other(.sealed_by))]
    WrongRootKey {
        /// The root key that sealed it; a file of format 1 does not say.
        sealed_by: Option<RootKeyId>,
        /// The one that was tried.
        presented: RootKeyId,
    },
    /// The file is cut or changed.
    #[error("the keyring file is damaged")]
    Damaged(#[from] Damaged),
    /// The file's first byte names a format that this version does not know.
    #[error("the keyring file has an unknown format ({0})")]
    UnknownFormat(u8),
}

impl RootKeyId {
    /// The root key that sealed a keyring file, as the file says it without being opened. `None` for a file of format
    /// 1 and for what is no keyring file.
    #[must_use]
    pub fn of_keyring_file(file: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(file, FORMAT).ok()?;
        decoder.array().ok().map(Self)
    }
}

impl fmt::Display for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKeyId({self})")
    }
}

fn other(sealed_by: &Option<RootKeyId>) -> String {
    sealed_by.map_or_else(|| "another root key".to_owned(), |id| format!("the root key {id}"))
}

impl RootKey {
    /// The key's name.
    #[must_use]
    pub fn id(&self) -> RootKeyId {
        let mut id = [0; 8];
        derive(self.0.expose(), &[], &[b"canopic/v2/root-key-id"], &mut id);
        RootKeyId(id)
    }

    /// Seals a keyring under a fresh salt, in format 2.
    #[must_use]
    pub fn seal_keyring(&self, keys: &KeyringKeys) -> Vec<u8> {
        self.seal_keyring_salted(random_bytes(), keys)
    }

    pub(crate) fn seal_keyring_salted(&self, salt: [u8; 32], keys: &KeyringKeys) -> Vec<u8> {
        let (sealing_key, commitment) = self.keyring_key(FORMAT, &salt);
        let mut encoder = Encoder::new(FORMAT);
        encoder.raw(&self.id().0).raw(&salt).raw(&commitment);
        let mut file = encoder.finish();
        let mut sealed = keys.encode();
        sealing_key.seal(ONLY_NONCE, &file, &mut *sealed);
        file.extend_from_slice(&sealed);
        let checksum = sha256(&file);
        file.extend_from_slice(&checksum);
        file
    }

    /// Opens what [`Self::seal_keyring`] made, and files of format 1.
    ///
    /// # Errors
    /// [`OpenKeyringError`]: the checksum tells an accident apart from another root key, the root key's name and the
    /// commitment tell another root key apart from an attack.
    pub fn open_keyring(&self, file: &[u8]) -> Result<KeyringKeys, OpenKeyringError> {
        let format = match file.first() {
            None => return Err(Damaged.into()),
            Some(&format @ (FORMAT | FORMAT_1)) => format,
            Some(&format) => return Err(OpenKeyringError::UnknownFormat(format)),
        };
        let (whole, checksum) = file.split_last_chunk().ok_or(Damaged)?;
        if file.len() > KEYRING_FILE_LEN_MAX || sha256(whole) != *checksum {
            return Err(Damaged.into());
        }
        let presented = self.id();
        let header_len = if format == FORMAT { HEADER_LEN } else { HEADER_LEN_1 };
        let (header, sealed) = whole.split_at_checked(header_len).ok_or(Damaged)?;
        let mut decoder = Decoder::new(header, format).map_err(Damaged::from)?;
        if format == FORMAT {
            let sealed_by = RootKeyId(decoder.array().map_err(Damaged::from)?);
            if sealed_by != presented {
                return Err(OpenKeyringError::WrongRootKey { sealed_by: Some(sealed_by), presented });
            }
        }
        let salt = decoder.array().map_err(Damaged::from)?;
        let stored = decoder.array().map_err(Damaged::from)?;
        let (sealing_key, commitment) = self.keyring_key(format, &salt);
        if !same(&commitment, &stored) {
            // In format 2 the root key's name was right, so the rest was forged.
            let wrong = OpenKeyringError::WrongRootKey { sealed_by: None, presented };
            return Err(if format == FORMAT { Damaged.into() } else { wrong });
        }
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let content = sealing_key.open(ONLY_NONCE, header, &mut buffer)?;
        let keys = if format == FORMAT { KeyringKeys::decode(content) } else { KeyringKeys::decode_format_1(content) };
        Ok(keys?)
    }

    fn keyring_key(&self, format: u8, salt: &[u8; 32]) -> (GcmKey, [u8; 32]) {
        let label: &[u8] = if format == FORMAT { b"canopic/v2/keyring" } else { b"canopic/v1/keyring" };
        committed_key(self.0.expose(), salt, &[label])
    }
}

/// Bytes of the sealed file of some keys.
pub(super) fn sealed_len(keys: &KeyringKeys) -> usize {
    HEADER_LEN + keys.encoded_len() + TAG_LEN + 32
}

const FORMAT: u8 = 2;
const FORMAT_1: u8 = 1;
const HEADER_LEN: usize = 1 + 8 + 32 + 32;
const HEADER_LEN_1: usize = 1 + 32 + 32;
