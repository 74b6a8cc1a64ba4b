use std::fmt;

use crate::AccountId;

/// The name of a user: 1 to 64 of `A-Z a-z 0-9 + = , . @ _ -` (AWS: "IAM and AWS STS quotas").
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UserName(String);

/// The text is no user name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a user name is 1 to 64 letters, digits or + = , . @ _ -")]
pub struct InvalidUserName;

impl UserName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidUserName`] for a bad character or length.
    pub fn parse(text: &str) -> Result<Self, InvalidUserName> {
        let charset = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(charset);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidUserName)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who makes a request.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Principal {
    /// Nobody in particular: the request is not signed.
    Anonymous,
    /// The administrator of an installation.
    Root(AccountId),
    /// A named user.
    User(AccountId, UserName),
}

impl Principal {
    /// `arn:aws:iam::ACCOUNT:root`, `arn:aws:iam::ACCOUNT:user/NAME`; nothing for the anonymous one.
    #[must_use]
    pub fn arn(&self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::Root(account) => Some(format!("arn:aws:iam::{account}:root")),
            Self::User(account, name) => Some(format!("arn:aws:iam::{account}:user/{name}")),
        }
    }

    /// Reads back what [`Self::arn`] wrote.
    #[must_use]
    pub fn from_arn(arn: &str) -> Option<Self> {
        let (account, rest) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
        let account = AccountId::parse(account).ok()?;
        match rest.strip_prefix("user/") {
            Some(name) => Some(Self::User(account, UserName::parse(name).ok()?)),
            None => (rest == "root").then_some(Self::Root(account)),
        }
    }
}
