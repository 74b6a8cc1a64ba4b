//! The embedded backend: records in an embedded key-value engine, blobs in files, in one data directory.
//!
//! [`EmbeddedStore`] implements both traits of `storage`. What it is made of, from the bottom:
//!
//! - `data_dir`: the folder, its lock, its room; `keys`: how everything is named in the engine's key space;
//! - `engine`: the ordered key-value engine, and the only place that knows which one it is;
//! - `group`, `committer`: the one thread that writes records, many batches in one transaction;
//! - `blobs`: writers and readers of files; `collector`: the thread that deletes files nobody names; `inventory`: all
//!   files that are there.
//!
//! The order that makes a crash harmless: a blob's bytes are synced, then its directory entry, then the transaction
//! that names it; a blob is deleted only after the transaction that unlinks it. So what a crash leaves behind is at
//! most a file that no record names.
//!
//! Deliberately absent: encryption (everything that comes here is sealed already), a cache of blobs (the operating
//! system has one), locks per record (there is one writer). Design and measurements: docs/decisions/0003.

mod blobs;
mod collector;
mod committer;
mod company;
mod config;
mod data_dir;
mod engine;
mod error;
mod format;
mod group;
mod inventory;
mod keys;
mod store;

pub use config::Config;
pub use error::OpenError;
pub use store::EmbeddedStore;
