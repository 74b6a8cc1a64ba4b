use admin_api::{
    ExportedKeyring, KeyUses, Keyring, KeyringVersion, KeyringWork, KeyringWorkKind, KmsKey, KmsKeyList, KmsKeyState,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::RootKey;

use super::*;

#[tokio::test]
async fn a_kms_key_lives_through_all_its_states() {
    let (api, root) = api().await;
    let key: KmsKey = ok(&api, &root, "create-kms-key", r#"{"id":"backups"}"#).await;
    assert_eq!((key.id.as_str(), key.state, key.versions), ("backups", KmsKeyState::Enabled, 1));
    assert_eq!(post(&api, &root, "create-kms-key", r#"{"id":"backups"}"#).await.0, StatusCode::CONFLICT);
    let key: KmsKey = ok(&api, &root, "rotate-kms-key", r#"{"id":"backups"}"#).await;
    assert_eq!(key.versions, 2);
    let key: KmsKey = ok(&api, &root, "disable-kms-key", r#"{"id":"backups"}"#).await;
    assert_eq!(key.state, KmsKeyState::Disabled);
    assert_eq!(post(&api, &root, "rotate-kms-key", r#"{"id":"backups"}"#).await.0, StatusCode::CONFLICT);

    let pending: KmsKey =
        ok(&api, &root, "schedule-kms-key-deletion", r#"{"id":"alias/backups","waiting_days":7}"#).await;
    let waiting = pending.deletion_ms.unwrap() - clock_now();
    assert!((6 * 86_400_000..=7 * 86_400_000).contains(&waiting), "{waiting}");
    assert_eq!(post(&api, &root, "disable-kms-key", r#"{"id":"backups"}"#).await.0, StatusCode::CONFLICT);
    let key: KmsKey = ok(&api, &root, "enable-kms-key", r#"{"id":"backups"}"#).await;
    assert_eq!((key.state, key.deletion_ms), (KmsKeyState::Enabled, None));

    let described: KmsKey = ok(&api, &root, "describe-kms-key", r#"{"id":"backups"}"#).await;
    let list: KmsKeyList = ok(&api, &root, "list-kms-keys", "{}").await;
    assert_eq!((described, list.kms_keys), (key.clone(), vec![key]));
}

fn clock_now() -> u64 {
    crate::clock::now().as_millis()
}

#[tokio::test]
async fn every_change_of_keys_is_in_the_audit_trail_with_what_came_of_it() {
    let (api, root, trail) = api_and_trail().await;
    let root_key = serde_json::json!({ "root_key": RootKey::generate().to_file_text().trim_end() }).to_string();
    for (call, body, told) in [
        ("create-kms-key", r#"{"id":"k"}"#, "create k by somebody: ok"),
        ("create-kms-key", r#"{"id":"k"}"#, "create k by somebody: there is a KMS key k already"),
        ("rotate-kms-key", r#"{"id":"k"}"#, "rotate k by somebody: ok"),
        ("disable-kms-key", r#"{"id":"k"}"#, "disable k by somebody: ok"),
        ("enable-kms-key", r#"{"id":"k"}"#, "enable k by somebody: ok"),
        ("schedule-kms-key-deletion", r#"{"id":"k"}"#, "schedule-deletion k by somebody: ok"),
        ("rotate-keyring", "{}", "rotate a version by somebody: ok"),
        ("export-keyring", &root_key, "export everything by somebody: ok"),
        ("reseal-keyring", &root_key, "reseal everything by somebody: ok"),
    ] {
        post(&api, &root, call, body).await;
        assert_eq!(trail.told(), [told], "{call}");
    }
    for call in ["list-kms-keys", "keyring-status"] {
        post(&api, &root, call, "{}").await;
        assert_eq!(trail.told(), [""; 0], "{call}");
    }
}

#[tokio::test]
async fn no_copy_of_the_keyring_is_given_that_the_audit_trail_does_not_know_of() {
    let (api, root, trail) = api_and_trail().await;
    trail.is_full.store(true, std::sync::atomic::Ordering::Relaxed);
    let root_key = serde_json::json!({ "root_key": RootKey::generate().to_file_text().trim_end() }).to_string();
    let (status, text) = post(&api, &root, "export-keyring", &root_key).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && !text.contains("sealed"), "{status} {text}");
}

#[tokio::test]
async fn over_the_network_the_keyring_neither_leaves_nor_gets_another_root_key() {
    let (api, root, trail) = api_and_trail().await;
    let root_key = serde_json::json!({ "root_key": RootKey::generate().to_file_text().trim_end() }).to_string();
    for call in ["export-keyring", "reseal-keyring"] {
        let path = format!("{PREFIX}{call}");
        let response = api.answer((Door::Network, &root), &Method::POST, &path, root_key.as_bytes()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{call}");
    }
    assert_eq!(trail.told(), [""; 0]);
    let status = api.answer((Door::Network, &root), &Method::POST, "/-/admin/v1/keyring-status", b"{}").await;
    assert_eq!(status.status(), StatusCode::OK);
}

#[tokio::test]
async fn bad_calls_on_kms_keys_are_refused() {
    let (api, root) = api().await;
    ok::<KmsKey>(&api, &root, "create-kms-key", r#"{"id":"a"}"#).await;
    for (call, body, status) in [
        ("create-kms-key", r#"{"id":""}"#, StatusCode::BAD_REQUEST),
        ("create-kms-key", r#"{"id":"a b"}"#, StatusCode::BAD_REQUEST),
        ("create-kms-key", r#"{"id":"b","state":"enabled"}"#, StatusCode::BAD_REQUEST),
        ("describe-kms-key", r#"{"id":"b"}"#, StatusCode::NOT_FOUND),
        ("enable-kms-key", r#"{"id":"b"}"#, StatusCode::NOT_FOUND),
        ("schedule-kms-key-deletion", r#"{"id":"a","waiting_days":6}"#, StatusCode::BAD_REQUEST),
        ("schedule-kms-key-deletion", r#"{"id":"a","waiting_days":31}"#, StatusCode::BAD_REQUEST),
        ("schedule-kms-key-deletion", r#"{"id":"a","waiting_days":-7}"#, StatusCode::BAD_REQUEST),
        ("reseal-keyring", r#"{"root_key":"hush"}"#, StatusCode::BAD_REQUEST),
        ("export-keyring", r#"{"root_key":"hush"}"#, StatusCode::BAD_REQUEST),
    ] {
        let (told, text) = post(&api, &root, call, body).await;
        assert!(told == status && !text.contains("hush"), "{call} {body}: {told} {text}");
    }
    let list: KmsKeyList = ok(&api, &root, "list-kms-keys", "{}").await;
    assert_eq!(list.kms_keys.len(), 1);
}

#[tokio::test]
async fn a_rotated_keyring_says_which_version_is_current() {
    let (api, root) = api().await;
    let before: Keyring = ok(&api, &root, "keyring-status", "{}").await;
    let rotated: KeyringVersion = ok(&api, &root, "rotate-keyring", "{}").await;
    let after: Keyring = ok(&api, &root, "keyring-status", "{}").await;
    assert_eq!((before.versions.len(), after.versions.len()), (1, 2));
    assert_eq!((&after.versions[0], after.versions[1].is_current), (&rotated, false));
    assert_eq!(after.versions[1].id, before.versions[0].id);
}

#[tokio::test]
async fn an_exported_keyring_opens_under_the_root_key_of_the_call_and_no_answer_holds_a_bare_key() {
    let (api, root) = api().await;
    let root_key = RootKey::generate();
    let text = root_key.to_file_text();
    let call = serde_json::json!({ "root_key": text.trim_end() }).to_string();
    let exported: ExportedKeyring = ok(&api, &root, "export-keyring", &call).await;
    let copy = LocalKeyring::open(&root_key, &STANDARD.decode(exported.sealed).unwrap()).ok().unwrap();
    assert!(copy.same_as(&api.keys.keyring));
    let resealed: Keyring = ok(&api, &root, "reseal-keyring", &call).await;
    assert_eq!(resealed.root_key_id, root_key.id().to_string());
}

async fn done(api: &AdminApi, root: &Principal, call: &str) -> KeyringWork {
    ok::<KeyringWork>(api, root, call, "{}").await;
    for _ in 0..1000 {
        let work: KeyringWork = ok(api, root, "look-at-keyring-work", "{}").await;
        if !work.is_running {
            return work;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{call} does not end");
}

#[tokio::test]
async fn work_on_an_empty_store_ends_and_says_so() {
    let (api, root) = api().await;
    let idle: KeyringWork = ok(&api, &root, "look-at-keyring-work", "{}").await;
    assert_eq!((idle.kind, idle.is_running), (None, false));
    let counted = done(&api, &root, "count-key-uses").await;
    let uses = KeyUses { held: Vec::new(), outdated: 0, unreadable: 0 };
    assert_eq!((counted.kind, counted.total, counted.uses), (Some(KeyringWorkKind::Count), Some(0), Some(uses)));
    let rewrapped = done(&api, &root, "rewrap-keyring").await;
    assert_eq!((rewrapped.kind, rewrapped.error), (Some(KeyringWorkKind::Rewrap), None));
    let refused = post(&api, &root, "rewrap-keyring", r#"{"per_s":0}"#).await;
    assert_eq!(refused.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_version_that_was_in_use_since_the_start_is_not_pruned() {
    let (api, root) = api().await;
    assert_eq!(done(&api, &root, "prune-keyring").await.pruned, Vec::<String>::new());
    ok::<KeyringVersion>(&api, &root, "rotate-keyring", "{}").await;
    let work = done(&api, &root, "prune-keyring").await;
    assert!(work.error.unwrap().contains("restart the server"), "an operation may still use it");
    let keyring: Keyring = ok(&api, &root, "keyring-status", "{}").await;
    assert_eq!(keyring.versions.len(), 2);
}
