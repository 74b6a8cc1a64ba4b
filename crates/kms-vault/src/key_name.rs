//! KMS key ids as names of Transit keys, which know fewer characters.
//!
//! A character that Transit does not take becomes `_` and two upper-case hexadecimal digits: `aws/s3` is the Transit key
//! `aws_2Fs3`. Where the id itself has such a group, its underscore is written that way, so every id has one name and
//! every name at most one id.

use std::fmt::Write as _;

use model::KmsKeyId;

/// The Transit key of a KMS key id. It begins and ends with a letter, a digit or `_`.
pub(crate) fn transit_name(id: &KmsKeyId) -> String {
    let bytes = id.as_str().as_bytes();
    let mut name = String::with_capacity(bytes.len() + 8);
    for (at, &byte) in bytes.iter().enumerate() {
        let at_an_end = at == 0 || at + 1 == bytes.len();
        let taken = match byte {
            b'_' => escaped(&bytes[at..]).is_none(),
            b'.' | b'-' => !at_an_end,
            _ => byte.is_ascii_alphanumeric(),
        };
        if taken {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(name, "_{byte:02X}");
        }
    }
    name
}

/// The KMS key id that has this Transit key, if one has.
pub(crate) fn id_of(name: &str) -> Option<KmsKeyId> {
    let bytes = name.as_bytes();
    let mut id = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match escaped(&bytes[at..]) {
            Some(byte) => {
                id.push(byte);
                at += 3;
            }
            None => {
                id.push(bytes[at]);
                at += 1;
            }
        }
    }
    let id = KmsKeyId::parse(std::str::from_utf8(&id).ok()?).ok()?;
    (transit_name(&id) == name).then_some(id)
}

/// What a group at the start of `bytes` stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let &[b'_', high, low, ..] = bytes else { return None };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_and_others_are_escaped() {
        let pairs = [
            ("k1", "k1"),
            ("aws/s3", "aws_2Fs3"),
            ("a.b-c_d", "a.b-c_d"),
            ("a_2Fb", "a_5F2Fb"),
            ("_5F", "_5F5F"),
            ("a_2fb", "a_2fb"),
            (".a-", "_2Ea_2D"),
            ("@", "_40"),
            ("a:b=c+d", "a_3Ab_3Dc_2Bd"),
        ];
        for (id, name) in pairs {
            let id = KmsKeyId::parse(id).unwrap();
            assert_eq!(transit_name(&id), name);
            assert_eq!(id_of(name), Some(id));
        }
    }

    #[test]
    fn a_name_that_no_id_has_is_nobodys() {
        for name in ["", "a_61", "a_20b", "alias_2Fk1", "_C3_A4", "-a"] {
            assert_eq!(id_of(name), None, "{name}");
        }
    }
}
