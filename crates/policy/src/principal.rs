use model::{AccountId, Principal};

use crate::MalformedPolicy;
use crate::document::Json;

/// Whom a statement is about: the `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone)]
pub(crate) struct PrincipalSet {
    members: Vec<Member>,
    negated: bool,
}

#[derive(Debug, Clone)]
enum Member {
    /// Everybody, the anonymous included.
    Everyone,
    /// An account: its root and all its users.
    Account(AccountId),
    /// One user.
    One(Principal),
}

impl PrincipalSet {
    /// Reads `"*"` or `{"AWS": "*" | ARN | ACCOUNT | [...]}`.
    ///
    /// Other kinds (`Service`, `Federated`, `CanonicalUser`) name nobody whom we know: a statement that could never
    /// mean anybody is refused, as AWS refuses a user who does not exist.
    pub(crate) fn parse(value: Json, negated: bool) -> Result<Self, MalformedPolicy> {
        let texts = match value {
            Json::Text(text) if text == "*" => vec![text],
            Json::Object(kinds) => {
                let [(kind, value)] = <[_; 1]>::try_from(kinds).map_err(|_| MalformedPolicy::InvalidPrincipal)?;
                let texts = value.into_texts().filter(|texts| !texts.is_empty() && kind == "AWS");
                texts.ok_or(MalformedPolicy::InvalidPrincipal)?
            }
            _ => return Err(MalformedPolicy::InvalidPrincipal),
        };
        let members = texts.iter().map(|text| Member::parse(text)).collect::<Result<_, _>>()?;
        Ok(Self { members, negated })
    }

    pub(crate) fn contains(&self, principal: &Principal) -> bool {
        self.members.iter().any(|member| member.covers(principal)) != self.negated
    }

    /// Whether the set has no bounds: everybody, or everybody but some.
    pub(crate) fn is_unbounded(&self) -> bool {
        self.negated || self.members.iter().any(|member| matches!(member, Member::Everyone))
    }
}

impl Member {
    fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if let Ok(account) = AccountId::parse(text) {
            return Ok(Self::Account(account));
        }
        match Principal::from_arn(text).ok_or(MalformedPolicy::InvalidPrincipal)? {
            Principal::Root(account) => Ok(Self::Account(account)),
            user => Ok(Self::One(user)),
        }
    }

    fn covers(&self, principal: &Principal) -> bool {
        match (self, principal) {
            (Self::Everyone, _) => true,
            (Self::Account(account), Principal::Root(own) | Principal::User(own, _)) => account == own,
            (Self::Account(_), Principal::Anonymous) => false,
            (Self::One(one), principal) => one == principal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "arn:aws:iam::111111111111:user/alice";

    fn set(json: &str) -> Option<PrincipalSet> {
        PrincipalSet::parse(serde_json::from_str(json).unwrap(), false).ok()
    }

    fn names(json: &str) -> Vec<bool> {
        let set = set(json).expect("a principal");
        let others = ["arn:aws:iam::111111111111:root", ALICE, "arn:aws:iam::222222222222:user/alice"];
        let mut principals: Vec<_> = others.iter().map(|arn| Principal::from_arn(arn).unwrap()).collect();
        principals.push(Principal::Anonymous);
        principals.iter().map(|principal| set.contains(principal)).collect()
    }

    #[test]
    fn principals_cover_whom_they_name() {
        assert_eq!(names(r#""*""#), [true, true, true, true]);
        assert_eq!(names(r#"{"AWS":"*"}"#), [true, true, true, true]);
        assert_eq!(names(r#"{"AWS":"111111111111"}"#), [true, true, false, false]);
        assert_eq!(names(r#"{"AWS":["arn:aws:iam::111111111111:root"]}"#), [true, true, false, false]);
        assert_eq!(names(&format!(r#"{{"AWS":"{ALICE}"}}"#)), [false, true, false, false]);
        assert_eq!(names(&format!(r#"{{"AWS":["{ALICE}","222222222222"]}}"#)), [false, true, true, false]);
    }

    #[test]
    fn principals_that_cannot_exist_are_refused() {
        for json in [
            r#""alice""#,
            r#"["*"]"#,
            "null",
            "{}",
            r#"{"AWS":[]}"#,
            r#"{"AWS":null}"#,
            r#"{"AWS":[1]}"#,
            r#"{"aws":"*"}"#,
            r#"{"AWS":"*","Service":"s3.amazonaws.com"}"#,
            r#"{"Service":"s3.amazonaws.com"}"#,
            r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#,
            r#"{"AWS":"11111111111"}"#,
            r#"{"AWS":"arn:aws:iam::111111111111:user/*"}"#,
            r#"{"AWS":"arn:aws:iam::111111111111:role/admin"}"#,
            r#"{"AWS":"arn:aws:iam::*:root"}"#,
        ] {
            assert!(set(json).is_none(), "{json}");
        }
    }
}
