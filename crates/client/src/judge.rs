//! From a refusal to what it means to the user, first of all about customer keys.
//!
//! Codes and statuses for customer keys differ from server to server; AWS's wordings are what most of them repeat.

use crate::address::Address;
use crate::client::Failed;
use crate::error::{ClientError, Damage, Refusal};

/// What was asked, as far as the judgement needs it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The object, or the source of a copy.
    pub address: &'a Address,
    /// Whether a customer key went with the request.
    pub with_key: bool,
    /// The option that takes the key.
    pub option: &'static str,
    /// As [`crate::Endpoint::url`].
    pub endpoint: &'a str,
}

/// What a refusal says about the customer key.
#[derive(Debug, PartialEq, Eq)]
enum KeyVerdict {
    Wrong,
    Required,
    NotApplicable,
}

impl Asked<'_> {
    /// The error of a request that failed for good.
    pub(crate) fn judge(&self, failed: Failed) -> ClientError {
        let refusal = match failed {
            Failed::Unavailable { attempts, last } => {
                return ClientError::Unavailable { endpoint: self.endpoint.to_owned(), attempts, last };
            }
            Failed::Refused(refusal) => refusal,
        };
        match key_verdict(&refusal, self.with_key) {
            Some(KeyVerdict::Wrong) => return self.wrong(),
            Some(KeyVerdict::Required) => return self.required(),
            Some(KeyVerdict::NotApplicable) => return self.not_applicable(),
            None => {}
        }
        let what = self.address.to_string();
        match (refusal.status, refusal.code.as_str()) {
            (_, "NoSuchBucket") => ClientError::NoSuchBucket(self.address.bucket.clone()),
            (404, "NoSuchKey" | "") if !self.address.key.is_empty() => ClientError::NoSuchObject(what),
            (404, "") => ClientError::NoSuchBucket(self.address.bucket.clone()),
            (401 | 403, _) => ClientError::AccessDenied { what, refusal },
            (412, _) => ClientError::Replaced(what),
            _ => ClientError::Refused { what, refusal },
        }
    }

    /// The same for a read, where 500 again and again means the object.
    pub(crate) fn judge_read(&self, failed: Failed) -> ClientError {
        match &failed {
            Failed::Refused(Refusal { status: 500, .. }) => self.damaged(Damage::Unreadable),
            _ => self.judge(failed),
        }
    }

    pub(crate) fn damaged(&self, what: Damage) -> ClientError {
        ClientError::Damaged { object: self.address.to_string(), what }
    }

    pub(crate) fn wrong(&self) -> ClientError {
        ClientError::WrongCustomerKey { object: self.address.to_string() }
    }

    pub(crate) fn required(&self) -> ClientError {
        ClientError::CustomerKeyRequired { object: self.address.to_string(), option: self.option }
    }

    pub(crate) fn not_applicable(&self) -> ClientError {
        ClientError::CustomerKeyNotApplicable { object: self.address.to_string(), option: self.option }
    }
}

fn key_verdict(refusal: &Refusal, with_key: bool) -> Option<KeyVerdict> {
    let says = |words: &str| refusal.message.contains(words);
    if !(400..500).contains(&refusal.status) {
        None
    } else if says("encryption parameters are not applicable") {
        Some(KeyVerdict::NotApplicable)
    } else if says("must provide the correct secret key")
        || says("did not match the ones used originally")
        || says("stored using a form of Server Side Encryption")
    {
        Some(if with_key { KeyVerdict::Wrong } else { KeyVerdict::Required })
    } else if !with_key && says("Server Side Encryption with Customer provided key") {
        Some(KeyVerdict::Required)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, message: &str, with_key: bool) -> Option<KeyVerdict> {
        key_verdict(&Refusal { status, code: "X".into(), message: message.into() }, with_key)
    }

    #[test]
    fn the_wordings_of_aws_are_understood_whatever_the_status() {
        let wrong = "Requests specifying Server Side Encryption with Customer provided keys must provide the correct \
                     secret key.";
        let missing = "The object was stored using a form of Server Side Encryption. The correct parameters must be \
                       provided to retrieve the object.";
        for status in [400, 403] {
            assert_eq!(verdict(status, wrong, true), Some(KeyVerdict::Wrong));
            assert_eq!(verdict(status, missing, false), Some(KeyVerdict::Required));
        }
        let other_part = "The provided encryption parameters did not match the ones used originally.";
        assert_eq!(verdict(400, other_part, true), Some(KeyVerdict::Wrong));
        let plain = "The encryption parameters are not applicable to this object.";
        assert_eq!(verdict(400, plain, true), Some(KeyVerdict::NotApplicable));
        assert_eq!(verdict(403, "Access Denied", true), None);
        assert_eq!(verdict(500, wrong, true), None);
    }

    #[test]
    fn refusals_are_sorted_by_what_can_be_done() {
        let address: Address = "s3://b/k".parse().unwrap();
        let asked = Asked { address: &address, with_key: false, option: "--key-file", endpoint: "http://h" };
        let judged = |status, code: &str| {
            asked.judge(Failed::Refused(Refusal { status, code: code.into(), message: String::new() }))
        };
        assert!(matches!(judged(404, "NoSuchKey"), ClientError::NoSuchObject(_)));
        assert!(matches!(judged(404, ""), ClientError::NoSuchObject(_)));
        assert!(matches!(judged(404, "NoSuchBucket"), ClientError::NoSuchBucket(_)));
        assert!(matches!(judged(403, "SignatureDoesNotMatch"), ClientError::AccessDenied { .. }));
        assert!(matches!(judged(412, "PreconditionFailed"), ClientError::Replaced(_)));
        assert!(matches!(judged(501, "NotImplemented"), ClientError::Refused { .. }));
        let unreadable = Failed::Refused(Refusal { status: 500, code: "InternalError".into(), message: String::new() });
        assert!(matches!(asked.judge_read(unreadable), ClientError::Damaged { what: Damage::Unreadable, .. }));
    }
}
