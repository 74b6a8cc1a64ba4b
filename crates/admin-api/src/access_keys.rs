use serde::{Deserialize, Serialize};

use crate::{Call, Secret};

/// Whose an access key is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The administrator.
    Root,
    /// The user of this name.
    User(String),
}

/// Issues a pair of access key id and secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueAccessKey {
    /// For whom.
    pub owner: Owner,
    /// Seconds until it ends; without end if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

impl Call for IssueAccessKey {
    const NAME: &'static str = "issue-access-key";
    type Answer = IssuedAccessKey;
}

/// A fresh pair. The secret is shown this once.
#[derive(Serialize, Deserialize)]
pub struct IssuedAccessKey {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: Secret,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

/// Issues a token: one string that is used as access key, without a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueToken {
    /// For whom.
    pub owner: Owner,
    /// Seconds until it ends; without end if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

impl Call for IssueToken {
    const NAME: &'static str = "issue-token";
    type Answer = IssuedToken;
}

/// A fresh token, shown this once.
#[derive(Serialize, Deserialize)]
pub struct IssuedToken {
    /// Names it in lists and for revocation; no secret.
    pub id: String,
    /// The token.
    pub token: Secret,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

/// Asks for access keys and tokens: all of them, or those of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListAccessKeys {
    /// Whose; everybody's if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl Call for ListAccessKeys {
    const NAME: &'static str = "list-access-keys";
    type Answer = AccessKeyList;
}

/// A pair or a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessKeyKind {
    /// An id with a secret that signs.
    Pair,
    /// One string that is both.
    Token,
}

/// An access key or a token without what is secret of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Names it for revocation.
    pub id: String,
    /// What it is.
    pub kind: AccessKeyKind,
    /// The ARN of its owner.
    pub principal: String,
    /// When it was issued, milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

/// Access keys and tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKeyList {
    /// Expired ones are among them until they are revoked.
    pub access_keys: Vec<AccessKey>,
}

/// Ends an access key or a token at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeAccessKey {
    /// The access key id, or the id of the token.
    pub id: String,
}

impl Call for RevokeAccessKey {
    const NAME: &'static str = "revoke-access-key";
    type Answer = Revoked;
}

/// It is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {}
