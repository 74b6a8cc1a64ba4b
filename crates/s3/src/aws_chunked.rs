//! The framing `aws-chunked` (AWS: "Signature calculations for the authorization header: transferring payload in
//! multiple chunks"): `SIZE[;chunk-signature=…]\r\n`, the data, `\r\n`; a chunk of size 0; trailers; an empty line.
//!
//! [`Decoder`] is pure and incremental: it is fed pieces as they come from the wire, holds at most one line, and knows
//! at the end whether the framing was complete. `s3s` has a decoder too, which takes a stream that stops between chunks
//! for a complete one and holds every chunk in memory, signed or not; `body` says what is done about it.

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The framing is broken. The connection is fine, the client is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not framed as aws-chunked")]
pub(crate) struct Malformed;

/// What the decoder met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A chunk of this many bytes begins; 0 is the last one.
    Chunk(u64),
    /// Bytes of the current chunk.
    Data(Bytes),
}

/// Reads the framing.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    /// A line that has not ended yet.
    line: Vec<u8>,
    trailers: HeaderMap,
    trailers_len: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// Takes from `input` what belongs to the next piece. `None`: feed more.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Malformed> {
        while !input.is_empty() {
            match self.state {
                State::Size => {
                    if !self.take_line(input, SIZE_LINE_LEN_MAX)? {
                        continue;
                    }
                    let size = self.line.strip_suffix(b"\r").and_then(parse_size).ok_or(Malformed)?;
                    self.line.clear();
                    self.state = if size == 0 { State::Trailers } else { State::Data(size) };
                    return Ok(Some(Piece::Chunk(size)));
                }
                State::Data(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let data = input.split_to(take);
                    let left = left - take as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Some(Piece::Data(data)));
                }
                State::DataEnd => {
                    if self.take_line(input, 2)? {
                        if self.line != b"\r" {
                            return Err(Malformed);
                        }
                        self.line.clear();
                        self.state = State::Size;
                    }
                }
                State::Trailers => {
                    if self.take_line(input, TRAILERS_LEN_MAX)? {
                        self.take_trailer()?;
                    }
                }
                State::Done => return Err(Malformed),
            }
        }
        Ok(None)
    }

    /// The body has ended. Gives the trailers, unless something is missing. The last line and the empty one behind it
    /// may lack their ends: clients differ there.
    pub(crate) fn finish(mut self) -> Result<HeaderMap, Malformed> {
        match self.state {
            State::Done => {}
            State::Trailers => self.take_trailer()?,
            State::Size | State::Data(_) | State::DataEnd => return Err(Malformed),
        }
        Ok(self.trailers)
    }

    /// Moves a line into `self.line`, without the `\n` at its end. `false`: it has not ended yet.
    fn take_line(&mut self, input: &mut Bytes, len_max: usize) -> Result<bool, Malformed> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let take = end.unwrap_or(input.len());
        if self.line.len() + take > len_max {
            return Err(Malformed);
        }
        self.line.extend_from_slice(&input[..take]);
        input.advance(take);
        if end.is_none() {
            return Ok(false);
        }
        input.advance(1);
        Ok(true)
    }

    fn take_trailer(&mut self) -> Result<(), Malformed> {
        // Some clients end a trailer with a mere `\n`.
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        if self.line.is_empty() {
            self.state = State::Done;
            return Ok(());
        }
        self.trailers_len += self.line.len();
        let colon = self.line.iter().position(|byte| *byte == b':').ok_or(Malformed)?;
        let name = HeaderName::from_bytes(&self.line[..colon]).map_err(|_| Malformed)?;
        let value = HeaderValue::from_bytes(self.line[colon + 1..].trim_ascii()).map_err(|_| Malformed)?;
        if self.trailers_len > TRAILERS_LEN_MAX || self.trailers.insert(name, value).is_some() {
            return Err(Malformed);
        }
        self.line.clear();
        Ok(())
    }
}

/// `SIZE` or `SIZE;chunk-signature=64 hexadecimal digits`.
fn parse_size(line: &[u8]) -> Option<u64> {
    let (size, extension) = match line.iter().position(|byte| *byte == b';') {
        None => (line, None),
        Some(at) => (&line[..at], Some(&line[at + 1..])),
    };
    if let Some(extension) = extension {
        let signature = extension.strip_prefix(b"chunk-signature=")?;
        if signature.len() != 64 || !signature.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    // Eight digits reach 4 GiB, and more than `s3s` reads.
    if size.is_empty() || size.len() > 16 || !size.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

/// 16 digits, the extension's 81 characters, the end of the line.
const SIZE_LINE_LEN_MAX: usize = 128;
/// All trailers together; a checksum and a signature need 200 bytes.
const TRAILERS_LEN_MAX: usize = 8 << 10;

#[cfg(test)]
mod tests;
