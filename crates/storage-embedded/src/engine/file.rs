//! The engine's file: only its owner may open it.
//!
//! It is sparse: the engine doubles it, and a page takes room when it is first written. So nothing is reserved here,
//! and the store's own reserve keeps a commit from meeting a full disk. Locks are not offered to the engine: the data
//! directory has one for the whole store.
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use redb::StorageBackend;
use rustix::fs::Advice;

#[derive(Debug)]
pub(super) struct EngineFile {
    file: File,
}

impl EngineFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        // Without this the file itself could be missing after a power loss although its content was synced.
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        // After a failed sync memory holds what the device may not have, also in the process that comes after a killed
        // one. What is not held is read from the device, so the engine's repair sees what is there. Pages still on
        // their way to the device stay; their failure is reported to the next sync.
        let all_of_it = None;
        let _ = rustix::fs::fadvise(&file, 0, all_of_it, Advice::DontNeed);
        Ok(Self { file })
    }
}

impl StorageBackend for EngineFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
