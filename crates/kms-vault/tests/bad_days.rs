//! The provider against a server that is slow, down, broken or lies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use canopic_kms_vault::{MountPath, SignIn, VaultSettings, VaultTransit};
use envelope::{Damaged, KeyEncryptionKey};
use kms::{KeyService, KeyServiceError};
use model::KmsKeyId;
use support::scripted::Reply::{Close, Cut, Endless, Json, Late, Noise};
use support::scripted::{Reply, Scripted};
use support::{secret, settings, token, trusting};

const WHO: Reply = Json(200, r#"{"data":{"ttl":0,"renewable":false}}"#);
const KEY: Reply = Json(200, r#"{"data":{"latest_version":1,"keys":{"1":1700000000}}}"#);
const SEALED: Reply = Json(503, r#"{"errors":["Vault is sealed"]}"#);
const DENIED: Reply = Json(403, r#"{"errors":["permission denied"]}"#);
const CIPHERTEXT: Reply = Json(200, r#"{"data":{"ciphertext":"vault:v1:QUJD"}}"#);
const SIGNED_IN: Reply = Json(200, r#"{"auth":{"client_token":"s.2","lease_duration":3600,"renewable":true}}"#);

fn k1() -> KmsKeyId {
    KmsKeyId::parse("k1").unwrap()
}

fn client(server: &Scripted, sign_in: SignIn, timeout_ms: u64) -> VaultTransit {
    let timeout = Duration::from_millis(timeout_ms);
    let settings = VaultSettings { timeout, ..settings(&server.address(), sign_in) };
    VaultTransit::new(Arc::new(settings), trusting(server.ca_pem()))
}

fn role() -> SignIn {
    let mount = MountPath::parse("approle").unwrap();
    SignIn::AppRole { mount, role_id: secret("role"), secret_id: secret("hush") }
}

fn is_unavailable<T>(answer: Result<T, KeyServiceError>, reason: &str) {
    let error = answer.err().expect("there is no answer");
    assert!(matches!(&error, KeyServiceError::Unavailable(text) if text.contains(reason)), "{error}");
}

#[tokio::test]
async fn failures_are_asked_again_until_it_answers() {
    let server = Scripted::start([WHO, Json(500, "oops"), SEALED, Json(429, ""), KEY]).await;
    assert_eq!(client(&server, token("t"), 10_000).describe(&k1()).await.unwrap().versions, 1);
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn a_connection_that_broke_is_made_anew() {
    let server = Scripted::start([WHO, Close, Cut("{\"data\":"), Noise, KEY]).await;
    client(&server, token("t"), 10_000).describe(&k1()).await.unwrap();
    assert_eq!(server.left(), 0);
}

#[tokio::test]
async fn a_sealed_vault_is_unavailable_after_the_retries() {
    let server = Scripted::start([WHO, SEALED, SEALED, SEALED, SEALED, KEY]).await;
    is_unavailable(client(&server, token("t"), 10_000).describe(&k1()).await, "Vault is sealed");
    assert_eq!(server.left(), 1, "three retries and no more");
}

#[tokio::test]
async fn a_slow_vault_is_waited_for_until_the_deadline_only() {
    let server = Scripted::start([WHO, Late(Duration::from_secs(60), 200, "{}")]).await;
    let began = Instant::now();
    is_unavailable(client(&server, token("t"), 500).describe(&k1()).await, "no answer within 500 ms");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = VaultSettings { retries: 1, ..settings(&format!("https://127.0.0.1:{port}"), token("t")) };
    let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let kms = VaultTransit::new(Arc::new(settings), trusting(own.cert.pem().as_bytes()));
    is_unavailable(kms.describe(&k1()).await, "cannot connect");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_no_answers() {
    for nonsense in ["", "null", "[]", "{\"data\":{}}", "{\"data\":null}", "<html>"] {
        let server = Scripted::start([WHO, Json(200, nonsense), Json(200, nonsense), Json(200, nonsense)]).await;
        let kms = client(&server, token("t"), 10_000);
        is_unavailable(kms.describe(&k1()).await, "makes no sense");
        let key = KeyEncryptionKey::generate();
        is_unavailable(kms.wrap(&k1(), &key, b"c").await, "makes no sense");
        is_unavailable(kms.unwrap(&k1(), key.id(), b"vault:v1:QUJD", b"c").await, "makes no sense");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let server = Scripted::start([WHO, Endless, Endless, Endless, Endless]).await;
    is_unavailable(client(&server, token("t"), 10_000).describe(&k1()).await, "too long");
}

#[tokio::test]
async fn what_is_no_ciphertext_is_damaged_without_asking() {
    let server = Scripted::start([]).await;
    let kms = client(&server, token("t"), 1000);
    let inner = KeyEncryptionKey::generate().id();
    for sealed in [&b""[..], b"vault:v1:", b"vault:v1:\",\"x\":\"", b"\xff"] {
        assert_eq!(kms.unwrap(&k1(), inner, sealed, b"").await.err(), Some(KeyServiceError::Damaged(Damaged)));
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_rotation_that_may_have_happened_is_not_asked_again() {
    let server = Scripted::start([WHO, KEY, Close, KEY, KEY]).await;
    is_unavailable(client(&server, token("t"), 10_000).rotate(&k1()).await, "");
    assert_eq!(server.left(), 2);
}

#[tokio::test]
async fn a_rotation_that_lost_a_race_is_asked_again() {
    let lost = Json(500, r#"{"errors":["1 error occurred:\n\t* transaction commit failed\n\n"]}"#);
    let server = Scripted::start([WHO, KEY, lost, Json(200, "{}"), KEY]).await;
    client(&server, token("t"), 10_000).rotate(&k1()).await.unwrap();
    assert_eq!(server.left(), 0);
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_and_a_forbidden_call_stays_forbidden() {
    let server = Scripted::start([SIGNED_IN, CIPHERTEXT, DENIED, SIGNED_IN, CIPHERTEXT, DENIED, DENIED]).await;
    let kms = client(&server, role(), 10_000);
    let key = KeyEncryptionKey::generate();
    kms.wrap(&k1(), &key, b"c").await.unwrap();
    // Long enough for the token to have died.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    kms.wrap(&k1(), &key, b"c").await.unwrap();
    // The new one is too young for that: it is the policy. Whether the key is there cannot be asked either.
    let error = kms.wrap(&k1(), &key, b"c").await.unwrap_err();
    assert!(matches!(&error, KeyServiceError::Refused(text) if text.contains("permission denied")), "{error}");
    assert_eq!(server.left(), 0);
}

#[tokio::test]
async fn many_who_need_a_token_sign_in_once() {
    let script = std::iter::once(SIGNED_IN).chain(std::iter::repeat_n(KEY, 8));
    let server = Scripted::start(script).await;
    let (kms, id) = (client(&server, role(), 10_000), k1());
    let answers = tokio::join!(kms.describe(&id), kms.describe(&id), kms.describe(&id), kms.describe(&id));
    assert!(answers.0.is_ok() && answers.1.is_ok() && answers.2.is_ok() && answers.3.is_ok());
    assert_eq!(server.seen().iter().filter(|seen| seen.head.contains("/login")).count(), 1);
}

#[tokio::test]
async fn a_vault_without_soft_deletion_says_that_it_cannot_disable() {
    let unknown = Json(404, r#"{"errors":["1 error occurred:\n\t* unsupported path\n\n"]}"#);
    let server = Scripted::start([WHO, KEY, unknown]).await;
    let error = client(&server, token("t"), 10_000).disable(&k1()).await.unwrap_err();
    assert!(matches!(error, KeyServiceError::NotSupported(_)), "{error}");
}

#[tokio::test]
async fn credentials_go_into_their_header_and_body_only() {
    let server = Scripted::start([SIGNED_IN, CIPHERTEXT]).await;
    client(&server, role(), 10_000).wrap(&k1(), &KeyEncryptionKey::generate(), b"c").await.unwrap();
    let seen = server.seen();
    assert!(!seen[0].head.contains("hush") && seen[0].body.contains("\"secret_id\":\"hush\""));
    assert!(!seen[0].head.contains("x-vault-token") && seen[1].head.contains("x-vault-token: s.2\r\n"));
    assert!(seen[1].head.starts_with("post /v1/transit/encrypt/k1 http/1.1\r\n"), "{}", seen[1].head);
}
