//! What a signature must cover. `s3s` computes the signature over the headers that the client lists and asks no more.

use http::{HeaderMap, StatusCode, Uri, header};
use identity::{MalformedAuthorization, SignatureScheme};
use percent_encoding::percent_decode_str;

use super::malformed;
use crate::refusal::Refusal;

/// Checks the claim of an access key pair. Version 2 covers all of `x-amz-*` by its definition.
pub(super) fn check(
    headers: &HeaderMap,
    uri: &Uri,
    scheme: SignatureScheme,
    in_query: bool,
    region: &str,
) -> Result<(), Refusal> {
    match (scheme, in_query) {
        (SignatureScheme::V2, _) => Ok(()),
        (SignatureScheme::V4, false) => {
            let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            let authorization = authorization.unwrap_or_default();
            let field = |name: &str| {
                // Given twice, it could be read in two ways.
                let mut fields = authorization.split([',', ' ']).filter_map(|field| field.strip_prefix(name));
                let only = fields.next().filter(|_| fields.next().is_none());
                only.unwrap_or_default()
            };
            let malformed = || malformed(MalformedAuthorization::HeaderV4);
            check_service(field("Credential="), malformed)?;
            check_region(field("Credential="), region, malformed)?;
            check_signed_headers(headers, field("SignedHeaders="), malformed, |name| UNSIGNED_OK.contains(&name))
        }
        (SignatureScheme::V4, true) => {
            let parameter = |name: &str| query_parameter(uri, name);
            let malformed = || malformed(MalformedAuthorization::QueryV4);
            check_service(&parameter("X-Amz-Credential"), malformed)?;
            check_region(&parameter("X-Amz-Credential"), region, malformed)?;
            check_expiry(&parameter("X-Amz-Expires"))?;
            check_signed_headers(headers, &parameter("X-Amz-SignedHeaders"), malformed, |name| {
                UNSIGNED_OK.contains(&name) || UNSIGNED_OK_IN_QUERY.contains(&name)
            })
        }
    }
}

/// The scope of the signature must be S3: `s3s` takes one that was made for STS as well.
pub(super) fn check_service(credential: &str, malformed: impl Fn() -> Refusal) -> Result<(), Refusal> {
    match credential.split('/').nth(3) {
        Some("s3") => Ok(()),
        Some(_) => {
            let message = "The credential scope names another service. This endpoint belongs to \"s3\".";
            Err(Refusal { message: message.into(), ..malformed() })
        }
        None => Err(malformed()),
    }
}

/// Any region will do that `s3s` can read. For another one the answer names ours, as AWS's does: clients sign again with
/// it (s3cmd, whose region is "US" unless set).
pub(super) fn check_region(credential: &str, ours: &str, malformed: impl Fn() -> Refusal) -> Result<(), Refusal> {
    let theirs = credential.split('/').nth(2).unwrap_or_default();
    let charset = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !theirs.is_empty() && theirs.bytes().all(charset) {
        return Ok(());
    }
    let theirs: String = theirs.chars().filter(|c| !c.is_control()).take(64).collect();
    let message = format!("The credential scope is malformed; the region '{theirs}' is wrong; expecting '{ours}'");
    Err(Refusal { message: message.into(), ..malformed() }.detail("Region", ours))
}

/// At most a week (AWS: "Authenticating requests: using query parameters", `X-Amz-Expires`).
fn check_expiry(expires: &str) -> Result<(), Refusal> {
    let message = match expires.parse::<i64>() {
        Ok(0..=604_800) => return Ok(()),
        Ok(i64::MIN..0) => "X-Amz-Expires must be non-negative",
        Ok(_) => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
                  604800 seconds"
        }
        Err(_) => "X-Amz-Expires should be a number",
    };
    Err(Refusal::new(StatusCode::BAD_REQUEST, "AuthorizationQueryParametersError", message))
}

/// The list names the host and every `x-amz-*` header, and nothing that the request lacks.
fn check_signed_headers(
    headers: &HeaderMap,
    list: &str,
    malformed: impl Fn() -> Refusal,
    may_be_unsigned: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let signed: Vec<&str> = list.split(';').collect();
    if !signed.contains(&"host") {
        return Err(Refusal { message: "The signature must cover the host header.".into(), ..malformed() });
    }
    // `s3s` would leave an absent one out of what it signs.
    if let Some(absent) = signed.iter().find(|name| !headers.contains_key(**name)) {
        let absent: String = absent.chars().filter(|c| !c.is_control()).take(64).collect();
        let message = format!("The signature covers a header that the request does not have: {absent}");
        return Err(Refusal { message: message.into(), ..malformed() });
    }
    let unsigned: Vec<&str> = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && !signed.contains(name) && !may_be_unsigned(name))
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed";
    Err(Refusal::access_denied(message).detail("HeadersNotSigned", unsigned.join(", ")))
}

pub(super) fn query_parameter(uri: &Uri, name: &str) -> String {
    let pairs = uri.query().unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut found = pairs.filter(|(n, _)| percent_decode_str(n).decode_utf8_lossy() == name);
    found.next().map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned()).unwrap_or_default()
}

/// Their values stand in what is signed anyway.
const UNSIGNED_OK: &[&str] = &["x-amz-content-sha256", "x-amz-date"];

/// A presigned URL is made before anyone has the body, and may be made by someone who does not have the customer key
/// (AWS developer blog, "Generating Amazon S3 pre-signed URLs with SSE-C").
const UNSIGNED_OK_IN_QUERY: &[&str] =
    &["x-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-customer-key-md5", "x-amz-user-agent"];

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn answer(signed: &str, present: &[&'static str], in_query: bool) -> String {
        let scope = "AKID/20260131/us-east-1/s3/aws4_request";
        let mut headers: HeaderMap =
            present.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v"))).collect();
        let uri = if in_query {
            format!("/b/o?X-Amz-Credential={scope}&X-Amz-Expires=60&X-Amz-SignedHeaders={signed}").parse().unwrap()
        } else {
            let value = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature=00");
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            Uri::from_static("/b/o")
        };
        check(&headers, &uri, SignatureScheme::V4, in_query, "here-1")
            .map_or_else(|refusal| refusal.code.into_owned(), |()| "ok".to_owned())
    }

    #[test]
    fn every_amz_header_must_be_signed() {
        assert_eq!(answer("host;x-amz-date", &["host", "x-amz-date", "range"], false), "ok");
        assert_eq!(answer("host", &["host", "x-amz-date", "x-amz-content-sha256"], false), "ok");
        assert_eq!(answer("host", &["host", "x-amz-acl"], false), "AccessDenied");
        assert_eq!(answer("host", &["host", "x-amz-acl"], true), "AccessDenied");
        assert_eq!(answer("host", &["host", "x-amz-server-side-encryption-customer-key"], false), "AccessDenied");
    }

    #[test]
    fn a_presigned_url_takes_the_customer_key_unsigned_but_not_its_algorithm() {
        let (algorithm, customer_key, md5) = (
            "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-key-md5",
        );
        assert_eq!(answer(&format!("host;{algorithm}"), &["host", algorithm, customer_key, md5], true), "ok");
        assert_eq!(answer("host", &["host", algorithm, customer_key, md5], true), "AccessDenied");
    }

    #[test]
    fn the_host_and_only_what_is_there_must_be_covered() {
        assert_eq!(answer("x-amz-date", &["host", "x-amz-date"], false), "AuthorizationHeaderMalformed");
        assert_eq!(answer("host;x-amz-acl", &["host"], false), "AuthorizationHeaderMalformed");
        assert_eq!(answer("", &["host"], true), "AuthorizationQueryParametersError");
        assert_eq!(answer("Host", &["host"], true), "AuthorizationQueryParametersError");
    }

    #[test]
    fn other_services_and_long_lives_are_refused() {
        let query = |service: &str, expires: &str| {
            let scope = format!("AKID/20260131/us-east-1/{service}/aws4_request");
            let query = format!("X-Amz-Credential={scope}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host");
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("h"))]);
            check(&headers, &format!("/b/o?{query}").parse().unwrap(), SignatureScheme::V4, true, "here-1").err()
        };
        assert!(query("s3", "604800").is_none());
        for (service, expires) in [("sts", "60"), ("s3", "604801"), ("s3", "-1"), ("s3", "x"), ("s3", "")] {
            let refusal = query(service, expires).expect("refused");
            assert_eq!((refusal.status.as_u16(), &*refusal.code), (400, "AuthorizationQueryParametersError"));
        }
    }

    #[test]
    fn a_region_that_cannot_be_one_is_answered_with_ours() {
        for (theirs, ok) in [("us-east-1", true), ("default", true), ("US", false), ("", false), ("a_b", false)] {
            let value = format!(
                "AWS4-HMAC-SHA256 Credential=AKID/20260131/{theirs}/s3/aws4_request, SignedHeaders=host, Signature=00"
            );
            let host = (header::HOST, HeaderValue::from_static("h"));
            let headers = HeaderMap::from_iter([host, (header::AUTHORIZATION, value.parse().unwrap())]);
            let checked = check(&headers, &Uri::from_static("/b/o"), SignatureScheme::V4, false, "here-1");
            let told = checked.err().map(|refusal| (refusal.code.into_owned(), refusal.details));
            let ours = vec![("Region", "here-1".to_owned())];
            assert_eq!(told, (!ok).then(|| ("AuthorizationHeaderMalformed".to_owned(), ours)), "{theirs}");
        }
    }
}
