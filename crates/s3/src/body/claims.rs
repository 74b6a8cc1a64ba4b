use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::{HeaderMap, StatusCode};
use md5::Md5;
use operations::{BadChecksum, BadContentMd5, BodyError, ChecksumAlgorithm};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::document_kind::DocumentKind;
use crate::content_sha256::ContentSha256;
use crate::error;
use crate::refusal::Refusal;

/// What a request claims of its document (AWS: "Checking object integrity in Amazon S3"). The claims on the bytes of an
/// object are checked where they are stored.
pub(super) struct Claims {
    sha256: Option<[u8; 32]>,
    md5: Option<[u8; 16]>,
    checksum: Option<(ChecksumAlgorithm, Source)>,
}

/// Where the value of a checksum is.
enum Source {
    Header(Vec<u8>),
    /// Behind the document.
    Trailer,
}

impl Claims {
    pub(super) fn of(kind: DocumentKind, content: ContentSha256, headers: &HeaderMap) -> Result<Self, Refusal> {
        let sha256 = if let ContentSha256::Digest(digest) = content { Some(digest) } else { None };
        let claims = Self { sha256, md5: content_md5(headers)?, checksum: checksum(kind, content, headers)? };
        if kind == DocumentKind::Deletion && !claims.has_any() {
            let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
            return Err(Refusal::invalid_request(message));
        }
        Ok(claims)
    }

    /// Checks them on the whole document. `trailers`: what came behind it.
    pub(super) fn check(&self, document: &[u8], trailers: Option<&HeaderMap>) -> Result<(), Refusal> {
        if self.sha256.is_some_and(|claimed| Sha256::digest(document)[..] != claimed) {
            return Err(error::of_body(&BodyError::ContentSha256Mismatch));
        }
        if self.md5.is_some_and(|claimed| Md5::digest(document)[..] != claimed) {
            return Err(bad_digest(BadContentMd5.to_string()));
        }
        let Some((algorithm, source)) = &self.checksum else { return Ok(()) };
        let claimed = match source {
            Source::Header(claimed) => Some(claimed.clone()),
            Source::Trailer => trailers
                .and_then(|trailers| trailers.get(header_name(*algorithm)))
                .and_then(|value| decode(*algorithm, value.as_bytes())),
        };
        if claimed == Some(checksum_of(*algorithm, document)) {
            return Ok(());
        }
        Err(bad_digest(BadChecksum(algorithm.name()).to_string()))
    }

    const fn has_any(&self) -> bool {
        self.sha256.is_some() || self.md5.is_some() || self.checksum.is_some()
    }
}

fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Refusal> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let digest = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    digest.map(Some).ok_or_else(|| {
        Refusal::new(StatusCode::BAD_REQUEST, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    })
}

/// At most one, in a header or announced as a trailer.
fn checksum(
    kind: DocumentKind,
    content: ContentSha256,
    headers: &HeaderMap,
) -> Result<Option<(ChecksumAlgorithm, Source)>, Refusal> {
    let mut found = Vec::new();
    for algorithm in ChecksumAlgorithm::ALL {
        let name = header_name(algorithm);
        // The headers of a completion tell the checksum of the object.
        if kind != DocumentKind::Completion
            && let Some(value) = headers.get(&name)
        {
            let value = decode(algorithm, value.as_bytes());
            let value =
                value.ok_or_else(|| Refusal::invalid_request(format!("Value for {name} header is invalid.")))?;
            found.push((algorithm, Source::Header(value)));
        }
        let announced = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content.has_trailer() && announced.trim().eq_ignore_ascii_case(&name) {
            found.push((algorithm, Source::Trailer));
        }
    }
    if found.len() > 1 {
        let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(Refusal::invalid_request(message));
    }
    Ok(found.pop())
}

fn header_name(algorithm: ChecksumAlgorithm) -> String {
    format!("x-amz-checksum-{}", algorithm.name().to_ascii_lowercase())
}

fn decode(algorithm: ChecksumAlgorithm, value: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(value).ok().filter(|bytes| bytes.len() == algorithm.value_len())
}

fn checksum_of(algorithm: ChecksumAlgorithm, document: &[u8]) -> Vec<u8> {
    let crc = |crc| {
        let value = crc_fast::checksum(crc, document).to_be_bytes();
        value[value.len() - algorithm.value_len()..].to_vec()
    };
    match algorithm {
        ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
        ChecksumAlgorithm::Sha1 => Sha1::digest(document).to_vec(),
        ChecksumAlgorithm::Sha256 => Sha256::digest(document).to_vec(),
    }
}

fn bad_digest(message: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "BadDigest", message)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn answer(kind: DocumentKind, content: ContentSha256, headers: &[(&'static str, &'static str)]) -> String {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let checked = Claims::of(kind, content, &headers)
            .and_then(|claims| claims.check(b"123456789", content.has_trailer().then_some(&headers)));
        checked.map_or_else(|refusal| refusal.code.into_owned(), |()| "ok".to_owned())
    }

    /// The digests of `123456789`.
    const RIGHT: [(&str, &str); 6] = [
        ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];
    const WRONG: [(&str, &str); 6] = [
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-crc32c", "AAAAAA=="),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ];

    #[test]
    fn every_digest_of_a_document_is_checked() {
        for kind in [DocumentKind::Deletion, DocumentKind::Policy, DocumentKind::Acl, DocumentKind::Bucket] {
            for (right, wrong) in RIGHT.into_iter().zip(WRONG) {
                assert_eq!(answer(kind, ContentSha256::Unsigned, &[right]), "ok", "{right:?}");
                assert_eq!(answer(kind, ContentSha256::Unsigned, &[wrong]), "BadDigest", "{wrong:?}");
            }
            let other = ContentSha256::Digest([0; 32]);
            assert_eq!(answer(kind, other, &[RIGHT[0]]), "XAmzContentSHA256Mismatch");
            assert_eq!(answer(kind, ContentSha256::Unsigned, &[("content-md5", "AAAA")]), "InvalidDigest");
            assert_eq!(answer(kind, ContentSha256::Unsigned, &[("x-amz-checksum-crc32", "AAAA")]), "InvalidRequest");
            assert_eq!(answer(kind, ContentSha256::Unsigned, &RIGHT[1..3]), "InvalidRequest");
            assert_eq!(answer(kind, ContentSha256::Unsigned, &[RIGHT[0], WRONG[1]]), "BadDigest");
        }
    }

    #[test]
    fn a_checksum_behind_a_document_is_checked() {
        for (right, wrong) in RIGHT.into_iter().zip(WRONG).skip(1) {
            let announced = ("x-amz-trailer", right.0);
            let behind = |value: Option<(&'static str, &'static str)>| {
                let headers: HeaderMap =
                    [(HeaderName::from_static("x-amz-trailer"), HeaderValue::from_static(announced.1))]
                        .into_iter()
                        .collect();
                let trailers: HeaderMap = value
                    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                    .into_iter()
                    .collect();
                let claims = Claims::of(DocumentKind::Deletion, ContentSha256::UnsignedChunks, &headers).unwrap();
                claims.check(b"123456789", Some(&trailers)).is_ok()
            };
            assert!(behind(Some(right)));
            assert!(!behind(Some(wrong)));
            assert!(!behind(None));
        }
    }

    #[test]
    fn a_deletion_says_what_it_is() {
        assert_eq!(answer(DocumentKind::Deletion, ContentSha256::Unsigned, &[]), "InvalidRequest");
        let digest = ContentSha256::Digest(Sha256::digest(b"123456789").into());
        assert_eq!(answer(DocumentKind::Deletion, digest, &[]), "ok");
        assert_eq!(answer(DocumentKind::Policy, ContentSha256::Unsigned, &[]), "ok");
    }

    #[test]
    fn the_checksum_of_a_completion_is_that_of_the_object() {
        assert_eq!(answer(DocumentKind::Completion, ContentSha256::Unsigned, &[WRONG[1]]), "ok");
        assert_eq!(answer(DocumentKind::Completion, ContentSha256::Unsigned, &[WRONG[0]]), "BadDigest");
    }
}
