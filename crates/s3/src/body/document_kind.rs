use http::StatusCode;
use policy::{MalformedPolicy, Policy};

use crate::limits::{ADMIN_BODY_LEN_MAX, COMPLETION_LEN_MAX, CONFIGURATION_LEN_MAX, DELETION_LEN_MAX};
use crate::refusal::Refusal;

/// What a body is that is read whole, into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentKind {
    /// The grants of a bucket or an object.
    Acl,
    /// A call of the admin API.
    Admin,
    /// The configuration of a new bucket.
    Bucket,
    /// The parts of an object.
    Completion,
    /// The objects to delete.
    Deletion,
    /// The encryption of a bucket or an object.
    Encryption,
    /// The policy of a bucket.
    Policy,
}

impl DocumentKind {
    /// Refuses a declared length, in bytes. Without one nobody knows how much to hold.
    pub(super) fn check_length(self, length: Option<u64>) -> Result<u64, Refusal> {
        let Some(length) = length else {
            let message = "You must provide the Content-Length HTTP header.";
            return Err(Refusal::new(StatusCode::LENGTH_REQUIRED, "MissingContentLength", message));
        };
        let len_max = self.len_max();
        if length <= len_max as u64 {
            return Ok(length);
        }
        if self == Self::Policy {
            // What the policy itself would say of its length.
            let message = MalformedPolicy::TooLarge.to_string();
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "MalformedPolicy", message));
        }
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "MaxMessageLengthExceeded", "Your request was too big.");
        Err(refusal.detail("MaxMessageLengthBytes", len_max.to_string()))
    }

    /// Refuses more entries than the operation takes. Parsed, an entry takes many times what its shortest text does.
    pub(super) fn check_entries(self, document: &[u8]) -> Result<(), Refusal> {
        let (element, count_max) = match self {
            Self::Acl => ("Grant", 100),
            Self::Completion => ("Part", 10_000),
            Self::Deletion => ("Object", 1_000),
            Self::Admin | Self::Bucket | Self::Encryption | Self::Policy => return Ok(()),
        };
        if opening_tags(document, element).nth(count_max).is_none() {
            return Ok(());
        }
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Err(Refusal::new(StatusCode::BAD_REQUEST, "MalformedXML", message))
    }

    const fn len_max(self) -> usize {
        match self {
            Self::Acl | Self::Bucket | Self::Encryption => CONFIGURATION_LEN_MAX,
            Self::Admin => ADMIN_BODY_LEN_MAX,
            Self::Completion => COMPLETION_LEN_MAX,
            Self::Deletion => DELETION_LEN_MAX,
            Self::Policy => Policy::LEN_MAX,
        }
    }
}

/// Wherever a parser could find an element of this name begin. Those in comments count too, which no client sends.
fn opening_tags<'d>(document: &'d [u8], element: &'d str) -> impl Iterator<Item = ()> + 'd {
    let ends_name = |byte: &u8| matches!(byte, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n');
    document.split(|byte| *byte == b'<').skip(1).filter_map(move |tag| {
        let behind = tag.strip_prefix(element.as_bytes())?;
        behind.first().is_some_and(ends_name).then_some(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_tag_is_found_in_each_of_its_forms() {
        let document = b"Part><Part><Part/><Part x='y'><Part\n></Part><PartNumber>1</PartNumber><x:Part/><Part";
        assert_eq!(opening_tags(document, "Part").count(), 4);
    }

    #[test]
    fn a_completion_has_10_000_parts_and_a_deletion_1_000_objects() {
        for (kind, element, count_max) in [
            (DocumentKind::Acl, "<Grant/>", 100),
            (DocumentKind::Completion, "<Part/>", 10_000),
            (DocumentKind::Deletion, "<Object/>", 1_000),
        ] {
            assert!(kind.check_entries(element.repeat(count_max).as_bytes()).is_ok());
            let refusal = kind.check_entries(element.repeat(count_max + 1).as_bytes()).unwrap_err();
            assert_eq!(refusal.code, "MalformedXML");
        }
        assert!(DocumentKind::Policy.check_entries("<Part/>".repeat(20_000).as_bytes()).is_ok());
    }

    #[test]
    fn each_kind_has_a_length_of_its_own() {
        for (kind, len_max, code) in [
            (DocumentKind::Acl, 64 << 10, "MaxMessageLengthExceeded"),
            (DocumentKind::Bucket, 64 << 10, "MaxMessageLengthExceeded"),
            (DocumentKind::Deletion, 2 << 20, "MaxMessageLengthExceeded"),
            (DocumentKind::Completion, 4 << 20, "MaxMessageLengthExceeded"),
            (DocumentKind::Policy, 20 << 10, "MalformedPolicy"),
        ] {
            assert_eq!(kind.check_length(Some(len_max)).unwrap(), len_max);
            assert_eq!(kind.check_length(Some(len_max + 1)).unwrap_err().code, code);
            assert_eq!(kind.check_length(None).unwrap_err().code, "MissingContentLength");
        }
    }
}
