//! The body of a form, for `crate::fuzzing`.

use zeroize::Zeroizing;

use super::multipart::{Event, Multipart, Unreadable};
use super::part_headers::{PartHeaders, boundary};
use super::reader::FIELDS_LEN_MAX;
use super::{Fields, PostPolicy};

/// A form: a byte for the length of the pieces that it comes in, a line with its `Content-Type`, its body. Whether it is
/// whole.
///
/// # Panics
/// When it depends on the pieces, or more comes out than went in.
#[must_use]
pub fn form(data: &[u8]) -> bool {
    let Some((step, text)) = data.split_first() else { return false };
    let mut lines = text.splitn(2, |byte| *byte == b'\n');
    let (line, body) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let Some(boundary) = std::str::from_utf8(line).ok().and_then(boundary) else { return false };
    let parts = read(&boundary, body, usize::from(*step).max(1));
    assert_eq!(parts, read(&boundary, body, body.len().max(1)), "it matters how the wire cuts a form");
    let Ok(parts) = parts else { return false };
    let length: usize = parts.iter().map(|(headers, value)| headers.name.len() + value.len()).sum();
    assert!(length <= body.len(), "more comes out than went in");
    let beside_files: usize =
        parts.iter().filter(|(headers, _)| headers.name != "file").map(|(_, value)| value.len()).sum();
    assert!(beside_files <= FIELDS_LEN_MAX, "the fields are not bounded");
    name_file(parts)
}

/// The fields with the name of the file in them. Whether a request may go on with them.
fn name_file(parts: Vec<Part>) -> bool {
    let mut fields = Fields::new();
    for (headers, value) in parts {
        if headers.name == "file" {
            let named = fields.name_file(headers.file_name.as_deref().unwrap_or_default());
            let length: usize = fields.iter().map(|(_, value)| value.len()).sum();
            assert!(length <= FIELDS_LEN_MAX, "the name of the file makes {length} bytes of the fields");
            return named.is_ok();
        }
        if fields.add(headers.name, Zeroizing::new(value)).is_err() {
            return false;
        }
    }
    false
}

/// The field of a form that holds its policy document. Whether it is one.
#[must_use]
pub fn post_policy(data: &[u8]) -> bool {
    std::str::from_utf8(data).is_ok_and(|field| PostPolicy::parse(field).is_ok())
}

/// A part with its bytes.
type Part = (PartHeaders, Vec<u8>);

fn read(boundary: &str, body: &[u8], step: usize) -> Result<Vec<Part>, Unreadable> {
    let mut multipart = Multipart::new(boundary, FIELDS_LEN_MAX);
    let mut parts: Vec<Part> = Vec::new();
    for piece in body.chunks(step) {
        multipart.push(piece);
        while let Some(event) = multipart.next()? {
            match (event, parts.last_mut()) {
                (Event::Part(headers), _) => {
                    if headers.name == "file" {
                        multipart.is_file();
                    }
                    parts.push((headers, Vec::new()));
                }
                (Event::Data(data), Some((_, value))) => value.extend_from_slice(&data),
                (Event::Data(_), None) => panic!("bytes of a part that never began"),
                (Event::PartEnds, part) => assert!(part.is_some(), "the end of a part that never began"),
            }
        }
    }
    multipart.finish().map(|()| parts)
}
