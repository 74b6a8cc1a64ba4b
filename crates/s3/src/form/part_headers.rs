//! The headers of a form and of its parts (RFC 7578), as far as they matter here.

use percent_encoding::percent_decode_str;

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartHeaders {
    /// The name of the field, in lower case: AWS compares them so.
    pub(super) name: String,
    /// The name of the file, without the directories that some clients send.
    pub(super) file_name: Option<String>,
    /// The type of the file.
    pub(super) content_type: Option<String>,
}

/// The boundary that a `Content-Type` names (RFC 2046 section 5.1.1: 1 to 70 characters).
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (_, parameters) = content_type.split_once(';')?;
    let boundary = Parameters(parameters).find(|(name, _)| name == "boundary")?.1;
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    ((1..=70).contains(&boundary.len()) && boundary.bytes().all(printable)).then_some(boundary)
}

impl PartHeaders {
    /// Reads the lines in front of a part. `None`: it is no part of a form.
    pub(super) fn parse(lines: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(lines).ok()?;
        let mut disposition = None;
        let mut content_type = None;
        for line in text.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("content-disposition") {
                // Given twice, it could be read in two ways.
                disposition.replace(value.trim()).is_none().then_some(())?;
            } else if name.eq_ignore_ascii_case("content-type") {
                content_type = Some(value.trim().to_owned());
            }
        }
        let (kind, parameters) = disposition?.split_once(';')?;
        kind.trim().eq_ignore_ascii_case("form-data").then_some(())?;
        let (mut name, mut plain, mut extended) = (None, None, None);
        for (parameter, value) in Parameters(parameters) {
            let place = match parameter.as_str() {
                "name" => &mut name,
                "filename" => &mut plain,
                "filename*" => &mut extended,
                _ => continue,
            };
            place.replace(value).is_none().then_some(())?;
        }
        let file_name = extended.and_then(|value| decoded(&value)).or(plain).map(|path| last_component(&path));
        Some(Self { name: name?.to_ascii_lowercase(), file_name, content_type })
    }
}

/// RFC 5987: `UTF-8''name`, percent-encoded. Some clients send it for names that are not ASCII.
fn decoded(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, name) = rest.split_once('\'')?;
    let is_utf8 = charset.eq_ignore_ascii_case("utf-8");
    is_utf8.then(|| percent_decode_str(name).decode_utf8().ok().map(std::borrow::Cow::into_owned)).flatten()
}

/// AWS: "only the text following the last slash or backslash is used".
fn last_component(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

/// The `name=value` pairs of a header, separated by semicolons; names in lower case, values without quotes.
struct Parameters<'t>(&'t str);

impl Iterator for Parameters<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<(String, String)> {
        let text = self.0.trim_start_matches([' ', '\t', ';']);
        let (name, rest) = text.split_once('=')?;
        let rest = rest.trim_start();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        self.0 = rest;
        Some((name.trim().to_ascii_lowercase(), value))
    }
}

/// The text up to the closing quote, and what stands behind. A backslash hides a quote or a backslash, and is itself in
/// front of anything else: some browsers put whole Windows paths here.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => {
                let hidden = characters.next_if(|(_, next)| matches!(next, '"' | '\\'));
                value.push(hidden.map_or('\\', |(_, hidden)| hidden));
            }
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(disposition: &str) -> Option<(String, Option<String>)> {
        let lines = format!("Content-Disposition: {disposition}\r\nContent-Type: text/plain");
        PartHeaders::parse(lines.as_bytes()).map(|part| (part.name, part.file_name))
    }

    #[test]
    fn boundaries_are_found_in_each_of_their_forms() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data;charset=utf-8; BOUNDARY=\"a b;c\"", Some("a b;c")),
            ("multipart/form-data; boundary=abc; charset=utf-8", Some("abc")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"abc", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        assert_eq!(boundary(&long), None);
    }

    #[test]
    fn names_of_fields_and_files_are_read() {
        for (disposition, name, file_name) in [
            ("form-data; name=\"Key\"", "key", None),
            ("form-data; name=key", "key", None),
            ("form-data; name=\"file\"; filename=\"a b.txt\"", "file", Some("a b.txt")),
            ("form-data; filename=\"C:\\dir\\a.txt\"; name=\"file\"", "file", Some("a.txt")),
            ("form-data; name=\"file\"; filename=\"/home/me/a.txt\"", "file", Some("a.txt")),
            ("form-data; name=\"file\"; filename=\"a\\\"b;c\"", "file", Some("a\"b;c")),
            ("form-data; name=\"file\"; filename*=UTF-8''%C3%BC.txt", "file", Some("ü.txt")),
            ("form-data; name=\"file\"; filename=\"x\"; filename*=utf-8''y", "file", Some("y")),
            ("form-data; name=\"file\"; filename=\"\"", "file", Some("")),
        ] {
            let expected = Some((name.to_owned(), file_name.map(str::to_owned)));
            assert_eq!(part(disposition), expected, "{disposition}");
        }
    }

    #[test]
    fn what_is_no_part_of_a_form_is_refused() {
        for disposition in [
            "attachment; name=\"key\"",
            "form-data",
            "form-data; filename=\"x\"",
            "form-data; name=\"a\"; name=\"b\"",
            "form-data; name=\"a\r\nContent-Disposition: form-data; name=\"b\"",
        ] {
            assert_eq!(part(disposition), None, "{disposition}");
        }
        assert_eq!(PartHeaders::parse(b"Content-Type: text/plain"), None);
        assert_eq!(PartHeaders::parse(b"Content-Disposition form-data"), None);
        assert_eq!(PartHeaders::parse(b"Content-Disposition: form-data; name=\"\xff\""), None);
    }
}
