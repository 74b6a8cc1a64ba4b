use std::fmt;

/// Where a bucket is to be kept, as its creator named it: a region of AWS, or a placement of Ceph's gateway.
///
/// Empty when nothing was named.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LocationConstraint(String);

/// The text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The specified location-constraint is not valid")]
pub struct InvalidLocationConstraint;

impl LocationConstraint {
    /// The longest text, in bytes.
    pub const LEN_MAX: usize = 64;

    /// Parses a text of at most [`Self::LEN_MAX`] bytes: nothing, a region (`a-z 0-9 -`), the legacy `EU`, or
    /// `REGION:PLACEMENT`, whose region may be empty and whose placement has `A-Z a-z 0-9 . _ -` (Ceph, "Placement
    /// targets").
    ///
    /// # Errors
    /// [`InvalidLocationConstraint`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidLocationConstraint> {
        let is_region = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let is_placement = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let valid = text.len() <= Self::LEN_MAX
            && match text.split_once(':') {
                None => text == "EU" || is_region(text),
                Some((region, placement)) => is_region(region) && is_placement(placement),
            };
        valid.then(|| Self(text.to_owned())).ok_or(InvalidLocationConstraint)
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocationConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_placements_are_kept_as_given() {
        let longest = "a".repeat(64);
        for text in ["", "EU", "us-east-1", "default", ":organisation", "default:ssd_pool.2", "here:A-b", &longest] {
            assert_eq!(LocationConstraint::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_names_no_place_is_refused() {
        let too_long = "a".repeat(65);
        for text in ["eu_west", "US", "Eu", ":", "a:", "a:b:c", ":a b", ":\u{e4}", " ", "a\nb", "EU:x", &too_long] {
            assert_eq!(LocationConstraint::parse(text), Err(InvalidLocationConstraint), "{text}");
        }
    }
}
