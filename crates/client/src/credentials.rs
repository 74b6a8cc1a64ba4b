//! Who signs: from a file, or from the environment. Never from the command line, which others on the machine can read;
//! that goes for the access key too, in whose place a token may stand.

use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The longest file of credentials, in bytes.
const FILE_LEN_MAX: usize = 4096;

/// An access key pair, or a token with an empty secret.
pub struct KeyPair {
    /// Names the pair, or is the token.
    pub access_key_id: Zeroizing<String>,
    /// Empty beside a token.
    pub secret_key: Zeroizing<String>,
    /// Of temporary credentials (AWS STS), sent with each request.
    pub session_token: Option<Zeroizing<String>>,
}

/// Nobody to sign as.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// No or half a pair of keys.
    #[error(
        "no credentials: give --credentials FILE, or CANOPIC_ACCESS_KEY and CANOPIC_SECRET_KEY, or AWS_ACCESS_KEY_ID \
         and AWS_SECRET_ACCESS_KEY in the environment"
    )]
    Missing,
    /// A file of credentials cannot be used.
    #[error("--credentials {}: {reason}", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// What is wrong with it; nothing of what it holds.
        reason: String,
    },
}

impl KeyPair {
    /// Ours first, then those of AWS, each variable for itself. A session token of AWS goes with an access key of AWS
    /// only.
    ///
    /// # Errors
    /// [`CredentialsError::Missing`].
    pub fn from_environment(environment: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        // An empty secret stands beside a token; an empty access key is none.
        let is_secret = |name: &str| name.contains("SECRET");
        let environment = |name: &str| environment(name).filter(|value| is_secret(name) || !value.is_empty());
        let either = |ours: &str, of_aws: &str| {
            let found = environment(ours).or_else(|| environment(of_aws));
            found.map(Zeroizing::new).ok_or(CredentialsError::Missing)
        };
        let session_token = environment("AWS_SESSION_TOKEN").filter(|_| environment("CANOPIC_ACCESS_KEY").is_none());
        Ok(Self {
            session_token: session_token.filter(|token| !token.is_empty()).map(Zeroizing::new),
            access_key_id: either("CANOPIC_ACCESS_KEY", "AWS_ACCESS_KEY_ID")?,
            secret_key: either("CANOPIC_SECRET_KEY", "AWS_SECRET_ACCESS_KEY")?,
        })
    }

    /// Reads what `canopic key issue` prints.
    ///
    /// # Errors
    /// [`CredentialsError::File`].
    pub fn from_file(path: &Path) -> Result<Self, CredentialsError> {
        let refuse = |reason: String| CredentialsError::File { path: path.to_owned(), reason };
        let mut text = Zeroizing::new(String::with_capacity(FILE_LEN_MAX + 1));
        let file = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
        file.take(FILE_LEN_MAX as u64 + 1).read_to_string(&mut text).map_err(|error| refuse(error.to_string()))?;
        let short_enough = text.len() <= FILE_LEN_MAX;
        Self::parse(&text).filter(|_| short_enough).ok_or_else(|| {
            refuse("expected the lines access_key = ID and secret_key = SECRET, or a token alone".to_owned())
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let owned = |text: &str| Zeroizing::new(text.to_owned());
        match lines.as_slice() {
            [token] if !token.contains(['=', ' ']) => {
                Some(Self { access_key_id: owned(token), secret_key: Zeroizing::default(), session_token: None })
            }
            [first, second] => {
                let value = |line: &str, name: &str| {
                    let (found, value) = line.split_once('=')?;
                    (found.trim() == name).then(|| owned(value.trim()))
                };
                Some(Self {
                    access_key_id: value(first, "access_key")?,
                    secret_key: value(second, "secret_key")?,
                    session_token: None,
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn parsed(text: &str) -> Option<(String, String)> {
        KeyPair::parse(text).map(|pair| (pair.access_key_id.to_string(), pair.secret_key.to_string()))
    }

    #[test]
    fn what_the_server_prints_is_read() {
        let pair = Some(("ID".to_owned(), "a/b+c=".to_owned()));
        assert_eq!(parsed("access_key = ID\nsecret_key = a/b+c=\n"), pair);
        assert_eq!(parsed("\naccess_key=ID\r\nsecret_key=a/b+c=\r\n\n"), pair);
        assert_eq!(parsed("cnptToken\n"), Some(("cnptToken".to_owned(), String::new())));
    }

    #[test]
    fn an_empty_access_key_is_none_and_an_empty_secret_is_that_of_a_token() {
        let pair = |variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
            KeyPair::from_environment(value).ok().map(|pair| pair.access_key_id.to_string())
        };
        let aws = ("AWS_ACCESS_KEY_ID", "aws");
        assert_eq!(pair(&[("CANOPIC_ACCESS_KEY", ""), aws, ("AWS_SECRET_ACCESS_KEY", "s")]).as_deref(), Some("aws"));
        assert_eq!(pair(&[("CANOPIC_ACCESS_KEY", ""), ("CANOPIC_SECRET_KEY", "s")]), None);
        assert_eq!(pair(&[("CANOPIC_ACCESS_KEY", "token"), ("CANOPIC_SECRET_KEY", "")]).as_deref(), Some("token"));
    }

    #[test]
    fn other_files_are_refused_without_repeating_them() {
        for text in ["", "access_key = ID", "secret_key = s\naccess_key = i", "a b", "a\nb", "a = b\nc = d\ne = f"] {
            assert_eq!(parsed(text), None, "{text}");
        }
        for text in ["secret_key = hush".to_owned(), "hush".repeat(1025)] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let error = KeyPair::from_file(file.path()).err().unwrap().to_string();
            assert!(error.contains(&file.path().display().to_string()) && !error.contains("hush"), "{error}");
        }
        assert!(KeyPair::from_file(Path::new("/nonexistent")).is_err());
    }
}
