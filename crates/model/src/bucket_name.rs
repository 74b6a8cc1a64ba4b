use std::fmt;
use std::net::Ipv4Addr;

/// The name of a bucket, by the rules of the AWS user guide ("General purpose bucket naming rules").
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BucketName(String);

/// The text breaks a rule of bucket naming.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The specified bucket is not valid.")]
pub struct InvalidBucketName;

impl BucketName {
    /// Parses a name: 3 to 63 of `a-z 0-9 . -`, beginning and ending with a letter or digit, no two dots in a row, no
    /// label that begins or ends with a hyphen, not an IPv4 address, and no prefix or suffix that AWS keeps for itself.
    ///
    /// # Errors
    /// [`InvalidBucketName`] when a rule is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidBucketName> {
        let charset = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        let labels_ok = text.split('.').all(|l| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-'));
        let valid = (3..=63).contains(&text.len())
            && text.bytes().all(charset)
            && labels_ok
            && text.parse::<Ipv4Addr>().is_err()
            && !RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
            && !RESERVED_SUFFIXES.iter().any(|suffix| text.ends_with(suffix));
        valid.then(|| Self(text.to_owned())).ok_or(InvalidBucketName)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Among them that of internationalized host names, which a bucket's name may become part of.
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];

/// Of access points and of other kinds of buckets.
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_guide_are_valid() {
        for name in ["testfile2", "abc", "a.b-c", "0ab", &"a".repeat(63)] {
            assert!(BucketName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn reserved_names_are_refused() {
        for name in ["xn--abc", "sthree-a", "amzn-s3-demo-bucket", "a-s3alias", "a--ol-s3", "a.mrap", "a--x-s3"] {
            assert!(BucketName::parse(name).is_err(), "{name}");
        }
        assert!(BucketName::parse("axn--abc").is_ok());
    }

    #[test]
    fn broken_rules_are_refused() {
        for name in ["", "ab", "-", "A-bucket", "a_b", "a..b", "-ab", "ab-", "a.-b", "192.168.0.1", &"a".repeat(64)] {
            assert!(BucketName::parse(name).is_err(), "{name}");
        }
    }
}
