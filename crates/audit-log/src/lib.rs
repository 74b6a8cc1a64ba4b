//! The audit log: who used which server-held key for which object, and what came of it.
//!
//! It is a directory of files of JSON lines. Each line ends in a tag under a key of the server that covers the line and
//! the tag before it ([`envelope::AuditChain`]), so that whoever can write to the disk but lacks the store key can
//! neither change a line, nor take one out, nor put one in; [`verify`] finds the place. What such a writer can do is cut
//! the end off, which only a head that was noted elsewhere shows ([`Head`], `--expect`).
//!
//! One thread writes, in the order in which uses are told, many lines at a time. A use goes on as soon as its line has
//! a place in the bounded queue; lines are synced once a second, so a kill of the machine may lose the last second. When
//! the disk does not take them, [`WhenUnwritable`] says whether keys may still be used.
//!
//! Deliberately absent: secrets and encryption contexts. A line names keys, never their bytes.

mod entry;
mod files;
mod log;
mod verify;
mod writer;

pub use entry::Head;
pub use files::{AuditFiles, AuditLogError};
pub use log::{AuditLog, Clock, WhenUnwritable};
pub use verify::{Problem, Report, verify};

#[cfg(test)]
mod tests;
