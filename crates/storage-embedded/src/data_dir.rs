//! The data directory: its lock, its folders, and how much room there is.
//!
//! ```text
//! store.lock          held with flock(2) while the store lives
//! records.redb        the engine
//! blobs/3f/3f…        one file for each blob, in a folder named by the first two of its 32 hexadecimal digits
//! ```
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use model::BlobId;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::OpenError;

/// An exclusively held data directory.
pub(crate) struct DataDir {
    root: PathBuf,
    /// Open for its lock, and to ask how much room the filesystem has.
    lock: File,
    reserve_bytes: u64,
}

impl DataDir {
    /// Creates what is missing and takes the lock.
    pub(crate) fn open(root: &Path, reserve_bytes: u64) -> Result<Self, OpenError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        make_dir(root).map_err(at(root))?;
        let lock_path = root.join("store.lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(at(&lock_path))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(OpenError::InUse(root.to_owned())),
            Err(error) => return Err(at(&lock_path)(error.into())),
        }
        let dir = Self { root: root.to_owned(), lock, reserve_bytes };
        let blobs = dir.blobs();
        make_dir(&blobs).map_err(at(&blobs))?;
        for shard in 0..=u8::MAX {
            let path = dir.shard(shard);
            make_dir(&path).map_err(at(&path))?;
        }
        sync_dir(&blobs).and_then(|()| sync_dir(root)).map_err(at(root))?;
        Ok(dir)
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether any blob's file is there.
    pub(crate) fn holds_blobs(&self) -> bool {
        (0..=u8::MAX)
            .any(|shard| std::fs::read_dir(self.shard(shard)).is_ok_and(|mut entries| entries.next().is_some()))
    }

    /// The engine's file.
    pub(crate) fn records(&self) -> PathBuf {
        self.root.join("records.redb")
    }

    /// The file of one blob.
    pub(crate) fn blob(&self, id: BlobId) -> PathBuf {
        self.shard(shard_of(id)).join(id.to_string())
    }

    /// The folder of all blobs whose id begins with `shard`.
    pub(crate) fn shard(&self, shard: u8) -> PathBuf {
        self.blobs().join(format!("{shard:02x}"))
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Makes the entries of one folder of blobs durable.
    pub(crate) fn sync_shard(&self, shard: u8) -> io::Result<()> {
        sync_dir(&self.shard(shard))
    }

    /// Whether new bytes may be taken. A filesystem that cannot say is taken to have room.
    pub(crate) fn has_room(&self) -> bool {
        // A call of about a microsecond: asking each time is simpler than remembering.
        rustix::fs::fstatvfs(&self.lock)
            .map_or(true, |stat| stat.f_bavail.saturating_mul(stat.f_frsize) >= self.reserve_bytes)
    }
}

/// The first byte of the id.
pub(crate) const fn shard_of(id: BlobId) -> u8 {
    id.as_bytes()[0]
}

fn make_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        outcome => outcome,
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_opened_once() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("data");
        let first = DataDir::open(&root, 0).unwrap();
        assert!(matches!(DataDir::open(&root, 0), Err(OpenError::InUse(_))));
        drop(first);
        DataDir::open(&root, 0).unwrap();
    }

    #[test]
    fn room_is_what_is_free_beyond_the_reserve() {
        let temp = tempfile::tempdir().unwrap();
        assert!(DataDir::open(&temp.path().join("a"), 0).unwrap().has_room());
        assert!(!DataDir::open(&temp.path().join("b"), u64::MAX).unwrap().has_room());
    }

    #[test]
    fn folders_are_closed_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("data");
        let dir = DataDir::open(&root, 0).unwrap();
        for path in [root.clone(), dir.blobs(), dir.shard(0x3f)] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert_eq!(root.join("store.lock").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
