//! TLS as clients see it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::NamedGroup;
use support::{LIMITS, fixture, get, issue};

#[tokio::test]
async fn both_versions_of_http_are_offered_by_alpn() {
    let fixture = fixture(LIMITS).await;
    let stream = fixture.tls(b"http/1.1", rustls::ALL_VERSIONS).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut sender, connection) = http1::handshake::<_, Full<bytes::Bytes>>(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);

    let (mut sender, _) = fixture.http2(1 << 20).await;
    let request = http::Request::get("https://localhost/slow").body(Full::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "slow");
}

#[tokio::test]
async fn the_key_exchange_is_hybrid_and_old_tls_works_too() {
    let fixture = fixture(LIMITS).await;
    let stream = fixture.tls(b"http/1.1", rustls::ALL_VERSIONS).await;
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    let stream = fixture.tls(b"http/1.1", &[&rustls::version::TLS12]).await;
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
}

#[tokio::test]
async fn a_new_certificate_is_taken_over_and_old_connections_go_on() {
    let fixture = fixture(LIMITS).await;
    let certificate = fixture.certificate.clone();
    let watching = tokio::spawn(async move { certificate.keep_current().await });
    let old = fixture.tls(b"http/1.1", rustls::ALL_VERSIONS).await;
    let before = old.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (mut sender, connection) = http1::handshake::<_, Full<bytes::Bytes>>(TokioIo::new(old)).await.unwrap();
    tokio::spawn(connection);
    // The watch must have seen the old files before they change.
    tokio::time::sleep(Duration::from_millis(100)).await;

    std::fs::remove_file(&fixture.files.chain).unwrap();
    issue(fixture.dir.path());
    for _ in 0..100 {
        let new = fixture.tls(b"http/1.1", rustls::ALL_VERSIONS).await;
        if new.get_ref().1.peer_certificates().unwrap()[0] != before {
            assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
            watching.abort();
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the new certificate was not taken over within ten seconds");
}
