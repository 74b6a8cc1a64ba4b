use model::{Timestamp, UploadId};
use policy::Action;

use crate::authorize::Granted;
use crate::error::{Fault, StoredDataDamaged};
use crate::records::{UploadRecord, tables};
use crate::uploads::Uploads;
use crate::walk::{Line, Route, Walk};

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
    /// A common prefix is stepped over, so that a page costs what it shows.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn list(&self, granted: &Granted, list: &ListUploads) -> Result<UploadsPage, Fault> {
        let bucket = granted.bucket(Action::ListBucketMultipartUploads)?;
        let route = Route {
            scope: bucket.scope(),
            table: tables::UPLOADS,
            prefix: &list.prefix,
            delimiter: &list.delimiter,
            after: &list.after,
            after_suffix: list.after_upload.as_ref().map(|upload| upload.as_bytes().as_slice()),
            limit: list.limit,
        };
        let mut walk = Walk::new(self.records(), route);
        let mut page = UploadsPage::default();
        while let Some(line) = walk.next().await? {
            if page.uploads.len() + page.common_prefixes.len() == list.limit {
                page.next = last_of(&page);
                break;
            }
            match line {
                Line::CommonPrefix(prefix) => page.common_prefixes.push(prefix),
                Line::Record(object, entry) => {
                    let upload = entry.suffix.as_slice().try_into().map(UploadId::from_bytes);
                    let upload = upload.map_err(|_| StoredDataDamaged("an upload's name"))?;
                    let record = self.records().open_entry(bucket.scope(), tables::UPLOADS, &entry)?;
                    let begun = UploadRecord::decode(record)?.begun;
                    page.uploads.push(UploadEntry { object, upload, begun });
                }
            }
        }
        Ok(page)
    }
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
