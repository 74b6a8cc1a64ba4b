//! One concern, one owner: which crates may use what comes from outside.
//!
//! The lists name what must not spread. Anything not listed is free to use; cargo-deny says what may enter at all.

use super::Finding;
use super::graph::Crate;
use super::source::production_lines;

/// Foreign crates with owners: only these crates of ours may depend on them.
const OWNED: &[(&[&str], &[&str], &str)] = &[
    (&["aws-lc-rs", "ring", "aes-gcm", "chacha20poly1305", "aes", "hkdf"], &["envelope"], "ciphers belong to envelope"),
    (&["s3s"], &["s3"], "the S3 protocol crate belongs to s3"),
    (&["axum", "tower-http", "actix-web", "warp"], &[], "the HTTP server is hyper, in s3 and server"),
    (
        &["hyper", "hyper-util"],
        &["s3", "server", "admin-api", "client", "bench", "cli", "kms-vault"],
        "HTTP servers are s3 and server; admin-api, client, bench, cli and kms-vault are clients",
    ),
    (
        &["rcgen", "tokio-rustls"],
        &["server", "admin-api", "client", "cli", "kms-vault", "kms-kmip"],
        "TLS ends in server; clients begin it",
    ),
    (&["redb", "fjall", "rocksdb", "rusqlite", "sled", "heed"], &["storage-embedded"], "engines belong to a backend"),
    (&["libloading"], &["storage-rados"], "C libraries are opened by the backend of RADOS alone"),
    (&["anyhow"], &["cli"], "libraries name their errors"),
];

/// Crates without I/O, runtime or clock.
const PURE: &[&str] = &["model", "envelope", "policy", "identity"];

/// What a pure crate must not be built with.
const IMPURE_CRATES: &[&str] =
    &["tokio", "http", "http-body", "http-body-util", "reqwest", "rustix", "tempfile", "libc"];

/// What a pure crate must not name.
const IMPURE_PATHS: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::process",
    "std::env::var",
    "std::thread",
    "SystemTime",
    "Instant::now",
];

/// Checks the dependencies of each crate against the lists of owners.
pub(crate) fn dependencies(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for found in crates {
        let place = format!("crates/{}/Cargo.toml", found.name);
        for (foreign, owners, reason) in OWNED {
            for name in foreign.iter().filter(|name| found.foreign.contains(**name)) {
                if !owners.contains(&found.name.as_str()) {
                    findings.push(Finding::error(&place, format!("depends on {name}: {reason}")));
                }
            }
        }
        if PURE.contains(&found.name.as_str()) {
            for name in IMPURE_CRATES.iter().filter(|name| found.foreign.contains(**name)) {
                findings.push(Finding::error(&place, format!("a pure crate depends on {name}")));
            }
        }
    }
    findings
}

/// Checks that the production lines of pure crates name no file, socket, process or clock.
pub(crate) fn sources(path: &str, text: &str) -> Vec<Finding> {
    let pure = PURE.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
    if !pure || !path.ends_with(".rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in production_lines(text) {
        let code = line.split("//").next().unwrap_or_default();
        for impure in IMPURE_PATHS.iter().filter(|impure| code.contains(**impure)) {
            findings.push(Finding::error(format!("{path}:{number}"), format!("a pure crate names {impure}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, foreign: &[&str]) -> Vec<Crate> {
        let foreign = foreign.iter().map(|name| name.to_string()).collect();
        vec![Crate { name: name.into(), foreign, ..Crate::default() }]
    }

    #[test]
    fn a_cipher_outside_envelope_is_found() {
        assert_eq!(dependencies(&with("envelope", &["aws-lc-rs"])), []);
        assert_eq!(dependencies(&with("operations", &["aws-lc-rs"])).len(), 1);
    }

    #[test]
    fn an_engine_outside_its_backend_is_found() {
        assert_eq!(dependencies(&with("storage-embedded", &["redb"])), []);
        assert_eq!(dependencies(&with("operations", &["redb"])).len(), 1);
    }

    #[test]
    fn a_pure_crate_with_a_runtime_is_found() {
        assert_eq!(dependencies(&with("policy", &["tokio"])).len(), 1);
        assert_eq!(dependencies(&with("operations", &["tokio"])), []);
    }

    #[test]
    fn a_clock_in_a_pure_crate_is_found_but_not_in_its_tests_or_comments() {
        let text =
            "// SystemTime is an argument\nlet now = SystemTime::now();\n#[cfg(test)]\nmod tests {\nSystemTime\n}\n";
        let findings = sources("crates/policy/src/lib.rs", text);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "crates/policy/src/lib.rs:2");
        assert_eq!(sources("crates/server/src/lib.rs", text), []);
    }
}
