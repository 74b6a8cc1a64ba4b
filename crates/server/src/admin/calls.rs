//! One function for each call.

use std::time::Duration;

use admin_api::{
    AccessKey, AccessKeyKind, AccessKeyList, CreateUser, ErrorAnswer, ErrorCode, IssueAccessKey, IssueToken,
    IssuedAccessKey, IssuedToken, ListAccessKeys, Owner, RevokeAccessKey, Revoked, Secret, User, UserList,
};
use model::{Principal, Timestamp, UserName};
use operations::{AccessKeyInfo, RevokeError, UserInfo, Users, UsersError};

use super::error;
use crate::clock;

/// A hundred years: whoever wants more wants no end.
const EXPIRES_IN_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

pub(super) async fn create_user(users: &Users, call: CreateUser) -> Result<User, ErrorAnswer> {
    let name = user_name(&call.name)?;
    let user = users.create_user(&name).await.map_err(users_error)?;
    tracing::info!(name = name.as_str(), "created a user");
    Ok(user_answer(user))
}

pub(super) async fn list_users(users: &Users) -> Result<UserList, ErrorAnswer> {
    let users = users.list_users().await.map_err(internal)?;
    Ok(UserList { users: users.into_iter().map(user_answer).collect() })
}

pub(super) async fn issue_access_key(users: &Users, call: IssueAccessKey) -> Result<IssuedAccessKey, ErrorAnswer> {
    let principal = principal(users, &call.owner).await?;
    let expires = expires(call.expires_in_s)?;
    let issued = users.issue_access_key(&principal, expires).await.map_err(internal)?;
    tracing::info!(access_key_id = %issued.id, principal = principal.arn(), "issued an access key");
    Ok(IssuedAccessKey {
        access_key_id: issued.id.as_str().to_owned(),
        secret_access_key: Secret::new(issued.secret.expose().to_owned()),
        expires_ms: expires.map(Timestamp::as_millis),
    })
}

pub(super) async fn issue_token(users: &Users, call: IssueToken) -> Result<IssuedToken, ErrorAnswer> {
    let principal = principal(users, &call.owner).await?;
    let expires = expires(call.expires_in_s)?;
    let issued = users.issue_token(&principal, expires).await.map_err(internal)?;
    tracing::info!(id = issued.id, principal = principal.arn(), "issued a token");
    Ok(IssuedToken {
        id: issued.id,
        token: Secret::new(issued.token.expose().to_owned()),
        expires_ms: expires.map(Timestamp::as_millis),
    })
}

pub(super) async fn list_access_keys(users: &Users, call: ListAccessKeys) -> Result<AccessKeyList, ErrorAnswer> {
    let of = match &call.owner {
        Some(owner) => Some(principal(users, owner).await?),
        None => None,
    };
    let found = users.list_access_keys(of.as_ref()).await.map_err(internal)?;
    Ok(AccessKeyList { access_keys: found.into_iter().map(access_key_answer).collect() })
}

pub(super) async fn revoke_access_key(users: &Users, call: RevokeAccessKey) -> Result<Revoked, ErrorAnswer> {
    users.revoke(&call.id).await.map_err(|source| match source {
        RevokeError::NoSuchAccessKey(_) => error(ErrorCode::NoSuchAccessKey, &source.to_string()),
        RevokeError::Fault(source) => internal(source),
    })?;
    tracing::info!(id = call.id, "revoked an access key");
    Ok(Revoked {})
}

async fn principal(users: &Users, owner: &Owner) -> Result<Principal, ErrorAnswer> {
    match owner {
        Owner::Root => users.root().await.map_err(internal),
        Owner::User(name) => users.principal(&user_name(name)?).await.map_err(users_error),
    }
}

fn user_name(name: &str) -> Result<UserName, ErrorAnswer> {
    UserName::parse(name).map_err(|source| error(ErrorCode::InvalidCall, &source.to_string()))
}

fn expires(expires_in_s: Option<u64>) -> Result<Option<Timestamp>, ErrorAnswer> {
    let Some(expires_in_s) = expires_in_s else { return Ok(None) };
    if expires_in_s == 0 || expires_in_s > EXPIRES_IN_MAX.as_secs() {
        return Err(error(ErrorCode::InvalidCall, "expires_in_s is between one second and a hundred years"));
    }
    Ok(Some(Timestamp::from_millis(clock::now().as_millis() + expires_in_s * 1000)))
}

fn users_error(source: UsersError) -> ErrorAnswer {
    let code = match source {
        UsersError::UserExists(_) => ErrorCode::UserExists,
        UsersError::NoSuchUser(_) => ErrorCode::NoSuchUser,
        UsersError::Fault(source) => return internal(source),
    };
    error(code, &source.to_string())
}

/// What went wrong inside is for the log alone.
pub(super) fn internal(source: impl std::error::Error) -> ErrorAnswer {
    tracing::error!(error = %source, "an admin call failed");
    error(ErrorCode::Internal, "the server failed; its log says more")
}

fn user_answer(user: UserInfo) -> User {
    let arn = Principal::User(user.account, user.name.clone()).arn().expect("a user has an ARN");
    User { name: user.name.as_str().to_owned(), arn, created_ms: user.created.as_millis() }
}

fn access_key_answer(info: AccessKeyInfo) -> AccessKey {
    AccessKey {
        id: info.id,
        kind: match info.kind {
            operations::AccessKeyKind::Pair => AccessKeyKind::Pair,
            operations::AccessKeyKind::Token => AccessKeyKind::Token,
        },
        principal: info.principal.arn().unwrap_or_default(),
        created_ms: info.created.as_millis(),
        expires_ms: info.expires.map(Timestamp::as_millis),
    }
}
