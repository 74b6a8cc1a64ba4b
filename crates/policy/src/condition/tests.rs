use std::borrow::Cow;

use super::*;
use crate::verdict::Verdict::{No, Unknown, Yes};

fn conditions(json: &str) -> Result<Vec<Condition>, MalformedPolicy> {
    Condition::parse_all(serde_json::from_str(json).expect("JSON"), true)
}

/// Evaluates `{"OPERATOR": {"NAME": VALUES}}` with `values` under `name`.
fn holds(operator: &str, name: &'static str, operands: &str, values: &[&'static str]) -> Verdict {
    let parsed = conditions(&format!(r#"{{"{operator}":{{"{name}":{operands}}}}}"#)).expect("a condition");
    let mut context = Context::new();
    context.set_all(name, values.iter().map(|value| Cow::Borrowed(*value)));
    Verdict::all(parsed.iter().map(|condition| condition.holds(&context)))
}

#[test]
fn text_operators_compare_as_their_names_say() {
    for (operator, operands, value, expected) in [
        ("StringEquals", r#""AES256""#, "AES256", Yes),
        ("StringEquals", r#""AES256""#, "aes256", No),
        ("StringEquals", r#""AES*""#, "AES256", No),
        ("StringEquals", r#"["a","b"]"#, "b", Yes),
        ("StringNotEquals", r#""a""#, "b", Yes),
        ("StringNotEquals", r#""a""#, "a", No),
        ("StringNotEquals", r#"["a","b"]"#, "b", No),
        ("StringNotEquals", r#"["a","b"]"#, "c", Yes),
        ("StringEqualsIgnoreCase", r#""aEs256""#, "AeS256", Yes),
        ("StringEqualsIgnoreCase", r#""Straße É""#, "straße é", Yes),
        ("StringEqualsIgnoreCase", r#""a""#, "b", No),
        ("StringNotEqualsIgnoreCase", r#""A""#, "a", No),
        ("StringNotEqualsIgnoreCase", r#""A""#, "b", Yes),
        ("StringLike", r#""home/*""#, "home/a/b", Yes),
        ("StringLike", r#""home/?""#, "home/ab", No),
        ("StringLike", r#""${*}""#, "x", No),
        ("StringNotLike", r#""home/*""#, "home/a", No),
        ("StringNotLike", r#"["home/*","x"]"#, "y", Yes),
    ] {
        assert_eq!(holds(operator, "s3:x-amz-acl", operands, &[value]), expected, "{operator} {operands} {value}");
    }
}

#[test]
fn a_missing_key_is_false_to_positive_and_true_to_negated_operators() {
    let name = "s3:x-amz-acl";
    for (positive, negated, operand) in [
        ("StringEquals", "StringNotEquals", r#""a""#),
        ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", r#""a""#),
        ("StringLike", "StringNotLike", r#""*""#),
        ("ArnEquals", "ArnNotEquals", r#""arn:aws:iam::*:*""#),
        ("ArnLike", "ArnNotLike", r#""arn:aws:iam::*:*""#),
        ("IpAddress", "NotIpAddress", r#""0.0.0.0/0""#),
        ("NumericEquals", "NumericNotEquals", "1"),
        ("DateEquals", "DateNotEquals", r#""2020-01-01""#),
    ] {
        assert_eq!(holds(positive, name, operand, &[]), No, "{positive}");
        assert_eq!(holds(negated, name, operand, &[]), Yes, "{negated}");
        for operator in [positive, negated] {
            assert_eq!(holds(&format!("{operator}IfExists"), name, operand, &[]), Yes, "{operator}IfExists");
            assert_eq!(holds(&format!("ForAllValues:{operator}"), name, operand, &[]), Yes, "ForAllValues:{operator}");
            assert_eq!(holds(&format!("ForAnyValue:{operator}"), name, operand, &[]), No, "ForAnyValue:{operator}");
            assert_eq!(holds(&format!("ForAnyValue:{operator}IfExists"), name, operand, &[]), Yes, "{operator}");
        }
    }
    for operator in ["Bool", "NumericLessThan", "NumericGreaterThanEquals", "DateLessThanEquals", "DateGreaterThan"] {
        let operand = if operator == "Bool" { "false" } else { "0" };
        assert_eq!(holds(operator, name, operand, &[]), No, "{operator}");
        assert_eq!(holds(&format!("{operator}IfExists"), name, operand, &[]), Yes, "{operator}IfExists");
    }
}

#[test]
fn if_exists_still_compares_what_exists() {
    assert_eq!(holds("StringEqualsIfExists", "s3:x-amz-acl", r#""a""#, &["b"]), No);
    assert_eq!(holds("StringNotEqualsIfExists", "s3:x-amz-acl", r#""a""#, &["a"]), No);
    assert_eq!(holds("BoolIfExists", "aws:SecureTransport", "true", &["false"]), No);
}

#[test]
fn null_tells_whether_a_key_is_missing() {
    for (operands, values, expected) in [
        ("true", &[][..], Yes),
        (r#""true""#, &[], Yes),
        (r#""TRUE""#, &["x"], No),
        (r#""false""#, &[], No),
        ("false", &["x"], Yes),
        ("false", &[""], Yes),
        (r#"["true","false"]"#, &[], Yes),
    ] {
        assert_eq!(holds("Null", "s3:x-amz-acl", operands, values), expected, "{operands} {values:?}");
    }
}

#[test]
fn quantifiers_take_several_values_together() {
    let name = "s3:RequestObjectTagKeys";
    for (operator, operands, values, expected) in [
        ("ForAllValues:StringEquals", r#"["a","b"]"#, &["a", "b"][..], Yes),
        ("ForAllValues:StringEquals", r#"["a","b"]"#, &["a", "c"], No),
        ("ForAnyValue:StringEquals", r#"["a","b"]"#, &["c", "b"], Yes),
        ("ForAnyValue:StringEquals", r#"["a","b"]"#, &["c", "d"], No),
        ("ForAllValues:StringNotEquals", r#"["a","b"]"#, &["c", "d"], Yes),
        ("ForAllValues:StringNotEquals", r#"["a","b"]"#, &["c", "a"], No),
        ("ForAnyValue:StringNotEquals", r#"["a","b"]"#, &["a", "c"], Yes),
        ("ForAnyValue:StringNotEquals", r#"["a","b"]"#, &["a", "b"], No),
        ("ForAnyValue:StringLike", r#""a*""#, &["x", "ab"], Yes),
        ("StringEquals", r#""a""#, &["c", "a"], Yes),
        ("StringNotEquals", r#""a""#, &["c", "a"], No),
    ] {
        assert_eq!(holds(operator, name, operands, values), expected, "{operator} {operands} {values:?}");
    }
}

#[test]
fn several_lines_must_all_hold() {
    let both =
        conditions(r#"{"StringEquals":{"s3:prefix":"a","s3:delimiter":"/"},"Bool":{"aws:SecureTransport":true}}"#);
    let both = both.unwrap();
    let holds = |context: &Context| Verdict::all(both.iter().map(|condition| condition.holds(context)));
    let context = Context::new().with("s3:prefix", "a").with("s3:delimiter", "/").with("aws:SecureTransport", "true");
    assert_eq!(holds(&context), Yes);
    assert_eq!(holds(&context.clone().with("s3:prefix", "b")), No);
    assert_eq!(holds(&context.clone().with("aws:SecureTransport", "false")), No);
}

#[test]
fn typed_operators_compare_by_type() {
    for (operator, operand, value, expected) in [
        ("NumericEquals", "10", "10.0", Yes),
        ("NumericNotEquals", "10", "10", No),
        ("NumericLessThan", "10", "9", Yes),
        ("NumericLessThan", "10", "10", No),
        ("NumericLessThanEquals", "10", "10", Yes),
        ("NumericGreaterThan", "10", "9", No),
        ("NumericGreaterThanEquals", r#""10""#, "10", Yes),
        ("NumericLessThan", "10", "ten", Unknown),
        ("DateLessThan", r#""2020-01-02T00:00:00Z""#, "2020-01-01T23:59:59Z", Yes),
        ("DateGreaterThan", r#""2020-01-02""#, "2020-01-01T23:59:59Z", No),
        ("DateEquals", "1577836800", "2020-01-01T01:00:00+01:00", Yes),
        ("DateGreaterThanEquals", r#""2020-01-01""#, "soon", Unknown),
        ("Bool", r#""True""#, "true", Yes),
        ("Bool", "false", "true", No),
        ("Bool", "false", "perhaps", Unknown),
        ("IpAddress", r#""192.0.2.0/24""#, "192.0.2.77", Yes),
        ("IpAddress", r#"["10.0.0.0/8","192.0.2.1"]"#, "192.0.2.1", Yes),
        ("IpAddress", r#""192.0.2.0/24""#, "192.0.3.1", No),
        ("IpAddress", r#""192.0.2.0/24""#, "::ffff:192.0.2.77", Yes),
        ("IpAddress", r#""2001:db8::/32""#, "2001:db8:1::1", Yes),
        ("IpAddress", r#""0.0.0.0/0""#, "2001:db8::1", No),
        ("NotIpAddress", r#""192.0.2.0/24""#, "192.0.2.1", No),
        ("NotIpAddress", r#""192.0.2.0/24""#, "unix", Unknown),
        ("ArnLike", r#""arn:aws:iam::*:user/a*""#, "arn:aws:iam::111111111111:user/alice", Yes),
        ("ArnEquals", r#""arn:aws:iam::111111111111:user/?lice""#, "arn:aws:iam::111111111111:user/alice", Yes),
        ("ArnLike", r#""arn:*:user/alice""#, "arn:aws:iam::111111111111:user/alice", No),
        ("ArnLike", r#""*""#, "arn:aws:iam::111111111111:user/alice", No),
        ("ArnNotLike", r#""arn:aws:iam::*:root""#, "arn:aws:iam::111111111111:root", No),
        ("ArnNotEquals", r#""arn:aws:iam::1:root""#, "arn:aws:iam::2:root", Yes),
    ] {
        assert_eq!(holds(operator, "s3:x-amz-acl", operand, &[value]), expected, "{operator} {operand} {value}");
    }
}

#[test]
fn variables_work_under_every_text_operator() {
    let context = Context::new().with("s3:prefix", "Home/Ann").with("aws:username", "Ann");
    for (operator, operand, expected) in [
        ("StringEquals", "Home/${aws:username}", Yes),
        ("StringEqualsIgnoreCase", "hOME/${aws:username}", Yes),
        ("StringLike", "H*/${AWS:UserName}", Yes),
        ("StringNotEquals", "Home/${aws:username}", No),
        ("StringEquals", "Home/${aws:userid}", Unknown),
        ("StringEquals", "Else/${aws:userid}", No),
        ("StringEquals", "Home/${aws:userid, 'Ann'}", Yes),
    ] {
        let parsed = conditions(&format!(r#"{{"{operator}":{{"s3:prefix":"{operand}"}}}}"#)).unwrap();
        assert_eq!(parsed[0].holds(&context), expected, "{operator} {operand}");
    }
}

#[test]
fn malformed_conditions_are_refused() {
    let value = |name: &str| MalformedPolicy::InvalidConditionValue(name.to_owned());
    for (json, expected) in [
        (r#"{"StringEqual":{"s3:prefix":"a"}}"#, MalformedPolicy::InvalidOperator("StringEqual".to_owned())),
        (r#"{"StringEquals":{"s3:colour":"a"}}"#, MalformedPolicy::InvalidConditionKey),
        (r#"{"StringEquals":{"s3:prefix":"${aws:nobody}"}}"#, MalformedPolicy::InvalidConditionKey),
        (r#"{"StringEquals":{"s3:prefix":[]}}"#, value("s3:prefix")),
        (r#"{"StringEquals":{"s3:prefix":{}}}"#, value("s3:prefix")),
        (r#"{"StringEquals":{"s3:prefix":null}}"#, value("s3:prefix")),
        (r#"{"StringEquals":{"s3:prefix":[["a"]]}}"#, value("s3:prefix")),
        (r#"{"Bool":{"aws:SecureTransport":"no"}}"#, value("aws:SecureTransport")),
        (r#"{"Null":{"s3:prefix":"1"}}"#, value("s3:prefix")),
        (r#"{"NumericLessThan":{"s3:max-keys":"ten"}}"#, value("s3:max-keys")),
        (r#"{"DateLessThan":{"aws:CurrentTime":"soon"}}"#, value("aws:CurrentTime")),
        (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#, value("aws:SourceIp")),
    ] {
        assert_eq!(conditions(json).unwrap_err(), expected, "{json}");
    }
    for json in ["[]", r#""StringEquals""#, "null", r#"{"StringEquals":[]}"#] {
        assert!(matches!(conditions(json), Err(MalformedPolicy::Syntax(_))), "{json}");
    }
    assert!(conditions("{}").unwrap().is_empty());
}
