//! What the process forbids itself before it holds the first key.

use rustix::process::{DumpableBehavior, PTracer, Resource, Rlimit};

/// Something that the process wanted to forbid itself stays possible.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct HardeningError {
    what: &'static str,
    source: rustix::io::Errno,
}

/// Set to anything, this variable lets a build with debug assertions be read by a debugger of its own user, for the
/// test that looks for keys in a core image. A release build does not know it.
pub const ALLOW_MEMORY_DUMP_VARIABLE: &str = "CANOPIC_ALLOW_MEMORY_DUMP";

/// Forbids core dumps and reading the process's memory by its own user, makes new files private, and raises the limit
/// of open files to what the system allows. Call it before any thread starts.
///
/// # Errors
/// [`HardeningError`] when core dumps cannot be forbidden: keys would end up in a file.
pub fn harden() -> Result<(), HardeningError> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|source| HardeningError { what: "forbid core dumps", source })?;
    if cfg!(debug_assertions) && std::env::var_os(ALLOW_MEMORY_DUMP_VARIABLE).is_some() {
        // Where only a parent may look into a process (Yama), this is needed; elsewhere it is an error that says so.
        let _ = rustix::process::set_ptracer(PTracer::Any);
    } else {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|source| HardeningError { what: "make the process undumpable", source })?;
    }
    let files = rustix::process::getrlimit(Resource::Nofile);
    // With fewer files the server still works; the accept loop copes with running out.
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    Ok(())
}
