//! Cuts a multipart body at its delimiters (RFC 2046 section 5.1.1). It does no I/O: bytes go in as they come, events
//! come out.

use bytes::{Buf as _, Bytes, BytesMut};

use super::part_headers::PartHeaders;

/// What a body turns out to be, piece by piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A part begins.
    Part(PartHeaders),
    /// Bytes of the part.
    Data(Bytes),
    /// The part has come whole.
    PartEnds,
}

/// Why a body is not read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is not multipart, or it ends before its last delimiter.
    Malformed,
    /// There is more than may be held beside the file.
    TooLong,
}

/// Reads a body. Nothing of it is held but what may be the beginning of a delimiter, and the headers of a part.
pub(super) struct Multipart {
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    state: State,
    /// Up to here the buffer holds no end of what is looked for.
    searched: usize,
    /// Bytes that everything but the file may still take.
    left: usize,
    /// The bytes of the part that is being read are not counted.
    is_file: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In front of the first delimiter.
    Preamble,
    /// Behind a delimiter: the last one has two dashes, the others end their line.
    Delimiter,
    Headers,
    Data,
    /// Behind the last delimiter.
    Epilogue,
}

impl Multipart {
    /// `len_max`: of everything but the file, in bytes.
    pub(super) fn new(boundary: &str, len_max: usize) -> Self {
        // The first delimiter may stand at the very beginning, without the end of a line before it.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self { delimiter, buffer, state: State::Preamble, searched: 0, left: len_max, is_file: false }
    }

    /// Takes more of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The part that just began is the file: its length is not bounded here.
    pub(super) const fn is_file(&mut self) {
        self.is_file = true;
    }

    /// The next event; `None` when it takes more bytes to tell.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Unreadable> {
        loop {
            match self.state {
                State::Preamble => match self.found(false)? {
                    Some(_) => self.state = State::Delimiter,
                    None => return Ok(None),
                },
                State::Delimiter => {
                    if !self.end_of_delimiter()? {
                        return Ok(None);
                    }
                }
                State::Headers => return self.headers(),
                State::Data => return self.data(),
                State::Epilogue => {
                    let length = self.buffer.len();
                    self.count(length)?;
                    self.buffer.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// The body has ended; was it whole?
    pub(super) fn finish(&self) -> Result<(), Unreadable> {
        if self.state == State::Epilogue { Ok(()) } else { Err(Unreadable::Malformed) }
    }

    fn data(&mut self) -> Result<Option<Event>, Unreadable> {
        let found = self.found(true)?;
        Ok(found.map(|data| {
            if !data.is_empty() {
                return Event::Data(data);
            }
            self.state = State::Delimiter;
            self.is_file = false;
            Event::PartEnds
        }))
    }

    /// What stands in front of the next delimiter, as far as that is certain; empty once the delimiter itself has been
    /// taken off. Without `keep` what stands in front is thrown away.
    fn found(&mut self, keep: bool) -> Result<Option<Bytes>, Unreadable> {
        let (certain, is_whole) = match find(&self.buffer, &self.delimiter, self.searched) {
            Some(at) => (at, true),
            None => (self.buffer.len().saturating_sub(self.delimiter.len() - 1), false),
        };
        if !self.is_file {
            self.count(certain)?;
        }
        self.searched = 0;
        let before = self.buffer.split_to(certain).freeze();
        if keep && !before.is_empty() {
            return Ok(Some(before));
        }
        if !is_whole {
            return Ok(None);
        }
        self.count(self.delimiter.len())?;
        self.buffer.advance(self.delimiter.len());
        Ok(Some(Bytes::new()))
    }

    /// Reads on to the end of the delimiter's line. `false`: it takes more bytes.
    fn end_of_delimiter(&mut self) -> Result<bool, Unreadable> {
        if self.buffer.len() < 2 {
            return Ok(false);
        }
        if self.buffer.starts_with(b"--") {
            self.state = State::Epilogue;
            return Ok(true);
        }
        let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match self.buffer.get(padding..padding + 2) {
            Some(b"\r\n") if padding <= PADDING_MAX => {
                self.count(padding)?;
                self.buffer.advance(padding);
                // The end of this line stays: it begins the blank line of a part without headers.
                self.state = State::Headers;
                self.searched = 0;
                Ok(true)
            }
            Some(_) => Err(Unreadable::Malformed),
            None if padding > PADDING_MAX => Err(Unreadable::Malformed),
            None => Ok(false),
        }
    }

    fn headers(&mut self) -> Result<Option<Event>, Unreadable> {
        let Some(at) = find(&self.buffer, b"\r\n\r\n", self.searched) else {
            if self.buffer.len() > self.left {
                return Err(Unreadable::TooLong);
            }
            self.searched = self.buffer.len().saturating_sub(3);
            return Ok(None);
        };
        self.count(at + 4)?;
        let lines = self.buffer.split_to(at);
        self.buffer.advance(4);
        self.searched = 0;
        let headers = PartHeaders::parse(&lines).ok_or(Unreadable::Malformed)?;
        self.state = State::Data;
        Ok(Some(Event::Part(headers)))
    }

    fn count(&mut self, length: usize) -> Result<(), Unreadable> {
        self.left = self.left.checked_sub(length).ok_or(Unreadable::TooLong)?;
        Ok(())
    }
}

/// The first place at or behind `from` where `wanted` begins. Its first byte is `\r`, which is rare.
fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(next) = text.get(at..)?.iter().position(|byte| *byte == wanted[0]) {
        at += next;
        if text.get(at..at + wanted.len())? == wanted {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Blanks that may stand behind a delimiter.
const PADDING_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEN_MAX: usize = 1000;

    /// What comes out of a body that comes in pieces: `name=value` for each part, or why not.
    fn parts(body: &[u8], piece_len: usize, file: &str) -> Result<Vec<String>, Unreadable> {
        let mut multipart = Multipart::new("xx", LEN_MAX);
        let (mut found, mut value) = (Vec::new(), Vec::new());
        for piece in body.chunks(piece_len.max(1)) {
            multipart.push(piece);
            while let Some(event) = multipart.next()? {
                match event {
                    Event::Part(headers) => {
                        if headers.name == file {
                            multipart.is_file();
                        }
                        found.push(headers.name);
                    }
                    Event::Data(data) => value.extend_from_slice(&data),
                    Event::PartEnds => {
                        let text = String::from_utf8_lossy(&std::mem::take(&mut value)).into_owned();
                        let last = found.last_mut().unwrap();
                        *last = format!("{last}={text}");
                    }
                }
            }
        }
        multipart.finish().map(|()| found)
    }

    fn part(name: &str, value: &str) -> String {
        format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    #[test]
    fn parts_come_out_however_the_body_is_cut() {
        let tricky = "\r\n--x\r\n--xy\r\r\n--";
        let body = format!("{}{}{}--xx--\r\n", part("a", "1"), part("b", ""), part("c", tricky));
        let expected = vec!["a=1".to_owned(), "b=".into(), format!("c={tricky}")];
        for piece_len in 1..=body.len() {
            assert_eq!(parts(body.as_bytes(), piece_len, ""), Ok(expected.clone()), "{piece_len}");
        }
        let with_preamble = format!("hello\r\n{body}and more");
        assert_eq!(parts(with_preamble.as_bytes(), 7, ""), Ok(expected));
        let padded = body.replace("--xx\r\n", "--xx \t\r\n");
        assert_eq!(parts(padded.as_bytes(), 1, "").map(|parts| parts.len()), Ok(3));
    }

    #[test]
    fn a_body_that_stops_early_is_never_whole() {
        let body = format!("{}--xx--", part("a", "1"));
        for length in 0..body.len() {
            assert_eq!(parts(&body.as_bytes()[..length], 3, ""), Err(Unreadable::Malformed), "{length}");
        }
        assert!(parts(body.as_bytes(), 3, "").is_ok());
    }

    #[test]
    fn everything_but_the_file_is_bounded() {
        let long = "y".repeat(LEN_MAX);
        let file = format!("{}--xx--", part("f", &long));
        assert_eq!(parts(file.as_bytes(), 64, "f").map(|parts| parts.len()), Ok(1));
        let no_headers_end = format!("--xx\r\n{long}");
        for body in [
            file,
            format!("{long}{}--xx--", part("a", "")),
            format!("{}--xx--{long}", part("a", "")),
            no_headers_end,
            part("a", "").repeat(LEN_MAX / 40),
        ] {
            assert_eq!(parts(body.as_bytes(), 64, ""), Err(Unreadable::TooLong));
        }
    }

    #[test]
    fn what_is_not_multipart_is_malformed() {
        for body in ["--xxx\r\n", "--xx\nContent-Disposition: form-data; name=a\n\n", "--xx\r\n\r\n\r\n--xx--"] {
            assert_eq!(parts(body.as_bytes(), 64, ""), Err(Unreadable::Malformed), "{body}");
        }
        let blanks = format!("--xx{}\r\n", " ".repeat(PADDING_MAX + 2));
        assert_eq!(parts(blanks.as_bytes(), 1, ""), Err(Unreadable::Malformed));
    }

    proptest! {
        #[test]
        fn any_value_comes_back_and_anything_else_is_refused(value in "[\r\nx-]{0,40}", cut in 1usize..50, junk: Vec<u8>) {
            let body = format!("{}--xx--", part("a", &value));
            if !value.contains("\r\n--xx") && !format!("\r\n{value}").contains("\r\n--xx") {
                prop_assert_eq!(parts(body.as_bytes(), cut, ""), Ok(vec![format!("a={value}")]));
            }
            let _ = parts(&junk, cut, "");
        }
    }
}
