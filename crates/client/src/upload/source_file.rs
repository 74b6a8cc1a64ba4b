//! A file that must stay the same while it is uploaded.

use crate::error::ClientError;
use bytes::Bytes;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open file, as it was when it was opened.
pub(super) struct SourceFile {
    file: Arc<File>,
    path: PathBuf,
    state: State,
}

/// What changes when a file is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    size: u64,
    modified: (i64, i64),
}

impl SourceFile {
    pub(super) fn open(path: &Path) -> Result<Self, ClientError> {
        let file = File::open(path).map_err(ClientError::file(path))?;
        let metadata = file.metadata().map_err(ClientError::file(path))?;
        if !metadata.is_file() {
            return Err(ClientError::file(path)(io::Error::other("not a regular file")));
        }
        Ok(Self { file: Arc::new(file), path: path.to_owned(), state: State::of(&metadata) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn size(&self) -> u64 {
        self.state.size
    }

    /// Seconds and nanoseconds of the last write.
    pub(super) const fn modified(&self) -> (i64, i64) {
        self.state.modified
    }

    /// Reads exactly so many bytes.
    pub(super) async fn read(&self, offset: u64, length: u64) -> Result<Bytes, ClientError> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let length = usize::try_from(length).map_err(io::Error::other)?;
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, offset).map(|()| Bytes::from(bytes))
        });
        match read.await.map_err(io::Error::other) {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(ClientError::FileChanged(self.path.clone()))
            }
            Ok(Err(error)) | Err(error) => Err(ClientError::file(&self.path)(error)),
        }
    }

    /// Fails when the file was written to since it was opened: its parts would not belong together.
    pub(super) fn check_unchanged(&self) -> Result<(), ClientError> {
        let metadata = self.file.metadata().map_err(ClientError::file(&self.path))?;
        if State::of(&metadata) == self.state { Ok(()) } else { Err(ClientError::FileChanged(self.path.clone())) }
    }
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[tokio::test]
    async fn a_file_that_grows_or_shrinks_is_noticed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let source = SourceFile::open(file.path()).unwrap();
        assert_eq!(source.read(2, 3).await.unwrap(), "234");
        source.check_unchanged().unwrap();
        file.write_all(b"x").unwrap();
        assert!(matches!(source.check_unchanged(), Err(ClientError::FileChanged(_))));
        file.as_file().set_len(4).unwrap();
        assert!(matches!(source.read(2, 3).await, Err(ClientError::FileChanged(_))));
    }

    #[test]
    fn a_directory_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(SourceFile::open(dir.path()), Err(ClientError::File { .. })));
    }
}
