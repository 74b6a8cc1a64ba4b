//! Lines: `{"n":NUMBER, … ,"chain":"TAG"}`. The tag covers everything before `,"chain":"`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use envelope::{AuditChain, AuditTag};
use kms::{KeyChange, KeyName, KeyOperation, KeyServiceError, KeyUse};
use model::Timestamp;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last entry of a log: noted elsewhere, it shows later whether the end was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many entries there have been.
    pub number: u64,
    /// The tag of the last.
    pub tag: AuditTag,
}

impl Head {
    /// Before the first entry.
    pub(crate) const NONE: Self = Self { number: 0, tag: [0; 32] };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, hex::encode(self.tag))
    }
}

/// The text is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is NUMBER:TAG, the tag being 64 hexadecimal digits")]
pub struct InvalidHead;

impl FromStr for Head {
    type Err = InvalidHead;

    fn from_str(text: &str) -> Result<Self, InvalidHead> {
        let (number, tag) = text.split_once(':').ok_or(InvalidHead)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(tag, &mut bytes).map_err(|_| InvalidHead)?;
        Ok(Self { number: number.parse().map_err(|_| InvalidHead)?, tag: bytes })
    }
}

/// What is told of one use: an entry without its number and its tag.
pub(crate) fn of_use(key_use: &KeyUse<'_>, at: Timestamp) -> String {
    let operation = match key_use.operation {
        KeyOperation::Wrap => "wrap",
        KeyOperation::Unwrap => "unwrap",
    };
    let mut fields = Fields::at(at);
    fields
        .add("principal", &key_use.requester.principal.arn().unwrap_or_else(|| "anonymous".to_owned()))
        .add("operation", operation)
        .add("key", &text_of_key(key_use.key))
        .add("bucket", key_use.requester.bucket.as_str())
        .add("object", key_use.object.object.as_str())
        .add("version", &key_use.object.version.to_string())
        .add("outcome", &text_of_outcome(key_use.outcome));
    fields.0
}

/// What is told of a change of keys.
pub(crate) fn of_change(change: &KeyChange<'_>, at: Timestamp) -> String {
    let server = || "server".to_owned();
    let principal = change.principal.map_or_else(server, |who| who.arn().unwrap_or_else(|| "anonymous".to_owned()));
    let mut fields = Fields::at(at);
    fields
        .add("principal", &principal)
        .add("operation", change.operation.as_str())
        .add("key", &change.key.map_or_else(|| "keyring".to_owned(), text_of_key))
        .add("outcome", &text_of_outcome(change.outcome));
    fields.0
}

/// Texts as the inside of a JSON object. There is one for every use of a key, so it is not built as a tree first.
struct Fields(String);

impl Fields {
    fn at(at: Timestamp) -> Self {
        let mut fields = Self(String::with_capacity(384));
        fields.add("time", &text_of(at));
        fields
    }

    fn add(&mut self, name: &'static str, value: &str) -> &mut Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(&Value::from(value).to_string());
        self
    }
}

/// The first entry of a file: what the chain was before it.
pub(crate) fn of_file(previous: &Head, at: Timestamp) -> String {
    fields(&json!({ "time": text_of(at), "file": 1, "previous": hex::encode(previous.tag) }))
}

/// Uses that could not be written down.
pub(crate) fn of_lost(count: u64, at: Timestamp) -> String {
    fields(&json!({ "time": text_of(at), "lost": count }))
}

/// A line that a crash cut in the middle, and that was taken off the end.
pub(crate) fn of_torn(bytes: u64, at: Timestamp) -> String {
    fields(&json!({ "time": text_of(at), "torn": bytes }))
}

/// Appends an entry as a line behind `head`, which becomes its own.
pub(crate) fn append(lines: &mut Vec<u8>, chain: &AuditChain, head: &mut Head, fields: &str) {
    let start = lines.len();
    head.number += 1;
    lines.extend_from_slice(format!("{{\"n\":{},{fields}", head.number).as_bytes());
    head.tag = chain.tag(&head.tag, &lines[start..]);
    lines.extend_from_slice(CHAIN.as_bytes());
    lines.extend_from_slice(hex::encode(head.tag).as_bytes());
    lines.extend_from_slice(b"\"}\n");
}

/// A line, taken apart; nothing of it is believed yet.
pub(crate) struct Line<'a> {
    /// What the tag covers.
    pub(crate) covered: &'a [u8],
    pub(crate) head: Head,
    pub(crate) fields: Value,
}

/// Takes a line without its end apart; `None` when it is none of ours.
pub(crate) fn parse(line: &[u8]) -> Option<Line<'_>> {
    let fields: Value = serde_json::from_slice(line).ok()?;
    // A name in an entry cannot look like the chain: its quotes are escaped. It is the last one that counts anyway.
    let at = line.len().checked_sub(CHAIN.len() + 64 + 2)?;
    let (covered, end) = line.split_at_checked(at)?;
    let tag = end.strip_prefix(CHAIN.as_bytes())?.strip_suffix(b"\"}")?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(tag, &mut bytes).ok()?;
    let head = Head { number: fields.get("n")?.as_u64()?, tag: bytes };
    Some(Line { covered, head, fields })
}

fn text_of_key(key_name: KeyName<'_>) -> String {
    match key_name {
        KeyName::Keyring(id) => format!("keyring/{id}"),
        KeyName::Kms(id) => format!("kms/{id}"),
    }
}

fn text_of_outcome(outcome: Result<(), &KeyServiceError>) -> String {
    outcome.map_or_else(ToString::to_string, |()| "ok".to_owned())
}

/// The inside of an object, so that the number can be put in front and the chain behind.
fn fields(object: &Value) -> String {
    let text = object.to_string();
    text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned()
}

fn text_of(at: Timestamp) -> String {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(&Rfc3339).unwrap_or_else(|_| {
        let mut text = String::new();
        let _ = write!(text, "{} ms", at.as_millis());
        text
    })
}

const CHAIN: &str = ",\"chain\":\"";

/// The longest line that is read, in bytes: a name of 1,024 bytes may need six times as many in JSON.
pub(crate) const LINE_LEN_MAX: usize = 64 * 1024;
