use std::fmt;

/// The name of an object in its bucket: 1 to 1,024 bytes of UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ObjectKey(String);

/// The text is empty or longer than 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObjectKey {
    /// No byte at all.
    #[error("an object key has at least one byte")]
    Empty,
    /// More than [`ObjectKey::LEN_MAX`] bytes.
    #[error("Your key is too long")]
    TooLong,
}

impl ObjectKey {
    /// The longest key, in bytes (AWS: "Naming Amazon S3 objects").
    pub const LEN_MAX: usize = 1024;

    /// Takes any UTF-8 text of 1 to [`Self::LEN_MAX`] bytes.
    ///
    /// # Errors
    /// [`InvalidObjectKey`] when it is empty or too long.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidObjectKey> {
        let text = text.into();
        match text.len() {
            0 => Err(InvalidObjectKey::Empty),
            1..=Self::LEN_MAX => Ok(Self(text)),
            _ => Err(InvalidObjectKey::TooLong),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as bytes; their order is the order of listings.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
