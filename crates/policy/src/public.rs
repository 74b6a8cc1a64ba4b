//! What "public" means (S3 user guide, "Blocking public access", section "The meaning of public").

use crate::Policy;
use crate::policy::{Effect, Statement};

/// Whether some Allow statement is open to everybody. Deny statements do not count, as on AWS.
pub(crate) fn is_public(policy: &Policy) -> bool {
    policy.statements.iter().any(|statement| {
        statement.effect == Effect::Allow && statement.principals.is_unbounded() && !is_bounded(statement)
    })
}

/// Whether a condition holds only for fixed values of a key that tells who or where somebody is.
fn is_bounded(statement: &Statement) -> bool {
    statement.conditions.iter().any(|condition| {
        let identifies = IDENTIFYING.iter().any(|name| name.eq_ignore_ascii_case(condition.name()));
        identifies && condition.is_fixed()
    })
}

const IDENTIFYING: &[&str] = &[
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:userid",
    "aws:username",
    "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn",
];

#[cfg(test)]
mod tests {
    use model::BucketName;

    use super::*;

    fn public(principal: &str, condition: &str) -> bool {
        let json = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{principal},"Action":"s3:GetObject",
            "Resource":"arn:aws:s3:::bucket/*","Condition":{condition}}}}}"#
        );
        Policy::parse(json.as_bytes(), &BucketName::parse("bucket").unwrap()).unwrap().is_public()
    }

    #[test]
    fn everybody_is_public_unless_a_fixed_value_bounds_it() {
        let star = r#""Principal":"*""#;
        assert!(public(star, "{}"));
        assert!(public(r#""Principal":{"AWS":["111111111111","*"]}"#, "{}"));
        assert!(public(r#""NotPrincipal":{"AWS":"111111111111"}"#, "{}"));
        assert!(!public(r#""Principal":{"AWS":"111111111111"}"#, "{}"));
        assert!(!public(star, r#"{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#));
        assert!(!public(star, r#"{"IpAddress":{"aws:SourceIp":"172.16.0.0/12"}}"#));
        assert!(!public(star, r#"{"IpAddress":{"AWS:sourceip":["192.0.2.0/24","2001:db8::/32"]}}"#));
        assert!(!public(star, r#"{"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#));
        assert!(!public(star, r#"{"StringLike":{"aws:SourceVpc":"vpc-91237329"}}"#));
    }

    #[test]
    fn wide_or_evadable_conditions_do_not_bound() {
        let star = r#""Principal":"*""#;
        for condition in [
            r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","128.0.0.0/1"]}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"2000::/3"}}"#,
            r#"{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#,
            r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#,
            r#"{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}"#,
            r#"{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-1"}}"#,
            r#"{"StringEquals":{"aws:username":"${aws:username}"}}"#,
            r#"{"StringEquals":{"aws:Referer":"https://example.org/"}}"#,
            r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            r#"{"Null":{"aws:username":"false"}}"#,
        ] {
            assert!(public(star, condition), "{condition}");
        }
    }

    #[test]
    fn denying_everybody_is_not_public() {
        let json =
            r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bucket"}}"#;
        assert!(!Policy::parse(json.as_bytes(), &BucketName::parse("bucket").unwrap()).unwrap().is_public());
    }
}
