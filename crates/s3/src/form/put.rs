//! The put that a form stands for.

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES};
use http::header::{HOST, REFERER, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use model::ObjectKey;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::fields::{Fields, printable};
use crate::refusal::Refusal;

/// The headers that the fields stand for, with those of the form's own request that say who sent it from where.
pub(crate) fn headers(fields: &Fields, outer: &HeaderMap) -> Result<HeaderMap, Refusal> {
    check_outer(outer)?;
    let mut headers = HeaderMap::new();
    for name in [HOST, USER_AGENT, REFERER] {
        for value in outer.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    for (name, value) in fields.iter() {
        let Some(header) = header_of(name)? else { continue };
        let mut text =
            HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes())).map_err(|_| {
                let message = "The value of a form field has characters that the header of its name cannot have.";
                Refusal::invalid_argument(message).detail("ArgumentName", printable(name))
            })?;
        text.set_sensitive(name.ends_with("-customer-key"));
        if headers.insert(header, text).is_some() {
            let message = "The fields acl and x-amz-acl exclude each other.";
            return Err(Refusal::invalid_argument(message).detail("ArgumentName", printable(name)));
        }
    }
    Ok(headers)
}

/// Of a form only the fields count. A header that asks for something is not passed over in silence.
fn check_outer(outer: &HeaderMap) -> Result<(), Refusal> {
    let idle = ["x-amz-date", "x-amz-content-sha256", "x-amz-user-agent"];
    let condition = ["if-match", "if-none-match", "content-md5"];
    let asks = |name: &&str| condition.contains(name) || (name.starts_with("x-amz-") && !idle.contains(name));
    outer.keys().map(HeaderName::as_str).find(asks).map_or(Ok(()), |name| {
        let message = "A form asks by its fields, not by headers of its request.";
        Err(Refusal::invalid_argument(message).detail("ArgumentName", name))
    })
}

/// The header that a field stands for; `None` for those that mean something to the form only, or nothing.
fn header_of(name: &str) -> Result<Option<HeaderName>, Refusal> {
    Ok(Some(match name {
        "acl" => HeaderName::from_static("x-amz-acl"),
        "cache-control" => CACHE_CONTROL,
        "content-disposition" => CONTENT_DISPOSITION,
        "content-encoding" => CONTENT_ENCODING,
        "content-language" => CONTENT_LANGUAGE,
        "content-md5" => HeaderName::from_static("content-md5"),
        "content-type" => CONTENT_TYPE,
        "expires" => EXPIRES,
        "tagging" => return Err(Refusal::not_implemented("The form field tagging")),
        "x-amz-algorithm" | "x-amz-credential" | "x-amz-date" | "x-amz-signature" => return Ok(None),
        _ if name.starts_with("x-amz-meta-") => HeaderName::try_from(name).map_err(|_| {
            let message = "The name of a form field has characters that a header cannot have.";
            Refusal::invalid_argument(message).detail("ArgumentName", printable(name))
        })?,
        _ if PASSED_ON.contains(&name) => HeaderName::try_from(name).expect("a name of the list is one of a header"),
        // What copies, frames or redirects a request is none of a form's, and what nobody here knows is not ignored.
        _ if name.starts_with("x-amz-") => {
            let feature = format!("The form field {}", printable(name));
            return Err(Refusal::not_implemented(feature).detail("Header", printable(name)));
        }
        _ => return Ok(None),
    }))
}

/// The address of the object. `bucket` is `None` where the host names it.
pub(crate) fn uri(bucket: Option<&str>, fields: &Fields) -> Result<Uri, Refusal> {
    let object = fields.require("key")?;
    ObjectKey::parse(object).map_err(|error| match error {
        model::InvalidObjectKey::TooLong => {
            Refusal::new(http::StatusCode::BAD_REQUEST, "KeyTooLongError", error.to_string())
        }
        model::InvalidObjectKey::Empty => Refusal::invalid_argument(error.to_string()).argument("key", ""),
    })?;
    let bucket = bucket.map(|bucket| format!("/{}", utf8_percent_encode(bucket, PATH))).unwrap_or_default();
    let path = format!("{bucket}/{}", utf8_percent_encode(object, PATH));
    let path =
        PathAndQuery::try_from(path).map_err(|_| Refusal::invalid_argument("The field key is no object key."))?;
    Ok(Uri::from(path))
}

/// What stands in a path as it is.
pub(super) const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Fields that are headers of the same name. The front judges them as it judges those of any put.
const PASSED_ON: &[&str] = &[
    "x-amz-acl",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-storage-class",
];
