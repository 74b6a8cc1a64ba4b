//! The condition key of the KMS key that a write asks for. A request's value is the bare id, whichever way the client
//! spelled it; a policy may write the id, an alias, or an ARN of either, as AWS's examples do. The server has one key of
//! each id, so the region and the account of an ARN say nothing here.

use super::operator::Comparison;
use crate::pattern::{Pattern, Syntax};
use crate::verdict::Verdict;
use crate::{Context, MalformedPolicy};

/// Whether it is this condition key.
pub(crate) fn is_named(name: &str) -> bool {
    name.eq_ignore_ascii_case("s3:x-amz-server-side-encryption-aws-kms-key-id")
}

/// A value in a policy; `None` for an operator that compares no names.
///
/// # Errors
/// As [`Pattern::parse`].
pub(crate) fn parse(comparison: Comparison, value: &str, variables: bool) -> Result<Option<Pattern>, MalformedPolicy> {
    let (wildcards, ignores_case) = match comparison {
        Comparison::Text => (false, false),
        Comparison::TextIgnoringCase => (false, true),
        Comparison::TextLike | Comparison::Arn => (true, false),
        Comparison::Number(_) | Comparison::Date(_) | Comparison::Bool | Comparison::Null | Comparison::Address => {
            return Ok(None);
        }
    };
    Pattern::parse(key_of(value), Syntax { wildcards, variables, ignores_case }).map(Some)
}

/// Whether the key of that id is meant. A wildcard may stand for what is in front of an id.
pub(crate) fn accepts(pattern: &Pattern, id: &str, context: &Context) -> Verdict {
    let prefixes = ["", "key/", "alias/", "arn:aws:kms:::key/", "arn:aws:kms:::alias/"];
    Verdict::any(prefixes.iter().map(|prefix| pattern.matches(&format!("{prefix}{id}"), context)))
}

/// What names the key.
fn key_of(value: &str) -> &str {
    let is_arn = value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:"));
    let resource = if is_arn { behind_colons(value) } else { value };
    resource.strip_prefix("key/").or_else(|| resource.strip_prefix("alias/")).unwrap_or(resource)
}

/// What stands behind the last colon, those of policy variables (`${aws:username}`) aside.
fn behind_colons(value: &str) -> &str {
    let (mut from, mut in_variable) = (0, false);
    for (at, character) in value.char_indices() {
        match character {
            '$' if value[at..].starts_with("${") => in_variable = true,
            '}' => in_variable = false,
            ':' if !in_variable => from = at + 1,
            _ => {}
        }
    }
    &value[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(comparison: Comparison, value: &str, id: &str) -> bool {
        let context = Context::new().with("aws:username", "alice");
        let pattern = parse(comparison, value, true).unwrap().unwrap();
        accepts(&pattern, id, &context) == Verdict::Yes
    }

    #[test]
    fn every_spelling_of_a_key_means_it() {
        for value in ["k1", "key/k1", "alias/k1", "arn:aws:kms:us-east-1:1:key/k1", "arn:aws:kms:::alias/k1"] {
            for comparison in [Comparison::Text, Comparison::TextLike, Comparison::Arn, Comparison::TextIgnoringCase] {
                assert!(meant(comparison, value, "k1"), "{comparison:?} {value}");
                assert!(!meant(comparison, value, "k2"), "{comparison:?} {value}");
                assert!(!meant(comparison, value, "xk1"), "{comparison:?} {value}");
            }
        }
        assert!(meant(Comparison::TextIgnoringCase, "ARN:aws:kms:::key/K1", "k1"));
        assert!(meant(Comparison::Text, "arn:aws:kms:us-east-1:1:alias/aws/s3", "aws/s3"));
    }

    #[test]
    fn wildcards_may_stand_for_what_is_in_front_of_an_id() {
        for value in ["*", "k?", "*/k1", "*:key/k1", "arn:*", "arn*k1", "arn:aws:kms:*:key/*", "arn:aws:kms:*/k1"] {
            assert!(meant(Comparison::TextLike, value, "k1"), "{value}");
        }
        for value in ["k?", "*/k1", "*:key/k1", "arn:aws:kms:*:key/k1"] {
            assert!(!meant(Comparison::TextLike, value, "other"), "{value}");
        }
        assert!(!meant(Comparison::Text, "*", "k1"));
    }

    #[test]
    fn the_colon_of_a_variable_is_none_of_an_arn() {
        let value = "arn:aws:kms:${aws:RequestedRegion}:1:key/team-${aws:username}";
        assert!(meant(Comparison::Text, value, "team-alice"));
        assert!(!meant(Comparison::Text, value, "team-bob"));
    }
}
