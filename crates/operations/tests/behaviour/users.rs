use identity::{AccessKeyId, SecretAccessKey, Token};
use model::{Timestamp, UserName};
use operations::{AccessKeyKind, RevokeError, UsersError};
use storage::{Batch, Metadata, Scope, Table};

use crate::damage::records;
use crate::support::{Site, contains, owner, user};

fn at(millis: u64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

#[tokio::test]
async fn users_belong_to_the_one_account_of_the_installation() {
    let site = Site::new().await;
    let users = &site.operations.users;
    let account = users.account().await.unwrap();
    assert_eq!(users.account().await.unwrap(), account);
    let name = UserName::parse("alice").unwrap();
    assert!(matches!(users.principal(&name).await, Err(UsersError::NoSuchUser(_))));
    let created = users.create_user(&name).await.unwrap();
    assert!(matches!(users.create_user(&name).await, Err(UsersError::UserExists(_))));
    assert_eq!(users.principal(&name).await.unwrap(), model::Principal::User(account.clone(), name));
    users.create_user(&UserName::parse("Bob").unwrap()).await.unwrap();
    let listed = users.list_users().await.unwrap();
    assert_eq!(listed.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Bob", "alice"]);
    assert!(listed.contains(&created) && listed.iter().all(|user| user.account == account));
}

#[tokio::test]
async fn a_pair_and_a_token_prove_their_principal_until_they_are_revoked() {
    let site = Site::new().await;
    let users = &site.operations.users;
    let pair = users.issue_access_key(&owner(), None).await.unwrap();
    let token = users.issue_token(&owner(), None).await.unwrap();
    // Twice: the second answer may come from what the first one opened.
    for _ in 0..2 {
        let (secret, principal) = users.access_key(pair.id.as_str()).await.unwrap().unwrap();
        assert!(secret.expose() == pair.secret.expose() && principal == owner());
        assert_eq!(users.token(&token.token).await.unwrap(), Some(owner()));
    }
    let listed = users.list_access_keys(Some(&owner())).await.unwrap();
    let kinds: Vec<_> = listed.iter().map(|key| (key.id.as_str(), key.kind)).collect();
    assert_eq!(kinds, [(pair.id.as_str(), AccessKeyKind::Pair), (token.id.as_str(), AccessKeyKind::Token)]);
    assert!(users.list_access_keys(Some(&user("another"))).await.unwrap().is_empty());

    users.revoke(pair.id.as_str()).await.unwrap();
    users.revoke(&token.id).await.unwrap();
    assert!(users.access_key(pair.id.as_str()).await.unwrap().is_none());
    assert_eq!(users.token(&token.token).await.unwrap(), None);
    assert!(matches!(users.revoke(pair.id.as_str()).await, Err(RevokeError::NoSuchAccessKey(_))));
    assert!(users.list_access_keys(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_credential_ends_by_the_clock() {
    let site = Site::new().await;
    let users = &site.operations.users;
    site.clock.set(1_000);
    let pair = users.issue_access_key(&owner(), at(2_000)).await.unwrap();
    let token = users.issue_token(&owner(), at(2_000)).await.unwrap();
    for (now, lives) in [(1_999, true), (2_000, false), (3_000, false), (1_000, true)] {
        site.clock.set(now);
        assert_eq!(users.access_key(pair.id.as_str()).await.unwrap().is_some(), lives, "at {now}");
        assert_eq!(users.token(&token.token).await.unwrap().is_some(), lives, "at {now}");
    }
    let expired_at_once = users.issue_token(&owner(), at(0)).await.unwrap();
    assert_eq!(users.token(&expired_at_once.token).await.unwrap(), None);
}

#[tokio::test]
async fn a_pair_that_was_replaced_or_removed_behind_our_back_is_not_served_from_memory() {
    let site = Site::new().await;
    let users = &site.operations.users;
    let id = AccessKeyId::parse("fixed-id").unwrap();
    let secret = |text| SecretAccessKey::parse(text).unwrap();
    users.put_access_key(&id, &secret("the-first-secret"), &owner(), None).await.unwrap();
    let opened = async || Some(users.access_key("fixed-id").await.unwrap()?.0.expose().to_owned());
    assert_eq!(opened().await.as_deref(), Some("the-first-secret"));
    users.put_access_key(&id, &secret("the-second-secret"), &owner(), None).await.unwrap();
    assert_eq!(opened().await.as_deref(), Some("the-second-secret"));

    let partition = storage::Partition::new(Scope::SYSTEM, "fixed-id");
    let record_key = storage::RecordKey::new(Table(3), "");
    let raw = site.store.get(&partition, &record_key).await.unwrap().unwrap();
    let mut flipped = raw.to_vec();
    flipped[5] ^= 1;
    let put = Batch { put: vec![(record_key.clone(), flipped.into())], ..Batch::default() };
    site.store.commit(&partition, put).await.unwrap();
    assert!(users.access_key("fixed-id").await.is_err());
    let delete = Batch { delete: vec![record_key], ..Batch::default() };
    site.store.commit(&partition, delete).await.unwrap();
    assert_eq!(opened().await, None);
}

#[tokio::test]
async fn neither_secret_nor_token_stands_in_the_store() {
    let site = Site::new().await;
    let users = &site.operations.users;
    let pair = users.issue_access_key(&owner(), None).await.unwrap();
    let token = users.issue_token(&owner(), None).await.unwrap();
    let mut stored = site.store.stored_bytes();
    for (_, _, entry) in records(&site.store, &[Scope::SYSTEM]).await {
        stored.extend([entry.partition.into(), entry.suffix.into()]);
    }
    assert!(contains(&stored, pair.id.as_str().as_bytes()), "the search finds what is there");
    for secret in [pair.secret.expose(), token.token.expose()] {
        assert!(!contains(&stored, secret.as_bytes()));
        assert!(!contains(&stored, &secret.as_bytes()[8..24]), "nor a piece of it");
    }
}

#[tokio::test]
async fn whatever_is_presented_as_an_id_is_unknown_and_no_fault() {
    let site = Site::new().await;
    let users = &site.operations.users;
    for id in ["", "nobody", "\u{0}", &"x".repeat(100_000), "ffffffffffffffffffffffffffffffff"] {
        assert!(users.access_key(id).await.unwrap().is_none());
        assert!(matches!(users.revoke(id).await, Err(RevokeError::NoSuchAccessKey(_))));
    }
    let token = Token::generate(&[7; Token::RANDOM_LEN]);
    assert_eq!(users.token(&token).await.unwrap(), None);
}
