//! The files of a log: `audit-00000001.jsonl` and so on, each begun where the one before ended.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::entry::{self, Head, LINE_LEN_MAX};

/// Where the files are, and how much of them is kept.
#[derive(Debug, Clone)]
pub struct AuditFiles {
    /// The directory; created, readable by its owner only, if it is not there.
    pub directory: PathBuf,
    /// A file that is as long as this, in bytes, is followed by a new one.
    pub file_len_max: u64,
    /// How many files are kept; the oldest goes when there are more. At least 2.
    pub files_max: usize,
}

/// The audit log cannot be opened or read.
#[derive(Debug, thiserror::Error)]
#[error("the audit log {}: {source}", path.display())]
pub struct AuditLogError {
    /// The file or directory.
    pub path: PathBuf,
    /// What went wrong.
    pub source: io::Error,
}

/// How a log ends, as it is found at a start.
pub(crate) struct End {
    pub(crate) head: Head,
    /// The last file, cut to its whole lines, if it can be gone on with.
    pub(crate) open: Option<(u64, File, u64)>,
    /// The number of the next file.
    pub(crate) next: u64,
    /// Bytes of a torn line that were cut off.
    pub(crate) torn: u64,
}

impl AuditFiles {
    /// Finds the end of the log, and cuts off a line that a crash tore.
    pub(crate) fn find_end(&self) -> Result<End, AuditLogError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.directory).map_err(at(&self.directory))?;
        let numbers = numbers(&self.directory)?;
        let next = numbers.last().map_or(1, |last| last + 1);
        let mut end = End { head: Head::NONE, open: None, next, torn: 0 };
        // A crash may have left a file without a whole line; the chain then goes on from the one before.
        for (index, number) in numbers.iter().rev().enumerate() {
            let path = path(&self.directory, *number);
            let mut file = OpenOptions::new().read(true).append(true).open(&path).map_err(at(&path))?;
            let (head, whole) = last_line(&mut file).map_err(at(&path))?;
            let len = file.metadata().map_err(at(&path))?.len();
            if index == 0 && whole < len {
                end.torn = len - whole;
                file.set_len(whole).and_then(|()| file.sync_all()).map_err(at(&path))?;
            }
            if let Some(head) = head {
                end.head = head;
                end.open = (index == 0).then_some((*number, file, whole));
                break;
            }
        }
        Ok(end)
    }

    /// Begins a file. One without a byte may be there: an attempt that failed left it.
    pub(crate) fn create(&self, number: u64) -> Result<File, AuditLogError> {
        let path = path(&self.directory, number);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(at(&path))?;
        if file.metadata().map_err(at(&path))?.len() > 0 {
            return Err(at(&path)(io::ErrorKind::AlreadyExists.into()));
        }
        self.sync_directory()?;
        Ok(file)
    }

    /// Removes the oldest files beyond the limit.
    pub(crate) fn prune(&self) -> Result<(), AuditLogError> {
        let numbers = numbers(&self.directory)?;
        let surplus = numbers.len().saturating_sub(self.files_max.max(2));
        for number in &numbers[..surplus] {
            let path = path(&self.directory, *number);
            std::fs::remove_file(&path).map_err(at(&path))?;
        }
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), AuditLogError> {
        File::open(&self.directory).and_then(|dir| dir.sync_all()).map_err(at(&self.directory))
    }
}

/// The numbers of the files, rising.
pub(crate) fn numbers(directory: &Path) -> Result<Vec<u64>, AuditLogError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(at(directory))? {
        let name = entry.map_err(at(directory))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".jsonl"));
        numbers.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("audit-{number:08}.jsonl"))
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> AuditLogError {
    |source| AuditLogError { path: path.to_owned(), source }
}

/// The last whole line, and where the whole lines end.
fn last_line(file: &mut File) -> io::Result<(Option<Head>, u64)> {
    let len = file.metadata()?.len();
    // The last line and a torn one behind it.
    let window = len.min(2 * LINE_LEN_MAX as u64);
    file.seek(SeekFrom::Start(len - window))?;
    let mut tail = Vec::new();
    file.take(window).read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else { return Ok((None, len - window)) };
    let start = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let whole = len - (tail.len() - end - 1) as u64;
    Ok((entry::parse(&tail[start..end]).map(|line| line.head), whole))
}
