//! The file that keeps a customer key. Layout: docs/format.md, "Customer key file".
//!
//! Reading also takes what researchers have: 32 raw bytes, 64 hexadecimal digits, or 44 of base64, each perhaps with a
//! newline. The lengths tell them apart, so no file is ever read as two different keys.

use crate::customer_key::CustomerKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A key file that cannot be made or read. Nothing of its content is in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is a file already, and a key is never replaced.
    #[error("{}: there is a file of that name; a key file is never overwritten", .0.display())]
    Exists(PathBuf),
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It holds no key of a known form.
    #[error(
        "{}: no customer key in it: expected a file of `canopic key-file new`, 32 raw bytes, 64 hexadecimal digits or \
         44 characters of base64",
        .0.display()
    )]
    Unknown(PathBuf),
    /// It begins like a file of ours, but is cut or mistyped.
    #[error("{}: the key file is damaged: its checksum does not fit", .0.display())]
    Damaged(PathBuf),
    /// No randomness for a new key.
    #[error(transparent)]
    Random(#[from] crate::NoRandomness),
}

/// A key as it was read.
pub struct ReadKey {
    /// The key.
    pub customer_key: CustomerKey,
    /// Whether the mode of the file lets others read it too.
    pub open_to_others: bool,
}

/// Makes a fresh key and writes it to a new file, mode 0600. It is on the disk when this returns.
///
/// # Errors
/// [`KeyFileError`]; what was begun is removed.
pub fn create(path: &Path) -> Result<CustomerKey, KeyFileError> {
    let key = CustomerKey::generate()?;
    let io = |source: io::Error| KeyFileError::Io { path: path.to_owned(), source };
    // Whoever creates the name owns it, so there is no moment in which another file could be written over.
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists(path.to_owned()));
        }
        opened => opened.map_err(io)?,
    };
    let written = file.write_all(to_text(&key).as_bytes()).and_then(|()| file.sync_all()).and_then(|()| {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    });
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(path);
        return Err(io(error));
    }
    Ok(key)
}

/// Reads a key of any known form.
///
/// # Errors
/// [`KeyFileError`].
pub fn read(path: &Path) -> Result<ReadKey, KeyFileError> {
    let io = |source: io::Error| KeyFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    // Room for all of it at once: a buffer that grew would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX + 1));
    file.take(FILE_LEN_MAX as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    let customer_key = parse(&bytes).map_err(|error| match error {
        NotAKey::Unknown => KeyFileError::Unknown(path.to_owned()),
        NotAKey::Damaged => KeyFileError::Damaged(path.to_owned()),
    })?;
    let open_to_others = metadata.is_file() && metadata.mode() & 0o077 != 0;
    Ok(ReadKey { customer_key, open_to_others })
}

#[derive(Debug, PartialEq, Eq)]
enum NotAKey {
    Unknown,
    Damaged,
}

fn to_text(key: &CustomerKey) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32 + CHECKSUM_LEN]);
    bytes[..32].copy_from_slice(key.expose());
    bytes[32..].copy_from_slice(&checksum(key.expose()));
    let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + DIGITS_LEN + 1));
    text.push_str(PREFIX);
    STANDARD.encode_string(*bytes, &mut text);
    text.push('\n');
    text
}

fn parse(bytes: &[u8]) -> Result<CustomerKey, NotAKey> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let trimmed = bytes.trim_ascii();
    if let Some(digits) = trimmed.strip_prefix(PREFIX.as_bytes()) {
        return with_checksum(digits);
    }
    let mut key = Zeroizing::new([0; 32]);
    // The first rule wins: 32 bytes are a key even when the last one looks like a newline.
    if bytes.len() == 32 || line.len() == 32 {
        key.copy_from_slice(if bytes.len() == 32 { bytes } else { line });
        return Ok(CustomerKey::new(key));
    }
    let decoded = match trimmed.len() {
        64 => hex::decode_to_slice(trimmed, key.as_mut()).is_ok(),
        44 => STANDARD.decode_slice(trimmed, key.as_mut()) == Ok(32),
        _ => false,
    };
    if decoded { Ok(CustomerKey::new(key)) } else { Err(NotAKey::Unknown) }
}

fn with_checksum(digits: &[u8]) -> Result<CustomerKey, NotAKey> {
    let mut bytes = Zeroizing::new([0; 32 + CHECKSUM_LEN]);
    match STANDARD.decode_slice(digits, bytes.as_mut()) {
        Ok(length) if length == bytes.len() => {}
        _ => return Err(NotAKey::Damaged),
    }
    let (key, sum) = bytes.split_first_chunk().expect("32 of 36 bytes");
    if *sum != checksum(key) {
        return Err(NotAKey::Damaged);
    }
    Ok(CustomerKey::new(Zeroizing::new(*key)))
}

/// It stands beside the key itself, so it gives nothing away.
fn checksum(key: &[u8; 32]) -> [u8; CHECKSUM_LEN] {
    let mut sum = [0; CHECKSUM_LEN];
    sum.copy_from_slice(&Sha256::digest(key)[..CHECKSUM_LEN]);
    sum
}

const PREFIX: &str = "canopic-customer-key-v1:";
const CHECKSUM_LEN: usize = 4;
const DIGITS_LEN: usize = 48;
/// Longer than any known form with a little white space.
const FILE_LEN_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CustomerKey {
        CustomerKey::new(Zeroizing::new(std::array::from_fn(|at| at as u8 * 7 + 1)))
    }

    fn read_as_the_same(bytes: &[u8]) {
        assert_eq!(parse(bytes).ok().map(|key| *key.expose()), Some(*key().expose()), "{bytes:?}");
    }

    fn refusal(bytes: &[u8]) -> Option<NotAKey> {
        parse(bytes).err()
    }

    #[test]
    fn a_key_survives_its_file() {
        let text = to_text(&key());
        assert_eq!(text.len(), text.capacity());
        read_as_the_same(text.as_bytes());
        read_as_the_same(format!("\r\n {}\r\n", text.as_str()).as_bytes());
    }

    #[test]
    fn the_text_is_the_documented_one() {
        let zero = to_text(&CustomerKey::new(Zeroizing::new([0; 32])));
        // SHA-256 of 32 zero bytes begins with 66687aad.
        assert_eq!(zero.as_str(), "canopic-customer-key-v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABmaHqt\n");
    }

    #[test]
    fn a_cut_or_mistyped_line_is_never_taken_for_another_key() {
        let text = to_text(&key());
        let text = text.trim_end();
        for length in 0..text.len() {
            assert!(refusal(&text.as_bytes()[..length]).is_some(), "{length}");
        }
        for at in PREFIX.len()..text.len() {
            let letter = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mistyped = [&text[..at], letter, &text[at + 1..]].concat();
            assert_eq!(refusal(mistyped.as_bytes()), Some(NotAKey::Damaged), "{at}");
        }
    }

    #[test]
    fn what_researchers_have_is_read_too() {
        let raw = *key().expose();
        let (digits, base64) = (hex::encode(raw), STANDARD.encode(raw));
        for bytes in [raw.to_vec(), [&raw[..], b"\n"].concat(), digits.clone().into_bytes()] {
            read_as_the_same(&bytes);
        }
        for text in [digits.to_uppercase(), format!("{digits}\r\n"), base64.clone(), format!(" {base64}\n")] {
            read_as_the_same(text.as_bytes());
        }
        assert_eq!(parse(b"0123456789abcdefghijklmnopqrstuv").ok().unwrap().expose()[31], b'v');
    }

    #[test]
    fn a_raw_key_may_end_like_a_line() {
        let mut raw = *key().expose();
        raw[31] = b'\n';
        assert_eq!(parse(&raw).ok().unwrap().expose(), &raw);
    }

    #[test]
    fn other_files_are_refused() {
        let too_long = [b'a'; 257];
        for bytes in
            [&b""[..], b"short", &[0; 31], &[0; 34], &[b'g'; 64], &[b'='; 44], b"canopic-root-key-v1:", &too_long]
        {
            assert_eq!(refusal(bytes), Some(NotAKey::Unknown), "{bytes:?}");
        }
    }

    #[test]
    fn a_new_file_is_private_and_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.key");
        let made = create(&path).ok().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let found = read(&path).ok().unwrap();
        assert_eq!((found.customer_key.expose(), found.open_to_others), (made.expose(), false));
        assert!(matches!(create(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(read(&path).ok().unwrap().customer_key.expose(), made.expose());
    }
}
