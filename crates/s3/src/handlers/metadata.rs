//! What stands beside the bytes: content headers and user metadata, in and out.

use http::{HeaderMap, HeaderName, HeaderValue};
use operations::{ObjectInfo, ObjectMetadata};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// The headers that are kept with an object and given back as they came.
const STORED_HEADERS: [&str; 6] =
    ["content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

const USER_PREFIX: &str = "x-amz-meta-";

/// The metadata of a request. User metadata keeps its bytes; names are lower case, as HTTP has them.
pub(super) fn request_metadata(headers: &HeaderMap) -> S3Result<ObjectMetadata> {
    let mut metadata = ObjectMetadata::default();
    let mut stored_len = 0;
    for name in STORED_HEADERS {
        if let Some(value) = headers.get(name).map(text).transpose()?
            && let Some(value) = stored_value(name, value)
        {
            stored_len += value.len();
            metadata.headers.push((name.to_owned(), value));
        }
    }
    let mut user_len = 0;
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix(USER_PREFIX) else { continue };
        let values: Vec<String> = headers.get_all(name).iter().map(text).collect::<S3Result<_>>()?;
        let value = values.join(",");
        user_len += short.len() + value.len();
        metadata.user.push((short.to_owned(), value));
    }
    if user_len > USER_LEN_MAX || stored_len > STORED_LEN_MAX {
        return Err(S3Error::with_message(
            S3ErrorCode::MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size",
        ));
    }
    metadata.user.sort();
    Ok(metadata)
}

/// `aws-chunked` describes the transfer, not the object. The rest stays as it was spelled.
fn stored_value(name: &str, value: String) -> Option<String> {
    if name != "content-encoding" {
        return Some(value);
    }
    let kept: Vec<&str> = value.split(',').filter(|coding| coding.trim() != "aws-chunked").collect();
    let kept = kept.join(",").trim().to_owned();
    (!kept.is_empty()).then_some(kept)
}

fn text(value: &HeaderValue) -> S3Result<String> {
    std::str::from_utf8(value.as_bytes())
        .map(str::to_owned)
        .map_err(|_| S3Error::with_message(S3ErrorCode::InvalidArgument, "A metadata header is not valid UTF-8."))
}

/// Stored headers and user metadata as response headers.
pub(super) fn metadata_headers(info: &ObjectInfo, into: &mut HeaderMap) {
    let content_type = HeaderValue::from_static("binary/octet-stream");
    into.insert(http::header::CONTENT_TYPE, content_type);
    for (name, value) in &info.metadata.headers {
        insert(into, name, value);
    }
    for (name, value) in &info.metadata.user {
        insert(into, &format!("{USER_PREFIX}{name}"), value);
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    // Both were header text when they came in.
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
        headers.insert(name, value);
    }
}

/// AWS: "Working with object metadata": 2 KB of user metadata.
const USER_LEN_MAX: usize = 2048;

/// AWS: "PUT request header", 8 KB. Every answer with the object repeats them, and clients bound the headers they read.
const STORED_LEN_MAX: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_answer_repeats_is_bounded() {
        let mut headers = HeaderMap::new();
        let long = "x".repeat(STORED_LEN_MAX / 2);
        for name in ["content-type", "content-disposition"] {
            headers.insert(name, long.parse().unwrap());
        }
        assert_eq!(request_metadata(&headers).unwrap().headers.len(), 2);
        headers.insert("expires", HeaderValue::from_static("0"));
        let refused = request_metadata(&headers).unwrap_err();
        assert_eq!(*refused.code(), S3ErrorCode::MetadataTooLarge);
    }

    #[test]
    fn the_encoding_of_the_transfer_is_not_kept() {
        for (sent, kept) in [
            ("gzip", Some("gzip")),
            ("deflate, gzip", Some("deflate, gzip")),
            ("deflate,gzip", Some("deflate,gzip")),
            ("gzip, aws-chunked", Some("gzip")),
            ("aws-chunked, gzip", Some("gzip")),
            ("br, aws-chunked, gzip", Some("br, gzip")),
            ("aws-chunked", None),
            ("aws-chunked, aws-chunked", None),
        ] {
            assert_eq!(stored_value("content-encoding", sent.to_owned()).as_deref(), kept, "{sent}");
        }
        assert_eq!(stored_value("content-language", "aws-chunked".to_owned()).as_deref(), Some("aws-chunked"));
    }
}
