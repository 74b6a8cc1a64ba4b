use std::time::Duration;

use async_trait::async_trait;

use crate::error::Error;

/// Leases share out work in the background among several processes on one store.
///
/// They are no locks: a process that slept through its time may go on working beside the next holder. What must be
/// right is made right by preconditions of commits, never by a lease.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Takes the lease `name` for this process, or keeps it, for `time` from now; `false` when another process has it. It
    /// ends by itself. A store that one process has to itself always grants it.
    ///
    /// # Errors
    /// When the backend fails.
    async fn hold(&self, name: &str, time: Duration) -> Result<bool, Error>;

    /// Gives the lease back; one that is not held is no error.
    ///
    /// # Errors
    /// When the backend fails.
    async fn release(&self, name: &str) -> Result<(), Error>;
}
