//! A copy on the server: in one request, or, where the server finds the object too large for that, in parts.
//!
//! A copy onto itself with another key or mode is how an object is rekeyed.

use crate::address::{Address, encoded_path};
use crate::body::Progress;
use crate::client::{Call, Client, Document, Failed};
use crate::customer_key::CustomerKey;
use crate::encryption::{Encryption, confirmed};
use crate::error::{ClientError, Refusal};
use crate::head_object::ObjectHead;
use crate::judge::Asked;
use crate::multipart::{Part, Upload};
use crate::put_object::NewObject;
use crate::xml::Element;
use futures::stream::{self, StreamExt, TryStreamExt};
use http::Method;
use std::sync::Arc;

/// What is copied, and the key that opens it.
pub struct CopySource {
    /// The object.
    pub address: Address,
    /// None when it needs none.
    pub key: Option<Arc<CustomerKey>>,
}

/// What a copy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// With its quotation marks; empty when the server did not say.
    pub etag: String,
    /// The answer was lost on the way, and a look at the object told that the copy was done.
    pub seen_afterwards: bool,
}

/// Copies an object on the server. The new one keeps type, content headers and metadata.
///
/// A copy onto itself is not the same when it is repeated: once done, the source key opens the object no more. What a
/// refusal about keys leaves open there is settled by a look at the object.
///
/// # Errors
/// [`ClientError`]; the options in its words are `--source-key-file` for the source and `--key-file` for the target.
pub async fn copy_object(
    client: &Client,
    source: &CopySource,
    object: &NewObject,
    progress: &Arc<dyn Progress>,
) -> Result<Copied, ClientError> {
    let key = object.encryption.customer_key().map(Arc::as_ref);
    client.protect(key.or(source.key.as_deref()))?;
    match client.copy_whole(source, object).await {
        Ok(answer) => {
            confirmed(&object.address, key, &answer.headers)?;
            let root = Element::parse(&answer.text);
            let etag = root.and_then(|root| root.text_of("ETag").map(str::to_owned)).unwrap_or_default();
            Ok(Copied { etag, seen_afterwards: false })
        }
        Err(Failed::Refused(refusal)) if is_too_large(&refusal) => {
            copy_in_parts(client, source, object, progress).await
        }
        Err(failed) => {
            let error = client.judge_copy(source, object, failed);
            if source.address == object.address
                && is_about_keys(&error)
                && let Some(etag) = client.already_as_wanted(object).await
            {
                return Ok(Copied { etag, seen_afterwards: true });
            }
            Err(error)
        }
    }
}

const fn is_about_keys(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::WrongCustomerKey { .. }
            | ClientError::CustomerKeyRequired { .. }
            | ClientError::CustomerKeyNotApplicable { .. }
    )
}

impl Client {
    /// AWS: `CopyObject`.
    async fn copy_whole(&self, source: &CopySource, object: &NewObject) -> Result<Document, Failed> {
        let named = source.header();
        let mut call = Call::new(Method::PUT, &object.address);
        call.headers = object.encryption.headers();
        call.headers.push(("x-amz-copy-source", named.as_str().into()));
        call.headers.extend(source.key.iter().flat_map(|key| key.copy_source_headers()));
        call.slow = true;
        self.call(&call).await
    }

    /// The ETag of an object that is sealed as `object` says. An encryption that is not specified can be told of none.
    async fn already_as_wanted(&self, object: &NewObject) -> Option<String> {
        let key = object.encryption.customer_key().map(Arc::as_ref);
        let head = self.head_object(&object.address, key).await.ok()?;
        let mode = head.encryption.as_deref().unwrap_or_default();
        let as_wanted = match &object.encryption {
            Encryption::Unspecified => false,
            Encryption::ServerKey => mode == "SSE-S3",
            Encryption::Kms { key_id: None } => mode.starts_with("SSE-KMS"),
            Encryption::Kms { key_id: Some(id) } => mode == format!("SSE-KMS {id}"),
            // The server opened it with the key.
            Encryption::CustomerKey(_) => true,
        };
        as_wanted.then_some(head.etag)
    }

    /// AWS: `UploadPartCopy`, the bytes from `first` to `last`.
    async fn upload_part_copy(
        &self,
        upload: &Upload<'_>,
        source: &CopySource,
        source_etag: &str,
        number: u16,
        (first, last): (u64, u64),
    ) -> Result<Part, Failed> {
        let named = source.header();
        let mut call = upload.call(Method::PUT);
        call.query.push(("partNumber", number.to_string().into()));
        call.headers.push(("x-amz-copy-source", named.as_str().into()));
        if !source_etag.is_empty() {
            // Another object under the same name would be spliced into this one.
            call.headers.push(("x-amz-copy-source-if-match", source_etag.into()));
        }
        call.headers.push(("x-amz-copy-source-range", format!("bytes={first}-{last}").into()));
        call.headers.extend(source.key.iter().flat_map(|key| key.copy_source_headers()));
        call.slow = true;
        let answer = self.call(&call).await?;
        let root = Element::parse(&answer.text);
        let etag = root.and_then(|root| root.text_of("ETag").map(str::to_owned)).unwrap_or_default();
        Ok(Part { number, size: last - first + 1, etag, checksum: None })
    }

    fn judge_copy(&self, source: &CopySource, object: &NewObject, failed: Failed) -> ClientError {
        // Without more words, a denial may be about either of the two.
        if let Failed::Refused(refusal) = &failed
            && refusal.code == "AccessDenied"
            && !refusal.message.contains("secret key")
        {
            let what = format!("copying {} to {}", source.address, object.address);
            return ClientError::AccessDenied { what, refusal: refusal.clone() };
        }
        let (with_key, option) = (source.key.is_some(), "--source-key-file");
        Asked { address: &source.address, with_key, option, endpoint: self.endpoint().url() }.judge(failed)
    }
}

impl CopySource {
    fn header(&self) -> String {
        format!("/{}/{}", self.address.bucket, encoded_path(&self.address.key))
    }
}

async fn copy_in_parts(
    client: &Client,
    source: &CopySource,
    object: &NewObject,
    progress: &Arc<dyn Progress>,
) -> Result<Copied, ClientError> {
    let head = client.head_object(&source.address, source.key.as_deref()).await.map_err(|error| match error {
        ClientError::CustomerKeyRequired { object, .. } => {
            ClientError::CustomerKeyRequired { object, option: "--source-key-file" }
        }
        other => other,
    })?;
    progress.expect(head.size);
    // A copy in one request keeps these by itself.
    let kept = NewObject {
        address: object.address.clone(),
        encryption: object.encryption.clone(),
        content_type: Some(head.content_type.clone()).filter(|kind| !kind.is_empty()),
        content_headers: head.content_headers.clone(),
        metadata: head.metadata.clone(),
    };
    let id = client.create_multipart_upload(&kept, None).await?;
    let key = object.encryption.customer_key().map(Arc::as_ref);
    let upload = Upload { address: &object.address, id: &id, key, checksum: None };
    let copied = fill_and_complete(client, source, &upload, &head, progress).await;
    match copied {
        Ok(etag) => Ok(Copied { etag, seen_afterwards: false }),
        Err(failed) => {
            // The first error is the one to tell.
            let _ = client.abort_multipart_upload(&object.address, &id).await;
            Err(match failed {
                CopyFailed::Part(failed) => client.judge_copy(source, object, failed),
                CopyFailed::Completion(error) => error,
            })
        }
    }
}

enum CopyFailed {
    Part(Failed),
    Completion(ClientError),
}

async fn fill_and_complete(
    client: &Client,
    source: &CopySource,
    upload: &Upload<'_>,
    head: &ObjectHead,
    progress: &Arc<dyn Progress>,
) -> Result<String, CopyFailed> {
    let copy = async |number: u16| {
        let first = u64::from(number - 1) * PART_SIZE;
        let last = (first + PART_SIZE).min(head.size) - 1;
        let part = client.upload_part_copy(upload, source, &head.etag, number, (first, last)).await;
        progress.moved(last - first + 1);
        part
    };
    // Objects have at most 50 TiB (AWS: "upload limits").
    let count = u16::try_from(head.size.div_ceil(PART_SIZE)).unwrap_or(u16::MAX);
    let copied = stream::iter(1..=count).map(copy).buffer_unordered(PARTS_IN_FLIGHT);
    let mut parts: Vec<Part> = copied.try_collect().await.map_err(CopyFailed::Part)?;
    parts.sort_unstable_by_key(|part| part.number);
    client.complete_multipart_upload(upload, &parts, None).await.map_err(CopyFailed::Completion)
}

/// AWS: "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120".
fn is_too_large(refusal: &Refusal) -> bool {
    refusal.status == 400 && (refusal.code == "EntityTooLarge" || refusal.message.contains("maximum allowable size"))
}

const PART_SIZE: u64 = 1 << 30;
const PARTS_IN_FLIGHT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_too_large_for_one_request_is_recognised() {
        let message =
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        let refusal =
            |status, code: &str, message: &str| Refusal { status, code: code.into(), message: message.into() };
        assert!(is_too_large(&refusal(400, "InvalidRequest", message)));
        assert!(!is_too_large(&refusal(400, "InvalidRequest", "This copy request is illegal")));
    }

    #[test]
    fn a_source_is_encoded() {
        let source = CopySource { address: "s3://b/a b/ü".parse().unwrap(), key: None };
        assert_eq!(source.header(), "/b/a%20b/%C3%BC");
    }
}
