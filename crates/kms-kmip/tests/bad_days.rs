//! The service against a server that is slow, down or lies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use canopic_kms_kmip::KmipKeys;
use envelope::{Damaged, KeyEncryptionKey};
use kms::{KeyService, KeyServiceError};
use model::KmsKeyId;
use support::scripted::Reply::{Bytes, Close, Silence};
use support::scripted::{Reply, Scripted};
use support::tls;

fn k1() -> KmsKeyId {
    KmsKeyId::parse("k1").unwrap()
}

fn client(server: &Scripted, timeout_ms: u64) -> KmipKeys {
    let tls = tls(&server.authority, &server.authority.client("gateway"));
    support::keys(server.port(), tls, Duration::from_millis(timeout_ms))
}

/// An answer that nothing was found.
fn nothing() -> Reply {
    let item = [operation(8), status(0), structure(0x7c, &[])].concat();
    Bytes(message(&item))
}

fn message(item: &[u8]) -> Vec<u8> {
    let header = structure(0x7a, &[]);
    structure(0x7b, &[header, structure(0x0f, item)].concat())
}

fn structure(tag: u8, inside: &[u8]) -> Vec<u8> {
    let length = u32::try_from(inside.len()).unwrap().to_be_bytes();
    [&[0x42, 0, tag, 1], &length[..], inside].concat()
}

fn operation(number: u8) -> Vec<u8> {
    enumeration(0x5c, number)
}

fn status(number: u8) -> Vec<u8> {
    enumeration(0x7f, number)
}

fn enumeration(tag: u8, number: u8) -> Vec<u8> {
    vec![0x42, 0, tag, 5, 0, 0, 0, 4, 0, 0, 0, number, 0, 0, 0, 0]
}

fn is_unavailable<T>(answer: Result<T, KeyServiceError>, reason: &str) {
    let error = answer.err().expect("there is no answer");
    assert!(matches!(&error, KeyServiceError::Unavailable(text) if text.contains(reason)), "{error}");
}

#[tokio::test]
async fn connections_that_break_are_made_anew() {
    let server = Scripted::start([Close, Close, nothing(), Close, nothing()]).await;
    let keys = client(&server, 10_000);
    assert_eq!(keys.describe(&k1()).await, Err(KeyServiceError::NotFound(k1())));
    // The kept connection breaks, and the next one works.
    assert_eq!(keys.describe(&k1()).await, Err(KeyServiceError::NotFound(k1())));
    assert_eq!((server.seen(), server.left()), (5, 0));
}

#[tokio::test]
async fn a_slow_server_is_waited_for_until_the_deadline_only() {
    let server = Scripted::start([Silence(Duration::from_secs(60))]).await;
    let began = Instant::now();
    is_unavailable(client(&server, 500).describe(&k1()).await, "no answer within 500 ms");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn kept_connections_are_given_up_when_one_hangs() {
    let hang = || Silence(Duration::from_secs(60));
    let server = Scripted::start([nothing(), nothing(), hang(), nothing()]).await;
    let (keys, id) = (client(&server, 500), k1());
    // Two at once keep two connections.
    let both = tokio::join!(keys.describe(&id), keys.describe(&id));
    assert!(both.0.is_err() && both.1.is_err());
    is_unavailable(keys.describe(&id).await, "no answer");
    assert_eq!((keys.describe(&id).await, server.connections()), (Err(KeyServiceError::NotFound(k1())), 3));
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let server = Scripted::start([]).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tls = tls(&server.authority, &server.authority.client("gateway"));
    is_unavailable(support::keys(port, tls, Duration::from_secs(5)).describe(&k1()).await, "cannot connect");
}

#[tokio::test]
async fn answers_that_are_no_kmip_are_no_answers() {
    let Bytes(good) = nothing() else { unreachable!("it is bytes") };
    let cut = [&[0x42, 0, 0x7b, 1, 0, 0, 0, 8], &good[8..16]].concat();
    let endless = vec![0x42, 0, 0x7b, 1, 0xff, 0xff, 0xff, 0xf8];
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let other = message(&[operation(1), status(0), structure(0x7c, &[])].concat());
    for (bytes, reason) in [(cut, "no KMIP"), (endless, "too long"), (http, "no KMIP"), (other, "not what was asked")] {
        let server = Scripted::start(std::iter::repeat_n(Bytes(bytes), 4)).await;
        is_unavailable(client(&server, 10_000).describe(&k1()).await, reason);
    }
}

#[tokio::test]
async fn a_creation_that_may_have_happened_is_not_asked_again() {
    let server = Scripted::start([nothing(), Close, nothing(), nothing()]).await;
    is_unavailable(client(&server, 10_000).create(&k1()).await, "");
    assert_eq!(server.left(), 2);
}

#[tokio::test]
async fn what_is_no_sealed_key_is_damaged_without_asking() {
    let server = Scripted::start([]).await;
    let inner = KeyEncryptionKey::generate().id();
    for sealed in [&b""[..], &[1; 10], &[1, 200, 3], b"vault:v1:QUJD"] {
        let opened = client(&server, 1000).unwrap(&k1(), inner, sealed, b"").await;
        assert_eq!(opened.err(), Some(KeyServiceError::Damaged(Damaged)));
    }
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn a_server_of_an_older_version_is_told_apart() {
    let item = [status(1), enumeration(0x7e, 4), [0x42, 0, 0x7d, 7, 0, 0, 0, 2, b'n', b'o', 0, 0, 0, 0, 0, 0].to_vec()];
    let server = Scripted::start([Bytes(message(&item.concat()))]).await;
    let error = client(&server, 1000).describe(&k1()).await.unwrap_err();
    assert!(matches!(&error, KeyServiceError::Refused(text) if text.contains("version 1.4")), "{error}");
}
