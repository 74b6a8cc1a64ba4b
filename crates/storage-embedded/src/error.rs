use std::io;
use std::path::PathBuf;

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was written by a version that this one does not know.
    #[error("{} has format {found}, this version reads format {known}", .dir.display())]
    UnknownFormat {
        /// The data directory.
        dir: PathBuf,
        /// The format found there.
        found: String,
        /// The only format that this version reads.
        known: u8,
    },
    /// The blobs are there, but the file with the records is missing or empty.
    #[error("{} holds blobs, but its records are missing", .0.display())]
    RecordsMissing(PathBuf),
    /// A file or folder cannot be created or read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What was to be opened.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// The records cannot be opened.
    #[error("the records in {}: {source}", .dir.display())]
    Records {
        /// The data directory.
        dir: PathBuf,
        /// What the engine says.
        source: storage::Error,
    },
}
