//! The two ports to a backend: [`Metadata`] keeps records, [`Blobs`] keeps bytes.
//!
//! A backend sees sealed bytes and opaque names. It knows nothing of S3, of encryption modes or of keys. The traits
//! ask for no more than RADOS can give, where one object is the largest thing that changes atomically:
//!
//! - A [`Partition`] is the unit of atomicity. All records of one object key live in one partition, in several
//!   [`Table`]s, so that a scan of one table never wades through another.
//! - A commit is one atomic [`Batch`] on one partition, with preconditions.
//! - A [`Scope`] groups partitions (a bucket). Scans are ordered across the partitions of a scope; a scope can be
//!   retired, after which nothing more can be put into it.
//! - A blob is written once, by one writer, and becomes an owned thing only when a batch links it. A blob that no
//!   batch links is garbage, and the backend collects it.
//!
//! A backend that can, tells as well what it holds whatever records say: [`Inventory`]. One that several processes may use
//! shares out their work: [`Leases`].
//!
//! Deliberately absent: transactions over several partitions, secondary indexes, any S3 verb.

pub mod conformance;
pub mod faults;
pub mod memory;

mod blobs;
mod error;
mod inventory;
mod leases;
mod metadata;

pub use blobs::{BlobReader, BlobWriter, Blobs};
pub use error::{
    CommitError, ConflictedPrecondition, Error, NoSuchPlacement, RetireError, ScopeNotEmpty, ScopeRetired,
};
pub use inventory::{Held, HeldKind, Inventory};
pub use leases::Leases;
pub use metadata::{Batch, Beside, Entry, Metadata, Partition, Precondition, RecordKey, Scan, Scope, Start, Table};
