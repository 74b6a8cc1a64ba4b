use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Token;

/// The public half of an access key pair.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AccessKeyId(String);

/// The text is no access key id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an access key id is 3 to 128 letters, digits or _ - . and does not begin like a token")]
pub struct InvalidAccessKeyId;

impl AccessKeyId {
    /// How many random bytes [`Self::generate`] takes.
    pub const RANDOM_LEN: usize = 17;

    /// Makes an id, `CNP` and 17 of `A-Z 2-7`, from random bytes. Two calls with the same bytes give the same id.
    #[must_use]
    pub fn generate(random: &[u8; Self::RANDOM_LEN]) -> Self {
        // 32 characters: the low five bits of a byte choose one without bias.
        let tail = random.iter().map(|byte| char::from(BASE32[usize::from(byte & 31)]));
        Self("CNP".chars().chain(tail).collect())
    }

    /// Parses 3 to 128 of `A-Z a-z 0-9 _ - .`; an operator may choose an id.
    ///
    /// # Errors
    /// [`InvalidAccessKeyId`] for another character or length, and for anything that begins like a [`Token`]: a token
    /// is a secret, an id is printed.
    pub fn parse(text: &str) -> Result<Self, InvalidAccessKeyId> {
        let charset = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let valid = (3..=128).contains(&text.len()) && text.bytes().all(charset) && !Token::looks_like(text);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidAccessKeyId)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret half of an access key pair.
pub struct SecretAccessKey(Zeroizing<String>);

/// The text is no secret access key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a secret access key is 8 to 128 printable ASCII characters")]
pub struct InvalidSecretAccessKey;

impl SecretAccessKey {
    /// How many random bytes [`Self::generate`] takes.
    pub const RANDOM_LEN: usize = 30;

    /// Makes a secret of 40 characters (base64 of the random bytes), as long as AWS's.
    #[must_use]
    pub fn generate(random: &[u8; Self::RANDOM_LEN]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(40));
        STANDARD.encode_string(random, &mut text);
        Self(text)
    }

    /// Parses 8 to 128 printable ASCII characters without spaces; an operator may choose a secret.
    ///
    /// # Errors
    /// [`InvalidSecretAccessKey`] for another character or length.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretAccessKey> {
        let valid = (8..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        valid.then(|| Self(Zeroizing::new(text.to_owned()))).ok_or(InvalidSecretAccessKey)
    }

    /// The secret itself: to sign with, to seal, or to print once at creation.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_and_secrets_parse_back() {
        let mut seen = std::collections::HashSet::new();
        for byte in 0..=255 {
            let id = AccessKeyId::generate(&[byte; AccessKeyId::RANDOM_LEN]);
            assert_eq!(id.as_str().len(), 20);
            assert_eq!(AccessKeyId::parse(id.as_str()).as_ref(), Ok(&id));
            seen.insert(id);
            let secret = SecretAccessKey::generate(&[byte; SecretAccessKey::RANDOM_LEN]);
            assert_eq!(secret.expose().len(), 40);
            assert!(SecretAccessKey::parse(secret.expose()).is_ok_and(|parsed| parsed.expose() == secret.expose()));
        }
        assert_eq!(seen.len(), 32);
    }

    #[test]
    fn ids_and_secrets_out_of_bounds_are_refused() {
        for text in ["", "ab", "a b", "a/b", "ab\u{e9}", &"a".repeat(129), "cnptsomething"] {
            assert_eq!(AccessKeyId::parse(text), Err(InvalidAccessKeyId), "{text}");
        }
        for text in ["", "1234567", "12345 78", "1234567\n", "1234567\u{e9}", &"a".repeat(129)] {
            assert!(SecretAccessKey::parse(text).is_err(), "{text}");
        }
        assert!(AccessKeyId::parse("minioadmin").is_ok() && SecretAccessKey::parse("minioadmin").is_ok());
    }
}
