use std::sync::Arc;

use admin_api::{AccessKeyKind, AccessKeyList, IssuedAccessKey, IssuedToken, User, UserList};
use http_body_util::BodyExt as _;
use kms::{DataKeys, Keeper, LocalKeyring, MemoryKeyringFile, NoAudit};
use operations::{Operations, Ports};
use storage::memory::MemoryStore;

use super::*;
use crate::clock::SystemClock;
use crate::key_changes::Trail;

mod keys;

async fn api_and_trail() -> (AdminApi, Principal, Arc<Trail>) {
    let root_key = envelope::RootKey::generate();
    let (keyring, sealed) = LocalKeyring::create(&root_key);
    let file = Arc::new(MemoryKeyringFile::new(sealed));
    let keys = ServerKeys::local(Arc::new(keyring.kept_by(Keeper { root_key, file, clock: Arc::new(SystemClock) })));
    let store = Arc::new(MemoryStore::new());
    let store_key = keys.keyring.store_key();
    let ports = Ports {
        metadata: store.clone(),
        blobs: store.clone(),
        keys: DataKeys::new(Arc::clone(&keys.keyring), Some(Arc::clone(&keys.kms)), Arc::new(NoAudit)),
        store_key,
        clock: Arc::new(SystemClock),
    };
    let operations = Operations::new(ports);
    let users = operations.users;
    let root = users.root().await.unwrap();
    let trail = Arc::new(Trail::default());
    let changes = KeyChanges::new(trail.clone());
    let key_work = KeyWork::new(operations.rewrapper, Arc::clone(&keys.keyring), changes.clone(), store);
    tokio::spawn(key_work.clone().run(root.clone()));
    (AdminApi::new(users, keys, key_work, changes), root, trail)
}

async fn api() -> (AdminApi, Principal) {
    let (api, root, _) = api_and_trail().await;
    (api, root)
}

async fn post(api: &AdminApi, caller: &Principal, call: &str, body: &str) -> (StatusCode, String) {
    let response =
        api.answer((Door::Machine, caller), &Method::POST, &format!("{PREFIX}{call}"), body.as_bytes()).await;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn ok<T: DeserializeOwned>(api: &AdminApi, caller: &Principal, call: &str, body: &str) -> T {
    let (status, text) = post(api, caller, call, body).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_user_gets_keys_that_are_listed_without_secrets_and_revoked() {
    let (api, root) = api().await;
    let user: User = ok(&api, &root, "create-user", r#"{"name":"alice"}"#).await;
    assert!(user.arn.ends_with(":user/alice"), "{}", user.arn);

    let pair: IssuedAccessKey = ok(&api, &root, "issue-access-key", r#"{"owner":{"user":"alice"}}"#).await;
    let token: IssuedToken = ok(&api, &root, "issue-token", r#"{"owner":{"user":"alice"},"expires_in_s":60}"#).await;
    assert!(token.expires_ms.is_some() && pair.expires_ms.is_none());

    let (_, text) = post(&api, &root, "list-access-keys", r#"{"owner":{"user":"alice"}}"#).await;
    assert!(!text.contains(pair.secret_access_key.expose()) && !text.contains(token.token.expose()), "{text}");
    let list: AccessKeyList = serde_json::from_str(&text).unwrap();
    let kinds: Vec<_> = list.access_keys.iter().map(|a| (a.id.as_str(), a.kind)).collect();
    assert_eq!(kinds, [(pair.access_key_id.as_str(), AccessKeyKind::Pair), (token.id.as_str(), AccessKeyKind::Token)]);

    for id in [&pair.access_key_id, &token.id] {
        let call = format!(r#"{{"id":"{id}"}}"#);
        assert_eq!(post(&api, &root, "revoke-access-key", &call).await.0, StatusCode::OK);
        assert_eq!(post(&api, &root, "revoke-access-key", &call).await.0, StatusCode::NOT_FOUND);
    }
    let list: AccessKeyList = ok(&api, &root, "list-access-keys", "{}").await;
    assert_eq!(list.access_keys, []);
}

#[tokio::test]
async fn only_the_administrator_may_call() {
    let (api, root) = api().await;
    let Principal::Root(account) = root.clone() else { panic!("root is root") };
    let user = Principal::User(account, model::UserName::parse("root").unwrap());
    for caller in [&user, &Principal::Anonymous] {
        for call in ["create-user", "list-users", "issue-access-key", "no-such-call"] {
            let (status, text) = post(&api, caller, call, r#"{"name":"eve"}"#).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{call}: {text}");
        }
    }
    let list: UserList = ok(&api, &root, "list-users", "{}").await;
    assert_eq!(list.users, []);
}

#[tokio::test]
async fn bad_calls_are_refused_and_change_nothing() {
    let (api, root) = api().await;
    for (call, body) in [
        ("create-user", ""),
        ("create-user", "{}"),
        ("create-user", r#"{"name":"a/b"}"#),
        ("create-user", r#"{"name":"a","admin":true}"#),
        ("issue-token", r#"{"owner":{"user":"a"},"expires_in_s":-1}"#),
        ("issue-token", r#"{"owner":"root","expires_in_s":0}"#),
        ("issue-token", r#"{"owner":"root","expires_in_s":18446744073709551615}"#),
        ("list-users", "[[[[["),
    ] {
        assert_eq!(post(&api, &root, call, body).await.0, StatusCode::BAD_REQUEST, "{call} {body}");
    }
    let long = " ".repeat(CALL_LEN_MAX + 1);
    assert_eq!(post(&api, &root, "list-users", &long).await.0, StatusCode::BAD_REQUEST);
    let list: AccessKeyList = ok(&api, &root, "list-access-keys", "{}").await;
    assert_eq!(list.access_keys, []);
}

#[tokio::test]
async fn what_does_not_exist_is_said_so() {
    let (api, root) = api().await;
    for (call, body, code) in [
        ("issue-token", r#"{"owner":{"user":"nobody"}}"#, "no_such_user"),
        ("list-access-keys", r#"{"owner":{"user":"nobody"}}"#, "no_such_user"),
        ("revoke-access-key", r#"{"id":"nothing"}"#, "no_such_access_key"),
        ("drop-everything", "{}", "no_such_call"),
    ] {
        let (status, text) = post(&api, &root, call, body).await;
        assert!(status == StatusCode::NOT_FOUND && text.contains(code), "{call}: {text}");
    }
    let get = api.answer((Door::Machine, &root), &Method::GET, "/-/admin/v1/list-users", b"{}").await;
    assert_eq!(get.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_name_is_given_once() {
    let (api, root) = api().await;
    assert_eq!(post(&api, &root, "create-user", r#"{"name":"alice"}"#).await.0, StatusCode::OK);
    assert_eq!(post(&api, &root, "create-user", r#"{"name":"alice"}"#).await.0, StatusCode::CONFLICT);
}
