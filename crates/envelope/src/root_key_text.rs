use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::keys::{KeyBytes, RootKey};
use crate::primitives::sha256;

/// Why a text is no root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootKeyTextError {
    /// It does not begin like any root key that this version knows.
    #[error("this is no root key file, or one of a later version")]
    UnknownFormat,
    /// It begins like one, but is cut or mistyped.
    #[error("the root key file is damaged")]
    Damaged,
}

impl RootKey {
    /// The line that a root key file holds, with its newline. Layout: docs/format.md, "Root key file".
    ///
    /// # Panics
    /// Never: the lengths are fixed.
    #[must_use]
    pub fn to_file_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; BYTES_LEN]);
        bytes[..32].copy_from_slice(self.0.expose());
        bytes[32..].copy_from_slice(&checksum(self.0.expose()));
        let mut digits = Zeroizing::new([0; DIGITS_LEN]);
        STANDARD.encode_slice(*bytes, digits.as_mut()).expect("48 digits hold 36 bytes");
        // Reserved in full: a text that grew would leave the key behind.
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + DIGITS_LEN + 1));
        text.push_str(PREFIX);
        text.push_str(std::str::from_utf8(digits.as_ref()).expect("base64 is ASCII"));
        text.push('\n');
        text
    }

    /// Reads what [`Self::to_file_text`] wrote; white space around it does not matter.
    ///
    /// # Errors
    /// [`RootKeyTextError`]: a cut or mistyped text is never taken for another key.
    pub fn from_file_text(text: &str) -> Result<Self, RootKeyTextError> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(RootKeyTextError::UnknownFormat)?;
        let mut bytes = Zeroizing::new([0; BYTES_LEN]);
        match STANDARD.decode_slice(digits, bytes.as_mut()) {
            Ok(BYTES_LEN) => {}
            _ => return Err(RootKeyTextError::Damaged),
        }
        let (key, sum) = bytes.split_first_chunk().expect("32 of 36 bytes");
        if *sum != checksum(key) {
            return Err(RootKeyTextError::Damaged);
        }
        Ok(Self(KeyBytes::copy_of(key)))
    }
}

/// It stands beside the key itself, so it gives nothing away.
fn checksum(key: &[u8; 32]) -> [u8; CHECKSUM_LEN] {
    let mut sum = [0; CHECKSUM_LEN];
    sum.copy_from_slice(&sha256(key)[..CHECKSUM_LEN]);
    sum
}

const PREFIX: &str = "canopic-root-key-v1:";
const CHECKSUM_LEN: usize = 4;
const BYTES_LEN: usize = 32 + CHECKSUM_LEN;
const DIGITS_LEN: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_survives_its_file() {
        let key = RootKey::generate();
        let text = key.to_file_text();
        assert_eq!(text.capacity(), text.len());
        let read = RootKey::from_file_text(&format!("\r\n {}\n", text.as_str())).ok().unwrap();
        assert_eq!(read.0.expose(), key.0.expose());
    }

    #[test]
    fn a_cut_text_is_never_taken_for_a_key() {
        let text = RootKey::generate().to_file_text();
        let text = text.trim_end();
        for length in 0..text.len() {
            assert!(RootKey::from_file_text(&text[..length]).is_err(), "{length}");
        }
        assert_eq!(RootKey::from_file_text(&format!("{text}AAAA")).err(), Some(RootKeyTextError::Damaged));
    }

    #[test]
    fn a_mistyped_letter_is_recognised() {
        let text = RootKey::generate().to_file_text().trim_end().to_owned();
        for at in PREFIX.len()..text.len() {
            let letter = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mistyped = [&text[..at], letter, &text[at + 1..]].concat();
            assert_eq!(RootKey::from_file_text(&mistyped).err(), Some(RootKeyTextError::Damaged), "{at}");
        }
    }

    #[test]
    fn a_text_of_another_kind_is_not_called_damaged() {
        for text in ["", "canopic-root-key-v2:AAAA", "-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(RootKey::from_file_text(text).err(), Some(RootKeyTextError::UnknownFormat), "{text}");
        }
    }
}
