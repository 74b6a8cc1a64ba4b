//! What the operator wants: flags, then `CANOPIC_…` variables, then a TOML file, then defaults.
//!
//! Each source is a [`Layer`]; the layers are laid on each other and checked once, and what comes out, [`Config`], is
//! valid. Nothing reads the environment or a flag after that. [`SETTINGS`] is the table of all settings.

mod compatibility;
mod file;
mod kms;
mod root_key_source;
mod settings;
mod store;
mod value;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use identity::{AccessKeyId, SecretAccessKey};
use zeroize::Zeroizing;

pub use self::kms::{
    KMS_ROLE_ID_VARIABLE, KMS_SECRET_ID_VARIABLE, KMS_TOKEN_VARIABLE, Kms, KmsConfigError, KmsProvider, KmsService,
    KmsTls,
};
pub use file::{FileError, Misunderstood, Unreadable};
pub use root_key_source::{ROOT_KEY_VARIABLE, RootKeySource};
pub use settings::{Layer, SETTINGS, Setting};
pub use store::{Store, StoreConfigError, StoreKind};
pub use value::{
    Domain, InvalidValue, List, Listen, LogFormat, LogLevels, Network, Period, Region, Value, WhenUnwritable,
};

/// Names the configuration file.
pub const CONFIG_VARIABLE: &str = "CANOPIC_CONFIG";
/// Fixes the access key id of the root pair.
pub const ROOT_ACCESS_KEY_VARIABLE: &str = "CANOPIC_ROOT_ACCESS_KEY";
/// Fixes the secret of the root pair.
pub const ROOT_SECRET_KEY_VARIABLE: &str = "CANOPIC_ROOT_SECRET_KEY";
/// The file that counts when nobody names one, if it exists.
const DEFAULT_FILE: &str = "canopic.toml";

/// Everything that the operator decides, checked.
#[derive(Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the root key comes from; never out of the data directory.
    pub root_key: RootKeySource,
    /// Where records and bytes are kept.
    pub store: Store,
    /// Where HTTPS is served.
    pub listen: Option<SocketAddr>,
    /// Where plain HTTP is served.
    pub listen_http: Option<SocketAddr>,
    /// The operator's own certificate; a local CA issues one when there is none.
    pub certificate: Option<CertificateFiles>,
    /// Names whose sub-domains are buckets.
    pub domains: Vec<Domain>,
    /// Peers whose word about the scheme counts.
    pub trusted_proxies: Vec<Network>,
    /// The region that clients sign for.
    pub region: Region,
    /// Where S3 services differ.
    pub compatibility: s3::Compatibility,
    /// What is logged.
    pub log: LogLevels,
    /// In which form.
    pub log_format: LogFormat,
    /// The KMS.
    pub kms: Kms,
    /// The audit log.
    pub audit: Audit,
    /// How long running requests may take to finish at the end.
    pub shutdown_grace: Duration,
    /// What connections may take.
    pub limits: Limits,
    /// The root pair, if the operator fixes it.
    pub root_pair: Option<FixedRootPair>,
}

/// A certificate chain and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, PEM.
    pub chain: PathBuf,
    /// The key, PEM.
    pub private_key: PathBuf,
}

/// Where and how the audit log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The directory.
    pub directory: PathBuf,
    /// The length of a file that is followed by a new one, in MiB.
    pub file_mib: u32,
    /// How many files are kept.
    pub files: u32,
    /// What becomes of uses that cannot be written down.
    pub when_unwritable: WhenUnwritable,
}

/// What connections may take of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections_max: u32,
    /// For a TLS handshake.
    pub handshake_timeout: Duration,
    /// For the header of the next request.
    pub header_timeout: Duration,
    /// Without a byte, while the server waits for the client.
    pub body_timeout: Duration,
}

/// A root pair that the operator chose.
pub struct FixedRootPair {
    /// Not secret.
    pub access_key_id: AccessKeyId,
    /// The secret.
    pub secret: SecretAccessKey,
}

impl std::fmt::Debug for FixedRootPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FixedRootPair(..)")
    }
}

/// A flag or a variable has no valid value.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {source}")]
pub struct BadValue {
    /// The flag or variable.
    pub origin: String,
    /// What was expected.
    pub source: InvalidValue,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is unreadable or wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// A flag or variable is wrong.
    #[error(transparent)]
    Value(#[from] BadValue),
    /// Half a certificate.
    #[error("`{given}` is set without `{missing}`: a certificate needs both")]
    HalfACertificate {
        /// The setting that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Nothing to serve on.
    #[error("both `listen` and `listen_http` are off: there is nothing to serve on")]
    NothingToServeOn,
    /// Half a root pair.
    #[error("{ROOT_ACCESS_KEY_VARIABLE} and {ROOT_SECRET_KEY_VARIABLE} must be set together or not at all")]
    HalfARootPair,
    /// The root key would lie with what it opens.
    #[error(
        "the root key file {} lies inside the data directory {}: a copy of the directory would then hold the key to \
         itself; choose a place outside with root_key_file",
        file.display(), data_dir.display()
    )]
    RootKeyInside {
        /// The root key file.
        file: PathBuf,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The root key is there twice.
    #[error("both root_key_file and {ROOT_KEY_VARIABLE} are set: the root key comes from one of them")]
    TwoRootKeys,
    /// There is no "beside".
    #[error("the data directory {} has no name to put the root key beside it: set root_key_file", .0.display())]
    NoPlaceForRootKey(PathBuf),
    /// The settings of the KMS.
    #[error(transparent)]
    Kms(#[from] KmsConfigError),
    /// The settings of the store.
    #[error(transparent)]
    Store(#[from] StoreConfigError),
    /// No limit can be zero.
    #[error("`{0}` must be more than zero")]
    Zero(&'static str),
}

impl Config {
    /// Lays the layers on each other: `flags`, then the environment, then the file that `file` (the flag) or the
    /// environment names, then the defaults.
    ///
    /// `environment` looks a variable up; it is an argument so that nothing else reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the flag, the variable, or the line and field that is wrong.
    pub fn load(
        flags: Layer,
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let variables = from_environment(&environment)?;
        let file = match file.map(Path::to_owned).or_else(|| environment(CONFIG_VARIABLE).map(PathBuf::from)) {
            Some(path) => file::read(&path)?,
            None if Path::new(DEFAULT_FILE).exists() => file::read(Path::new(DEFAULT_FILE))?,
            None => Layer::default(),
        };
        let root_pair = root_pair(&environment)?;
        Self::check(flags.or(variables).or(file).or(defaults()), environment, root_pair)
    }

    fn check(
        mut layer: Layer,
        environment: impl Fn(&str) -> Option<OsString>,
        root_pair: Option<FixedRootPair>,
    ) -> Result<Self, ConfigError> {
        let compatibility = compatibility::of(&layer);
        let kms = kms::of(&mut layer, &environment)?;
        let store = store::of(&mut layer)?;
        let certificate = match (layer.tls_cert, layer.tls_key) {
            (Some(chain), Some(private_key)) => Some(CertificateFiles { chain, private_key }),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError::HalfACertificate { given: "tls_cert", missing: "tls_key" }),
            (None, Some(_)) => return Err(ConfigError::HalfACertificate { given: "tls_key", missing: "tls_cert" }),
        };
        let defaulted = "has a default";
        let data_dir = layer.data_dir.expect(defaulted);
        let root_key = RootKeySource::choose(layer.root_key_file, environment, || beside(&data_dir), &data_dir)?;
        if let Some(file) = root_key.file().filter(|file| resolve(file).starts_with(resolve(&data_dir))) {
            return Err(ConfigError::RootKeyInside { file: file.to_owned(), data_dir });
        }
        let listen = layer.listen.expect(defaulted).address();
        let listen_http = layer.listen_http.expect(defaulted).address();
        if listen.is_none() && listen_http.is_none() {
            return Err(ConfigError::NothingToServeOn);
        }
        let limits = Limits {
            connections_max: layer.max_connections.expect(defaulted),
            handshake_timeout: layer.handshake_timeout.expect(defaulted).0,
            header_timeout: layer.header_timeout.expect(defaulted).0,
            body_timeout: layer.body_timeout.expect(defaulted).0,
        };
        limits.check()?;
        let audit = Audit {
            directory: layer.audit_dir.unwrap_or_else(|| data_dir.join("audit")),
            file_mib: layer.audit_file_mib.expect(defaulted),
            files: layer.audit_files.expect(defaulted),
            when_unwritable: layer.audit_when_unwritable.expect(defaulted),
        };
        audit.check()?;
        Ok(Self {
            data_dir,
            root_key,
            store,
            listen,
            listen_http,
            certificate,
            domains: layer.domain.map(|list| list.0).unwrap_or_default(),
            trusted_proxies: layer.trusted_proxy.map(|list| list.0).unwrap_or_default(),
            region: layer.region.expect(defaulted),
            compatibility,
            log: layer.log.expect(defaulted),
            log_format: layer.log_format.expect(defaulted),
            kms,
            audit,
            shutdown_grace: layer.shutdown_grace.expect(defaulted).0,
            limits,
            root_pair,
        })
    }

    /// The effective values, one `name = value` a line, as a file would say them. It holds no secret.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} = {value}");
        };
        let quoted = |value: &dyn std::fmt::Display| toml::Value::String(value.to_string()).to_string();
        let listed = |values: Vec<String>| toml::Value::from(values).to_string();
        let listen = |address: Option<SocketAddr>| address.map_or(Listen::Off, Listen::At);
        line("data_dir", quoted(&self.data_dir.display()));
        match self.root_key.file() {
            Some(file) => line("root_key_file", quoted(&file.display())),
            None => line("# root_key_file", format!("{}", self.root_key)),
        }
        for (name, value) in store::explain(&self.store) {
            line(name, value.to_string());
        }
        line("listen", quoted(&listen(self.listen)));
        line("listen_http", quoted(&listen(self.listen_http)));
        if let Some(files) = &self.certificate {
            line("tls_cert", quoted(&files.chain.display()));
            line("tls_key", quoted(&files.private_key.display()));
        }
        line("domain", listed(self.domains.iter().map(ToString::to_string).collect()));
        line("trusted_proxy", listed(self.trusted_proxies.iter().map(ToString::to_string).collect()));
        line("region", quoted(&self.region));
        for (name, value) in compatibility::explain(&self.compatibility) {
            line(name, quoted(&value));
        }
        for (name, value) in kms::explain(&self.kms) {
            line(name, value.to_string());
        }
        line("log", quoted(&self.log));
        line("log_format", quoted(&self.log_format));
        line("audit_dir", quoted(&self.audit.directory.display()));
        line("audit_file_mib", self.audit.file_mib.to_string());
        line("audit_files", self.audit.files.to_string());
        line("audit_when_unwritable", quoted(&self.audit.when_unwritable));
        line("shutdown_grace", quoted(&Period(self.shutdown_grace)));
        line("max_connections", self.limits.connections_max.to_string());
        line("handshake_timeout", quoted(&Period(self.limits.handshake_timeout)));
        line("header_timeout", quoted(&Period(self.limits.header_timeout)));
        line("body_timeout", quoted(&Period(self.limits.body_timeout)));
        text
    }
}

impl Audit {
    fn check(&self) -> Result<(), ConfigError> {
        let zero = [("audit_file_mib", self.file_mib == 0), ("audit_files", self.files == 0)];
        zero.into_iter().find(|(_, zero)| *zero).map_or(Ok(()), |(name, _)| Err(ConfigError::Zero(name)))
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let zero = [
            ("max_connections", self.connections_max == 0),
            ("handshake_timeout", self.handshake_timeout.is_zero()),
            ("header_timeout", self.header_timeout.is_zero()),
            ("body_timeout", self.body_timeout.is_zero()),
        ];
        zero.into_iter().find(|(_, zero)| *zero).map_or(Ok(()), |(name, _)| Err(ConfigError::Zero(name)))
    }
}

/// Reads one setting from a flag.
///
/// # Errors
/// [`BadValue`] names the flag.
pub fn set_flag(layer: &mut Layer, setting: &Setting, text: &str) -> Result<(), BadValue> {
    (setting.set)(layer, text).map_err(|source| BadValue { origin: format!("--{}", setting.flag()), source })
}

fn from_environment(environment: impl Fn(&str) -> Option<OsString>) -> Result<Layer, BadValue> {
    let mut layer = Layer::default();
    for setting in SETTINGS {
        let own = setting.variable();
        // RUST_LOG is what people who debug Rust programs reach for.
        let names = [own.as_str(), "RUST_LOG"];
        let names = if setting.name == "log" { &names[..] } else { &names[..1] };
        let Some((name, value)) = names.iter().find_map(|name| environment(name).map(|value| (name, value))) else {
            continue;
        };
        let bad = |source| BadValue { origin: (*name).to_owned(), source };
        let text = value.to_str().ok_or_else(|| bad(InvalidValue { expected: "UTF-8" }))?;
        (setting.set)(&mut layer, text).map_err(bad)?;
    }
    Ok(layer)
}

fn root_pair(environment: impl Fn(&str) -> Option<OsString>) -> Result<Option<FixedRootPair>, ConfigError> {
    let text = |name: &str| match environment(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(Zeroizing::new(text))),
        Some(Err(_)) => Err(BadValue { origin: name.to_owned(), source: InvalidValue { expected: "UTF-8" } }),
    };
    match (text(ROOT_ACCESS_KEY_VARIABLE)?, text(ROOT_SECRET_KEY_VARIABLE)?) {
        (None, None) => Ok(None),
        (Some(access_key_id), Some(secret)) => {
            let bad = |name: &str, expected| BadValue { origin: name.to_owned(), source: InvalidValue { expected } };
            let access_key_id = AccessKeyId::parse(&access_key_id)
                .map_err(|_| bad(ROOT_ACCESS_KEY_VARIABLE, "3 to 128 letters, digits or _ - . (and no token)"))?;
            let secret = SecretAccessKey::parse(&secret)
                .map_err(|_| bad(ROOT_SECRET_KEY_VARIABLE, "8 to 128 printable characters without spaces"))?;
            Ok(Some(FixedRootPair { access_key_id, secret }))
        }
        _ => Err(ConfigError::HalfARootPair),
    }
}

fn defaults() -> Layer {
    let mut layer = Layer::default();
    for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
        (setting.set)(&mut layer, setting.default).expect("a test reads every default");
    }
    layer
}

/// `<data-dir>.root-key`. A directory such as `.` gets the name that it really has.
fn beside(data_dir: &Path) -> Option<PathBuf> {
    let named = if data_dir.file_name().is_some() { data_dir.to_owned() } else { resolve(data_dir) };
    let mut name = named.file_name()?.to_owned();
    name.push(".root-key");
    Some(named.with_file_name(name))
}

/// An absolute path without links, as far as it exists; the rest is appended as it is.
fn resolve(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in absolute.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            let rest = absolute.strip_prefix(ancestor).expect("an ancestor is a prefix");
            return normalize(&real.join(rest));
        }
    }
    normalize(&absolute)
}

/// Takes `..` out of the part that does not exist yet and so cannot be a link.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests;
