//! Which credential a request presents, found before any signature is looked at.
//!
//! A token must be found here: its signatures cannot be checked, so the request must not reach code that would. What
//! is found is only a claim.

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::{AccessKeyId, Token};

/// The claim of a request.
pub enum Presented {
    /// No credential at all.
    Anonymous,
    /// A credential, with a signature.
    Signed {
        /// The credential.
        by: PresentedKey,
        /// How the signature is made.
        scheme: SignatureScheme,
        /// Whether it is a presigned URL.
        in_query: bool,
    },
}

/// The two kinds of credential. Only the first may be printed.
pub enum PresentedKey {
    /// The id of an access key pair.
    AccessKey(AccessKeyId),
    /// A token in the id's place.
    Token(Token),
}

/// How a signature is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SignatureScheme {
    /// `AWS ID:SIGNATURE`.
    V2,
    /// `AWS4-HMAC-SHA256 …`.
    V4,
}

/// The request presents something, and it cannot be read. The text is public and repeats nothing of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedAuthorization {
    /// Header and query, or both kinds of query parameters.
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter \
         or the Authorization header should be specified"
    )]
    Several,
    /// Another scheme than the two.
    #[error("Unsupported Authorization Type")]
    UnsupportedScheme,
    /// A version 2 header that is not `AWS ID:SIGNATURE`.
    #[error("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")]
    HeaderV2,
    /// A version 4 header without a well-formed `Credential`.
    #[error(
        "The authorization header is malformed; the Credential is mal-formed; expecting \
         \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
    )]
    HeaderV4,
    /// Version 2 parameters are incomplete or given twice.
    #[error("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")]
    QueryV2,
    /// Version 4 parameters are incomplete, given twice or malformed.
    #[error(
        "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
         \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
    )]
    QueryV4,
    /// The id cannot be one of an access key pair, nor is it a token.
    #[error("The AWS Access Key Id you provided does not exist in our records.")]
    InvalidKey,
}

/// Finds the credential in the `Authorization` header or in the raw query (without its `?`, still percent-encoded).
///
/// # Errors
/// [`MalformedAuthorization`] when there is an attempt that cannot be read; never anonymous by mistake.
pub fn presented_access_key(
    authorization: Option<&str>,
    query: Option<&str>,
) -> Result<Presented, MalformedAuthorization> {
    let parameters = Parameters::of(query.unwrap_or_default())?;
    let (v2, v4) = (parameters.is_v2(), parameters.is_v4());
    let attempts = [authorization.is_some(), v2, v4].into_iter().filter(|attempt| *attempt).count();
    if attempts > 1 {
        return Err(MalformedAuthorization::Several);
    }
    let (text, scheme) = match authorization {
        Some(header) => in_header(header)?,
        None if v2 => (parameters.key_v2()?, SignatureScheme::V2),
        None if v4 => (parameters.key_v4()?, SignatureScheme::V4),
        None => return Ok(Presented::Anonymous),
    };
    Ok(Presented::Signed { by: PresentedKey::parse(&text)?, scheme, in_query: authorization.is_none() })
}

impl PresentedKey {
    fn parse(text: &str) -> Result<Self, MalformedAuthorization> {
        if Token::looks_like(text) {
            return Token::parse(text).map(Self::Token).map_err(|_| MalformedAuthorization::InvalidKey);
        }
        AccessKeyId::parse(text).map(Self::AccessKey).map_err(|_| MalformedAuthorization::InvalidKey)
    }
}

fn in_header(header: &str) -> Result<(Zeroizing<String>, SignatureScheme), MalformedAuthorization> {
    let (scheme, rest) = header.trim().split_once(' ').ok_or(MalformedAuthorization::UnsupportedScheme)?;
    match scheme {
        "AWS" => {
            let (id, signature) = rest.trim().rsplit_once(':').ok_or(MalformedAuthorization::HeaderV2)?;
            let complete = !id.is_empty() && !signature.is_empty();
            let id = complete.then(|| Zeroizing::new(id.to_owned())).ok_or(MalformedAuthorization::HeaderV2)?;
            Ok((id, SignatureScheme::V2))
        }
        "AWS4-HMAC-SHA256" => {
            let mut credentials = rest.split(',').filter_map(|field| field.trim().strip_prefix("Credential="));
            let (Some(credential), None) = (credentials.next(), credentials.next()) else {
                return Err(MalformedAuthorization::HeaderV4);
            };
            let id = key_of_scope(credential).ok_or(MalformedAuthorization::HeaderV4)?;
            Ok((Zeroizing::new(id.to_owned()), SignatureScheme::V4))
        }
        _ => Err(MalformedAuthorization::UnsupportedScheme),
    }
}

/// The id in `ID/YYYYMMDD/REGION/SERVICE/aws4_request`.
fn key_of_scope(credential: &str) -> Option<&str> {
    let fields: Vec<&str> = credential.splitn(6, '/').collect();
    let &[id, date, region, service, "aws4_request"] = fields.as_slice() else { return None };
    let dated = date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit());
    (dated && !id.is_empty() && !region.is_empty() && !service.is_empty()).then_some(id)
}

/// The query parameters that have to do with authorization, decoded.
#[derive(Default)]
struct Parameters {
    access_key_v2: Option<Zeroizing<String>>,
    signature_v2: bool,
    expires_v2: bool,
    credential_v4: Option<Zeroizing<String>>,
    /// Any other parameter that only a presigned URL of version 4 has.
    trace_v4: bool,
}

impl Parameters {
    fn of(query: &str) -> Result<Self, MalformedAuthorization> {
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode_str(name).decode_utf8_lossy();
            match name.as_ref() {
                "AWSAccessKeyId" => {
                    let earlier = found.access_key_v2.replace(decoded(value).ok_or(MalformedAuthorization::QueryV2)?);
                    earlier.is_none().then_some(()).ok_or(MalformedAuthorization::QueryV2)?;
                }
                "Signature" => found.signature_v2 = true,
                "Expires" => found.expires_v2 = true,
                "X-Amz-Credential" => {
                    let earlier = found.credential_v4.replace(decoded(value).ok_or(MalformedAuthorization::QueryV4)?);
                    earlier.is_none().then_some(()).ok_or(MalformedAuthorization::QueryV4)?;
                }
                "X-Amz-Algorithm" | "X-Amz-Signature" => found.trace_v4 = true,
                _ => {}
            }
        }
        Ok(found)
    }

    const fn is_v2(&self) -> bool {
        self.access_key_v2.is_some() || self.signature_v2
    }

    const fn is_v4(&self) -> bool {
        self.credential_v4.is_some() || self.trace_v4
    }

    fn key_v2(self) -> Result<Zeroizing<String>, MalformedAuthorization> {
        let complete = self.signature_v2 && self.expires_v2;
        self.access_key_v2.filter(|_| complete).ok_or(MalformedAuthorization::QueryV2)
    }

    fn key_v4(self) -> Result<Zeroizing<String>, MalformedAuthorization> {
        let id = self.credential_v4.as_deref().and_then(|credential| key_of_scope(credential));
        id.map(|id| Zeroizing::new(id.to_owned())).ok_or(MalformedAuthorization::QueryV4)
    }
}

/// A value without its percent-encoding. A plus sign stays one: S3 queries are not form data.
fn decoded(value: &str) -> Option<Zeroizing<String>> {
    percent_decode_str(value).decode_utf8().ok().map(|text| Zeroizing::new(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The claim in one line; tokens are marked, so that a mix-up shows.
    fn claim(header: Option<&str>, query: Option<&str>) -> Result<String, MalformedAuthorization> {
        Ok(match presented_access_key(header, query)? {
            Presented::Anonymous => "anonymous".to_owned(),
            Presented::Signed { by, scheme, in_query } => {
                let by = match by {
                    PresentedKey::AccessKey(id) => id.to_string(),
                    PresentedKey::Token(token) => format!("token {}", token.expose()),
                };
                format!("{by} {scheme:?} {}", if in_query { "query" } else { "header" })
            }
        })
    }

    fn token() -> String {
        format!("cnpt{}", "x".repeat(40))
    }

    #[test]
    fn all_four_places_are_read() {
        let v4 = "AWS4-HMAC-SHA256 Credential=AKID/20260131/us-east-1/s3/aws4_request, \
                  SignedHeaders=host;x-amz-date, Signature=00";
        assert_eq!(claim(Some(v4), None).as_deref(), Ok("AKID V4 header"));
        assert_eq!(claim(Some(&v4.replace(", ", ",")), Some("")).as_deref(), Ok("AKID V4 header"));
        assert_eq!(claim(Some("AWS AKID:c2ln"), Some("acl")).as_deref(), Ok("AKID V2 header"));
        let v2 = "Signature=c2ln&Expires=1&AWSAccessKeyId=AKID&x=y";
        assert_eq!(claim(None, Some(v2)).as_deref(), Ok("AKID V2 query"));
        let v4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260131%2Fus-east-1%2Fs3%2Faws4_request";
        assert_eq!(claim(None, Some(v4)).as_deref(), Ok("AKID V4 query"));
        assert_eq!(claim(None, Some("prefix=a")).as_deref(), Ok("anonymous"));
        assert_eq!(claim(None, None).as_deref(), Ok("anonymous"));
    }

    #[test]
    fn a_token_is_never_taken_for_an_id() {
        let token = token();
        assert_eq!(claim(Some(&format!("AWS {token}:c2ln")), None), Ok(format!("token {token} V2 header")));
        let scope = "20260131/us-east-1/s3/aws4_request";
        let header = format!("AWS4-HMAC-SHA256 Credential={token}/{scope}, SignedHeaders=host, Signature=0");
        assert_eq!(claim(Some(&header), None), Ok(format!("token {token} V4 header")));
        let query = format!("Expires=1&Signature=s&AWSAccessKeyId={}", token.replace('c', "%63"));
        assert_eq!(claim(None, Some(&query)), Ok(format!("token {token} V2 query")));
        let mistyped = &token[..43];
        assert_eq!(claim(Some(&format!("AWS {mistyped}:c2ln")), None), Err(MalformedAuthorization::InvalidKey));
    }

    #[test]
    fn an_attempt_that_cannot_be_read_is_never_anonymous() {
        use MalformedAuthorization::{HeaderV2, HeaderV4, InvalidKey, QueryV2, QueryV4, UnsupportedScheme};
        for (header, expected) in [
            ("", UnsupportedScheme),
            ("AWS", UnsupportedScheme),
            ("Basic dXNlcjpwYXNz", UnsupportedScheme),
            ("AWS4-ECDSA-P256-SHA256 Credential=AKID/20260131/s3/aws4_request", UnsupportedScheme),
            ("AWS AKID", HeaderV2),
            ("AWS :sig", HeaderV2),
            ("AWS AKID:", HeaderV2),
            ("AWS A KID:sig", InvalidKey),
            ("AWS4-HMAC-SHA256 SignedHeaders=host", HeaderV4),
            ("AWS4-HMAC-SHA256 Credential=AKID/2026/us/s3/aws4_request", HeaderV4),
            ("AWS4-HMAC-SHA256 Credential=AKID/20260131/us/s3/aws5_request", HeaderV4),
            ("AWS4-HMAC-SHA256 Credential=AKID/x/20260131/us/s3/aws4_request", HeaderV4),
            ("AWS4-HMAC-SHA256 Credential=/20260131/us/s3/aws4_request", HeaderV4),
            (
                "AWS4-HMAC-SHA256 Credential=A/20260131/us/s3/aws4_request,Credential=B/20260131/us/s3/aws4_request",
                HeaderV4,
            ),
        ] {
            assert_eq!(claim(Some(header), None), Err(expected), "{header}");
        }
        for (query, expected) in [
            ("AWSAccessKeyId=AKID", QueryV2),
            ("Signature=x&Expires=1", QueryV2),
            ("AWSAccessKeyId=A&AWSAccessKeyId=B&Signature=x&Expires=1", QueryV2),
            ("AWSAccessKeyId=%FF&Signature=x&Expires=1", QueryV2),
            ("X-Amz-Signature=00", QueryV4),
            ("X-Amz-Algorithm=AWS4-HMAC-SHA256", QueryV4),
            ("X-Amz-Credential=AKID", QueryV4),
        ] {
            assert_eq!(claim(None, Some(query)), Err(expected), "{query}");
        }
    }

    #[test]
    fn two_mechanisms_at_once_are_refused() {
        let v2 = "AWSAccessKeyId=AKID&Signature=x&Expires=1";
        let v4 = "X-Amz-Credential=AKID/20260131/us/s3/aws4_request";
        assert_eq!(claim(Some("AWS AKID:sig"), Some(v2)), Err(MalformedAuthorization::Several));
        assert_eq!(claim(Some("AWS AKID:sig"), Some(v4)), Err(MalformedAuthorization::Several));
        assert_eq!(claim(None, Some(&format!("{v2}&{v4}"))), Err(MalformedAuthorization::Several));
    }

    proptest! {
        #[test]
        fn no_header_or_query_makes_the_reader_panic(header in "(AWS|AWS4-HMAC-SHA256)? ?\\PC{0,60}", query in "\\PC{0,60}") {
            let _ = claim(Some(&header), None);
            let _ = claim(None, Some(&query));
        }
    }
}
