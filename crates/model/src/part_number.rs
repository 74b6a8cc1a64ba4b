use std::fmt;

/// The number of a part in a multipart upload: 1 to 10,000.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PartNumber(u16);

/// The number is not in 1 to 10,000.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Part number must be an integer between 1 and 10000, inclusive")]
pub struct InvalidPartNumber;

impl PartNumber {
    /// The only part of an object that was put in one piece.
    pub const ONE: Self = Self(1);
    /// The largest part number (AWS: "Amazon S3 multipart upload limits").
    pub const MAX: u16 = 10_000;

    /// Checks the range.
    ///
    /// # Errors
    /// [`InvalidPartNumber`] outside 1 to 10,000.
    pub fn new(number: i64) -> Result<Self, InvalidPartNumber> {
        match u16::try_from(number) {
            Ok(n @ 1..=Self::MAX) => Ok(Self(n)),
            _ => Err(InvalidPartNumber),
        }
    }

    /// The number, 1 to 10,000.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
