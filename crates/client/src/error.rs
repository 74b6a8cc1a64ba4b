//! What can go wrong, sorted by what the user can do about it.

use crate::customer_key::NoRandomness;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why an operation did not succeed. Nothing in it is secret.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The object is sealed under another customer key.
    #[error("wrong customer key: {object} is encrypted under another one (`canopic which-key` tries many)")]
    WrongCustomerKey {
        /// As `s3://bucket/key`.
        object: String,
    },
    /// The object is sealed under a customer key, and none was given.
    #[error("customer key missing: {object} is encrypted under a customer key; give it with {option} FILE")]
    CustomerKeyRequired {
        /// As `s3://bucket/key`.
        object: String,
        /// The option that takes the key.
        option: &'static str,
    },
    /// A key was given for an object that is not sealed under one.
    #[error("customer key not applicable: {object} is not encrypted under a customer key; leave {option} out")]
    CustomerKeyNotApplicable {
        /// As `s3://bucket/key`.
        object: String,
        /// The option that brought the key.
        option: &'static str,
    },
    /// The server answered as if it had not seen the customer key: what it wrote may not be sealed under it.
    #[error(
        "the server did not confirm the customer key for {object}: it may have stored the data without it; delete the \
         object, and do not use customer keys on this server"
    )]
    CustomerKeyIgnored {
        /// As `s3://bucket/key`.
        object: String,
    },
    /// A customer key over a connection that everybody on the way can read.
    #[error("a customer key is sent over https only; this endpoint is http")]
    CustomerKeyInTheClear,
    /// A token over a connection that everybody on the way can read.
    #[error("a token is sent over https only; this endpoint is http")]
    TokenInTheClear,
    /// The object cannot be read whole and right.
    #[error("damaged: {object}: {what}")]
    Damaged {
        /// As `s3://bucket/key`.
        object: String,
        /// What was seen.
        what: Damage,
    },
    /// The bucket does not exist.
    #[error("no such bucket: {0}")]
    NoSuchBucket(String),
    /// The object does not exist; after a HEAD, the bucket may be what is missing.
    #[error("no such object: {0}")]
    NoSuchObject(String),
    /// The object became another one while it was read.
    #[error("{0} was replaced while it was read; run the command again")]
    Replaced(String),
    /// The credentials are not good for this.
    #[error("access denied: {what} ({refusal})")]
    AccessDenied {
        /// As `s3://bucket/key`.
        what: String,
        /// The server's words.
        refusal: Refusal,
    },
    /// Another answer of failure.
    #[error("{what}: {refusal}")]
    Refused {
        /// As `s3://bucket/key`.
        what: String,
        /// The server's words.
        refusal: Refusal,
    },
    /// All attempts failed on the way.
    #[error("{endpoint} cannot be reached, or does not keep up: {last} (attempts: {attempts})")]
    Unavailable {
        /// Its URL.
        endpoint: String,
        /// How often it was tried.
        attempts: u32,
        /// What happened last.
        last: String,
    },
    /// The answer makes no sense.
    #[error("{what}: not an answer of S3: {why}")]
    Nonsense {
        /// As `s3://bucket/key`.
        what: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file on this machine.
    #[error("{}: {source}", shown(path))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was written to while it was uploaded.
    #[error("{}: the file changed while it was read; nothing was stored, run the command again", shown(.0))]
    FileChanged(PathBuf),
    /// The file cannot be uploaded with parts of this size.
    #[error("{}: more than 10,000 parts; give a larger --part-size", shown(.0))]
    TooManyParts(PathBuf),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// How an object shows that it is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The server ends the body early, again and again at the same place.
    #[error("the server stops sending at byte {at} of {size}, each time anew")]
    EndsEarly {
        /// Bytes that came.
        at: u64,
        /// Bytes that should.
        size: u64,
    },
    /// The server fails to read it.
    #[error("the server fails to read it each time (500 InternalError); its log says why")]
    Unreadable,
    /// The bytes are not those that were uploaded.
    #[error("the bytes that came do not have the {algorithm} checksum that the server has for them")]
    Checksum {
        /// Such as `CRC64NVME`.
        algorithm: &'static str,
    },
}

/// A server's answer of failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// S3's code, such as `AccessDenied`; empty when the answer has no body.
    pub code: String,
    /// The server's words, cleaned of control characters; may be empty.
    pub message: String,
}

/// A path for a human: control characters are shown escaped, since names of downloaded files come from a server.
pub fn shown(path: &Path) -> impl fmt::Display {
    let mut text = String::new();
    for c in path.to_string_lossy().chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for text in [&self.code, &self.message].into_iter().filter(|text| !text.is_empty()) {
            write!(f, " {text}")?;
        }
        Ok(())
    }
}

impl ClientError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn nonsense(what: impl fmt::Display, why: &'static str) -> Self {
        Self::Nonsense { what: what.to_string(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_cannot_move_the_cursor() {
        let path = PathBuf::from("report\u{1b}]0;title\u{7}\nü.txt");
        assert_eq!(shown(&path).to_string(), "report\\u{1b}]0;title\\u{7}\\nü.txt");
        let failed = ClientError::file(&path)(io::Error::other("no"));
        for error in [failed, ClientError::FileChanged(path.clone()), ClientError::TooManyParts(path)] {
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
}
