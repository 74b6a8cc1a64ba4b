//! Where the root key comes from.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{BadValue, ConfigError, InvalidValue};

/// Holds the root key itself, in the form of a root key file.
pub const ROOT_KEY_VARIABLE: &str = "CANOPIC_ROOT_KEY";
/// Names the directory in which systemd puts a service's credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// The credential that is the root key.
const CREDENTIAL: &str = "canopic-root-key";

/// Where the root key comes from.
pub enum RootKeySource {
    /// A file; the first run makes it.
    File(PathBuf),
    /// The variable [`ROOT_KEY_VARIABLE`]: its value.
    Variable(Zeroizing<String>),
    /// A credential that systemd put into a file for this process.
    Credential(PathBuf),
}

impl RootKeySource {
    /// The file that a setting names; else the variable; else systemd's credential, if there is one; else the file
    /// `beside` the data directory. A file and a variable at once are refused: one of them would be ignored.
    pub(super) fn choose(
        setting: Option<PathBuf>,
        environment: impl Fn(&str) -> Option<OsString>,
        beside: impl FnOnce() -> Option<PathBuf>,
        data_dir: &Path,
    ) -> Result<Self, ConfigError> {
        let variable = environment(ROOT_KEY_VARIABLE);
        if setting.is_some() && variable.is_some() {
            return Err(ConfigError::TwoRootKeys);
        }
        if let Some(file) = setting {
            return Ok(Self::File(file));
        }
        if let Some(text) = variable {
            let bad = |_| BadValue { origin: ROOT_KEY_VARIABLE.to_owned(), source: InvalidValue { expected: "UTF-8" } };
            return Ok(Self::Variable(Zeroizing::new(text.into_string().map_err(bad)?)));
        }
        let credential = environment(CREDENTIALS_VARIABLE).map(|directory| Path::new(&directory).join(CREDENTIAL));
        match credential.filter(|path| path.exists()) {
            Some(path) => Ok(Self::Credential(path)),
            None => beside().map(Self::File).ok_or_else(|| ConfigError::NoPlaceForRootKey(data_dir.to_owned())),
        }
    }

    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Variable(_) | Self::Credential(_) => None,
        }
    }
}

impl fmt::Display for RootKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the root key file {}", path.display()),
            Self::Variable(_) => write!(f, "the variable {ROOT_KEY_VARIABLE}"),
            Self::Credential(path) => write!(f, "the systemd credential {}", path.display()),
        }
    }
}

impl fmt::Debug for RootKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKeySource({self})")
    }
}
