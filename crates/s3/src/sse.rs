//! The encryption headers of a request: SSE-C in both places, SSE-S3, and the mixes of them.
//!
//! Codes, messages and their order are AWS's (user guide, "Using server-side encryption with customer-provided keys",
//! and its recorded answers). One leniency is ours, unless the operator is strict: a complete customer trio together
//! with `x-amz-server-side-encryption: AES256`, which boto 2 sends for `encrypt_key=True`, is SSE-C. Any other mix is
//! refused. The headers of SSE-KMS are read in [`kms`].
//!
//! A customer key is taken out of the header map when it is parsed, and never repeated in an error.

mod kms;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::CustomerKey;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use md5::{Digest as _, Md5};
use operations::{RequestedEncryption, WriteEncryption};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::compatibility::SseCWithAes256;
use crate::refusal::Refusal;

pub(crate) use kms::parse_key_id;

/// A customer key with what answers repeat of it.
pub(crate) struct CustomerKeyHeaders {
    pub(crate) customer_key: CustomerKey,
    /// Base64 of the MD5 of the key, as the client sent it.
    pub(crate) md5: String,
}

/// What a write asks for.
pub(crate) struct WriteHeaders {
    pub(crate) encryption: WriteEncryption,
    /// What policies see.
    pub(crate) requested: RequestedEncryption,
    /// What the answer repeats.
    pub(crate) repeated: Repeated,
}

/// What the answer to a write repeats of its headers.
#[derive(Default)]
pub(crate) struct Repeated {
    /// The MD5 of the customer key.
    pub(crate) customer_md5: Option<String>,
    /// The encryption context, in base64.
    pub(crate) context: Option<String>,
}

/// Takes the encryption of a Put, Copy or CreateMultipartUpload out of its headers.
pub(crate) fn take_write(headers: &mut HeaderMap, mix: SseCWithAes256) -> Result<WriteHeaders, Refusal> {
    let mode = text(headers, &SERVER).map(str::to_owned);
    if TARGET.any_in(headers) {
        check_mix(headers, mode.as_deref(), mix)?;
    }
    let server_header = mode.as_deref() == Some("AES256");
    let mut repeated = Repeated::default();
    let mut requested = RequestedEncryption { server_header, ..RequestedEncryption::default() };
    let encryption = match mode.as_deref() {
        None | Some("AES256") => {
            let bucket_key = kms::take_without_mode(headers, mode.as_deref())?;
            match TARGET.take(headers)? {
                Some(_) if bucket_key == Some(true) => {
                    return Err(Refusal::invalid_argument(CONFLICT).detail("ArgumentName", kms::BUCKET_KEY.as_str()));
                }
                Some(customer) => {
                    requested.customer_header = true;
                    repeated.customer_md5 = Some(customer.md5);
                    WriteEncryption::Customer(customer.customer_key)
                }
                None if server_header => WriteEncryption::Server,
                None => WriteEncryption::Unspecified { bucket_key },
            }
        }
        Some("aws:kms") => {
            let taken = kms::take(headers)?;
            requested.kms = Some(taken.requested);
            repeated.context = taken.context;
            WriteEncryption::Kms(taken.wrap)
        }
        Some("aws:kms:dsse") => {
            return Err(Refusal::not_implemented("Dual-layer server-side encryption (aws:kms:dsse)"));
        }
        Some(other) => return Err(Refusal::invalid_argument(UNKNOWN_MODE).argument(SERVER.as_str(), other)),
    };
    Ok(WriteHeaders { encryption, requested, repeated })
}

/// Customer headers stand alone, or beside `AES256` where that is allowed.
fn check_mix(headers: &HeaderMap, mode: Option<&str>, mix: SseCWithAes256) -> Result<(), Refusal> {
    let conflict = Refusal::invalid_argument(CONFLICT);
    match mode {
        Some("AES256") if mix == SseCWithAes256::Allow => {}
        Some(mode) => return Err(conflict.argument(SERVER.as_str(), mode)),
        None => {}
    }
    if kms::any_in(headers) {
        return Err(conflict.detail("ArgumentName", SERVER.as_str()));
    }
    Ok(())
}

/// Takes the customer key of a read, a part or a completion out of its headers. The mode was chosen when the object or
/// the upload was made, so the header that chooses one does not belong here.
pub(crate) fn take_customer_key(headers: &mut HeaderMap) -> Result<Option<CustomerKeyHeaders>, Refusal> {
    refuse_mode(headers)?;
    TARGET.take(headers)
}

/// Takes the customer key of a copy's source out of the headers.
pub(crate) fn take_copy_source_key(headers: &mut HeaderMap) -> Result<Option<CustomerKeyHeaders>, Refusal> {
    COPY_SOURCE.take(headers)
}

/// Refuses the headers that choose a mode, where none can be chosen.
pub(crate) fn refuse_mode(headers: &HeaderMap) -> Result<(), Refusal> {
    for name in [&SERVER, &kms::KEY_ID, &kms::CONTEXT, &kms::BUCKET_KEY] {
        if let Some(value) = text(headers, name) {
            let message = format!("{name} header is not supported for this operation.");
            return Err(Refusal::invalid_argument(message).argument(name.as_str(), value));
        }
    }
    Ok(())
}

/// Refuses every header about encryption, where a document says what is wanted.
pub(crate) fn refuse_encryption(headers: &HeaderMap) -> Result<(), Refusal> {
    refuse_mode(headers)?;
    for trio in [&TARGET, &COPY_SOURCE] {
        if trio.any_in(headers) {
            let message = "Headers of a customer provided key are not supported for this operation.";
            return Err(Refusal::invalid_argument(message).detail("ArgumentName", trio.algorithm.as_str()));
        }
    }
    Ok(())
}

/// The three headers of a customer key.
struct Trio {
    algorithm: HeaderName,
    customer_key: HeaderName,
    md5: HeaderName,
}

impl Trio {
    fn any_in(&self, headers: &HeaderMap) -> bool {
        [&self.algorithm, &self.customer_key, &self.md5].iter().any(|name| headers.contains_key(*name))
    }

    fn take(&self, headers: &mut HeaderMap) -> Result<Option<CustomerKeyHeaders>, Refusal> {
        let algorithm = headers.remove(&self.algorithm);
        let encoded = headers.remove(&self.customer_key);
        let md5 = headers.remove(&self.md5);
        if algorithm.is_none() && encoded.is_none() && md5.is_none() {
            return Ok(None);
        }
        match algorithm.as_ref().map(HeaderValue::as_bytes) {
            Some(b"AES256") => {}
            None | Some(b"") => return Err(invalid(MISSING_ALGORITHM)),
            Some(other) => return Err(invalid_algorithm(&self.algorithm, &String::from_utf8_lossy(other))),
        }
        let encoded = encoded.filter(|value| !value.is_empty()).ok_or_else(|| invalid(MISSING_KEY))?;
        let md5 = md5.filter(|value| !value.is_empty()).ok_or_else(|| invalid(MISSING_MD5))?;
        let bytes = decode_key(encoded.as_bytes()).ok_or_else(|| invalid(INVALID_KEY))?;
        let claimed: [u8; 16] = decode(md5.as_bytes()).ok_or_else(|| invalid(MD5_MISMATCH))?;
        let computed: [u8; 16] = Md5::digest(bytes.as_slice()).into();
        if !bool::from(claimed.ct_eq(&computed)) {
            return Err(invalid(MD5_MISMATCH));
        }
        Ok(Some(CustomerKeyHeaders { customer_key: CustomerKey::new(bytes), md5: STANDARD.encode(computed) }))
    }
}

/// Strict base64: padded, nothing around it.
fn decode_key(encoded: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    // 44 characters stand for 31 to 33 bytes; the decoder wants room for all of them.
    let mut buffer = Zeroizing::new([0; 33]);
    if encoded.len() != 44 || STANDARD.decode_slice(encoded, buffer.as_mut()).ok()? != 32 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(&buffer[..32]);
    Some(bytes)
}

fn decode<const N: usize>(encoded: &[u8]) -> Option<[u8; N]> {
    STANDARD.decode(encoded).ok()?.try_into().ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::invalid_argument(message).detail("ArgumentName", SERVER.as_str())
}

fn invalid_algorithm(name: &HeaderName, value: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidEncryptionAlgorithmError", INVALID_ALGORITHM)
        .argument(name.as_str(), value)
}

const SERVER: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const TARGET: Trio = Trio {
    algorithm: HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm"),
    customer_key: HeaderName::from_static("x-amz-server-side-encryption-customer-key"),
    md5: HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5"),
};

const COPY_SOURCE: Trio = Trio {
    algorithm: HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-algorithm"),
    customer_key: HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key"),
    md5: HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key-md5"),
};

const INVALID_ALGORITHM: &str = "The Encryption request you specified is not valid. Supported value: AES256.";
const MISSING_ALGORITHM: &str = "Requests specifying Server Side Encryption with Customer provided keys must provide a \
                                 valid encryption algorithm.";
const MISSING_KEY: &str = "Requests specifying Server Side Encryption with Customer provided keys must provide an \
                           appropriate secret key.";
const MISSING_MD5: &str = "Requests specifying Server Side Encryption with Customer provided keys must provide the \
                           client calculated MD5 of the secret key.";
const INVALID_KEY: &str = "The secret key was invalid for the specified algorithm.";
const MD5_MISMATCH: &str = "The calculated MD5 hash of the key did not match the hash that was provided.";
const UNKNOWN_MODE: &str = "The encryption method specified is not supported";
const CONFLICT: &str = "Server Side Encryption with Customer provided key is incompatible with the encryption method \
                        specified";

#[cfg(test)]
mod tests;
