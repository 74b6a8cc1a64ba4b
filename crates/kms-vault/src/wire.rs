//! What is said to Vault and what it answers. Bodies that hold a secret are put together and taken apart in memory that
//! is wiped; nothing here keeps a copy of one.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use envelope::{KeyEncryptionKey, KeyId};
use kms::{KmsKey, KmsKeyState};
use model::{KmsKeyId, Timestamp};
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

/// A body that is wiped when the last of its readers has let go of it.
pub(crate) fn secret_body(parts: &[&str]) -> Bytes {
    let mut body = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        body.extend_from_slice(part.as_bytes());
    }
    Bytes::from_owner(body)
}

/// Asks to encrypt a key-encryption key.
///
/// Transit would make a key of an unknown name on the spot. The type named here is one that cannot encrypt: for a key that
/// is there it is ignored, and for one that is not it makes Transit refuse.
pub(crate) fn encrypt(key: &KeyEncryptionKey, context: &[u8]) -> Bytes {
    let plaintext = Zeroizing::new(STANDARD.encode(key.expose()));
    let associated = associated_data(key.id(), context);
    secret_body(&[
        "{\"plaintext\":\"",
        &plaintext,
        "\",\"associated_data\":\"",
        &associated,
        "\",\"type\":\"ed25519\"}",
    ])
}

/// Asks to decrypt it again. `ciphertext` passed [`ciphertext_of`], so it needs no escaping.
pub(crate) fn decrypt(ciphertext: &str, inner: KeyId, context: &[u8]) -> Bytes {
    let associated = associated_data(inner, context);
    secret_body(&["{\"ciphertext\":\"", ciphertext, "\",\"associated_data\":\"", &associated, "\"}"])
}

fn associated_data(inner: KeyId, context: &[u8]) -> String {
    STANDARD.encode([inner.as_bytes(), context].concat())
}

/// Transit's text, if these bytes are that: `vault:v<version>:<base64>`.
pub(crate) fn ciphertext_of(sealed: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(sealed).ok()?;
    let (version, body) = text.strip_prefix("vault:v")?.split_once(':')?;
    let digits = (1..=10).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_digit());
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    (digits && !body.is_empty() && body.bytes().all(base64)).then_some(text)
}

/// The version of the key that made a ciphertext.
pub(crate) fn version_of(ciphertext: &str) -> Option<u32> {
    ciphertext.strip_prefix("vault:v")?.split_once(':')?.0.parse().ok()
}

#[derive(Deserialize)]
struct Whole<'a, T> {
    data: T,
    #[serde(borrow, default)]
    warnings: Option<Vec<std::borrow::Cow<'a, str>>>,
}

/// An answer that does not have the form it should have.
#[derive(Debug)]
pub(crate) struct Senseless;

/// The ciphertext of an answer, unless Vault says that it did not bind the associated data.
pub(crate) fn encrypted(body: &[u8]) -> Result<Encrypted, Senseless> {
    #[derive(Deserialize)]
    struct Data<'a> {
        ciphertext: &'a str,
    }
    let whole: Whole<'_, Data<'_>> = serde_json::from_slice(body).map_err(|_| Senseless)?;
    if whole.warnings.iter().flatten().any(|warning| warning.contains("associated_data")) {
        return Ok(Encrypted::Unbound);
    }
    let sealed = ciphertext_of(whole.data.ciphertext.as_bytes()).ok_or(Senseless)?;
    if sealed.len() > kms::SEALED_LEN_MAX {
        return Err(Senseless);
    }
    Ok(Encrypted::Bound(sealed.as_bytes().to_vec()))
}

/// What became of the associated data.
#[derive(Debug)]
pub(crate) enum Encrypted {
    /// It was bound.
    Bound(Vec<u8>),
    /// This server does not know it.
    Unbound,
}

/// The key-encryption key of an answer.
pub(crate) fn decrypted(body: &[u8], inner: KeyId) -> Result<KeyEncryptionKey, Senseless> {
    #[derive(Deserialize)]
    struct Data<'a> {
        plaintext: &'a str,
    }
    let whole: Whole<'_, Data<'_>> = serde_json::from_slice(body).map_err(|_| Senseless)?;
    let mut bytes = Zeroizing::new([0; 32]);
    // The decoder wants room for the padding too.
    let mut room = Zeroizing::new([0; 36]);
    let length = STANDARD.decode_slice(whole.data.plaintext, room.as_mut()).map_err(|_| Senseless)?;
    if length != bytes.len() {
        return Err(Senseless);
    }
    bytes.copy_from_slice(&room[..32]);
    room.zeroize();
    Ok(KeyEncryptionKey::new(inner, bytes))
}

/// What Transit knows of a key.
pub(crate) fn key(body: &[u8], id: &KmsKeyId) -> Result<KmsKey, Senseless> {
    #[derive(Deserialize)]
    struct Data {
        latest_version: u32,
        #[serde(default)]
        keys: HashMap<String, serde_json::Value>,
        #[serde(default)]
        soft_deleted: bool,
    }
    let whole: Whole<'_, Data> = serde_json::from_slice(body).map_err(|_| Senseless)?;
    // An old version may have been trimmed away, and its date with it.
    let created = whole.data.keys.get("1").and_then(serde_json::Value::as_u64);
    Ok(KmsKey {
        id: id.clone(),
        state: if whole.data.soft_deleted { KmsKeyState::Disabled } else { KmsKeyState::Enabled },
        created: created.and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis),
        versions: whole.data.latest_version.max(1),
    })
}

/// The names of Transit keys.
pub(crate) fn names(body: &[u8]) -> Result<Vec<String>, Senseless> {
    #[derive(Deserialize)]
    struct Data {
        keys: Vec<String>,
    }
    let whole: Whole<'_, Data> = serde_json::from_slice(body).map_err(|_| Senseless)?;
    Ok(whole.data.keys)
}

/// A token and how long it lives.
pub(crate) struct Lease {
    /// `None` where the answer is about the token that asked.
    pub(crate) token: Option<Zeroizing<String>>,
    /// Zero for a token that does not expire.
    pub(crate) seconds: u64,
    pub(crate) renewable: bool,
}

/// The answer to a sign-in and to a renewal.
pub(crate) fn lease(body: &[u8]) -> Result<Lease, Senseless> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        auth: Auth<'a>,
    }
    #[derive(Deserialize)]
    struct Auth<'a> {
        client_token: &'a str,
        lease_duration: u64,
        renewable: bool,
    }
    let Whole { auth } = serde_json::from_slice(body).map_err(|_| Senseless)?;
    let token = Some(Zeroizing::new(auth.client_token.to_owned()));
    Ok(Lease { token, seconds: auth.lease_duration, renewable: auth.renewable })
}

/// The answer to what a token is.
pub(crate) fn looked_up(body: &[u8]) -> Result<Lease, Senseless> {
    #[derive(Deserialize)]
    struct Data {
        ttl: u64,
        #[serde(default)]
        renewable: bool,
    }
    let whole: Whole<'_, Data> = serde_json::from_slice(body).map_err(|_| Senseless)?;
    Ok(Lease { token: None, seconds: whole.data.ttl, renewable: whole.data.renewable })
}

/// What Vault says went wrong, as one short line; empty where it says nothing.
pub(crate) fn complaint(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(default)]
        errors: Vec<String>,
    }
    let errors = serde_json::from_slice::<Whole>(body).map(|whole| whole.errors).unwrap_or_default();
    let words = errors.iter().flat_map(|error| error.split_whitespace());
    // Vault puts a list in front of what it says: "1 error occurred: * permission denied".
    let words: Vec<&str> = words.filter(|word| *word != "*").collect();
    let line = words.join(" ");
    let line = line.strip_prefix("1 error occurred: ").unwrap_or(&line);
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(COMPLAINT_LEN_MAX).collect()
}

/// Characters of the longest complaint that is passed on.
const COMPLAINT_LEN_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_short_line() {
        let body = br#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;
        assert_eq!(complaint(body), "permission denied");
        assert_eq!(complaint(b"{\"errors\":[]}"), "");
        assert_eq!(complaint(b"<html>"), "");
        let long = format!("{{\"errors\":[\"{}\"]}}", "x\\u0007".repeat(1000));
        assert_eq!(complaint(long.as_bytes()).len(), COMPLAINT_LEN_MAX);
    }

    #[test]
    fn only_transits_own_text_is_a_ciphertext() {
        assert_eq!(ciphertext_of(b"vault:v12:ab+/=="), Some("vault:v12:ab+/=="));
        for bad in ["", "vault:v1", "vault:v1:", "vault:v:ab", "vault:vx:ab", "vault:v1:a\"b", "vault:v12345678901:ab"]
        {
            assert_eq!(ciphertext_of(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ciphertext_of(b"vault:v1:\xff"), None);
    }

    #[test]
    fn a_plaintext_that_is_no_key_makes_no_sense() {
        let inner = KeyId::from_bytes([1; 16]);
        let body = |text: &str| format!("{{\"data\":{{\"plaintext\":\"{text}\"}}}}");
        let good = STANDARD.encode([7; 32]);
        assert_eq!(decrypted(body(&good).as_bytes(), inner).ok().unwrap().expose(), &[7; 32]);
        for bad in ["", "AAAA", "!", &STANDARD.encode([7; 33]), &STANDARD.encode([7; 31]), &STANDARD.encode([7; 4000])]
        {
            assert!(decrypted(body(bad).as_bytes(), inner).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_vault_that_ignores_associated_data_is_noticed() {
        let body = br#"{"data":{"ciphertext":"vault:v1:ab"},"warnings":["Endpoint ignored these unrecognized parameters: [associated_data]"]}"#;
        assert!(matches!(encrypted(body), Ok(Encrypted::Unbound)));
        let body = br#"{"data":{"ciphertext":"vault:v1:ab"},"warnings":null}"#;
        assert!(matches!(encrypted(body), Ok(Encrypted::Bound(_))));
    }

    #[test]
    fn a_key_without_its_first_version_has_no_date() {
        let id = KmsKeyId::parse("k").unwrap();
        let body = br#"{"data":{"latest_version":3,"keys":{"2":1700000000,"3":1700000001}}}"#;
        let key = key(body, &id).unwrap();
        assert_eq!((key.versions, key.created, key.state), (3, None, KmsKeyState::Enabled));
    }
}
