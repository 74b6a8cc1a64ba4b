//! What the fuzz target does with bytes that no KMIP server sent (fuzz/README.md).

use crate::message::{self, Ask, Mark};
use crate::ttlv::{Malformed, Reader, Value, Writer};

/// The answer of a KMIP server to each thing that is asked: it has one encoding, and makes sense or is malformed.
///
/// # Panics
/// When there are two encodings of one answer.
pub fn kmip_answer(data: &[u8]) {
    let mut writer = Writer::new();
    if let Ok(true) = rewrite(Reader::new(data), &mut writer, 0) {
        assert_eq!(*writer.finish(), data, "two encodings of one answer");
    }
    understood(data);
}

/// The numbers of those [`asked`] that this answers.
fn understood(data: &[u8]) -> Vec<usize> {
    let answered = |asks: &Vec<Ask<'_>>| {
        let outcomes = message::outcomes(data, asks)?;
        let mut understood = true;
        for (outcome, ask) in outcomes.into_iter().zip(asks) {
            let Ok(payload) = outcome else { return Ok(false) };
            understood &= match ask {
                Ask::Locate { .. } => message::located(payload).is_ok(),
                Ask::Create { .. } => message::created(payload).is_ok(),
                Ask::Activate { .. } | Ask::SetMark { .. } => true,
                Ask::Attributes { .. } => {
                    message::attributes(payload, "canopic").is_ok_and(|read| !read.names.is_empty())
                }
                Ask::Encrypt { .. } => message::encrypted(payload).is_ok_and(|sealed| sealed.tag.is_some()),
                Ask::Decrypt { .. } => message::decrypted(payload).is_ok_and(|opened| opened.len() == 32),
            };
        }
        Ok::<_, Malformed>(understood)
    };
    (0..).zip(asked()).filter(|(_, asks)| answered(asks) == Ok(true)).map(|(number, _)| number).collect()
}

/// Everything that is ever asked.
fn asked() -> Vec<Vec<Ask<'static>>> {
    let mark = Mark { namespace: "canopic", data: "enabled" };
    let attributes = || Ask::Attributes { uid: "1" };
    let set_mark = || Ask::SetMark { uid: "1", mark };
    vec![
        vec![Ask::Locate { group: None }],
        vec![Ask::Create { name: "canopic/k/1", group: "canopic/k", mark }],
        vec![Ask::Activate { uid: "1" }],
        vec![attributes()],
        vec![attributes(), attributes()],
        vec![set_mark(), set_mark()],
        vec![attributes(), Ask::Encrypt { uid: "1", nonce: &[0; 12], bound: &[], data: &[] }],
        vec![attributes(), Ask::Decrypt { uid: "1", nonce: &[0; 12], bound: &[], tag: &[0; 16], data: &[] }],
    ]
}

/// Writes what it reads; false where that is of a type that we do not write, or deeper than any answer goes.
fn rewrite(mut reader: Reader<'_>, writer: &mut Writer, depth: u8) -> Result<bool, Malformed> {
    while let Some(item) = reader.next()? {
        match item.value {
            Value::Structure(inner) if depth < 16 => {
                let mut outcome = Ok(true);
                writer.structure(item.tag, |writer| {
                    outcome = rewrite(inner, writer, depth + 1);
                    writer
                });
                if outcome? {
                    continue;
                }
                return Ok(false);
            }
            Value::Structure(_) | Value::Other => return Ok(false),
            Value::Integer(value) => writer.integer(item.tag, value),
            Value::Enumeration(value) => writer.enumeration(item.tag, value),
            Value::Boolean(value) => writer.boolean(item.tag, value),
            Value::Text(value) => writer.text(item.tag, value),
            Value::Bytes(value) => writer.bytes(item.tag, value),
            Value::DateTime(value) => writer.date_time(item.tag, value),
        };
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_of_fuzzing_breaks_no_promise_and_holds_an_answer_to_everything() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/kmip_answer");
        let mut answered = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Shown when the input breaks something.
            println!("{}", path.display());
            let data = std::fs::read(path).unwrap();
            kmip_answer(&data);
            answered.extend(understood(&data));
        }
        assert_eq!(answered, (0..asked().len()).collect());
    }
}
