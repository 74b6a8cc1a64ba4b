use std::io;
use std::path::PathBuf;

use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

/// A token, a role id or a secret id. It is read whenever it is needed, so that a file can be replaced while we run.
pub enum Secret {
    /// The text itself.
    Text(Zeroizing<String>),
    /// A file that holds the text and perhaps a line break after it.
    File(PathBuf),
}

impl Secret {
    /// Reads the text. It is not empty and has printable ASCII only, so it fits a header and a JSON string.
    ///
    /// # Errors
    /// A sentence for the log, which never repeats the text.
    pub(crate) async fn read(&self) -> Result<Zeroizing<String>, String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::File(path) => {
                read_file(path).await.map_err(|error| format!("cannot read {}: {error}", path.display()))?
            }
        };
        let trimmed = text.trim_ascii();
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if trimmed.is_empty() || !trimmed.bytes().all(plain) {
            return Err(format!("{} holds no token or id", self.place()));
        }
        Ok(Zeroizing::new(trimmed.to_owned()))
    }

    fn place(&self) -> String {
        match self {
            Self::Text(_) => "a credential".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

async fn read_file(path: &PathBuf) -> io::Result<Zeroizing<String>> {
    let file = tokio::fs::File::open(path).await?;
    // Room for all of it at once: a growing buffer would leave unwiped copies behind.
    let mut text = Zeroizing::new(String::with_capacity(LEN_MAX + 1));
    file.take(LEN_MAX as u64 + 1).read_to_string(&mut text).await?;
    if text.len() > LEN_MAX {
        return Err(io::Error::other("longer than any token"));
    }
    Ok(text)
}

/// Bytes of the longest token that is read.
const LEN_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn a_file_is_read_anew_and_without_its_line_break() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let secret = Secret::File(file.path().to_owned());
        file.write_all(b"first\n").unwrap();
        assert_eq!(secret.read().await.unwrap().as_str(), "first");
        file.write_all(b"second").unwrap();
        assert!(secret.read().await.is_err(), "two words are no token");
    }

    #[tokio::test]
    async fn what_is_no_token_is_refused_without_being_repeated() {
        for text in ["", " \n", "a\"b", "a b", "a\\b", "ä"] {
            let message = Secret::Text(Zeroizing::new(text.to_owned())).read().await.unwrap_err();
            assert_eq!(message, "a credential holds no token or id");
        }
        let missing = Secret::File("/nowhere/token".into()).read().await.unwrap_err();
        assert!(missing.starts_with("cannot read /nowhere/token"), "{missing}");
    }

    #[tokio::test]
    async fn an_endless_file_is_not_read_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![b'x'; LEN_MAX + 1]).unwrap();
        assert!(Secret::File(file.path().to_owned()).read().await.unwrap_err().contains("longer"));
    }
}
