//! The policy document of a form (AWS: "POST policy"): until when, and with which fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use model::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::fields::{Fields, printable};
use crate::refusal::Refusal;

/// What whoever signed a form allows.
#[derive(Debug)]
pub(crate) struct PostPolicy {
    expiration: OffsetDateTime,
    conditions: Vec<Condition>,
    lengths: LengthRange,
}

/// What a field has to be.
#[derive(Debug)]
struct Condition {
    /// In lower case.
    field: String,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    StartsWith,
}

/// How long the file may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LengthRange {
    min: u64,
    max: u64,
}

/// The document as it is written. Names count with their case, unlike those of fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    expiration: String,
    conditions: Vec<Value>,
}

impl PostPolicy {
    /// Reads the field that holds the document in base64.
    pub(crate) fn parse(field: &str) -> Result<Self, Refusal> {
        let base64: String = field.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let json = STANDARD.decode(base64).map_err(|_| invalid("it is not base64"))?;
        let json = String::from_utf8(json).map_err(|_| invalid("it is not UTF-8"))?;
        let document: Document =
            serde_json::from_str(&without_dollar_escapes(&json)).map_err(|error| invalid(error.to_string()))?;
        // The parser would take a blank for the T.
        let has_form = document.expiration.as_bytes().get(10) == Some(&b'T');
        let expiration = OffsetDateTime::parse(&document.expiration, &Rfc3339).ok().filter(|_| has_form);
        let expiration = expiration
            .ok_or_else(|| invalid(format!("Invalid 'expiration' value: '{}'", printable(&document.expiration))))?;
        let mut policy = Self { expiration, conditions: Vec::new(), lengths: LengthRange::ANY };
        for condition in &document.conditions {
            policy.add(condition)?;
        }
        Ok(policy)
    }

    fn add(&mut self, condition: &Value) -> Result<(), Refusal> {
        match condition {
            Value::Object(pairs) if !pairs.is_empty() => {
                for (field, value) in pairs {
                    let value = value.as_str().ok_or_else(|| invalid_condition("a value must be a string"))?;
                    self.demand(field, Operator::Equal, value);
                }
                Ok(())
            }
            Value::Array(items) => match items.as_slice() {
                [Value::String(name), min, max] if name.eq_ignore_ascii_case("content-length-range") => {
                    let range = number(min).zip(number(max)).map(|(min, max)| LengthRange { min, max });
                    let range = range.ok_or_else(|| invalid_condition("content-length-range takes two numbers"))?;
                    self.lengths = self.lengths.and(range);
                    Ok(())
                }
                [Value::String(operator), Value::String(field), Value::String(value)] => {
                    let operator = Operator::parse(operator).ok_or_else(|| invalid_condition("unknown operation"))?;
                    let field = field.strip_prefix('$').ok_or_else(|| invalid_condition("a field begins with $"))?;
                    self.demand(field, operator, value);
                    Ok(())
                }
                _ => Err(invalid_condition("it has another number of elements, or of another type")),
            },
            _ => Err(invalid_condition("it is neither an object with members nor a list")),
        }
    }

    fn demand(&mut self, field: &str, operator: Operator, value: &str) {
        self.conditions.push(Condition { field: field.to_ascii_lowercase(), operator, value: value.to_owned() });
    }

    /// Holds a form to the document: every condition holds, and every field has one.
    pub(crate) fn check(&self, fields: &Fields, bucket: &str, now: Timestamp) -> Result<(), Refusal> {
        let expired = u64::try_from(self.expiration.unix_timestamp_nanos() / 1_000_000);
        if expired.is_ok_and(|at| at <= now.as_millis()) || expired.is_err() {
            return Err(denied("Policy expired."));
        }
        for condition in &self.conditions {
            // The bucket is the one of the address, whatever a field says.
            let value = if condition.field == "bucket" { bucket } else { fields.get(&condition.field).unwrap_or("") };
            if !condition.holds(value) {
                return Err(denied(&format!("Policy Condition failed: {}", condition.text())));
            }
        }
        let is_covered = |name: &str| self.conditions.iter().any(|condition| condition.field == name);
        if !is_covered("bucket") {
            return Err(denied("Policy Condition missing: bucket"));
        }
        let uncovered = fields.iter().map(|(name, _)| name).find(|name| !needs_no_condition(name) && !is_covered(name));
        uncovered.map_or(Ok(()), |name| Err(denied(&format!("Extra input fields: {}", printable(name)))))
    }

    pub(crate) const fn lengths(&self) -> LengthRange {
        self.lengths
    }
}

/// AWS: "each form field that you specify in a form (except `x-amz-signature`, `file`, `policy`, and field names that
/// have an `x-ignore-` prefix) must appear in the list of conditions"; in version 2 `signature` and `AWSAccessKeyId` need
/// none either.
fn needs_no_condition(name: &str) -> bool {
    matches!(name, "policy" | "x-amz-signature" | "signature" | "awsaccesskeyid") || name.starts_with("x-ignore-")
}

impl Condition {
    /// A type may be a list, of which each has to begin so (AWS: "POST policy", "Condition matching").
    fn holds(&self, value: &str) -> bool {
        match self.operator {
            Operator::Equal => value == self.value,
            Operator::StartsWith if self.field == "content-type" => {
                value.split(',').all(|each| each.trim().starts_with(&self.value))
            }
            Operator::StartsWith => value.starts_with(&self.value),
        }
    }

    fn text(&self) -> String {
        let operator = match self.operator {
            Operator::Equal => "eq",
            Operator::StartsWith => "starts-with",
        };
        format!("[\"{operator}\", \"${}\", \"{}\"]", printable(&self.field), printable(&self.value))
    }
}

impl Operator {
    const fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("eq") {
            Some(Self::Equal)
        } else if text.eq_ignore_ascii_case("starts-with") {
            Some(Self::StartsWith)
        } else {
            None
        }
    }
}

impl LengthRange {
    /// What a form without a document may have; objects have a limit of their own.
    pub(crate) const ANY: Self = Self { min: 0, max: u64::MAX };

    fn and(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    /// Refuses a file that has come as far as `length` bytes and is too long already.
    pub(super) fn check_so_far(self, length: u64) -> Result<(), Refusal> {
        if length <= self.max {
            return Ok(());
        }
        let message = "Your proposed upload exceeds the maximum allowed size";
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "EntityTooLarge", message);
        Err(refusal.detail("ProposedSize", length.to_string()).detail("MaxSizeAllowed", self.max.to_string()))
    }

    /// Refuses a whole file of this length.
    pub(super) fn check_whole(self, length: u64) -> Result<(), Refusal> {
        if length >= self.min {
            return self.check_so_far(length);
        }
        let message = "Your proposed upload is smaller than the minimum allowed size";
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "EntityTooSmall", message);
        Err(refusal.detail("ProposedSize", length.to_string()).detail("MinSizeAllowed", self.min.to_string()))
    }
}

/// A number, or the digits of one: forms are often made by hand.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// AWS has `\$` for a dollar sign, which JSON does not know.
fn without_dollar_escapes(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('$') => text.push('$'),
            Some(escaped) => text.extend(['\\', escaped]),
            None => text.push('\\'),
        }
    }
    text
}

fn invalid(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidPolicyDocument", format!("Invalid Policy: {why}"))
}

fn invalid_condition(why: &str) -> Refusal {
    invalid(format_args!("Invalid Condition: {why}"))
}

fn denied(why: &str) -> Refusal {
    Refusal::access_denied(format!("Invalid according to Policy: {why}"))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_600_000_000_000);

    fn document(conditions: &str) -> String {
        format!(r#"{{"expiration":"2020-09-13T12:26:41.000Z","conditions":[{conditions}]}}"#)
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in pairs {
            fields.add((*name).to_owned(), Zeroizing::new(value.as_bytes().to_vec())).unwrap();
        }
        fields
    }

    /// What a form with these fields gets; the bucket is `b` and covered.
    fn answer(conditions: &str, pairs: &[(&str, &str)]) -> String {
        let document = document(&format!(r#"{{"bucket":"b"}}{conditions}"#));
        let policy = match PostPolicy::parse(&STANDARD.encode(document)) {
            Ok(policy) => policy,
            Err(refusal) => return refusal.code.into_owned(),
        };
        policy.check(&fields(pairs), "b", NOW).map_or_else(|refusal| refusal.code.into_owned(), |()| "ok".to_owned())
    }

    #[test]
    fn conditions_compare_exactly_or_by_the_beginning() {
        for (condition, value, expected) in [
            (r#",{"key":"a"}"#, "a", "ok"),
            (r#",{"KEY":"a"}"#, "a", "ok"),
            (r#",{"key":"a"}"#, "A", "AccessDenied"),
            (r#",{"key":"a"}"#, "ab", "AccessDenied"),
            (r#",["eq","$key","a"]"#, "a", "ok"),
            (r#",["StArTs-WiTh","$KeY","a"]"#, "ab", "ok"),
            (r#",["starts-with","$key","a"]"#, "ba", "AccessDenied"),
            (r#",["starts-with","$key",""]"#, "anything", "ok"),
            (r#",["starts-with","$key","\\$a"]"#, "\\$ab", "ok"),
            (r#",["starts-with","$key","\$a"]"#, "$ab", "ok"),
            (r#",["starts-with","$key",""],{"key":"a"}"#, "b", "AccessDenied"),
        ] {
            assert_eq!(answer(condition, &[("key", value)]), expected, "{condition} {value}");
        }
    }

    #[test]
    fn each_type_of_a_list_is_compared() {
        let condition = r#",["starts-with","$Content-Type","image/"]"#;
        for (value, expected) in
            [("image/png", "ok"), ("image/png, image/gif", "ok"), ("image/png,text/html", "AccessDenied")]
        {
            assert_eq!(answer(condition, &[("content-type", value)]), expected, "{value}");
        }
    }

    #[test]
    fn every_field_needs_a_condition() {
        for name in ["acl", "x-amz-meta-a", "x-amz-server-side-encryption", "x-amz-date", "submit", "bucket-"] {
            assert_eq!(answer("", &[(name, "x")]), "AccessDenied", "{name}");
        }
        for name in ["policy", "signature", "awsaccesskeyid", "x-amz-signature", "x-ignore-a", "bucket"] {
            assert_eq!(answer("", &[(name, "x")]), "ok", "{name}");
        }
        let without_bucket = PostPolicy::parse(&STANDARD.encode(document(""))).unwrap();
        assert!(without_bucket.check(&fields(&[]), "b", NOW).is_err());
    }

    #[test]
    fn a_condition_on_a_field_that_is_not_there_holds_for_nothing_but_emptiness() {
        assert_eq!(answer(r#",{"x-amz-meta-a":"x"}"#, &[]), "AccessDenied");
        assert_eq!(answer(r#",["starts-with","$x-amz-meta-a","x"]"#, &[]), "AccessDenied");
        assert_eq!(answer(r#",["starts-with","$content-type",""]"#, &[]), "ok");
    }

    #[test]
    fn the_bucket_is_that_of_the_address() {
        let policy = PostPolicy::parse(&STANDARD.encode(document(r#"{"bucket":"other"}"#))).unwrap();
        assert!(policy.check(&fields(&[("bucket", "other")]), "b", NOW).is_err());
        assert!(policy.check(&fields(&[]), "other", NOW).is_ok());
    }

    #[test]
    fn a_policy_ends() {
        let policy = PostPolicy::parse(&STANDARD.encode(document(r#"{"bucket":"b"}"#))).unwrap();
        for (at, ok) in [(1_600_000_000_999, true), (1_600_000_001_000, false)] {
            assert_eq!(policy.check(&fields(&[]), "b", Timestamp::from_millis(at)).is_ok(), ok, "{at}");
        }
        let before_time = document(r#"{"bucket":"b"}"#).replace("2020-", "1960-");
        let policy = PostPolicy::parse(&STANDARD.encode(before_time)).unwrap();
        assert!(policy.check(&fields(&[]), "b", Timestamp::from_millis(0)).is_err());
    }

    #[test]
    fn lengths_are_held_to_every_range() {
        let lengths = |conditions: &str| PostPolicy::parse(&STANDARD.encode(document(conditions))).unwrap().lengths();
        let range = lengths(r#"["content-length-range",2,9],["Content-Length-Range","3","10"]"#);
        assert_eq!(range, LengthRange { min: 3, max: 9 });
        for (length, code) in [(2, Some("EntityTooSmall")), (3, None), (9, None), (10, Some("EntityTooLarge"))] {
            assert_eq!(range.check_whole(length).err().map(|refusal| refusal.code.into_owned()).as_deref(), code);
        }
        assert_eq!(lengths(""), LengthRange::ANY);
    }

    #[test]
    fn what_cannot_be_read_is_no_policy() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"expiration":"2020-09-13T12:26:41Z"}"#,
            r#"{"conditions":[]}"#,
            r#"{"EXPIRATION":"2020-09-13T12:26:41Z","conditions":[]}"#,
            r#"{"expiration":"2020-09-13T12:26:41Z","CONDITIONS":[]}"#,
            r#"{"expiration":"2020-09-13T12:26:41Z","conditions":[],"more":1}"#,
            r#"{"expiration":"2020-09-13T12:26:41Z","conditions":[],"conditions":[]}"#,
            r#"{"expiration":"2020-09-13 12:26:41","conditions":[]}"#,
            r#"{"expiration":"2020-09-13 12:26:41Z","conditions":[]}"#,
            r#"{"expiration":"2020-09-13 12:26:41+00:00","conditions":[]}"#,
            r#"{"expiration":5,"conditions":[]}"#,
            r#"{"expiration":"2020-09-13T12:26:41Z","conditions":{}}"#,
        ] {
            assert_eq!(PostPolicy::parse(&STANDARD.encode(text)).unwrap_err().code, "InvalidPolicyDocument", "{text}");
        }
        for condition in [
            "{}",
            r#"{"key":5}"#,
            r#""key""#,
            r#"["eq","$key"]"#,
            r#"["eq","key","a"]"#,
            r#"["like","$key","a"]"#,
            r#"["content-length-range",0]"#,
            r#"["content-length-range",-1,0]"#,
            r#"["content-length-range",0,"x"]"#,
        ] {
            let text = document(condition);
            assert_eq!(PostPolicy::parse(&STANDARD.encode(&text)).unwrap_err().code, "InvalidPolicyDocument", "{text}");
        }
        assert_eq!(PostPolicy::parse("!").unwrap_err().code, "InvalidPolicyDocument");
        assert_eq!(PostPolicy::parse(&STANDARD.encode(b"\xff")).unwrap_err().code, "InvalidPolicyDocument");
        assert!(PostPolicy::parse(&STANDARD.encode("[".repeat(10_000))).is_err());
    }
}
