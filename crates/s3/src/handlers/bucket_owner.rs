//! The account that a bucket must belong to, when the client says so (AWS: "Verifying bucket ownership with bucket owner
//! condition"). It guards against a bucket that was deleted and made anew by someone else; ignoring it would send them
//! the data.

use http::HeaderMap;
use model::{AccountId, Principal};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// What a request expects. Nothing is fine, too.
pub(super) struct ExpectedOwner(Option<AccountId>);

impl ExpectedOwner {
    /// Of the bucket that the request names.
    pub(super) fn of_target(headers: &HeaderMap) -> S3Result<Self> {
        Self::read(headers, "x-amz-expected-bucket-owner")
    }

    /// Of the bucket that a copy reads.
    pub(super) fn of_copy_source(headers: &HeaderMap) -> S3Result<Self> {
        Self::read(headers, "x-amz-source-expected-bucket-owner")
    }

    fn read(headers: &HeaderMap, name: &str) -> S3Result<Self> {
        let Some(value) = headers.get(name) else { return Ok(Self(None)) };
        match AccountId::parse(value.to_str().unwrap_or_default()) {
            Ok(account) => Ok(Self(Some(account))),
            Err(_) => Err(S3Error::with_message(
                S3ErrorCode::InvalidBucketOwnerAWSAccountID,
                "The value of the expected bucket owner parameter must be an AWS account ID.",
            )),
        }
    }

    /// Compares it with the owner.
    pub(super) fn check(&self, owner: &Principal) -> S3Result<()> {
        let account = match owner {
            Principal::Anonymous => None,
            Principal::Root(account) | Principal::User(account, _) => Some(account),
        };
        match &self.0 {
            Some(expected) if account != Some(expected) => {
                Err(S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn another_account_is_denied_and_no_account_is_invalid() {
        let owner = Principal::from_arn("arn:aws:iam::123456789012:user/alice").unwrap();
        let answer = |value| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-expected-bucket-owner", HeaderValue::from_static(value));
            assert!(ExpectedOwner::of_copy_source(&headers).unwrap().check(&owner).is_ok());
            let checked = ExpectedOwner::of_target(&headers).and_then(|expected| expected.check(&owner));
            checked.map_err(|error| error.code().as_str().to_owned())
        };
        assert_eq!(answer("123456789012"), Ok(()));
        assert_eq!(answer("210987654321"), Err("AccessDenied".to_owned()));
        for malformed in ["", "alice", "1234567890123"] {
            assert_eq!(answer(malformed), Err("InvalidBucketOwnerAWSAccountID".to_owned()), "{malformed}");
        }
        assert!(ExpectedOwner::of_target(&HeaderMap::new()).unwrap().check(&Principal::Anonymous).is_ok());
    }
}
