//! The service against the server of PyKMIP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use canopic_kms_kmip::{KeyPrefix, KmipAddress, KmipKeys, KmipSettings};
use envelope::KeyEncryptionKey;
use kms::conformance::{self, Abilities};
use kms::{KeyService, KeyServiceError, KmsKeyState};
use model::KmsKeyId;
use support::pykmip::PyKmip;
use support::{Authority, tls};

fn id(text: &str) -> KmsKeyId {
    KmsKeyId::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_promises_of_a_key_service() {
    let kmip = PyKmip::start();
    conformance::run_all(Arc::new(kmip.keys_of("gateway")), Abilities::ALL).await;

    // Keys of others, under another prefix, are not ours.
    let settings = KmipSettings {
        address: KmipAddress::parse(&format!("127.0.0.1:{}", kmip.port())).unwrap(),
        prefix: KeyPrefix::parse("another").unwrap(),
        timeout: Duration::from_secs(30),
        retries: 0,
    };
    let another = KmipKeys::new(&settings, tls(kmip.authority(), &kmip.authority().client("gateway")));
    assert_eq!(another.list().await.unwrap(), []);
    another.create(&KmsKeyId::default_key()).await.unwrap();
    assert_eq!(another.list().await.unwrap().len(), 1);
    let missing = kmip.keys_of("gateway").describe(&KmsKeyId::default_key()).await;
    assert_eq!(missing, Err(KeyServiceError::NotFound(KmsKeyId::default_key())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_does_another_sees_also_after_the_server_went_away() {
    let mut kmip = PyKmip::start();
    let (one, other) = (kmip.keys_of("gateway"), kmip.keys_of("gateway"));
    let (k1, key) = (id("team/k1"), KeyEncryptionKey::generate());
    one.create(&k1).await.unwrap();
    let sealed = one.wrap(&k1, &key, b"c").await.unwrap();
    assert_eq!(other.unwrap(&k1, key.id(), &sealed, b"c").await.ok().unwrap().expose(), key.expose());

    other.disable(&k1).await.unwrap();
    assert_eq!(one.wrap(&k1, &key, b"c").await.err(), Some(KeyServiceError::Disabled(k1.clone())));
    other.enable(&k1).await.unwrap();
    other.rotate(&k1).await.unwrap();
    assert_eq!(one.is_current(&k1, &sealed).await, Ok(false));

    kmip.stop();
    let gone = one.unwrap(&k1, key.id(), &sealed, b"c").await.err().unwrap();
    assert!(matches!(gone, KeyServiceError::Unavailable(_)), "{gone}");
    kmip.restart();
    let key_state = one.describe(&k1).await.unwrap();
    assert_eq!((key_state.state, key_state.versions), (KmsKeyState::Enabled, 2));
    assert_eq!(one.unwrap(&k1, key.id(), &sealed, b"c").await.ok().unwrap().expose(), key.expose());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused() {
    let kmip = PyKmip::start();
    let (gateway, stranger) = (kmip.keys_of("gateway"), kmip.keys_of("stranger"));
    let (k1, key) = (id("k1"), KeyEncryptionKey::generate());
    gateway.create(&k1).await.unwrap();
    let sealed = gateway.wrap(&k1, &key, b"c").await.unwrap();

    // The server shows others nothing of it.
    assert_eq!(stranger.describe(&k1).await, Err(KeyServiceError::NotFound(k1.clone())));
    let refused = stranger.unwrap(&k1, key.id(), &sealed, b"c").await.err().unwrap();
    assert!(matches!(&refused, KeyServiceError::Refused(text) if text.contains("policy")), "{refused}");

    // A certificate that the server does not believe, one that is for servers, and a server that we do not believe.
    let other = Authority::new();
    let patience = Duration::from_secs(3);
    let unknown = support::keys(kmip.port(), tls(kmip.authority(), &other.client("gateway")), patience);
    let error = unknown.describe(&k1).await.unwrap_err();
    assert!(matches!(error, KeyServiceError::Unavailable(_)), "{error}");
    let wrong_use = support::keys(kmip.port(), tls(kmip.authority(), &kmip.authority().server()), patience);
    let error = wrong_use.describe(&k1).await.unwrap_err();
    assert!(error.to_string().contains("ertificate"), "{error}");
    let distrusting = support::keys(kmip.port(), tls(&other, &other.client("gateway")), patience);
    let error = distrusting.describe(&k1).await.unwrap_err();
    assert!(matches!(&error, KeyServiceError::Unavailable(text) if text.contains("certificate")), "{error}");
}
