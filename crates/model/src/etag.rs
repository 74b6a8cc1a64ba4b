use std::fmt;

/// An entity tag without its quotes: `32 hex` or `32 hex-PARTS`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ETag {
    digest: [u8; 16],
    parts: Option<u16>,
}

impl ETag {
    /// The MD5 of a body put in one piece.
    #[must_use]
    pub const fn of_digest(digest: [u8; 16]) -> Self {
        Self { digest, parts: None }
    }

    /// A tag with `-PARTS` behind it: multipart, or an opaque one.
    #[must_use]
    pub const fn with_parts(digest: [u8; 16], parts: u16) -> Self {
        Self { digest, parts: Some(parts) }
    }

    /// Parses the text of a tag, with or without quotes. `None` for a tag that no object here can have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => (digest, Some(parts.parse().ok()?)),
            None => (text, None),
        };
        let mut bytes = [0; 16];
        hex::decode_to_slice(digest, &mut bytes).ok()?;
        Some(Self { digest: bytes, parts })
    }

    /// The sixteen bytes that the hexadecimal digits stand for.
    #[must_use]
    pub const fn digest(&self) -> [u8; 16] {
        self.digest
    }

    /// The number behind the dash.
    #[must_use]
    pub const fn parts(&self) -> Option<u16> {
        self.parts
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.digest))?;
        self.parts.map_or(Ok(()), |parts| write!(f, "-{parts}"))
    }
}
