//! Small files that only their owner may read: created whole or not at all, durable, never half-written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Bytes of the largest file that is read.
const FILE_LEN_MAX: u64 = 16 * 1024 * 1024;

/// Something about the file went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct SecretFileError {
    /// The file.
    pub path: PathBuf,
    /// What went wrong.
    pub source: io::Error,
}

/// Creates a file with mode 0600 that holds exactly `bytes`; after a crash it is there whole or not at all.
///
/// # Errors
/// [`SecretFileError`] with [`io::ErrorKind::AlreadyExists`] when there is a file of that name: it is never replaced.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    let publish = |unpublished: &Path| {
        // A hard link, unlike a rename, never replaces.
        std::fs::hard_link(unpublished, path)?;
        std::fs::remove_file(unpublished)
    };
    write_then(path, bytes, publish).map_err(|source| SecretFileError { path: path.to_owned(), source })
}

/// Creates a file or replaces it: readers see the old bytes or the new ones.
///
/// # Errors
/// [`SecretFileError`] when the bytes could not be made durable. The file may hold the old bytes or the new ones then,
/// and after a power cut the other ones.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    write_then(path, bytes, |unpublished| std::fs::rename(unpublished, path))
        .map_err(|source| SecretFileError { path: path.to_owned(), source })
}

/// Reads a whole file, at most 16 MiB, into memory that is wiped. Warns in the log when others may read the file too.
///
/// # Errors
/// [`SecretFileError`], with [`io::ErrorKind::NotFound`] when there is none.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let read = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.len() > FILE_LEN_MAX {
            return Err(io::Error::other("larger than any file of this kind"));
        }
        if metadata.mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), mode = format!("{:o}", metadata.mode() & 0o777),
                "a secret file can be read by others; chmod 600 it");
        }
        // Room for all bytes at once: a growing buffer would leave unwiped copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
        file.take(FILE_LEN_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| SecretFileError { path: path.to_owned(), source })
}

fn write_then(path: &Path, bytes: &[u8], publish: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("not a file name"))?;
    let unpublished = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    // What a crash left there was never published, so nobody relies on it.
    match std::fs::remove_file(&unpublished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unpublished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        publish(&unpublished)
    })();
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&unpublished);
        return Err(error);
    }
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_file_is_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create(&path, b"hush").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().as_slice(), b"hush");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn creating_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create(&path, b"first").unwrap();
        let error = create(&path, b"second").unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap().as_slice(), b"first");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn replacing_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        replace(&path, b"first").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), b"second");
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::File::create(dir.path().join(".secret.new")).unwrap();
        create(&path, b"hush").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
