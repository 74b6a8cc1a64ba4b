//! Who signed the policy document of a form (AWS: "Authenticating requests in browser-based uploads using POST"). `s3s`
//! is not asked: it would hold the file in memory to tell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode, Uri, header};
use identity::{AccessKeyId, MalformedAuthorization, Presented, SecretAccessKey, SignatureScheme, Token};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Claim, CredentialStore, coverage, malformed, unknown_access_key};
use crate::error::of_fault;
use crate::exchange::{Signed, SignedIn};
use crate::form::Fields;
use crate::refusal::Refusal;

/// Settles who posts a form. Without a policy document and any field of a signature it is nobody in particular.
pub(crate) async fn claim(store: &dyn CredentialStore, fields: &Fields, region: &str) -> Result<Claim, Refusal> {
    let has_any = |names: &[&str]| names.iter().any(|name| fields.get(name).is_some());
    let signature = match (has_any(FIELDS_V2), has_any(FIELDS_V4)) {
        (false, false) if fields.get("policy").is_none() => return Ok(Claim::Anonymous),
        (true, true) => return Err(malformed(MalformedAuthorization::Several)),
        (_, true) => Signature::V4(SignatureV4::read(fields, region)?),
        (_, false) => Signature::V2(SignatureV2::read(fields)?),
    };
    let policy = fields.require("policy")?;
    let (id, scheme) = match &signature {
        Signature::V2(v2) => (access_key_id(v2.id)?, SignatureScheme::V2),
        Signature::V4(v4) => (access_key_id(v4.id)?, SignatureScheme::V4),
    };
    let found = store.access_key(&id).await.map_err(|fault| of_fault(&fault))?;
    let Some((secret, principal)) = found else {
        return Err(unknown_access_key().detail("AWSAccessKeyId", id.as_str()));
    };
    let is_right = match &signature {
        Signature::V2(v2) => v2.is_by(&secret, policy),
        Signature::V4(v4) => v4.is_by(&secret, policy),
    };
    if !is_right {
        return Err(wrong_signature().detail("AWSAccessKeyId", id.as_str()));
    }
    Ok(Claim::Proven { principal, signed: Signed { scheme, place: SignedIn::Form, at: None } })
}

/// Headers and parameters prove nothing about a form, and whoever sends them believes that they do.
pub(crate) fn check_nowhere_else(headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    match identity::presented_access_key(authorization, uri.query()) {
        Ok(Presented::Anonymous) => Ok(()),
        Ok(Presented::Signed { .. }) | Err(_) => {
            let message = "A form proves by its fields who sends it; it takes no Authorization header and no signature \
                           in its address.";
            Err(Refusal::invalid_request(message))
        }
    }
}

enum Signature<'f> {
    V2(SignatureV2<'f>),
    V4(SignatureV4<'f>),
}

/// AWS: "Browser-based uploads using POST (AWS signature version 2)".
struct SignatureV2<'f> {
    id: &'f str,
    signature: &'f str,
}

impl<'f> SignatureV2<'f> {
    fn read(fields: &'f Fields) -> Result<Self, Refusal> {
        Ok(Self { id: fields.require("awsaccesskeyid")?, signature: fields.require("signature")? })
    }

    fn is_by(&self, secret: &SecretAccessKey, policy: &str) -> bool {
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
        mac.update(policy.as_bytes());
        let computed = mac.finalize().into_bytes();
        STANDARD.decode(self.signature.trim()).is_ok_and(|claimed| claimed.ct_eq(computed.as_slice()).into())
    }
}

/// AWS: "Calculating a signature" of the same chapter.
struct SignatureV4<'f> {
    id: &'f str,
    day: &'f str,
    region: &'f str,
    signature: &'f str,
}

impl<'f> SignatureV4<'f> {
    fn read(fields: &'f Fields, ours: &str) -> Result<Self, Refusal> {
        let algorithm = fields.require("x-amz-algorithm")?;
        if algorithm != "AWS4-HMAC-SHA256" {
            let message = "x-amz-algorithm only supports \"AWS4-HMAC-SHA256\"";
            return Err(Refusal::invalid_argument(message).argument("x-amz-algorithm", algorithm));
        }
        let credential = fields.require("x-amz-credential")?;
        let scope: Vec<&str> = credential.splitn(6, '/').collect();
        let &[id, day, region, _, "aws4_request"] = scope.as_slice() else { return Err(malformed_credential()) };
        coverage::check_service(credential, malformed_credential)?;
        coverage::check_region(credential, ours, malformed_credential)?;
        let date = fields.require("x-amz-date")?;
        let dated = identity::request_time(Some(date), None).is_ok() && date.get(..8) == Some(day);
        if !dated {
            let message = "The x-amz-date field has to be a date of the form YYYYMMDDTHHMMSSZ, on the day of the \
                           credential.";
            return Err(Refusal::invalid_argument(message).argument("x-amz-date", date));
        }
        Ok(Self { id, day, region, signature: fields.require("x-amz-signature")? })
    }

    fn is_by(&self, secret: &SecretAccessKey, policy: &str) -> bool {
        let begin = Zeroizing::new(format!("AWS4{}", secret.expose()));
        let steps = [self.day, self.region, "s3", "aws4_request"];
        let signing_key = steps
            .into_iter()
            .fold(Zeroizing::new(begin.as_bytes().to_vec()), |step_key, step| hmac_sha256(&step_key, step));
        let computed = hmac_sha256(&signing_key, policy);
        hex::decode(self.signature).is_ok_and(|claimed| claimed.ct_eq(computed.as_slice()).into())
    }
}

fn hmac_sha256(secret: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

/// A token cannot sign, and a page that holds one hands it out.
fn access_key_id(text: &str) -> Result<AccessKeyId, Refusal> {
    if Token::looks_like(text) {
        return Err(Refusal::access_denied(
            "A token cannot sign a form: the form would hand the token, which opens everything that you may, to whoever \
             sees it. Sign with an access key pair.",
        ));
    }
    AccessKeyId::parse(text).map_err(|_| malformed(MalformedAuthorization::InvalidKey))
}

fn malformed_credential() -> Refusal {
    let message = "Error parsing the x-amz-credential field; the Credential is mal-formed; expecting \
                   \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
    Refusal::invalid_argument(message).detail("ArgumentName", "x-amz-credential")
}

fn wrong_signature() -> Refusal {
    let message = "The request signature we calculated does not match the signature you provided. Check your key and \
                   signing method.";
    Refusal::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
}

/// Fields that only a form of version 2 has.
const FIELDS_V2: &[&str] = &["awsaccesskeyid", "signature"];

/// Fields that only a form of version 4 has.
const FIELDS_V4: &[&str] = &["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];
