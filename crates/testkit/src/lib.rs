//! A whole server inside a test: real configuration, real store, real TLS, on free ports and in a directory that goes
//! away with it. A dev-dependency only.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use server::config::{Config, Layer, SETTINGS, set_flag};
use server::{Running, StartError};
use tempfile::TempDir;

/// Access key id of the root pair of every [`TestServer`].
pub const ROOT_ACCESS_KEY_ID: &str = "TESTROOTPAIR";
/// Its secret.
pub const ROOT_SECRET: &str = "test-root-secret-of-no-value";

/// Where a server keeps its things; outlives the servers on it.
pub struct TestPlace {
    dir: TempDir,
}

impl TestPlace {
    /// A fresh, empty place.
    ///
    /// # Panics
    /// When there is no temporary directory.
    #[must_use]
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("tests have a temporary directory") }
    }

    /// The data directory; a server makes it.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The root key file; a server makes it.
    #[must_use]
    pub fn root_key_file(&self) -> PathBuf {
        self.dir.path().join("data.root-key")
    }

    /// A configuration for this place, with both listeners on free ports and more settings as flags
    /// (`("shutdown-grace", "1s")`), which go before these.
    ///
    /// # Panics
    /// When a setting is unknown or its value invalid.
    #[must_use]
    pub fn config(&self, settings: &[(&str, &str)], environment: &[(&str, &str)]) -> Config {
        let data_dir = self.data_dir();
        let data_dir = data_dir.to_str().expect("temporary directories have simple names");
        let ours = [("data-dir", data_dir), ("listen", "127.0.0.1:0"), ("listen-http", "127.0.0.1:0")];
        let mut layer = Layer::default();
        for (flag, text) in ours.iter().chain(settings) {
            let setting = SETTINGS.iter().find(|setting| setting.flag() == *flag).expect("a setting of the table");
            set_flag(&mut layer, setting, text).expect("a valid value");
        }
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| OsString::from(text))
        };
        Config::load(layer, None, variable).expect("a valid configuration")
    }
}

impl Default for TestPlace {
    fn default() -> Self {
        Self::new()
    }
}

/// A server that runs in this process.
pub struct TestServer {
    running: Running,
    place: TestPlace,
}

impl TestServer {
    /// Starts a server at a fresh place, with the root pair [`ROOT_ACCESS_KEY_ID`].
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: &[(&str, &str)]) -> Result<Self, StartError> {
        Self::start_at(TestPlace::new(), settings).await
    }

    /// Starts a server at a place where another one may have been.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_at(place: TestPlace, settings: &[(&str, &str)]) -> Result<Self, StartError> {
        let root_pair = [("CANOPIC_ROOT_ACCESS_KEY", ROOT_ACCESS_KEY_ID), ("CANOPIC_ROOT_SECRET_KEY", ROOT_SECRET)];
        let running = server::start(&place.config(settings, &root_pair)).await?;
        Ok(Self { running, place })
    }

    /// Where HTTPS is served.
    ///
    /// # Panics
    /// When a setting switched it off.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        self.running.https().expect("HTTPS is on")
    }

    /// Where plain HTTP is served.
    ///
    /// # Panics
    /// When a setting switched it off.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.running.http().expect("HTTP is on")
    }

    /// The certificate of the local CA, PEM.
    ///
    /// # Panics
    /// When a setting brought another certificate.
    #[must_use]
    pub fn authority(&self) -> &Path {
        self.running.authority().expect("the local CA issued the certificate")
    }

    /// Where it keeps its things.
    #[must_use]
    pub const fn place(&self) -> &TestPlace {
        &self.place
    }

    /// Stops it as a signal would, and gives the place back for another one.
    pub async fn stop(self) -> TestPlace {
        self.running.stop().await;
        self.place
    }
}
