//! What is remembered of an upload in parts until it is complete: a file of one JSON line for the upload and one for
//! each part that the server has taken. It holds names, sizes, ETags and checksums, and nothing of a customer key.
//!
//! A line that a crash cut is passed over: its part is uploaded again. The file is locked as long as a process works on
//! the upload.

use super::source_file::SourceFile;
use crate::checksum::Checksum;
use crate::encryption::Encryption;
use crate::error::ClientError;
use crate::multipart::Part;
use crate::put_object::NewObject;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What has to be equal for an upload to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    endpoint: String,
    target: String,
    file: PathBuf,
    size: u64,
    modified: (i64, i64),
    part_size: u64,
    checksum: Option<String>,
    encryption: String,
    /// What the upload began with cannot be changed later.
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    content_headers: Vec<(String, String)>,
    #[serde(default)]
    metadata: Vec<(String, String)>,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct FirstLine {
    begun: Begun,
    upload_id: String,
}

/// An upload that an earlier run left.
pub(super) struct Left {
    pub id: String,
    /// Whether everything is as it was then.
    pub same: bool,
    pub part_size: u64,
    pub parts: Vec<Part>,
}

/// The journal of one upload.
pub(super) struct Journal {
    /// Absent where nothing is to be remembered.
    open: Option<(PathBuf, File)>,
    left: Option<Left>,
}

impl Begun {
    pub(super) fn new(
        file: &SourceFile,
        endpoint: &str,
        object: &NewObject,
        part_size: u64,
        checksum: Option<Checksum>,
    ) -> Self {
        let encryption = match &object.encryption {
            Encryption::Unspecified => "unspecified".to_owned(),
            Encryption::ServerKey => "server key".to_owned(),
            Encryption::Kms { key_id } => format!("kms {}", key_id.as_deref().unwrap_or_default()),
            Encryption::CustomerKey(_) => "customer key".to_owned(),
        };
        Self {
            endpoint: endpoint.to_owned(),
            target: object.address.to_string(),
            // The same file by another way is the same file; one that cannot be resolved is known by its name.
            file: file.path().canonicalize().unwrap_or_else(|_| file.path().to_owned()),
            size: file.size(),
            modified: file.modified(),
            part_size,
            checksum: checksum.map(|checksum| checksum.name().to_owned()),
            encryption,
            content_type: object.content_type.clone(),
            content_headers: object
                .content_headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            metadata: object.metadata.clone(),
        }
    }

    /// The same for the same file, target and endpoint.
    fn file_name(&self) -> String {
        let mut hash = Sha256::new();
        for text in [self.endpoint.as_bytes(), self.target.as_bytes(), self.file.as_os_str().as_encoded_bytes()] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        format!("{}.upload", hex::encode(&hash.finalize()[..16]))
    }
}

impl Journal {
    /// Opens the journal of an upload, and reads what an earlier run left in it. Without a directory it remembers nothing.
    pub(super) fn open(directory: Option<&Path>, begun: &Begun) -> Result<Self, ClientError> {
        let Some(directory) = directory else { return Ok(Self { open: None, left: None }) };
        let path = directory.join(begun.file_name());
        let open = || {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            let mut options = OpenOptions::new();
            let file = options.read(true).append(true).create(true).mode(0o600).open(&path)?;
            match file.try_lock() {
                Ok(()) => Ok(file),
                Err(TryLockError::WouldBlock) => Err(io::Error::other("another process uploads the same file there")),
                Err(TryLockError::Error(error)) => Err(error),
            }
        };
        let file = open().map_err(ClientError::file(&path))?;
        let left = read(&file, begun).map_err(ClientError::file(&path))?;
        Ok(Self { open: Some((path, file)), left })
    }

    /// What an earlier run left; once.
    pub(super) fn take_left(&mut self) -> Option<Left> {
        self.left.take()
    }

    /// Whether a later run finds what is written here.
    pub(super) const fn is_kept(&self) -> bool {
        self.open.is_some()
    }

    /// Notes a new upload in place of any earlier one; on the disk when this returns, so that no upload is forgotten.
    pub(super) fn begin(&mut self, begun: &Begun, upload_id: &str) -> Result<(), ClientError> {
        let Some((path, file)) = &mut self.open else { return Ok(()) };
        let line = FirstLine { begun: begun.clone(), upload_id: upload_id.to_owned() };
        file.set_len(0).and_then(|()| write_line(file, &line)).map_err(ClientError::file(path.as_path()))
    }

    /// Notes a part that the server has.
    pub(super) fn add(&mut self, part: &Part) -> Result<(), ClientError> {
        let Some((path, file)) = &mut self.open else { return Ok(()) };
        write_line(file, part).map_err(ClientError::file(path.as_path()))
    }

    /// Forgets the upload.
    pub(super) fn remove(self) -> Result<(), ClientError> {
        let Some((path, _locked)) = self.open else { return Ok(()) };
        std::fs::remove_file(&path).map_err(ClientError::file(path))
    }
}

fn write_line(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_data()
}

fn read(file: &File, begun: &Begun) -> io::Result<Option<Left>> {
    let mut reader = BufReader::new(file.take(LEN_MAX));
    reader.get_mut().get_mut().rewind()?;
    let mut lines = Vec::new();
    for line in reader.split(b'\n') {
        lines.push(line?);
    }
    let Some(first) = lines.first().and_then(|line| serde_json::from_slice::<FirstLine>(line).ok()) else {
        return Ok(None);
    };
    let parts = lines[1..].iter().filter_map(|line| serde_json::from_slice::<Part>(line).ok());
    let parts = parts.filter(|part| part.number > 0).collect();
    let (same, part_size) = (first.begun == *begun, first.begun.part_size);
    Ok(Some(Left { id: first.upload_id, same, part_size, parts }))
}

/// A journal of 10,000 parts is about 2 MiB.
const LEN_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(size: u64) -> Begun {
        Begun {
            endpoint: "https://h".into(),
            target: "s3://b/k".into(),
            file: "/f".into(),
            size,
            modified: (1, 2),
            part_size: 5,
            checksum: None,
            encryption: "customer key".into(),
            content_type: None,
            content_headers: Vec::new(),
            metadata: Vec::new(),
        }
    }

    fn part(number: u16) -> Part {
        Part { number, size: 5, etag: "\"e\"".into(), checksum: Some("AA==".into()) }
    }

    #[test]
    fn what_was_noted_is_found_and_a_cut_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("journals");
        let mut journal = Journal::open(Some(&directory), &begun(9)).unwrap();
        assert!(journal.take_left().is_none());
        journal.begin(&begun(9), "old").unwrap();
        journal.begin(&begun(9), "id").unwrap();
        journal.add(&part(2)).unwrap();
        journal.open.as_mut().unwrap().1.write_all(b"{\"number\":1,\"si").unwrap();
        assert!(Journal::open(Some(&directory), &begun(9)).is_err(), "locked");
        drop(journal);
        let left = Journal::open(Some(&directory), &begun(9)).unwrap().take_left().unwrap();
        assert_eq!((left.id.as_str(), left.same, left.parts), ("id", true, vec![part(2)]));
        let mut changed = Journal::open(Some(&directory), &begun(10)).unwrap();
        assert!(!changed.take_left().unwrap().same, "the file has another size");
        changed.remove().unwrap();
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    }

    #[test]
    fn an_upload_that_began_with_other_headers_does_not_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("f");
        File::create(&source).unwrap().write_all(b"data").unwrap();
        let source = SourceFile::open(&source).unwrap();
        let of = |kind: Option<&str>, encoding: Option<&str>, plan: &str| {
            let object = NewObject {
                address: "s3://b/k".parse().unwrap(),
                encryption: Encryption::Unspecified,
                content_type: kind.map(str::to_owned),
                content_headers: encoding.map(|value| ("content-encoding", value.to_owned())).into_iter().collect(),
                metadata: vec![("plan".to_owned(), plan.to_owned())],
            };
            Begun::new(&source, "https://h", &object, 5, None)
        };
        let same = |now: &Begun| Journal::open(Some(dir.path()), now).unwrap().take_left().unwrap().same;
        let first = of(Some("text/csv"), Some("gzip"), "a");
        Journal::open(Some(dir.path()), &first).unwrap().begin(&first, "id").unwrap();
        assert!(same(&first));
        for other in
            [of(None, Some("gzip"), "a"), of(Some("text/csv"), None, "a"), of(Some("text/csv"), Some("gzip"), "b")]
        {
            assert!(!same(&other), "{other:?}");
        }
    }

    #[test]
    fn without_a_directory_nothing_is_remembered() {
        let mut journal = Journal::open(None, &begun(9)).unwrap();
        journal.begin(&begun(9), "id").unwrap();
        journal.add(&part(1)).unwrap();
        assert!(!journal.is_kept() && journal.take_left().is_none());
        journal.remove().unwrap();
    }
}
