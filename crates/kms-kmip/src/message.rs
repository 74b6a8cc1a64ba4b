//! What is asked of a KMIP server and what it answers (KMIP 1.4, sections 4 and 6 to 7).

use zeroize::Zeroizing;

use crate::ttlv::{Malformed, Reader, Value, Writer};

/// One thing that is asked; several go in one message.
pub(crate) enum Ask<'a> {
    /// The identifiers of all symmetric keys that we may see, or of those in a group.
    Locate { group: Option<&'a str> },
    /// Name, state, mark and date of an object.
    Attributes { uid: &'a str },
    /// A new AES-256 key that encrypts and decrypts.
    Create { name: &'a str, group: &'a str, mark: Mark<'a> },
    /// Lets a created key be used.
    Activate { uid: &'a str },
    /// Replaces the mark.
    SetMark { uid: &'a str, mark: Mark<'a> },
    /// Seals by AES-GCM.
    Encrypt { uid: &'a str, nonce: &'a [u8; 12], bound: &'a [u8], data: &'a [u8] },
    /// Opens.
    Decrypt { uid: &'a str, nonce: &'a [u8; 12], bound: &'a [u8], tag: &'a [u8; 16], data: &'a [u8] },
}

/// An entry of "Application Specific Information": what an application writes beside an object.
#[derive(Clone, Copy)]
pub(crate) struct Mark<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) data: &'a str,
}

impl Ask<'_> {
    /// Whether it may arrive twice.
    pub(crate) const fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Create { .. } | Self::Activate { .. })
    }

    const fn operation(&self) -> u32 {
        match self {
            Self::Create { .. } => 1,
            Self::Locate { .. } => 8,
            Self::Attributes { .. } => 0xb,
            Self::SetMark { .. } => 0xe,
            Self::Activate { .. } => 0x12,
            Self::Encrypt { .. } => 0x1f,
            Self::Decrypt { .. } => 0x20,
        }
    }

    fn write<'w>(&self, w: &'w mut Writer) -> &'w mut Writer {
        match *self {
            Self::Locate { group } => {
                attribute(w, "Object Type", |w| w.enumeration(tag::ATTRIBUTE_VALUE, SYMMETRIC_KEY));
                if let Some(group) = group {
                    attribute(w, "Object Group", |w| w.text(tag::ATTRIBUTE_VALUE, group));
                }
            }
            Self::Attributes { uid } => {
                w.text(tag::UNIQUE_IDENTIFIER, uid);
                for name in [NAME, STATE, INFORMATION, INITIAL_DATE] {
                    w.text(tag::ATTRIBUTE_NAME, name);
                }
            }
            Self::Create { name, group, mark } => {
                w.enumeration(tag::OBJECT_TYPE, SYMMETRIC_KEY);
                w.structure(tag::TEMPLATE_ATTRIBUTE, |w| {
                    attribute(w, "Cryptographic Algorithm", |w| w.enumeration(tag::ATTRIBUTE_VALUE, AES));
                    attribute(w, "Cryptographic Length", |w| w.integer(tag::ATTRIBUTE_VALUE, 256));
                    attribute(w, "Cryptographic Usage Mask", |w| w.integer(tag::ATTRIBUTE_VALUE, ENCRYPT | DECRYPT));
                    attribute(w, NAME, |w| {
                        w.structure(tag::ATTRIBUTE_VALUE, |w| {
                            w.text(tag::NAME_VALUE, name).enumeration(tag::NAME_TYPE, UNINTERPRETED_TEXT)
                        })
                    });
                    attribute(w, "Object Group", |w| w.text(tag::ATTRIBUTE_VALUE, group));
                    attribute(w, INFORMATION, |w| mark.write(w));
                    // Nobody gets the bare key, we neither.
                    attribute(w, "Sensitive", |w| w.boolean(tag::ATTRIBUTE_VALUE, true))
                });
            }
            Self::Activate { uid } => {
                w.text(tag::UNIQUE_IDENTIFIER, uid);
            }
            Self::SetMark { uid, mark } => {
                w.text(tag::UNIQUE_IDENTIFIER, uid);
                attribute(w, INFORMATION, |w| mark.write(w));
            }
            Self::Encrypt { uid, nonce, bound, data } => {
                w.text(tag::UNIQUE_IDENTIFIER, uid);
                gcm(w);
                w.bytes(tag::DATA, data).bytes(tag::NONCE, nonce).bytes(tag::BOUND_DATA, bound);
            }
            Self::Decrypt { uid, nonce, bound, tag, data } => {
                w.text(tag::UNIQUE_IDENTIFIER, uid);
                gcm(w);
                w.bytes(tag::DATA, data).bytes(tag::NONCE, nonce).bytes(tag::BOUND_DATA, bound);
                w.bytes(tag::TAG, tag);
            }
        }
        w
    }
}

impl Mark<'_> {
    fn write(self, w: &mut Writer) -> &mut Writer {
        w.structure(tag::ATTRIBUTE_VALUE, |w| {
            w.text(tag::APPLICATION_NAMESPACE, self.namespace).text(tag::APPLICATION_DATA, self.data)
        })
    }
}

fn attribute<'w>(w: &'w mut Writer, name: &str, value: impl FnOnce(&mut Writer) -> &mut Writer) -> &'w mut Writer {
    w.structure(tag::ATTRIBUTE, |w| value(w.text(tag::ATTRIBUTE_NAME, name)))
}

fn gcm(w: &mut Writer) {
    w.structure(tag::CRYPTOGRAPHIC_PARAMETERS, |w| {
        w.enumeration(tag::BLOCK_CIPHER_MODE, GCM)
            .enumeration(tag::CRYPTOGRAPHIC_ALGORITHM, AES)
            .integer(tag::TAG_LENGTH, 16)
    });
}

/// A whole request. The first failure of a message ends it.
///
/// # Panics
/// When nothing or more than [`ASKS_MAX`] things are asked.
pub(crate) fn request(asks: &[Ask<'_>]) -> Zeroizing<Vec<u8>> {
    assert!((1..=ASKS_MAX).contains(&asks.len()), "a request asks something, and no server a hundred things at once");
    let mut writer = Writer::new();
    writer.structure(tag::REQUEST_MESSAGE, |w| {
        w.structure(tag::REQUEST_HEADER, |w| {
            w.structure(tag::PROTOCOL_VERSION, |w| w.integer(tag::MAJOR, 1).integer(tag::MINOR, 4));
            w.integer(tag::MAXIMUM_RESPONSE_SIZE, i32::try_from(ANSWER_LEN_MAX).expect("it is a mebibyte"));
            if asks.len() > 1 {
                w.enumeration(tag::BATCH_ERROR_CONTINUATION, STOP).boolean(tag::BATCH_ORDER, true);
            }
            w.integer(tag::BATCH_COUNT, i32::try_from(asks.len()).expect("it is at most a hundred"))
        });
        for (number, ask) in asks.iter().enumerate() {
            w.structure(tag::BATCH_ITEM, |w| {
                w.enumeration(tag::OPERATION, ask.operation());
                if asks.len() > 1 {
                    w.bytes(tag::BATCH_ITEM_ID, &[u8::try_from(number).expect("it is below a hundred")]);
                }
                w.structure(tag::REQUEST_PAYLOAD, |w| ask.write(w))
            });
        }
        w
    });
    writer.finish()
}

/// What the server did with one of the things.
pub(crate) type Outcome<'a> = Result<Reader<'a>, Refusal>;

/// The server did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// One short line for the log.
    pub(crate) message: String,
}

/// Why not (KMIP 1.4, section 9.1.3.2.29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    ItemNotFound,
    NotAuthenticated,
    InvalidMessage,
    NotSupported,
    CryptographicFailure,
    PermissionDenied,
    GeneralFailure,
    Other(u32),
}

impl Reason {
    const fn of(number: u32) -> Self {
        match number {
            1 => Self::ItemNotFound,
            3 => Self::NotAuthenticated,
            4 => Self::InvalidMessage,
            5 | 8 => Self::NotSupported,
            0xa => Self::CryptographicFailure,
            0xc => Self::PermissionDenied,
            0x100 => Self::GeneralFailure,
            other => Self::Other(other),
        }
    }
}

/// The outcomes in a response, in the order of what was asked; fewer when one of them was a refusal, and then it is the
/// last.
pub(crate) fn outcomes<'a>(response: &'a [u8], asks: &[Ask<'_>]) -> Result<Vec<Outcome<'a>>, Malformed> {
    let mut reader = Reader::new(response);
    let whole = reader.next()?.filter(|item| item.tag == tag::RESPONSE_MESSAGE).ok_or(Malformed)?;
    if reader.next()?.is_some() {
        return Err(Malformed);
    }
    let items = whole.value.structure()?.find_all(tag::BATCH_ITEM)?;
    if items.len() > asks.len() {
        return Err(Malformed);
    }
    let mut outcomes = Vec::with_capacity(items.len());
    for (item, ask) in items.into_iter().zip(asks) {
        let outcome = outcome(item.structure()?, ask)?;
        let refused = outcome.is_err();
        outcomes.push(outcome);
        if refused {
            return Ok(outcomes);
        }
    }
    if outcomes.len() == asks.len() { Ok(outcomes) } else { Err(Malformed) }
}

fn outcome<'a>(item: Reader<'a>, ask: &Ask<'_>) -> Result<Outcome<'a>, Malformed> {
    if item.require(tag::RESULT_STATUS)?.enumeration()? != SUCCESS {
        let reason = item.find(tag::RESULT_REASON)?.map_or(Ok(0), Value::enumeration)?;
        let message = item.find(tag::RESULT_MESSAGE)?.map_or(Ok(""), Value::text)?;
        return Ok(Err(Refusal { reason: Reason::of(reason), message: one_line(message) }));
    }
    // An answer to something else must not pass for the answer to this.
    if item.require(tag::OPERATION)?.enumeration()? != ask.operation() {
        return Err(Malformed);
    }
    let payload = item.find(tag::RESPONSE_PAYLOAD)?.map_or(Ok(Reader::new(&[])), Value::structure)?;
    Ok(Ok(payload))
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// The identifiers that Locate found.
pub(crate) fn located(payload: Reader<'_>) -> Result<Vec<String>, Malformed> {
    payload.find_all(tag::UNIQUE_IDENTIFIER)?.into_iter().map(|uid| uid_of(uid.text()?)).collect()
}

/// The identifier of what was created.
pub(crate) fn created(payload: Reader<'_>) -> Result<String, Malformed> {
    uid_of(payload.require(tag::UNIQUE_IDENTIFIER)?.text()?)
}

fn uid_of(text: &str) -> Result<String, Malformed> {
    if (1..=UID_LEN_MAX).contains(&text.len()) { Ok(text.to_owned()) } else { Err(Malformed) }
}

/// What the server tells of an object. An attribute that it does not have is missing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attributes<'a> {
    pub(crate) names: Vec<&'a str>,
    pub(crate) stage: Stage,
    /// The data of the marks in our namespace.
    pub(crate) marks: Vec<&'a str>,
    /// Seconds since 1970.
    pub(crate) initial_date: Option<i64>,
}

/// Where an object is in its life, as far as it matters (KMIP 1.4, section 3.22). It only goes forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Pre-active: created, and not to be used before it is activated.
    New,
    Active,
    /// Deactivated or compromised: it seals no more.
    Past,
    /// Destroyed: only its name is left.
    Gone,
}

impl Stage {
    const fn of(state: u32) -> Self {
        match state {
            1 => Self::New,
            2 => Self::Active,
            5 | 6 => Self::Gone,
            // Deactivated, compromised, and what a later version may invent.
            _ => Self::Past,
        }
    }
}

/// Reads the answer to [`Ask::Attributes`].
pub(crate) fn attributes<'a>(payload: Reader<'a>, namespace: &str) -> Result<Attributes<'a>, Malformed> {
    let mut read = Attributes { names: Vec::new(), stage: Stage::Past, marks: Vec::new(), initial_date: None };
    for attribute in payload.find_all(tag::ATTRIBUTE)? {
        let attribute = attribute.structure()?;
        let value = attribute.require(tag::ATTRIBUTE_VALUE)?;
        match attribute.require(tag::ATTRIBUTE_NAME)?.text()? {
            NAME => read.names.push(value.structure()?.require(tag::NAME_VALUE)?.text()?),
            STATE => read.stage = Stage::of(value.enumeration()?),
            INFORMATION => {
                let information = value.structure()?;
                if information.require(tag::APPLICATION_NAMESPACE)?.text()? == namespace {
                    read.marks.push(information.find(tag::APPLICATION_DATA)?.map_or(Ok(""), Value::text)?);
                }
            }
            INITIAL_DATE => read.initial_date = Some(value.date_time()?),
            _ => {}
        }
    }
    Ok(read)
}

/// What Encrypt made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encrypted<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) tag: Option<&'a [u8]>,
    /// The server's own nonce, where it does not take ours.
    pub(crate) nonce: Option<&'a [u8]>,
}

/// Reads the answer to [`Ask::Encrypt`].
pub(crate) fn encrypted(payload: Reader<'_>) -> Result<Encrypted<'_>, Malformed> {
    Ok(Encrypted {
        data: payload.require(tag::DATA)?.bytes()?,
        tag: payload.find(tag::TAG)?.map(Value::bytes).transpose()?,
        nonce: payload.find(tag::NONCE)?.map(Value::bytes).transpose()?,
    })
}

/// Reads the answer to [`Ask::Decrypt`].
pub(crate) fn decrypted(payload: Reader<'_>) -> Result<&[u8], Malformed> {
    payload.require(tag::DATA)?.bytes()
}

/// The longest answer that is read and that the server is told we take, in bytes.
pub(crate) const ANSWER_LEN_MAX: usize = 1024 * 1024;
/// The most things asked in one message.
pub(crate) const ASKS_MAX: usize = 32;
/// The longest identifier of an object, in bytes: it stands in sealed keys.
pub(crate) const UID_LEN_MAX: usize = 255;

const NAME: &str = "Name";
const STATE: &str = "State";
const INFORMATION: &str = "Application Specific Information";
const INITIAL_DATE: &str = "Initial Date";

const SYMMETRIC_KEY: u32 = 2;
const AES: u32 = 3;
const GCM: u32 = 9;
const ENCRYPT: i32 = 4;
const DECRYPT: i32 = 8;
const UNINTERPRETED_TEXT: u32 = 1;
const STOP: u32 = 2;
const SUCCESS: u32 = 0;

/// Tags (KMIP 1.4, section 9.1.3.1).
mod tag {
    pub(super) const APPLICATION_DATA: u32 = 0x42_0002;
    pub(super) const APPLICATION_NAMESPACE: u32 = 0x42_0003;
    pub(super) const ATTRIBUTE: u32 = 0x42_0008;
    pub(super) const ATTRIBUTE_NAME: u32 = 0x42_000a;
    pub(super) const ATTRIBUTE_VALUE: u32 = 0x42_000b;
    pub(super) const BATCH_COUNT: u32 = 0x42_000d;
    pub(super) const BATCH_ERROR_CONTINUATION: u32 = 0x42_000e;
    pub(super) const BATCH_ITEM: u32 = 0x42_000f;
    pub(super) const BATCH_ORDER: u32 = 0x42_0010;
    pub(super) const BLOCK_CIPHER_MODE: u32 = 0x42_0011;
    pub(super) const CRYPTOGRAPHIC_ALGORITHM: u32 = 0x42_0028;
    pub(super) const CRYPTOGRAPHIC_PARAMETERS: u32 = 0x42_002b;
    pub(super) const NONCE: u32 = 0x42_003d;
    pub(super) const MAXIMUM_RESPONSE_SIZE: u32 = 0x42_0050;
    pub(super) const NAME_TYPE: u32 = 0x42_0054;
    pub(super) const NAME_VALUE: u32 = 0x42_0055;
    pub(super) const OBJECT_TYPE: u32 = 0x42_0057;
    pub(super) const OPERATION: u32 = 0x42_005c;
    pub(super) const PROTOCOL_VERSION: u32 = 0x42_0069;
    pub(super) const MAJOR: u32 = 0x42_006a;
    pub(super) const MINOR: u32 = 0x42_006b;
    pub(super) const REQUEST_HEADER: u32 = 0x42_0077;
    pub(super) const REQUEST_MESSAGE: u32 = 0x42_0078;
    pub(super) const REQUEST_PAYLOAD: u32 = 0x42_0079;
    pub(super) const RESPONSE_MESSAGE: u32 = 0x42_007b;
    pub(super) const RESPONSE_PAYLOAD: u32 = 0x42_007c;
    pub(super) const RESULT_MESSAGE: u32 = 0x42_007d;
    pub(super) const RESULT_REASON: u32 = 0x42_007e;
    pub(super) const RESULT_STATUS: u32 = 0x42_007f;
    pub(super) const TEMPLATE_ATTRIBUTE: u32 = 0x42_0091;
    pub(super) const BATCH_ITEM_ID: u32 = 0x42_0093;
    pub(super) const UNIQUE_IDENTIFIER: u32 = 0x42_0094;
    pub(super) const DATA: u32 = 0x42_00c2;
    pub(super) const TAG_LENGTH: u32 = 0x42_00ce;
    pub(super) const BOUND_DATA: u32 = 0x42_00fe;
    pub(super) const TAG: u32 = 0x42_00ff;
}

#[cfg(test)]
mod tests;
