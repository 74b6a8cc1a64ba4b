//! Sizes and times as people write them on a command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes, written `4096`, `4KiB`, `64MiB` or `1GiB` (`4k`, `64M`, `1g` mean the same).
///
/// Decimal units (`MB`) are refused: tools disagree on what they mean, and a benchmark must not guess.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ByteSize(u64);

/// The text is not a size, or more than 2^64 - 1 bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a size; write a number of bytes, or a number with KiB, MiB or GiB")]
pub struct InvalidByteSize;

/// The text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time; write seconds, or a number with ms, s or m")]
pub struct InvalidDuration;

impl ByteSize {
    /// A size of so many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        let (number, unit) = split_unit(text);
        let shift = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kib" => 10,
            "m" | "mib" => 20,
            "g" | "gib" => 30,
            _ => return Err(InvalidByteSize),
        };
        let number: u64 = number.parse().map_err(|_| InvalidByteSize)?;
        number.checked_mul(1 << shift).map(Self).ok_or(InvalidByteSize)
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that divides the size without a rest, so that nothing is rounded away.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 >= 1 << shift && self.0.trailing_zeros() >= shift {
                return write!(f, "{} {unit}", self.0 >> shift);
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// Parses `10`, `10s`, `500ms` or `2m`; whole numbers only.
///
/// # Errors
/// [`InvalidDuration`] for anything else.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let (number, unit) = split_unit(text);
    let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs).ok_or(InvalidDuration),
        _ => Err(InvalidDuration),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_units_are_read_in_every_usual_spelling() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("7B", 7), ("4KiB", 4096), ("4k", 4096), ("64 MiB", 64 << 20), ("1G", 1 << 30)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "KiB", "4MB", "-1", "1.5MiB", "4 K i B", "18446744073709551616", "17179869184GiB", "4é"] {
            assert_eq!(text.parse::<ByteSize>(), Err(InvalidByteSize), "{text}");
        }
    }

    #[test]
    fn a_size_is_shown_without_rounding() {
        for (bytes, text) in [(0, "0 B"), (65537, "65537 B"), (4096, "4 KiB"), (64 << 20, "64 MiB"), (1 << 30, "1 GiB")]
        {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(parse_duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "s", "1h", "0.5s", "-1", "18446744073709551615m"] {
            assert_eq!(parse_duration(text), Err(InvalidDuration), "{text}");
        }
    }
}
