//! KMIP's encoding: a tag of three bytes, a type of one, a length of four, a value padded to eight (KMIP 1.4, section 9.1).
//!
//! The decoder looks at bytes that it does not own and allocates nothing; it goes as deep as its caller asks it to, so no
//! message makes it recurse. Lengths, types and padding have to be exactly what the standard says.

use zeroize::Zeroizing;

/// Writes items one after the other into memory that is wiped.
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(CAPACITY)))
    }

    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(crate) fn structure(&mut self, tag: u32, write: impl FnOnce(&mut Self) -> &mut Self) -> &mut Self {
        self.header(tag, Type::Structure, 0);
        let start = self.0.len();
        write(self);
        let length = u32::try_from(self.0.len() - start).expect("requests are far shorter than 4 GiB");
        self.0[start - 4..start].copy_from_slice(&length.to_be_bytes());
        self
    }

    pub(crate) fn integer(&mut self, tag: u32, value: i32) -> &mut Self {
        self.value(tag, Type::Integer, &value.to_be_bytes())
    }

    pub(crate) fn enumeration(&mut self, tag: u32, value: u32) -> &mut Self {
        self.value(tag, Type::Enumeration, &value.to_be_bytes())
    }

    pub(crate) fn boolean(&mut self, tag: u32, value: bool) -> &mut Self {
        self.value(tag, Type::Boolean, &u64::from(value).to_be_bytes())
    }

    pub(crate) fn text(&mut self, tag: u32, value: &str) -> &mut Self {
        self.value(tag, Type::Text, value.as_bytes())
    }

    pub(crate) fn bytes(&mut self, tag: u32, value: &[u8]) -> &mut Self {
        self.value(tag, Type::Bytes, value)
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn date_time(&mut self, tag: u32, value: i64) -> &mut Self {
        self.value(tag, Type::DateTime, &value.to_be_bytes())
    }

    fn value(&mut self, tag: u32, kind: Type, value: &[u8]) -> &mut Self {
        self.header(tag, kind, value.len());
        self.0.extend_from_slice(value);
        let padded = self.0.len().next_multiple_of(8);
        self.0.resize(padded, 0);
        self
    }

    fn header(&mut self, tag: u32, kind: Type, length: usize) {
        let length = u32::try_from(length).expect("requests are far shorter than 4 GiB");
        self.0.extend_from_slice(&tag.to_be_bytes()[1..]);
        self.0.push(kind as u8);
        self.0.extend_from_slice(&length.to_be_bytes());
    }
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Type {
    Structure = 1,
    Integer = 2,
    LongInteger = 3,
    BigInteger = 4,
    Enumeration = 5,
    Boolean = 6,
    Text = 7,
    Bytes = 8,
    DateTime = 9,
    Interval = 10,
}

/// These bytes are no items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no KMIP, or not what was asked for")]
pub(crate) struct Malformed;

/// Items one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// A tag and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    pub(crate) tag: u32,
    pub(crate) value: Value<'a>,
}

/// A value of the types that we use; of others it is known only that they are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Structure(Reader<'a>),
    Integer(i32),
    Enumeration(u32),
    Boolean(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Seconds since 1970.
    DateTime(i64),
    Other,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next item; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (header, rest) = self.0.split_first_chunk::<8>().ok_or(Malformed)?;
        let [t0, t1, t2, kind, length @ ..] = *header;
        let kind = Type::of(kind)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| Malformed)?;
        let padded = length.checked_next_multiple_of(8).ok_or(Malformed)?;
        let (value, rest) = rest.split_at_checked(padded).ok_or(Malformed)?;
        let (value, padding) = value.split_at(length);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Malformed);
        }
        self.0 = rest;
        Ok(Some(Item { tag: u32::from_be_bytes([0, t0, t1, t2]), value: Value::of(kind, value)? }))
    }

    /// The first value with a tag.
    pub(crate) fn find(mut self, tag: u32) -> Result<Option<Value<'a>>, Malformed> {
        while let Some(item) = self.next()? {
            if item.tag == tag {
                return Ok(Some(item.value));
            }
        }
        Ok(None)
    }

    /// All values with a tag.
    pub(crate) fn find_all(mut self, tag: u32) -> Result<Vec<Value<'a>>, Malformed> {
        let mut values = Vec::new();
        while let Some(item) = self.next()? {
            if item.tag == tag {
                values.push(item.value);
            }
        }
        Ok(values)
    }

    /// The first value with a tag, which has to be there.
    pub(crate) fn require(self, tag: u32) -> Result<Value<'a>, Malformed> {
        self.find(tag)?.ok_or(Malformed)
    }
}

impl Type {
    const fn of(byte: u8) -> Result<Self, Malformed> {
        Ok(match byte {
            1 => Self::Structure,
            2 => Self::Integer,
            3 => Self::LongInteger,
            4 => Self::BigInteger,
            5 => Self::Enumeration,
            6 => Self::Boolean,
            7 => Self::Text,
            8 => Self::Bytes,
            9 => Self::DateTime,
            10 => Self::Interval,
            _ => return Err(Malformed),
        })
    }
}

impl<'a> Value<'a> {
    fn of(kind: Type, bytes: &'a [u8]) -> Result<Self, Malformed> {
        Ok(match kind {
            Type::Structure if bytes.len().is_multiple_of(8) => Self::Structure(Reader(bytes)),
            Type::Integer => Self::Integer(i32::from_be_bytes(exactly(bytes)?)),
            Type::Enumeration => Self::Enumeration(u32::from_be_bytes(exactly(bytes)?)),
            Type::Boolean => match u64::from_be_bytes(exactly(bytes)?) {
                0 => Self::Boolean(false),
                1 => Self::Boolean(true),
                _ => return Err(Malformed),
            },
            Type::Text => Self::Text(std::str::from_utf8(bytes).map_err(|_| Malformed)?),
            Type::Bytes => Self::Bytes(bytes),
            Type::DateTime => Self::DateTime(i64::from_be_bytes(exactly(bytes)?)),
            Type::LongInteger => exactly::<8>(bytes).map(|_| Self::Other)?,
            Type::Interval => exactly::<4>(bytes).map(|_| Self::Other)?,
            Type::BigInteger if bytes.len().is_multiple_of(8) => Self::Other,
            Type::Structure | Type::BigInteger => return Err(Malformed),
        })
    }

    pub(crate) const fn structure(self) -> Result<Reader<'a>, Malformed> {
        if let Self::Structure(reader) = self { Ok(reader) } else { Err(Malformed) }
    }

    pub(crate) const fn enumeration(self) -> Result<u32, Malformed> {
        if let Self::Enumeration(value) = self { Ok(value) } else { Err(Malformed) }
    }

    pub(crate) const fn text(self) -> Result<&'a str, Malformed> {
        if let Self::Text(value) = self { Ok(value) } else { Err(Malformed) }
    }

    pub(crate) const fn bytes(self) -> Result<&'a [u8], Malformed> {
        if let Self::Bytes(value) = self { Ok(value) } else { Err(Malformed) }
    }

    pub(crate) const fn date_time(self) -> Result<i64, Malformed> {
        if let Self::DateTime(value) = self { Ok(value) } else { Err(Malformed) }
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed)
}

/// Bytes that hold any request of ours.
const CAPACITY: usize = 16 * 1024;

#[cfg(test)]
mod tests;
