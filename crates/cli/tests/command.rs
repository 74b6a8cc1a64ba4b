//! The command as people and scripts use it: a real process, its output and its exit code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A command in an empty environment, in a directory of its own.
fn canopic(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canopic"));
    command.args(args).current_dir(dir).env_clear().stdin(Stdio::null());
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    canopic(dir, args).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    assert!(!output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A server that is killed when the test ends early.
struct Server {
    process: Child,
    endpoint: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(dir: &Path) -> Self {
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut command = canopic(dir, &["serve", "--listen", "127.0.0.1:0", "--log", "trace"]);
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let endpoint = first.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(endpoint.starts_with("https://localhost:"), "{first}");
        Self { process, endpoint }
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    fn wait(&mut self) -> i32 {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code().expect("it ends by itself");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not end");
    }
}

#[test]
fn users_and_keys_are_looked_after_while_the_server_runs_and_when_it_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path());
    let arn = stdout(&run(dir.path(), &["user", "create", "alice"])).to_owned();
    assert!(arn.starts_with("arn:aws:iam::") && arn.ends_with(":user/alice\n"), "{arn}");
    let pair = stdout(&run(dir.path(), &["key", "issue", "alice"])).to_owned();
    let lines: Vec<_> = pair.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("access_key = ") && lines[1].starts_with("secret_key = "));

    let token = stdout(&run(dir.path(), &["key", "issue", "alice", "--token", "--expires", "30d"])).to_owned();
    assert!(token.ends_with('\n') && token.trim_end().bytes().all(|b| b.is_ascii_alphanumeric()), "one word");

    assert!(stderr(&run(dir.path(), &["user", "list", "--offline"])).contains("in use"));
    server.signal("-TERM");
    assert_eq!(server.wait(), 0);
    assert!(stderr(&run(dir.path(), &["user", "list"])).contains("no server is running"));

    let list = stdout(&run(dir.path(), &["key", "list", "alice", "--offline"])).to_owned();
    let ids: Vec<_> = list.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{list}");
    assert!(!list.contains(token.trim_end()));
    assert_eq!(stdout(&run(dir.path(), &["key", "revoke", ids[0], "--offline"])), "");
    assert!(stderr(&run(dir.path(), &["key", "revoke", ids[0], "--offline"])).contains("no access key"));

    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("issued a token"), "{log}");
    let secret = lines[1].strip_prefix("secret_key = ").unwrap();
    assert!(!log.contains(token.trim_end()) && !log.contains(secret), "the log at trace holds a secret");
}

#[test]
fn the_admin_api_is_reached_over_https_with_the_root_pair() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let pair = stdout(&run(dir.path(), &["key", "issue", "--root"])).to_owned();
    let value = |line: usize| pair.lines().nth(line).unwrap().split(" = ").nth(1).unwrap().to_owned();
    let call = |secret: &str| {
        let mut command = canopic(dir.path(), &["user", "create", "bob", "--endpoint", &server.endpoint]);
        command.env("CANOPIC_ACCESS_KEY", value(0)).env("CANOPIC_SECRET_KEY", secret).output().unwrap()
    };
    assert!(stderr(&call("wrong-secret")).contains("signature"));
    assert!(stdout(&call(&value(1))).ends_with(":user/bob\n"));
    assert!(stderr(&run(dir.path(), &["user", "list", "--endpoint", &server.endpoint])).contains("CANOPIC_ACCESS_KEY"));
}

#[test]
fn a_process_with_keys_leaves_no_core_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.process.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    server.signal("-INT");
    assert_eq!(server.wait(), 0);
}

#[test]
fn a_bad_configuration_is_explained_and_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        std::fs::File::create(dir.path().join("x.toml"))
            .and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes()))
            .unwrap();
        run(dir.path(), &["config", "check", "x.toml"])
    };
    let bad = check("region = \"eu-1\"\nlisten = \"here\"\n");
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("x.toml: line 2, column 10, field `listen`: expected an IP address"), "{bad:?}");
    assert!(stdout(&check("region = \"eu-1\"\n")).contains("region = \"eu-1\"\n"));
    assert_eq!(run(dir.path(), &["serve", "--listen", "here"]).status.code(), Some(2));
    assert_eq!(run(dir.path(), &["serve", "--no-such-flag"]).status.code(), Some(2));
}

#[test]
fn a_data_directory_without_its_root_key_is_refused_in_clear_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path());
    server.signal("-TERM");
    assert_eq!(server.wait(), 0);
    std::fs::remove_file(dir.path().join("canopic-data.root-key")).unwrap();
    let refused = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused)
            .contains("is missing: the root key file ./canopic-data.root-key is not there. Put it back, or say"),
        "{refused:?}"
    );
    assert!(!dir.path().join("canopic-data.root-key").exists());
}
