//! TLS, several endpoints, and the watched processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use canopic_bench::{BenchError, measure};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::Write;
use std::sync::Arc;
use support::{Faults, TinyServer, args};
use tokio_rustls::TlsAcceptor;

/// A server side for `localhost`, and the PEM file that trusts it.
fn localhost_tls() -> (TlsAcceptor, tempfile::NamedTempFile) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let private_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], private_key)
        .unwrap();
    let mut pem = tempfile::NamedTempFile::new().unwrap();
    pem.write_all(certified.cert.pem().as_bytes()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), pem)
}

#[tokio::test]
async fn a_certificate_is_checked_against_the_given_authority() {
    let (acceptor, pem) = localhost_tls();
    let server = TinyServer::start(Some(acceptor), Faults::default()).await;
    let line = format!("get --count 9 --keys 2 --warmup 0 --verify --endpoint https://localhost:{}", server.port);
    let trusted = measure(args(&format!("{line} --ca {}", pem.path().display()))).await.unwrap();
    assert_eq!((trusted.errors(), trusted.endpoints[0].figures.all.operations), (0, 9));

    let (_, other_pem) = localhost_tls();
    let refused = measure(args(&format!("{line} --ca {}", other_pem.path().display()))).await;
    let Err(BenchError::Preparation { failure, .. }) = refused else { panic!("a stranger was trusted") };
    assert_eq!(failure, "TLS handshake failed");

    let unchecked = measure(args(&format!("{line} --insecure-skip-verify"))).await.unwrap();
    assert_eq!(unchecked.errors(), 0);
}

#[tokio::test]
async fn endpoints_take_turns_and_are_compared_with_the_first() {
    let first = TinyServer::start(None, Faults::default()).await;
    let second = TinyServer::start(None, Faults::default()).await;
    let own = std::process::id();
    let line = format!(
        "get --count 30 --keys 3 --rounds 2 --warmup 50ms --pid {own} --pid {own} --endpoint http://127.0.0.1:{} \
         --endpoint http://127.0.0.1:{}",
        first.port, second.port
    );
    let report = measure(args(&line)).await.unwrap();
    assert_eq!(report.endpoints.len(), 2);
    assert!(report.endpoints[0].ratio_to_first.is_none());
    let ratios = report.endpoints[1].ratio_to_first.as_ref().unwrap();
    assert!(ratios.operations_per_second.unwrap() > 0.0);
    for (server, endpoint) in [&first, &second].into_iter().zip(&report.endpoints) {
        assert_eq!((endpoint.rounds.len(), endpoint.figures.all.operations), (2, 60));
        assert!(server.requests("GET") > 60, "the warm-up is not measured, but it happens");
        assert!(endpoint.figures.server.as_ref().unwrap().peak_rss_mib > 0.0);
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["operation"], "get");
    assert_eq!(json["endpoints"][1]["figures"]["operations"], 60);
    assert!(json["endpoints"][1]["ratio_to_first"]["peak_rss"].is_number());
}

#[tokio::test]
async fn a_process_that_does_not_exist_is_refused() {
    let server = TinyServer::start(None, Faults::default()).await;
    let line = format!("get --count 1 --keys 1 --pid 4294967295 --endpoint http://127.0.0.1:{}", server.port);
    assert!(matches!(measure(args(&line)).await, Err(BenchError::Process { .. })));
}
