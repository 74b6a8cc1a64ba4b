//! HeadObject: what an object is, and by it, what a customer key is to it.
//!
//! A HEAD has no body that says why it was refused (AWS: `HeadObject`), and servers disagree on statuses. What the
//! answer leaves open, a second HEAD without the key tells: if that one is good, the object needs no key; if it is a 400,
//! the object is sealed under a key, so the one that was given is wrong.

use crate::address::Address;
use crate::checksum;
use crate::client::{Call, Client, Failed};
use crate::customer_key::{ALGORITHM, CustomerKey};
use crate::error::{ClientError, Refusal};
use crate::judge::Asked;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, Method};

/// What a server says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Bytes.
    pub size: u64,
    /// With its quotation marks; empty when there is none.
    pub etag: String,
    /// As the header has it.
    pub last_modified: String,
    /// As the header has it.
    pub content_type: String,
    /// Those of `cache-control`, `content-disposition`, `content-encoding`, `content-language` and `expires` that it has.
    pub content_headers: Vec<(&'static str, String)>,
    /// Of the whole object, if the server has one that can be compared.
    pub checksum: Option<(checksum::Checksum, String)>,
    /// In words: `SSE-C`, `SSE-S3`, `SSE-KMS key ID`, or none.
    pub encryption: Option<String>,
    /// Names without `x-amz-meta-`, and values.
    pub metadata: Vec<(String, String)>,
}

impl Client {
    /// AWS: `HeadObject`.
    ///
    /// # Errors
    /// [`ClientError`]; also when a customer key came with an object that needs none.
    pub async fn head_object(&self, address: &Address, key: Option<&CustomerKey>) -> Result<ObjectHead, ClientError> {
        self.protect(key)?;
        let asked = self.asked(address, key.is_some());
        match self.head(address, key).await {
            Ok(headers) if key.is_some() && !headers.contains_key(ALGORITHM) => Err(asked.not_applicable()),
            Ok(headers) => ObjectHead::of(&headers).ok_or_else(|| ClientError::nonsense(address, "no length")),
            Err(Failed::Refused(refusal)) if is_ambiguous(&refusal, key.is_some()) => {
                Err(self.explain(asked, refusal).await)
            }
            Err(failed) => Err(asked.judge(failed)),
        }
    }

    /// Whether a key opens an object of which is known that it is sealed under one, and that it may be looked at: then a
    /// refusal can only be about the key.
    pub(crate) async fn opens(&self, address: &Address, key: &CustomerKey) -> Result<bool, ClientError> {
        self.protect(Some(key))?;
        match self.head(address, Some(key)).await {
            Ok(headers) => Ok(headers.contains_key(ALGORITHM)),
            Err(Failed::Refused(Refusal { status: 400 | 403, .. })) => Ok(false),
            Err(failed) => Err(self.asked(address, true).judge(failed)),
        }
    }

    /// Finds out what a refusal without words meant.
    pub(crate) async fn explain(&self, asked: Asked<'_>, refusal: Refusal) -> ClientError {
        if !asked.with_key {
            return asked.required();
        }
        match self.head(asked.address, None).await {
            // A refusal of the key by a server that gives the object without it.
            Ok(headers) if headers.contains_key(ALGORITHM) => asked.judge(Failed::Refused(refusal)),
            Ok(_) => asked.not_applicable(),
            Err(Failed::Refused(Refusal { status: 400, .. })) => asked.wrong(),
            Err(failed) => Asked { with_key: false, ..asked }.judge(failed),
        }
    }

    pub(crate) fn asked<'a>(&'a self, address: &'a Address, with_key: bool) -> Asked<'a> {
        Asked { address, with_key, option: "--key-file", endpoint: self.endpoint().url() }
    }

    async fn head(&self, address: &Address, key: Option<&CustomerKey>) -> Result<HeaderMap, Failed> {
        let mut call = Call::new(Method::HEAD, address);
        call.headers = key.map(|key| key.headers().into()).unwrap_or_default();
        call.headers.push(("x-amz-checksum-mode", "ENABLED".into()));
        Ok(self.call(&call).await?.headers)
    }
}

/// Whether a refused read may be about the customer key although it does not say so.
pub(crate) fn is_ambiguous(refusal: &Refusal, with_key: bool) -> bool {
    refusal.message.is_empty() && refusal.status == 400 || with_key && matches!(refusal.status, 400 | 403)
}

impl ObjectHead {
    /// None when the length is missing.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let metadata = headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-amz-meta-")?;
            Some((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        });
        let content_headers = CONTENT_HEADERS.iter().filter_map(|name| {
            let value = headers.get(*name)?;
            Some((*name, String::from_utf8_lossy(value.as_bytes()).into_owned()))
        });
        Some(Self {
            size: text(&CONTENT_LENGTH).parse().ok()?,
            etag: text(&ETAG).to_owned(),
            last_modified: text(&LAST_MODIFIED).to_owned(),
            content_type: text(&CONTENT_TYPE).to_owned(),
            content_headers: content_headers.collect(),
            checksum: checksum::of_whole_object(headers),
            encryption: encryption(headers),
            metadata: metadata.collect(),
        })
    }
}

const CONTENT_HEADERS: [&str; 5] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

fn encryption(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(ALGORITHM) {
        return Some("SSE-C".to_owned());
    }
    match text("x-amz-server-side-encryption")? {
        "AES256" => Some("SSE-S3".to_owned()),
        "aws:kms" => {
            let id = text("x-amz-server-side-encryption-aws-kms-key-id").unwrap_or_default();
            Some(format!("SSE-KMS {id}").trim_end().to_owned())
        }
        other => Some(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let pairs = [
            ("content-length", "7"),
            ("etag", "\"e\""),
            ("x-amz-meta-plan", "a"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "k1"),
        ];
        let headers: HeaderMap =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let head = ObjectHead::of(&headers).unwrap();
        assert_eq!((head.size, head.etag.as_str()), (7, "\"e\""));
        assert_eq!(head.encryption.as_deref(), Some("SSE-KMS k1"));
        assert_eq!(head.metadata, [("plan".to_owned(), "a".to_owned())]);
        assert_eq!(ObjectHead::of(&HeaderMap::new()), None);
    }
}
