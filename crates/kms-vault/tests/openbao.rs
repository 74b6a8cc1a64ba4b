//! The provider against a real OpenBao.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use canopic_kms_vault::{MountPath, Namespace, Secret, SignIn, VaultSettings, VaultTransit};
use envelope::KeyEncryptionKey;
use kms::conformance::{self, Abilities};
use kms::{KeyService, KeyServiceError};
use model::KmsKeyId;
use support::bao::{Bao, ROOT_TOKEN};
use support::{secret, settings, token, trusting, trusting_file};

fn transit(bao: &Bao, settings: VaultSettings) -> VaultTransit {
    VaultTransit::new(Arc::new(settings), trusting_file(&bao.ca_file()))
}

fn as_root(bao: &Bao) -> VaultTransit {
    transit(bao, settings(&bao.address(), token(ROOT_TOKEN)))
}

fn id(text: &str) -> KmsKeyId {
    KmsKeyId::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_promises_of_a_key_service() {
    let bao = Bao::start();
    bao.run(&["secrets", "enable", "transit"]);
    let abilities = Abilities { delete: false, ..Abilities::ALL };
    conformance::run_all(Arc::new(as_root(&bao)), abilities).await;

    // Names that Transit does not know come back as they were, and those of others are left alone.
    let kms = as_root(&bao);
    kms.create(&KmsKeyId::default_key()).await.unwrap();
    bao.run(&["write", "-f", "transit/keys/a_20b"]);
    let listed: Vec<_> = kms.list().await.unwrap().into_iter().map(|key| key.id).collect();
    let others = listed.iter().filter(|id| !id.as_str().starts_with("conformance-"));
    assert_eq!(others.collect::<Vec<_>>(), [&KmsKeyId::default_key()]);

    // What was wrapped opens without us.
    let key = KeyEncryptionKey::generate();
    let sealed = kms.wrap(&KmsKeyId::default_key(), &key, b"bucket").await.unwrap();
    let ciphertext = format!("ciphertext={}", String::from_utf8(sealed).unwrap());
    let bound = [key.id().as_bytes().as_slice(), b"bucket"].concat();
    let bound = format!("associated_data={}", base64(&bound));
    let opened = bao.run(&["write", "-field=plaintext", "transit/decrypt/aws_2Fs3", &ciphertext, &bound]);
    assert_eq!(opened, base64(key.expose()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_the_least_policy_signs_in_again_when_its_token_dies() {
    let bao = Bao::start();
    bao.run(&["secrets", "enable", "-path=teams/storage", "transit"]);
    bao.run(&["write", "-f", "teams/storage/keys/k1"]);
    bao.run(&["auth", "enable", "-path=machines", "approle"]);
    let policy = bao.dir().join("policy.hcl");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/use-only.hcl"), &policy).unwrap();
    bao.run(&["policy", "write", "canopic", policy.to_str().unwrap()]);
    let role = "auth/machines/role/canopic";
    bao.run(&["write", role, "token_policies=canopic", "token_ttl=2s", "token_max_ttl=5s"]);
    let role_id = bao.run(&["read", "-field=role_id", &format!("{role}/role-id")]);
    let secret_id = bao.run(&["write", "-f", "-field=secret_id", &format!("{role}/secret-id")]);
    let secret_file = bao.dir().join("secret-id");
    std::fs::copy(written(&bao, &secret_id), &secret_file).unwrap();

    let sign_in = || SignIn::AppRole {
        mount: MountPath::parse("machines").unwrap(),
        role_id: secret(&role_id),
        secret_id: Secret::File(secret_file.clone()),
    };
    let mount = MountPath::parse("teams/storage").unwrap();
    let kms = transit(&bao, VaultSettings { mount, ..settings(&bao.address(), sign_in()) });
    let (k1, key) = (id("k1"), KeyEncryptionKey::generate());
    let sealed = kms.wrap(&k1, &key, b"c").await.unwrap();

    // The policy allows use only. What it forbids is a refusal that says so; a key that is not there is told apart.
    assert_eq!(kms.wrap(&id("k2"), &key, b"c").await.err(), Some(KeyServiceError::NotFound(id("k2"))));
    let refused = kms.rotate(&k1).await.unwrap_err();
    assert!(matches!(&refused, KeyServiceError::Refused(text) if text.contains("policy")), "{refused}");
    assert!(matches!(kms.create(&id("k2")).await, Err(KeyServiceError::Refused(_))));

    // Renewed while that is possible, got anew beyond the longest life of a token, and after a revocation.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        kms.unwrap(&k1, key.id(), &sealed, b"c").await.unwrap();
    }
    // A token of less than a second is not suspected.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    bao.run(&["lease", "revoke", "-prefix", "auth/machines/"]);
    kms.unwrap(&k1, key.id(), &sealed, b"c").await.unwrap();

    // A secret id that is good no longer.
    let kms = transit(
        &bao,
        settings(
            &bao.address(),
            SignIn::AppRole {
                mount: MountPath::parse("machines").unwrap(),
                role_id: secret(&role_id),
                secret_id: secret("made-up"),
            },
        ),
    );
    let refused = kms.describe(&k1).await.unwrap_err().to_string();
    assert!(refused.contains("signing in failed") && refused.contains("invalid role or secret ID"), "{refused}");
    assert!(!refused.contains("made-up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_mounts_tokens_and_seals_have_clear_errors() {
    let bao = Bao::start();
    bao.run(&["namespace", "create", "team"]);
    bao.run(&["secrets", "enable", "-namespace=team", "transit"]);
    let inside = |namespace: &str| {
        let namespace = Some(Namespace::parse(namespace).unwrap());
        transit(&bao, VaultSettings { namespace, ..settings(&bao.address(), token(ROOT_TOKEN)) })
    };
    let k1 = id("k1");
    let team = inside("team");
    assert_eq!(team.list().await.unwrap(), []);
    team.create(&k1).await.unwrap();
    assert_eq!(team.list().await.unwrap().len(), 1);

    let refused = |error: KeyServiceError, reason: &str| {
        assert!(matches!(&error, KeyServiceError::Refused(text) if text.contains(reason)), "{error}");
    };
    refused(inside("nobody").describe(&k1).await.unwrap_err(), "namespace not found");
    refused(as_root(&bao).describe(&k1).await.unwrap_err(), "no handler for route");
    let stranger = transit(&bao, settings(&bao.address(), token("made-up")));
    refused(stranger.describe(&k1).await.unwrap_err(), "permission denied");

    // Another authority's certificate is not believed.
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let settings_of = settings(&bao.address(), token(ROOT_TOKEN));
    let settings_of = VaultSettings { timeout: Duration::from_secs(2), ..settings_of };
    let distrusting = VaultTransit::new(Arc::new(settings_of), trusting(authority.cert.pem().as_bytes()));
    let error = distrusting.describe(&k1).await.unwrap_err();
    assert!(matches!(&error, KeyServiceError::Unavailable(text) if text.contains("certificate")), "{error}");

    // A sealed Vault is unavailable; what is written there is opened after it was unsealed.
    bao.run(&["operator", "seal"]);
    let error = team.describe(&k1).await.unwrap_err();
    assert!(matches!(&error, KeyServiceError::Unavailable(text) if text.contains("sealed")), "{error}");
}

/// A file that holds a text.
fn written(bao: &Bao, text: &str) -> std::path::PathBuf {
    use std::io::Write as _;
    let path = bao.dir().join("text");
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
