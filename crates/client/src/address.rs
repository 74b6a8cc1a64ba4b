//! `s3://bucket/key`, and how names stand in a request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use std::str::FromStr;

/// A bucket, and in it an object key or the beginning of some; the key may be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Any name that can stand in a URL: other servers have other rules than ours.
    pub bucket: String,
    /// As S3 has it, without a slash in front; at most 1,024 bytes.
    pub key: String,
}

/// The text is no address of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write s3://BUCKET/KEY")]
pub struct InvalidAddress;

impl Address {
    /// The same bucket with another key.
    #[must_use]
    pub fn with_key(&self, key: impl Into<String>) -> Self {
        Self { bucket: self.bucket.clone(), key: key.into() }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (bucket, key) = {
            let rest = text.strip_prefix("s3://").ok_or(InvalidAddress)?;
            rest.split_once('/').unwrap_or((rest, ""))
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let valid = (1..=255).contains(&bucket.len()) && bucket.bytes().all(plain) && !bucket.starts_with('.');
        let valid = valid && key.len() <= 1024;
        valid.then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() }).ok_or(InvalidAddress)
    }
}

impl fmt::Display for Address {
    /// Control characters are shown escaped: names come from servers, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/", self.bucket)?;
        self.key
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

/// A value in a query, as Signature V4 wants it: all but the unreserved characters encoded.
pub(crate) fn encoded(value: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(value, RESERVED)
}

/// An object key in a path: slashes stay.
pub(crate) fn encoded_path(key: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(key, RESERVED_IN_PATHS)
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RESERVED_IN_PATHS: &AsciiSet = &RESERVED.remove(b'/');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, bucket, key) in [
            ("s3://results", "results", ""),
            ("s3://results/", "results", ""),
            ("s3://results/a b/ü", "results", "a b/ü"),
            ("s3://Old_Name//x", "Old_Name", "/x"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.bucket.as_str(), address.key.as_str()), (bucket, key), "{text}");
        }
        let too_long = format!("s3://b/{}", "k".repeat(1025));
        for text in ["", "s3://", "s3:///key", "results/key", "https://b/k", "s3://b%2f/k", "s3://../k", &too_long] {
            assert_eq!(text.parse::<Address>(), Err(InvalidAddress), "{text}");
        }
    }

    #[test]
    fn keys_are_encoded_but_for_slashes() {
        assert_eq!(encoded_path("a/b c+ü~").to_string(), "a/b%20c%2B%C3%BC~");
        assert_eq!(encoded("a/b").to_string(), "a%2Fb");
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let address = Address { bucket: "b".into(), key: "\x1b[2Jü".into() };
        assert_eq!(address.to_string(), "s3://b/\\u{1b}[2Jü");
    }
}
