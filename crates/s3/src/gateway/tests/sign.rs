//! Signatures as clients make them, written down anew from the AWS documents and sharing nothing with `s3s`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use super::support::Draft;

pub(super) const ID: &str = "AKIDALICE";
pub(super) const SECRET: &str = "secret-of-alice";
pub(super) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(super) fn amz_date(at: OffsetDateTime) -> String {
    at.format(&format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap()
}

pub(super) fn http_date(at: OffsetDateTime) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    at.format(&format).unwrap()
}

pub(super) fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hmac_sha1(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The resource of version 2: the bucket of a virtual host, the raw path, and the subresources that count.
fn resource_v2(draft: &Draft) -> String {
    let (path, query) = draft.uri.split_once('?').unwrap_or((&draft.uri, ""));
    let counts = ["acl", "delete", "policy", "uploads", "uploadId", "partNumber", "versionId", "location"];
    let mut pairs: Vec<&str> =
        query.split('&').filter(|pair| counts.contains(&pair.split('=').next().unwrap_or_default())).collect();
    pairs.sort_unstable();
    let host = draft.header("host").unwrap_or_default();
    let bucket = host.strip_suffix(".s3.example").map(|bucket| format!("/{bucket}")).unwrap_or_default();
    let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    format!("{bucket}{path}{query}")
}

fn string_to_sign_v2(draft: &Draft, date: &str) -> String {
    let mut amz: Vec<_> = draft.headers.iter().filter(|(name, _)| name.starts_with("x-amz-")).collect();
    amz.sort();
    let amz: String = amz.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let of = |name: &str| draft.header(name).unwrap_or_default().to_owned();
    let (md5, content_type) = (of("content-md5"), of("content-type"));
    format!("{}\n{md5}\n{content_type}\n{date}\n{amz}{}", draft.method, resource_v2(draft))
}

/// `Authorization: AWS ID:SIGNATURE`, dated now unless the draft has a date.
pub(super) fn v2(draft: Draft) -> Draft {
    v2_as(draft, ID, SECRET)
}

pub(super) fn v2_as(mut draft: Draft, id: &str, secret: &str) -> Draft {
    if draft.header("date").is_none() && draft.header("x-amz-date").is_none() {
        draft = draft.with("date", http_date(OffsetDateTime::now_utc()));
    }
    let date = match draft.header("x-amz-date") {
        Some(_) => String::new(),
        None => draft.header("date").unwrap_or_default().to_owned(),
    };
    let signature = hmac_sha1(secret, &string_to_sign_v2(&draft, &date));
    draft.with("authorization", format!("AWS {id}:{signature}"))
}

/// The signature of a form of version 2.
pub(super) fn form_v2(secret: &str, policy: &str) -> String {
    hmac_sha1(secret, policy)
}

/// The signature of a form of version 4.
pub(super) fn form_v4(secret: &str, day: &str, policy: &str) -> String {
    let steps = [day, "us-east-1", "s3", "aws4_request", policy];
    let begin = format!("AWS4{secret}").into_bytes();
    hex::encode(steps.into_iter().fold(begin, |step_key, step| hmac_sha256(&step_key, step)))
}

/// A presigned URL of version 2 that ends at `expires`.
pub(super) fn v2_query(mut draft: Draft, expires: OffsetDateTime) -> Draft {
    let expires = expires.unix_timestamp().to_string();
    let signature = hmac_sha1(SECRET, &string_to_sign_v2(&draft, &expires));
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let separator = if draft.uri.contains('?') { '&' } else { '?' };
    draft.uri = format!("{}{separator}AWSAccessKeyId={ID}&Expires={expires}&Signature={signature}", draft.uri);
    draft
}

/// How a version 4 signature is to be made.
pub(super) struct V4 {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) at: OffsetDateTime,
    pub(super) service: &'static str,
    /// Headers that are not signed.
    pub(super) unsigned: &'static [&'static str],
}

impl Default for V4 {
    fn default() -> Self {
        let (id, secret) = (ID.to_owned(), SECRET.to_owned());
        Self { id, secret, at: OffsetDateTime::now_utc(), service: "s3", unsigned: &[] }
    }
}

impl V4 {
    fn scope(&self) -> String {
        format!("{}/us-east-1/{}/aws4_request", &amz_date(self.at)[..8], self.service)
    }

    pub(super) fn signature(&self, kind: &str, rest: &str) -> String {
        let date = amz_date(self.at);
        let signing = hmac_sha256(format!("AWS4{}", self.secret).as_bytes(), &date[..8]);
        let signing = hmac_sha256(&signing, "us-east-1");
        let signing = hmac_sha256(&signing, self.service);
        let signing = hmac_sha256(&signing, "aws4_request");
        hex::encode(hmac_sha256(&signing, &format!("{kind}\n{date}\n{}\n{rest}", self.scope())))
    }

    fn signed_headers(&self, draft: &Draft) -> Vec<(String, String)> {
        let mut headers = draft.headers.clone();
        headers.retain(|(name, _)| !self.unsigned.contains(&name.as_str()) && name != "authorization");
        headers.sort();
        headers
    }

    fn canonical(draft: &Draft, headers: &[(String, String)], payload: &str) -> String {
        let (path, query) = draft.uri.split_once('?').unwrap_or((&draft.uri, ""));
        let mut pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.sort();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        format!("{}\n{path}\n{}\n{lines}\n{}\n{payload}", draft.method, pairs.join("&"), names(headers))
    }

    /// Signs in the header; `payload` is the value of `x-amz-content-sha256`. Gives the draft and the signature.
    pub(super) fn header(&self, draft: Draft, payload: &str) -> (Draft, String) {
        let draft = draft.with("x-amz-date", amz_date(self.at)).with("x-amz-content-sha256", payload);
        let headers = self.signed_headers(&draft);
        let canonical = Self::canonical(&draft, &headers, payload);
        let signature = self.signature("AWS4-HMAC-SHA256", &sha256_hex(canonical));
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.id,
            self.scope(),
            names(&headers)
        );
        (draft.with("authorization", value), signature)
    }

    /// Presigns for `expires` seconds.
    pub(super) fn query(&self, mut draft: Draft, expires: &str) -> Draft {
        let headers = self.signed_headers(&draft);
        let separator = if draft.uri.contains('?') { '&' } else { '?' };
        draft.uri = format!(
            "{}{separator}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={expires}\
             &X-Amz-SignedHeaders={}",
            draft.uri,
            format!("{}/{}", self.id, self.scope()).replace('/', "%2F"),
            amz_date(self.at),
            names(&headers).replace(';', "%3B"),
        );
        let canonical = Self::canonical(&draft, &headers, "UNSIGNED-PAYLOAD");
        let signature = self.signature("AWS4-HMAC-SHA256", &sha256_hex(canonical));
        draft.uri = format!("{}&X-Amz-Signature={signature}", draft.uri);
        draft
    }

    /// Signs in the header and frames `chunks`, each with its signature; the empty last chunk is added.
    pub(super) fn chunks(&self, draft: Draft, chunks: &[&[u8]]) -> Draft {
        let length: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        let draft = draft.with("x-amz-decoded-content-length", length.to_string());
        let (draft, mut previous) = self.header(draft, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let mut body = Vec::new();
        for chunk in chunks.iter().copied().chain([&b""[..]]) {
            let rest = format!("{previous}\n{EMPTY_SHA256}\n{}", sha256_hex(chunk));
            previous = self.signature("AWS4-HMAC-SHA256-PAYLOAD", &rest);
            body.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        draft.body(body)
    }
}

fn names(headers: &[(String, String)]) -> String {
    headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

/// Version 4 with the digest of the body.
pub(super) fn v4(draft: Draft) -> Draft {
    let digest = sha256_hex(&draft.body);
    V4::default().header(draft, &digest).0
}
