//! The file beside the target that fills up.

use super::Fetch;
use crate::address::Address;
use crate::error::ClientError;
use crate::head_object::ObjectHead;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use tokio::io::BufWriter;

/// An open, locked part file.
pub(super) struct PartFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl PartFile {
    /// Whether any run left one for this target, or may have.
    pub(super) fn any_beside(target: &Path) -> bool {
        let (Some(name), Ok(entries)) = (target.file_name(), std::fs::read_dir(directory_of(target))) else {
            return false;
        };
        let prefix = name.as_encoded_bytes();
        if prefix.len() > NAME_MAX {
            return true;
        }
        let left = |entry: io::Result<std::fs::DirEntry>| {
            let name = entry.ok()?.file_name();
            let tag = name.as_encoded_bytes().strip_prefix(prefix)?.strip_prefix(b".")?.strip_suffix(b".part")?;
            (tag.len() == TAG_LEN && tag.iter().all(u8::is_ascii_hexdigit)).then_some(())
        };
        entries.into_iter().find_map(left).is_some()
    }

    /// Opens the one of this object, or makes it.
    pub(super) fn open(
        target: &Path,
        endpoint: &str,
        address: &Address,
        head: &ObjectHead,
    ) -> Result<Self, ClientError> {
        let name = target.file_name().ok_or_else(|| ClientError::file(target)(io::Error::other("not a file name")))?;
        let mut hash = Sha256::new();
        for text in [endpoint, &address.bucket, &address.key, &head.etag, &head.size.to_string()] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        let fits = name.as_encoded_bytes().len() <= NAME_MAX;
        let mut part_name = if fits { OsString::from(name) } else { OsString::from("canopic") };
        part_name.push(format!(".{}.part", hex::encode(&hash.finalize()[..TAG_LEN / 2])));
        let path = target.with_file_name(part_name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(ClientError::file(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path, target: target.to_owned() }),
            Err(TryLockError::WouldBlock) => {
                Err(ClientError::file(path)(io::Error::other("another process downloads the same object there")))
            }
            Err(TryLockError::Error(error)) => Err(ClientError::file(path)(error)),
        }
    }

    /// Reads what an earlier run left, for checksum and progress; gives its length. What can be no beginning of the
    /// object, or is without an ETag to hold on to, is dropped.
    pub(super) async fn read_back(&self, fetch: &mut Fetch<'_>) -> Result<u64, ClientError> {
        let io = |error| ClientError::file(&self.path)(error);
        let length = self.file.metadata().map_err(io)?.len();
        if length > fetch.head.size || fetch.head.etag.is_empty() {
            self.file.set_len(0).map_err(io)?;
            return Ok(0);
        }
        let mut buffer = vec![0; BUFFER];
        let mut file = &self.file;
        loop {
            match file.read(&mut buffer).map_err(io)? {
                0 => break,
                count => fetch.take(&buffer[..count]),
            }
            tokio::task::yield_now().await;
        }
        Ok(fetch.offset)
    }

    /// Writes on where the file ends.
    pub(super) fn writer(&self) -> Result<BufWriter<tokio::fs::File>, ClientError> {
        let mut file = self.file.try_clone().map_err(ClientError::file(&self.path))?;
        file.seek(io::SeekFrom::End(0)).map_err(ClientError::file(&self.path))?;
        Ok(BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file)))
    }

    /// Makes the file durable and gives it its name.
    pub(super) fn publish(self) -> Result<(), ClientError> {
        let publish = || {
            self.file.sync_all()?;
            std::fs::rename(&self.path, &self.target)?;
            File::open(directory_of(&self.target))?.sync_all()
        };
        publish().map_err(ClientError::file(&self.target))
    }

    /// Throws it away.
    pub(super) fn remove(self) {
        // An error is about to be told; one more would hide it.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

const TAG_LEN: usize = 16;
/// The longest name to which dot, tag and `.part` can be added: file names have at most 255 bytes.
const NAME_MAX: usize = 255 - 1 - TAG_LEN - 5;
const BUFFER: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(etag: &str) -> ObjectHead {
        ObjectHead {
            size: 10,
            etag: etag.to_owned(),
            last_modified: String::new(),
            content_type: String::new(),
            content_headers: Vec::new(),
            checksum: None,
            encryption: None,
            metadata: Vec::new(),
        }
    }

    fn open(target: &Path, etag: &str) -> Result<PartFile, ClientError> {
        PartFile::open(target, "https://h", &"s3://b/k".parse().unwrap(), &head(etag))
    }

    #[test]
    fn only_part_files_of_the_target_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("data.h5");
        for name in ["data.h5", "data.h5.part", "data.h5.0123456789abcdeg.part", "x.h5.0123456789abcdef.part"] {
            File::create(dir.path().join(name)).unwrap();
        }
        assert!(!PartFile::any_beside(&target));
        let part_file = open(&target, "\"e\"").unwrap();
        assert!(PartFile::any_beside(&target));
        part_file.publish().unwrap();
        assert!(!PartFile::any_beside(&target) && target.exists());
    }

    #[test]
    fn another_object_has_another_part_file_and_one_process_has_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("data.h5");
        let one = open(&target, "\"one\"").unwrap();
        let other = open(&target, "\"other\"").unwrap();
        assert_ne!(one.path, other.path);
        assert!(open(&target, "\"one\"").is_err(), "locked");
        one.remove();
        assert!(!other.path.with_file_name("data.h5").exists());
    }

    #[test]
    fn a_name_of_any_length_has_a_part_file() {
        let dir = tempfile::tempdir().unwrap();
        for length in [NAME_MAX, NAME_MAX + 1, 255] {
            let target = dir.path().join("n".repeat(length));
            let part_file = open(&target, "\"e\"").unwrap();
            assert!(PartFile::any_beside(&target));
            part_file.publish().unwrap();
            assert!(target.exists(), "{length}");
        }
    }
}
