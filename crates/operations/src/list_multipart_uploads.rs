use model::{Timestamp, UploadId};
use policy::Action;
use storage::{Scan, Start};

use crate::authorize::Granted;
use crate::error::{Fault, StoredDataDamaged};
use crate::list_objects::{is_behind, successor};
use crate::records::{UploadRecord, tables};
use crate::uploads::Uploads;

/// A question for a page of uploads.
#[derive(Debug, Clone, Default)]
pub struct ListUploads {
    /// Only object keys that begin so.
    pub prefix: String,
    /// Object keys are rolled up to their first occurrence of this behind the prefix; empty for none.
    pub delimiter: String,
    /// Only what comes behind this object key.
    pub after: String,
    /// With `after`: also uploads of that very object key behind this id.
    pub after_upload: Option<UploadId>,
    /// At most this many uploads and common prefixes together.
    pub limit: usize,
}

/// An upload in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadEntry {
    /// The object key to be.
    pub object: String,
    /// The upload.
    pub upload: UploadId,
    /// When it was begun.
    pub begun: Timestamp,
}

/// A page of uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadsPage {
    /// The uploads, by object key, then id.
    pub uploads: Vec<UploadEntry>,
    /// The common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// When more follows: where the next page begins.
    pub next: Option<(String, Option<UploadId>)>,
}

impl Uploads {
    /// A page of the uploads of a bucket that are in progress.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn list(&self, granted: &Granted, list: &ListUploads) -> Result<UploadsPage, Fault> {
        let bucket = granted.bucket(Action::ListBucketMultipartUploads)?;
        let mut page = UploadsPage::default();
        if list.limit == 0 || is_behind(&list.after, &list.prefix) {
            return Ok(page);
        }
        let mut start = first_start(list);
        loop {
            let scan = Scan {
                scope: bucket.scope(),
                table: tables::UPLOADS,
                start,
                end: successor(list.prefix.as_bytes()),
                limit: PAGE,
            };
            let entries = self.records().scan(scan).await?;
            for entry in &entries {
                let damaged = StoredDataDamaged("an upload's name");
                let object = std::str::from_utf8(&entry.partition).map_err(|_| damaged.clone())?;
                let upload = entry.suffix.as_slice().try_into().map(UploadId::from_bytes).map_err(|_| damaged)?;
                let prefix = common_prefix(object, list);
                if prefix.is_some() && page.common_prefixes.last().map(String::as_str) == prefix {
                    continue;
                }
                if page.uploads.len() + page.common_prefixes.len() == list.limit {
                    page.next = last_of(&page);
                    return Ok(page);
                }
                match prefix {
                    Some(prefix) => page.common_prefixes.push(prefix.to_owned()),
                    None => {
                        let payload = self.records().open_entry(bucket.scope(), tables::UPLOADS, entry)?;
                        let begun = UploadRecord::decode(payload)?.begun;
                        page.uploads.push(UploadEntry { object: object.to_owned(), upload, begun });
                    }
                }
            }
            match entries.last() {
                Some(last) if entries.len() == PAGE => {
                    start = Start::AfterRecord(last.partition.clone(), last.suffix.clone());
                }
                _ => return Ok(page),
            }
        }
    }
}

fn first_start(list: &ListUploads) -> Start {
    if list.after.as_bytes() < list.prefix.as_bytes() || list.after.is_empty() {
        return Start::AtPartition(list.prefix.clone().into_bytes());
    }
    let after = list.after.clone().into_bytes();
    match list.after_upload {
        Some(upload) => Start::AfterRecord(after, upload.as_bytes().to_vec()),
        None => match common_prefix(&list.after, list) == Some(list.after.as_str()) {
            true => Start::AtPartition(successor(&after).unwrap_or(after)),
            false => Start::AfterPartition(after),
        },
    }
}

fn common_prefix<'a>(object: &'a str, list: &ListUploads) -> Option<&'a str> {
    if list.delimiter.is_empty() {
        return None;
    }
    let at = object.get(list.prefix.len()..)?.find(&list.delimiter)?;
    object.get(..list.prefix.len() + at + list.delimiter.len())
}

fn last_of(page: &UploadsPage) -> Option<(String, Option<UploadId>)> {
    let upload = page.uploads.last().map(|u| (u.object.clone(), Some(u.upload)));
    let prefix = page.common_prefixes.last().map(|p| (p.clone(), None));
    match (upload, prefix) {
        (Some(upload), Some(prefix)) if prefix.0 > upload.0 => Some(prefix),
        (Some(upload), _) => Some(upload),
        (None, prefix) => prefix,
    }
}

const PAGE: usize = 1000;
