//! The command `canopic`. Everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    canopic_cli::main()
}
