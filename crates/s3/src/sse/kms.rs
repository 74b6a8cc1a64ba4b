//! The headers of SSE-KMS (AWS: "Specifying server-side encryption with AWS KMS").

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::ContextDigest;
use http::{HeaderMap, HeaderName};
use model::{EncryptionContext, KmsKeyId};
use operations::{KmsWrapRequest, RequestedKms};

use super::{SERVER, text};
use crate::refusal::Refusal;

pub(super) const KEY_ID: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
pub(super) const CONTEXT: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-context");
pub(super) const BUCKET_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-bucket-key-enabled");

/// What `aws:kms` comes to.
pub(super) struct Taken {
    pub(super) wrap: KmsWrapRequest,
    /// What policies see.
    pub(super) requested: RequestedKms,
    /// The context to repeat.
    pub(super) context: Option<String>,
}

/// Whether there is one that is for SSE-KMS only.
pub(super) fn any_in(headers: &HeaderMap) -> bool {
    headers.contains_key(KEY_ID) || headers.contains_key(CONTEXT)
}

/// Reads the headers beside `x-amz-server-side-encryption: aws:kms`.
pub(super) fn take(headers: &HeaderMap) -> Result<Taken, Refusal> {
    let key_id = text(headers, &KEY_ID).map(str::to_owned);
    let kms_key = key_id.as_deref().map(parse_key_id).transpose()?;
    let context = text(headers, &CONTEXT).map(str::to_owned);
    let pairs = context.as_deref().map(parse_context).transpose()?.unwrap_or_default();
    let wrap = KmsWrapRequest {
        kms_key,
        context: ContextDigest::of(&pairs),
        bucket_key: bucket_key(headers)?.unwrap_or_default(),
    };
    Ok(Taken { wrap, requested: RequestedKms { key_id }, context })
}

/// Reads them where the mode is another one or none: a key and a context would be passed over. A wish for a bucket key
/// counts where the bucket's default is SSE-KMS.
pub(super) fn take_without_mode(headers: &HeaderMap, mode: Option<&str>) -> Result<Option<bool>, Refusal> {
    if any_in(headers) {
        let refusal = Refusal::invalid_argument(NEEDS_KMS);
        return Err(refusal.argument(SERVER.as_str(), mode.unwrap_or_default()));
    }
    let bucket_key = bucket_key(headers)?;
    if bucket_key == Some(true) && mode.is_some() {
        let message = "A bucket key is for server-side encryption with AWS KMS.";
        return Err(Refusal::invalid_argument(message).argument(BUCKET_KEY.as_str(), "true"));
    }
    Ok(bucket_key)
}

pub(crate) fn parse_key_id(text: &str) -> Result<KmsKeyId, Refusal> {
    KmsKeyId::parse(text).map_err(|error| {
        Refusal::invalid_argument(format!("Invalid KMS key id: {error}.")).argument(KEY_ID.as_str(), "")
    })
}

/// Base64 of a JSON object of strings.
fn parse_context(text: &str) -> Result<EncryptionContext, Refusal> {
    let malformed = || Refusal::invalid_argument(MALFORMED_CONTEXT).detail("ArgumentName", CONTEXT.as_str());
    let json = STANDARD.decode(text).map_err(|_| malformed())?;
    let pairs: BTreeMap<String, String> = serde_json::from_slice(&json).map_err(|_| malformed())?;
    EncryptionContext::new(pairs)
        .map_err(|error| Refusal::invalid_argument(error.to_string()).detail("ArgumentName", CONTEXT.as_str()))
}

fn bucket_key(headers: &HeaderMap) -> Result<Option<bool>, Refusal> {
    match text(headers, &BUCKET_KEY) {
        None => Ok(None),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(value) => {
            let message = "The value of this header must be true or false.";
            Err(Refusal::invalid_argument(message).argument(BUCKET_KEY.as_str(), value))
        }
    }
}

const NEEDS_KMS: &str = "A KMS key and an encryption context need the header x-amz-server-side-encryption: aws:kms";
const MALFORMED_CONTEXT: &str = "The header x-amz-server-side-encryption-context shall be Base64-encoded UTF-8 string \
                                 holding JSON which represents a string-string map";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_key_a_context_and_a_bucket_key_are_read() {
        let context = STANDARD.encode(r#"{"b":"2","a":"1"}"#);
        let sent = headers(&[(KEY_ID, "arn:aws:kms:us-east-1:1:key/k1"), (CONTEXT, &context), (BUCKET_KEY, "True")]);
        let taken = take(&sent).ok().unwrap();
        assert_eq!(taken.wrap.kms_key.unwrap().as_str(), "k1");
        assert!(taken.wrap.bucket_key);
        let pairs = [("a", "1"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(taken.wrap.context, ContextDigest::of(&EncryptionContext::new(pairs.into()).unwrap()));
        assert_eq!(taken.requested.key_id.as_deref(), Some("arn:aws:kms:us-east-1:1:key/k1"));
        assert_eq!(taken.context, Some(context));
        let plain = take(&HeaderMap::new()).ok().unwrap();
        assert_eq!(plain.wrap.context, ContextDigest::of(&EncryptionContext::default()));
        assert!(plain.wrap.kms_key.is_none() && !plain.wrap.bucket_key && plain.context.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(EncryptionContext::LEN_MAX));
        for (name, value) in [
            (KEY_ID, ""),
            (KEY_ID, "a key"),
            (BUCKET_KEY, "yes"),
            (CONTEXT, ""),
            (CONTEXT, "{}"),
            (CONTEXT, &STANDARD.encode("[]")),
            (CONTEXT, &STANDARD.encode(r#"{"a":1}"#)),
            (CONTEXT, &STANDARD.encode(r#"{"a":{"b":"c"}}"#)),
            (CONTEXT, &STANDARD.encode(b"{\"a\":\"\xff\"}")),
            (CONTEXT, &STANDARD.encode(long)),
        ] {
            let refusal = take(&headers(&[(name.clone(), value)])).err().unwrap();
            assert_eq!((refusal.status.as_u16(), &*refusal.code), (400, "InvalidArgument"), "{name}: {value}");
        }
        assert!(take(&headers(&[(CONTEXT, &STANDARD.encode("{}"))])).is_ok());
    }

    #[test]
    fn without_the_mode_nothing_of_a_kms_is_passed_over() {
        for mode in [None, Some("AES256")] {
            for (name, value) in [(KEY_ID, "k1"), (CONTEXT, "e30=")] {
                let refusal = take_without_mode(&headers(&[(name, value)]), mode).unwrap_err();
                assert_eq!(refusal.code, "InvalidArgument");
            }
            assert_eq!(take_without_mode(&headers(&[(BUCKET_KEY, "false")]), mode).unwrap(), Some(false));
        }
        let wish = headers(&[(BUCKET_KEY, "true")]);
        assert_eq!(take_without_mode(&wish, None).unwrap(), Some(true));
        assert!(take_without_mode(&wish, Some("AES256")).is_err());
    }
}
