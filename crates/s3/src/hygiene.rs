//! Headers that must not be met later: doubled, unreadable, or a customer key where it must not travel.
//!
//! `s3s` drops header values that are not UTF-8 and reads a doubled header as an absent one, also when it builds what a
//! signature covers; so neither may reach it.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::connection::Connection;
use crate::query::decoded_names;
use crate::refusal::Refusal;

/// Makes one header of a list that came in several (RFC 9110 section 5.3): the SDK for Java sends each attribute of
/// GetObjectAttributes in a header of its own, and signatures cover them joined by commas.
pub(crate) fn join_lists(headers: &mut HeaderMap) {
    let values: Vec<&[u8]> = headers.get_all(&ATTRIBUTES).iter().map(HeaderValue::as_bytes).collect();
    if values.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b',')) {
        headers.insert(ATTRIBUTES, joined);
    }
}

/// Checks that headers have one reading.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    for name in headers.keys() {
        let is_amz = name.as_str().starts_with("x-amz-");
        if !is_amz && !SINGLE.contains(name) {
            continue;
        }
        let mut values = headers.get_all(name).iter();
        let value = values.next().expect("a name in the map has a value");
        if values.next().is_some() {
            return Err(Refusal::invalid_request(format!("The header {name} must not be given more than once.")));
        }
        if std::str::from_utf8(value.as_bytes()).is_err() {
            return Err(Refusal::invalid_argument(format!("The value of the header {name} is not UTF-8."))
                .detail("ArgumentName", name.as_str()));
        }
    }
    Ok(())
}

/// A customer key may come only in a header, and only where nobody else reads it (AWS: "Using server-side encryption
/// with customer-provided keys": S3 rejects requests made over HTTP). Comes before anything of the body is read.
pub(crate) fn check_customer_keys(headers: &HeaderMap, uri: &Uri, connection: &Connection) -> Result<(), Refusal> {
    if decoded_names(uri).any(|name| is_customer_header(&name.to_ascii_lowercase())) {
        return Err(Refusal::invalid_request(
            "A customer-provided encryption key must not be part of a URL: URLs get logged and shared. Send it in the \
             headers.",
        ));
    }
    if !connection.secure && headers.keys().map(HeaderName::as_str).any(is_customer_header) {
        return Err(Refusal::invalid_request(
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure \
             connection.",
        ));
    }
    Ok(())
}

fn is_customer_header(name: &str) -> bool {
    name.starts_with("x-amz-server-side-encryption-customer-")
        || name.starts_with("x-amz-copy-source-server-side-encryption-customer-")
}

/// A list that clients send in one header or in several.
const ATTRIBUTES: HeaderName = HeaderName::from_static("x-amz-object-attributes");

/// Headers that mean one thing, besides all of `x-amz-*`.
const SINGLE: [HeaderName; 15] = [
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::DATE,
    header::EXPECT,
    header::HOST,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("content-md5"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(secure: bool) -> Connection {
        Connection { secure, tls: None, peer: ([127, 0, 0, 1], 1).into() }
    }

    fn code(headers: &HeaderMap, uri: &'static str, secure: bool) -> Option<(u16, String)> {
        let uri = Uri::from_static(uri);
        let refusal = check_customer_keys(headers, &uri, &connection(secure)).and_then(|()| check(headers)).err()?;
        Some((refusal.status.as_u16(), refusal.code.into_owned()))
    }

    #[test]
    fn customer_headers_need_a_secure_connection() {
        for name in [
            "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-key-MD5",
            "x-amz-copy-source-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-anything",
        ] {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(""))]);
            assert_eq!(code(&headers, "/b/o", false), Some((400, "InvalidRequest".into())));
            assert_eq!(code(&headers, "/b/o", true), None);
        }
    }

    #[test]
    fn a_customer_key_in_a_url_is_refused_however_it_is_spelled() {
        for uri in [
            "/b/o?x-amz-server-side-encryption-customer-key=QUJD",
            "/b/o?X-Amz-Server-Side-Encryption-Customer-Key=QUJD",
            "/b/o?a=b&x%2Damz-server-side-encryption-customer-algorithm=AES256",
            "/b/o?X-AMZ-COPY-SOURCE-SERVER-SIDE-ENCRYPTION-CUSTOMER-KEY",
        ] {
            assert_eq!(code(&HeaderMap::new(), uri, true), Some((400, "InvalidRequest".into())), "{uri}");
        }
    }

    #[test]
    fn a_list_in_several_headers_becomes_one() {
        let mut headers = HeaderMap::new();
        for value in ["ETag", "ObjectParts, Checksum", "ObjectSize"] {
            headers.append(ATTRIBUTES, HeaderValue::from_static(value));
        }
        headers.append("x-amz-date", HeaderValue::from_static("a"));
        headers.append("x-amz-date", HeaderValue::from_static("b"));
        join_lists(&mut headers);
        assert_eq!(headers[ATTRIBUTES], "ETag,ObjectParts, Checksum,ObjectSize");
        assert_eq!((headers.get_all(ATTRIBUTES).iter().count(), headers.get_all("x-amz-date").iter().count()), (1, 2));
    }

    #[test]
    fn doubled_and_unreadable_headers_are_refused() {
        for name in
            ["authorization", "x-amz-date", "x-amz-server-side-encryption-customer-key", "content-md5", "if-range"]
        {
            let mut headers = HeaderMap::new();
            headers.append(name, HeaderValue::from_static("a"));
            assert_eq!(code(&headers, "/b/o", true), None);
            headers.append(name, HeaderValue::from_static("a"));
            assert_eq!(code(&headers, "/b/o", true), Some((400, "InvalidRequest".into())), "{name}");
            headers.insert(name, HeaderValue::from_bytes(b"\xc1").unwrap());
            assert_eq!(code(&headers, "/b/o", true), Some((400, "InvalidArgument".into())), "{name}");
        }
        let mut headers = HeaderMap::new();
        headers.append("user-agent", HeaderValue::from_bytes(b"\xc1").unwrap());
        headers.append("user-agent", HeaderValue::from_static("b"));
        assert_eq!(code(&headers, "/b/o", true), None);
    }
}
