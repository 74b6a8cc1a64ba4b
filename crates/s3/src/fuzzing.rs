//! What the fuzz targets of this crate do with requests that nobody wrote (fuzz/README.md). A test at the end feeds the
//! same functions with the corpus that fuzzing has found.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::aws_chunked::{Decoder, Malformed, Piece};
use crate::target::Domains;
use crate::{Connection, SseCWithAes256, hygiene, query, sse, target};

pub use crate::form::fuzzing::{form, post_policy};

/// The encryption headers of a request, one in a line: a digit for its name, then its value. Whether they are ones that
/// a write or a read takes.
///
/// # Panics
/// When a customer key stays in the headers that were taken, or is repeated in a refusal.
#[must_use]
pub fn customer_key_headers(data: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(16) {
        let Some((name, value)) = line.split_first() else { continue };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            let name = usize::from(name.wrapping_sub(b'0')) % ENCRYPTION_HEADERS.len();
            headers.append(ENCRYPTION_HEADERS[name].clone(), value);
        }
    }
    let secrets: Vec<String> = [&TARGET_KEY, &SOURCE_KEY]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        // A header that is no secret may have the same text, and may be repeated.
        .filter(|secret| headers.values().filter(|value| contains(value, secret)).count() == 1)
        .map(str::to_owned)
        .collect();
    let uri = Uri::from_static("/bucket/object");
    let connection = |secure| Connection { secure, tls: None, peer: ([192, 0, 2, 1], 5000).into() };
    let refused = hygiene::check_customer_keys(&headers, &uri, &connection(false)).is_err();
    assert!(
        refused || !headers.contains_key(&TARGET_KEY) && !headers.contains_key(&SOURCE_KEY),
        "read over plain HTTP"
    );
    if hygiene::check(&headers).is_err() {
        return false;
    }
    let (mut write, mut read, mut source) = (headers.clone(), headers.clone(), headers);
    let answers = [
        (&TARGET_KEY, sse::take_write(&mut write, SseCWithAes256::Allow).map(|_| ()), &write),
        (&TARGET_KEY, sse::take_customer_key(&mut read).map(|_| ()), &read),
        (&SOURCE_KEY, sse::take_copy_source_key(&mut source).map(|_| ()), &source),
    ];
    for (name, answer, left) in &answers {
        assert!(answer.is_err() || !left.contains_key(*name), "a customer key stays in the headers");
        let Err(refusal) = answer else { continue };
        let told = format!("{refusal:?}");
        for secret in secrets.iter().filter(|secret| secret.len() > 20) {
            assert!(!told.contains(secret), "a refusal repeats the key");
        }
    }
    answers.iter().any(|(_, answer, _)| answer.is_ok())
}

fn contains(value: &HeaderValue, text: &str) -> bool {
    String::from_utf8_lossy(value.as_bytes()).contains(text)
}

/// A body in the framing `aws-chunked`; the first byte says in pieces of what length it comes. Whether it is whole.
///
/// # Panics
/// When it depends on the pieces, or more comes out than went in.
#[must_use]
pub fn aws_chunked(data: &[u8]) -> bool {
    let Some((step, body)) = data.split_first() else { return false };
    let decoded = decode(body, usize::from(*step).max(1));
    assert_eq!(decoded, decode(body, body.len().max(1)), "it matters how the wire cuts a body");
    let Ok((bytes, announced, _)) = decoded else { return false };
    assert!(bytes.len() < body.len(), "more comes out than went in");
    assert_eq!(bytes.len() as u64, announced, "a chunk is not as long as it says");
    true
}

type Decoded = (Vec<u8>, u64, HeaderMap);

fn decode(body: &[u8], step: usize) -> Result<Decoded, Malformed> {
    let (mut decoder, mut bytes, mut announced) = (Decoder::default(), Vec::new(), 0_u64);
    for piece in body.chunks(step) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(piece) = decoder.next(&mut input)? {
            match piece {
                Piece::Chunk(length) => announced = announced.saturating_add(length),
                Piece::Data(data) => bytes.extend_from_slice(&data),
            }
        }
    }
    Ok((bytes, announced, decoder.finish()?))
}

/// The first line of a request and its host, each in a line: `METHOD PATH`, then the host. Whether it names an operation.
///
/// # Panics
/// When a parameter that nobody knows makes no difference to a write, or one that is given twice to anything.
#[must_use]
pub fn request_target(data: &[u8]) -> bool {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (line, host) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(path)) else { return false };
    let mut headers = HeaderMap::new();
    if let Ok(host) = HeaderValue::from_bytes(host) {
        headers.insert(header::HOST, host);
    }
    let domains = Domains::new(["s3.example", "example"]).expect("domains");
    if target::settle_host(&mut headers, &uri).is_err() {
        return false;
    }
    let Ok((named, _)) = target::resolve(&domains, &headers, &uri) else { return false };
    if query::check(&method, named, &uri).is_err() {
        return false;
    }
    let _kind = query::document(&method, named, &uri);
    let with = |more: &str| {
        let separator = if uri.query().is_some() { '&' } else { '?' };
        Uri::try_from(format!("{uri}{separator}{more}")).ok()
    };
    if method != Method::GET
        && method != Method::HEAD
        && let Some(uri) = with("nobody-knows-this=1")
    {
        assert!(query::check(&method, named, &uri).is_err(), "a write ignores a parameter");
    }
    if let Some(twice) = uri.query().filter(|query| !query.trim_matches('&').is_empty()).and_then(with) {
        assert!(query::check(&method, named, &twice).is_err(), "a doubled parameter has two readings");
    }
    true
}

const TARGET_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-key");
const SOURCE_KEY: HeaderName = HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key");

const ENCRYPTION_HEADERS: [HeaderName; 10] = [
    HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm"),
    TARGET_KEY,
    HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5"),
    HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-algorithm"),
    SOURCE_KEY,
    HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key-md5"),
    HeaderName::from_static("x-amz-server-side-encryption"),
    HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id"),
    HeaderName::from_static("x-amz-server-side-encryption-context"),
    HeaderName::from_static("x-amz-server-side-encryption-bucket-key-enabled"),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    type Target = (&'static str, fn(&[u8]) -> bool);

    #[test]
    fn the_corpus_of_fuzzing_breaks_no_promise_and_is_not_refused_as_a_whole() {
        let targets: [Target; 5] = [
            ("customer_key_headers", customer_key_headers),
            ("aws_chunked", aws_chunked),
            ("request_target", request_target),
            ("form", form),
            ("post_policy", post_policy),
        ];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let mut taken = 0;
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // Shown when the input breaks something.
                println!("{}", path.display());
                taken += usize::from(target(&fs::read(path).unwrap()));
            }
            assert!(taken > 2, "{name}: {taken}");
        }
    }
}
