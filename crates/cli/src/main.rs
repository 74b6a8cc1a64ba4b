//! The command `canopic`. Everything is in the library beside it.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes memory when it is freed, whoever freed it: the libraries that read requests keep copies of their headers, and
/// so of customer keys, which nobody but the allocator can reach (docs/threat-model.md, "Keys in memory").
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    canopic_cli::main()
}
