//! The server of PyKMIP. It asks for client certificates, speaks TLS 1.2 and keeps its keys in a file.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use canopic_kms_kmip::KmipKeys;
use rustix::process::{Pid, Signal, kill_process_group};

use super::{Authority, Issued};

/// A running server; it is killed when this is dropped.
pub(crate) struct PyKmip {
    server: Child,
    dir: tempfile::TempDir,
    port: u16,
    authority: Authority,
}

impl PyKmip {
    pub(crate) fn start() -> Self {
        let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Issued { certificate_pem, private_key_pem } = authority.server();
        let place = dir.path().display();
        let settings = format!(
            "[server]\nhostname=127.0.0.1\nport={port}\nauth_suite=TLS1.2\nenable_tls_client_auth=True\n\
             certificate_path={place}/server.pem\nkey_path={place}/server.key\nca_path={place}/ca.pem\n\
             policy_path={place}\ndatabase_path={place}/keys.sqlite\n"
        );
        let files = [
            ("ca.pem", &authority.certificate_pem),
            ("server.pem", &certificate_pem),
            ("server.key", &private_key_pem),
            ("server.conf", &settings),
        ];
        for (name, text) in files {
            write(&dir.path().join(name), text);
        }
        let server = run(dir.path());
        let mut kmip = Self { server, dir, port, authority };
        kmip.wait();
        kmip
    }

    /// Ends the server and starts it again on the same keys.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.server = run(self.dir.path());
        self.wait();
    }

    pub(crate) fn stop(&mut self) {
        // It forks processes for its policies, which would outlive it.
        let group = Pid::from_child(&self.server);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.server.wait();
    }

    pub(crate) const fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The service as a client that shows a certificate of this name.
    pub(crate) fn keys_of(&self, client: &str) -> KmipKeys {
        let tls = super::tls(&self.authority, &self.authority.client(client));
        super::keys(self.port, tls, Duration::from_secs(30))
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline && self.server.try_wait().unwrap().is_none(), "PyKMIP does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for PyKmip {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(dir: &Path) -> Child {
    // `./check` installs it beside the other tools of the tests.
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/check-venv/bin/pykmip-server");
    assert!(program.exists(), "{} is missing: run ./check once, which installs PyKMIP", program.display());
    let path = |name: &str| -> PathBuf { dir.join(name) };
    Command::new(program)
        .arg("-f")
        .arg(path("server.conf"))
        .arg("-l")
        .arg(path("server.log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env("TMPDIR", dir)
        .process_group(0)
        .spawn()
        .unwrap()
}

fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}
