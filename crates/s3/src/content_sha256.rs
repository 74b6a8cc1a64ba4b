use http::{HeaderMap, StatusCode};

use crate::refusal::Refusal;

/// What `x-amz-content-sha256` says of the body (AWS: "Authenticating requests: using the Authorization header").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentSha256 {
    /// Nothing: the header is absent or says `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// The digest of the body.
    Digest([u8; 32]),
    /// The body is aws-chunked and each chunk is signed.
    SignedChunks {
        /// Trailers follow.
        trailer: bool,
    },
    /// The body is aws-chunked and trailers follow; nothing of it is signed.
    UnsignedChunks,
}

impl ContentSha256 {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(value) = headers.get(NAME) else { return Ok(Self::Unsigned) };
        match value.as_bytes() {
            b"UNSIGNED-PAYLOAD" => Ok(Self::Unsigned),
            b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::UnsignedChunks),
            b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Self::SignedChunks { trailer: false }),
            b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(Self::SignedChunks { trailer: true }),
            b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" | b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                Err(Refusal::not_implemented("The signature algorithm AWS4-ECDSA-P256-SHA256"))
            }
            digest => {
                let mut bytes = [0; 32];
                // `s3s` reads lower case only.
                let is_lower = !digest.iter().any(u8::is_ascii_uppercase);
                if is_lower && hex::decode_to_slice(digest, &mut bytes).is_ok() {
                    return Ok(Self::Digest(bytes));
                }
                let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
                               STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
                               STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
                Err(Refusal::invalid_argument(message).argument(NAME, String::from_utf8_lossy(digest)))
            }
        }
    }

    pub(crate) const fn is_chunked(self) -> bool {
        matches!(self, Self::SignedChunks { .. } | Self::UnsignedChunks)
    }

    pub(crate) const fn has_trailer(self) -> bool {
        matches!(self, Self::SignedChunks { trailer: true } | Self::UnsignedChunks)
    }
}

/// The declared length of an aws-chunked body without its framing, in bytes.
pub(crate) fn decoded_length(headers: &HeaderMap) -> Result<u64, Refusal> {
    let Some(value) = headers.get("x-amz-decoded-content-length") else {
        return Err(Refusal::new(
            StatusCode::LENGTH_REQUIRED,
            "MissingContentLength",
            "You must provide the x-amz-decoded-content-length HTTP header.",
        ));
    };
    // Digits only: `s3s` would read `12abc` as 12.
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let message = "The x-amz-decoded-content-length header is not a number of bytes.";
        Refusal::invalid_argument(message).detail("ArgumentName", "x-amz-decoded-content-length")
    })
}

const NAME: &str = "x-amz-content-sha256";
