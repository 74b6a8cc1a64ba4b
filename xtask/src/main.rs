//! Chores of the repository that a shell script would do badly.
//!
//! `cargo xtask tidy` makes the house rules that no linter knows a test: who may depend on whom, how long a file may
//! be, that documents name files that exist. It reads the tree and `cargo metadata`, changes nothing, and needs no
//! network.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its terminal")]

mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one folder below the root");
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy::run(root),
        _ => {
            eprintln!("usage: cargo xtask tidy");
            Ok(ExitCode::from(2))
        }
    }
}
