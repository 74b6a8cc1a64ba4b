//! Headers that ask for something we do not do. Ignoring them would store an object without the lock, the tags or the
//! grants that its owner believes it has.

use http::{HeaderMap, Method, StatusCode, header};

use crate::refusal::Refusal;

/// Checks the headers of a request.
pub(crate) fn check(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    for (name, value) in headers {
        let name = name.as_str();
        let Some(feature) = name.strip_prefix("x-amz-") else { continue };
        let value = value.to_str().unwrap_or_default();
        match feature {
            "acl" => check_acl(value)?,
            "storage-class" => check_storage_class(value)?,
            "security-token" => return Err(no_session_tokens()),
            // What copies do anyway, and what buckets have anyway.
            "tagging-directive" if value == "COPY" => {}
            "bucket-object-lock-enabled" if value.eq_ignore_ascii_case("false") => {}
            // Of all calls with POST only a completion has it.
            "mp-object-size" if method == Method::POST => {}
            _ if SUPPORTED.contains(&feature) || feature.starts_with("meta-") => {}
            // On reads, what nobody here knows changes nothing.
            _ if is_read && !feature.starts_with("object-lock") => {}
            _ => return Err(Refusal::not_implemented("A header you provided").detail("Header", name)),
        }
    }
    if method == Method::DELETE && headers.contains_key(header::IF_MATCH) {
        return Err(Refusal::not_implemented("A header you provided").detail("Header", "If-Match"));
    }
    Ok(())
}

fn check_acl(value: &str) -> Result<(), Refusal> {
    match value {
        "private" | "public-read" => Ok(()),
        "public-read-write"
        | "authenticated-read"
        | "aws-exec-read"
        | "bucket-owner-read"
        | "bucket-owner-full-control"
        | "log-delivery-write" => Err(Refusal::not_implemented(format_args!("The canned ACL {value}"))),
        _ => Err(Refusal::invalid_argument("The canned ACL is unknown.").argument("x-amz-acl", value)),
    }
}

fn check_storage_class(value: &str) -> Result<(), Refusal> {
    if value == "STANDARD" {
        return Ok(());
    }
    let message = "The storage class you specified is not valid";
    Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidStorageClass", message).detail("StorageClassRequested", value))
}

fn no_session_tokens() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidToken", "The provided token is malformed or otherwise invalid.")
}

/// The headers behind `x-amz-` that something here reads. The encryption headers are judged by `sse`.
const SUPPORTED: &[&str] = &[
    "checksum-algorithm",
    "checksum-crc32",
    "checksum-crc32c",
    "checksum-crc64nvme",
    "checksum-mode",
    "checksum-sha1",
    "checksum-sha256",
    "checksum-type",
    "content-sha256",
    "copy-source",
    "copy-source-if-match",
    "copy-source-if-modified-since",
    "copy-source-if-none-match",
    "copy-source-if-unmodified-since",
    "copy-source-range",
    "copy-source-server-side-encryption-customer-algorithm",
    "copy-source-server-side-encryption-customer-key",
    "copy-source-server-side-encryption-customer-key-md5",
    "date",
    "decoded-content-length",
    "expected-bucket-owner",
    "metadata-directive",
    "request-payer",
    "sdk-checksum-algorithm",
    "server-side-encryption",
    "server-side-encryption-aws-kms-key-id",
    "server-side-encryption-bucket-key-enabled",
    "server-side-encryption-context",
    "server-side-encryption-customer-algorithm",
    "server-side-encryption-customer-key",
    "server-side-encryption-customer-key-md5",
    "source-expected-bucket-owner",
    "trailer",
    "user-agent",
];

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn answer(method: &Method, name: &'static str, value: &'static str) -> String {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
        check(method, &headers).map_or_else(|refusal| refusal.code.into_owned(), |()| "ok".to_owned())
    }

    #[test]
    fn what_we_lack_is_never_silently_ignored_on_a_write() {
        for (name, value) in [
            ("x-amz-object-lock-mode", "COMPLIANCE"),
            ("x-amz-object-lock-legal-hold", "ON"),
            ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
            ("x-amz-bucket-object-lock-enabled", "true"),
            ("x-amz-object-ownership", "BucketOwnerEnforced"),
            ("x-amz-tagging", "a=b"),
            ("x-amz-tagging-directive", "REPLACE"),
            ("x-amz-website-redirect-location", "/x"),
            ("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""),
            ("x-amz-write-offset-bytes", "0"),
            ("x-amz-rename-source", "/b/o"),
            ("x-amz-mfa", "1 2"),
            ("x-amz-if-match-size", "1"),
            ("x-amz-acl", "authenticated-read"),
            ("x-amz-mp-object-size", "1"),
            ("x-amz-never-heard-of", "1"),
        ] {
            assert_eq!(answer(&Method::PUT, name, value), "NotImplemented", "{name}");
        }
        assert_eq!(answer(&Method::DELETE, "if-match", "\"a\""), "NotImplemented");
    }

    #[test]
    fn wrong_values_are_named() {
        assert_eq!(answer(&Method::PUT, "x-amz-acl", "everyone"), "InvalidArgument");
        assert_eq!(answer(&Method::PUT, "x-amz-storage-class", "GLACIER"), "InvalidStorageClass");
        assert_eq!(answer(&Method::GET, "x-amz-security-token", "t"), "InvalidToken");
    }

    #[test]
    fn what_we_have_passes() {
        for (name, value) in [
            ("x-amz-acl", "public-read"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-meta-anything", "x"),
            ("x-amz-tagging-directive", "COPY"),
            ("x-amz-bucket-object-lock-enabled", "false"),
            ("x-amz-server-side-encryption-customer-key", "x"),
            ("x-amz-date", "x"),
            ("x-forwarded-for", "x"),
        ] {
            assert_eq!(answer(&Method::PUT, name, value), "ok", "{name}");
        }
        assert_eq!(answer(&Method::GET, "x-amz-never-heard-of", "1"), "ok");
    }
}
