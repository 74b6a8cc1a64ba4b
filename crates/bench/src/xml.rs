//! The few elements that the benchmark wants from answers, found by name.
//!
//! This is no XML parser: the names looked for occur only once per document or list entry in S3's answers, and the
//! values are our own keys, opaque tokens and error codes. What a server sends instead is a mismatch, never a crash.

/// The text of the first element `name`, its five entities resolved.
pub(crate) fn text(document: &[u8], name: &str) -> Option<String> {
    texts(&String::from_utf8_lossy(document), name).next().map(unescape)
}

/// The text of every element `name`, as it stands.
pub(crate) fn texts<'a>(document: &'a str, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = document;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(open.as_str())?;
        let (text, behind) = behind.split_once(close.as_str())?;
        rest = behind;
        Some(text)
    })
}

/// The code of an error document: letters and digits only, at most 64; empty when there is none.
pub(crate) fn error_code(document: &[u8]) -> String {
    let code = text(document, "Code").unwrap_or_default();
    code.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

fn unescape(text: &str) -> String {
    // The ampersand comes last, or `&amp;lt;` would be resolved twice.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_order() {
        let document = "<L><Key>a</Key><x/><Key>b</Key><Key>cut";
        assert_eq!(texts(document, "Key").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(text(b"<UploadId>a&amp;lt;&lt;</UploadId>", "UploadId").as_deref(), Some("a&lt;<"));
        assert_eq!(text(b"\xff\xfe", "Key"), None);
    }

    #[test]
    fn an_error_code_is_short_and_plain() {
        assert_eq!(error_code(b"<Error><Code>NoSuchKey</Code></Error>"), "NoSuchKey");
        assert_eq!(error_code(format!("<Code>{}\x1b[2J</Code>", "A".repeat(100)).as_bytes()), "A".repeat(64));
        assert_eq!(error_code(b"<html>"), "");
    }
}
