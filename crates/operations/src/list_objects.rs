use model::{ETag, Timestamp};
use policy::Action;

use crate::authorize::Granted;
use crate::encryption::{EncryptionMode, mode_of};
use crate::error::Fault;
use crate::objects::Objects;
use crate::records::{ObjectRecord, tables};
use crate::walk::{Line, Route, Walk};

/// A question for one page of objects.
#[derive(Debug, Clone, Default)]
pub struct ListObjects {
    /// Only object keys that begin so; may be empty.
    pub prefix: String,
    /// Object keys are rolled up to their first occurrence of this behind the prefix; empty for none.
    pub delimiter: String,
    /// Only what comes behind this, an object key or a common prefix; empty for the beginning.
    pub after: String,
    /// At most this many objects and common prefixes together.
    pub limit: usize,
}

/// An object in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its object key.
    pub object: String,
    /// Its tag.
    pub etag: ETag,
    /// When it was written.
    pub last_modified: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Who holds its key.
    pub encryption: EncryptionMode,
}

/// A page of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectsPage {
    /// The objects, by object key.
    pub objects: Vec<ListedObject>,
    /// The common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// When more follows: the last object key or common prefix of this page.
    pub next: Option<String>,
}

impl Objects {
    /// One page of the objects of a bucket, in the order of their keys' bytes.
    ///
    /// A common prefix is stepped over, so that a page costs what it shows.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn list_objects(&self, granted: &Granted, list: &ListObjects) -> Result<ObjectsPage, Fault> {
        let bucket = granted.bucket(Action::ListBucket)?;
        let sealer = self.digest_sealer(bucket);
        let route = Route {
            scope: bucket.scope(),
            table: tables::OBJECTS,
            prefix: &list.prefix,
            delimiter: &list.delimiter,
            after: &list.after,
            after_suffix: None,
            limit: list.limit,
        };
        let mut walk = Walk::new(&self.records, route);
        let mut page = ObjectsPage::default();
        while let Some(line) = walk.next().await? {
            if page.objects.len() + page.common_prefixes.len() == list.limit {
                page.next = last_of(&page);
                break;
            }
            match line {
                Line::CommonPrefix(prefix) => page.common_prefixes.push(prefix),
                Line::Record(object, entry) => {
                    let record = self.records.open_entry(bucket.scope(), tables::OBJECTS, &entry)?;
                    let record = ObjectRecord::decode(record)?;
                    page.objects.push(ListedObject {
                        object,
                        etag: record.etag.open(&sealer)?,
                        last_modified: record.last_modified,
                        size: record.size,
                        encryption: mode_of(&record.wrap),
                    });
                }
            }
        }
        Ok(page)
    }
}

fn last_of(page: &ObjectsPage) -> Option<String> {
    let object = page.objects.last().map(|object| object.object.as_str());
    let prefix = page.common_prefixes.last().map(String::as_str);
    object.max(prefix).map(str::to_owned)
}
