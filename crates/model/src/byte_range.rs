/// A half-open range of bytes, `start..end`, with `start <= end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl ByteRange {
    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether no byte is covered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// What a `Range` header asks for (RFC 9110 section 14.1.2), one range only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RangeSpec {
    /// `bytes=FIRST-LAST`, both inclusive.
    Bounded {
        /// First byte.
        first: u64,
        /// Last byte, inclusive.
        last: u64,
    },
    /// `bytes=FIRST-`.
    From {
        /// First byte.
        first: u64,
    },
    /// `bytes=-LENGTH`: the last bytes.
    Suffix {
        /// How many.
        length: u64,
    },
}

/// The header is not one range of bytes. HTTP says to ignore such a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a single byte range")]
pub struct InvalidRange;

/// The range begins behind the end of the object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The requested range is not satisfiable")]
pub struct RangeNotSatisfiable;

impl RangeSpec {
    /// Parses a `Range` header value with exactly one byte range.
    ///
    /// # Errors
    /// [`InvalidRange`] for another unit, several ranges, `last < first` or anything that is not a number.
    pub fn parse(header: &str) -> Result<Self, InvalidRange> {
        let spec = header.trim().strip_prefix("bytes=").ok_or(InvalidRange)?;
        let (first, last) = spec.trim().split_once('-').ok_or(InvalidRange)?;
        match (first, last) {
            ("", length) => Ok(Self::Suffix { length: digits(length)? }),
            (first, "") => Ok(Self::From { first: digits(first)? }),
            (first, last) => {
                let (first, last) = (digits(first)?, digits(last)?);
                if last < first { Err(InvalidRange) } else { Ok(Self::Bounded { first, last }) }
            }
        }
    }

    /// The bytes that the range means in an object of `length` bytes.
    ///
    /// # Errors
    /// [`RangeNotSatisfiable`] when no byte of the object is in the range (RFC 9110 section 15.5.17).
    pub fn resolve(self, length: u64) -> Result<ByteRange, RangeNotSatisfiable> {
        let (start, end) = match self {
            Self::Bounded { first, last } => (first, last.saturating_add(1).min(length)),
            Self::From { first } => (first, length),
            Self::Suffix { length: suffix } => (length.saturating_sub(suffix), length),
        };
        if start < end { Ok(ByteRange { start, end }) } else { Err(RangeNotSatisfiable) }
    }
}

fn digits(text: &str) -> Result<u64, InvalidRange> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidRange);
    }
    // A number beyond u64 lies behind every object: saturate, so that it means "to the end".
    Ok(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(header: &str, length: u64) -> Option<(u64, u64)> {
        let range = RangeSpec::parse(header).ok()?.resolve(length).ok()?;
        Some((range.start, range.end))
    }

    #[test]
    fn the_three_shapes_resolve() {
        assert_eq!(resolve("bytes=0-0", 10), Some((0, 1)));
        assert_eq!(resolve("bytes=2-99", 10), Some((2, 10)));
        assert_eq!(resolve("bytes=9-", 10), Some((9, 10)));
        assert_eq!(resolve("bytes=-3", 10), Some((7, 10)));
        assert_eq!(resolve("bytes=-99", 10), Some((0, 10)));
        assert_eq!(resolve("bytes=1-99999999999999999999999", 10), Some((1, 10)));
    }

    #[test]
    fn ranges_without_a_byte_are_not_satisfiable() {
        assert_eq!(RangeSpec::parse("bytes=10-").unwrap().resolve(10), Err(RangeNotSatisfiable));
        assert_eq!(RangeSpec::parse("bytes=-0").unwrap().resolve(10), Err(RangeNotSatisfiable));
        assert_eq!(RangeSpec::parse("bytes=0-0").unwrap().resolve(0), Err(RangeNotSatisfiable));
    }

    #[test]
    fn malformed_and_multiple_ranges_are_refused() {
        for header in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=+1-2"]
        {
            assert_eq!(RangeSpec::parse(header), Err(InvalidRange), "{header}");
        }
    }
}
