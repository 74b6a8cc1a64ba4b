use model::{ETag, Timestamp};
use policy::Action;
use storage::{Entry, Scan, Start};

use crate::authorize::Granted;
use crate::buckets::Bucket;
use crate::encryption::{EncryptionMode, mode_of};
use crate::error::Fault;
use crate::objects::Objects;
use crate::records::{ObjectRecord, tables};

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
    /// A common prefix is stepped over by seeking behind it, so that a page costs what it shows.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn list_objects(&self, granted: &Granted, list: &ListObjects) -> Result<ObjectsPage, Fault> {
        let bucket = granted.bucket(Action::ListBucket)?;
        if list.limit == 0 || is_behind(&list.after, &list.prefix) {
            return Ok(ObjectsPage::default());
        }
        let sealer = self.digest_sealer(bucket);
        let mut page = PageBuilder { list, page: ObjectsPage::default() };
        let mut start = first_start(list);
        loop {
            // One more than the page holds, to know whether anything follows.
            let limit = list.limit.saturating_add(1).saturating_sub(page.len()).min(SCAN_LEN_MAX);
            let entries = self.scan_objects(bucket, &list.prefix, start, limit).await?;
            let exhausted = entries.len() < limit;
            let mut last = None;
            for entry in &entries {
                let object = object_key(entry)?;
                if page.is_covered(object) {
                    last = Some(object);
                    continue;
                }
                if page.len() == list.limit {
                    return Ok(page.truncated());
                }
                match common_prefix(object, list) {
                    Some(prefix) => page.page.common_prefixes.push(prefix.to_owned()),
                    None => {
                        let payload = self.records.open_entry(bucket.scope(), tables::OBJECTS, entry)?;
                        let record = ObjectRecord::decode(payload)?;
                        page.page.objects.push(ListedObject {
                            object: object.to_owned(),
                            etag: record.etag.open(&sealer, record.version.as_bytes())?,
                            last_modified: record.last_modified,
                            size: record.size,
                            encryption: mode_of(&record.wrapped.holder()),
                        });
                    }
                }
                last = Some(object);
            }
            match last {
                Some(last) if !exhausted => start = next_start(page.covering(last), last),
                _ => return Ok(page.page),
            }
        }
    }

    async fn scan_objects(
        &self,
        bucket: &Bucket,
        prefix: &str,
        start: Start,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let end = successor(prefix.as_bytes());
        self.records.scan(Scan { scope: bucket.scope(), table: tables::OBJECTS, start, end, limit }).await
    }
}

struct PageBuilder<'a> {
    list: &'a ListObjects,
    page: ObjectsPage,
}

impl PageBuilder<'_> {
    fn len(&self) -> usize {
        self.page.objects.len() + self.page.common_prefixes.len()
    }

    /// The common prefix that already stands for this object key: the page's last, or that of `after`.
    fn covering(&self, object: &str) -> Option<&str> {
        let after = Some(self.list.after.as_str()).filter(|after| is_common_prefix(after, self.list));
        let last = self.page.common_prefixes.last().map(String::as_str);
        last.into_iter().chain(after).find(|prefix| object.starts_with(prefix))
    }

    fn is_covered(&self, object: &str) -> bool {
        self.covering(object).is_some()
    }

    fn truncated(mut self) -> ObjectsPage {
        let object = self.page.objects.last().map(|o| o.object.as_str());
        let prefix = self.page.common_prefixes.last().map(String::as_str);
        self.page.next = object.max(prefix).map(str::to_owned);
        self.page
    }
}

fn first_start(list: &ListObjects) -> Start {
    if list.after.as_bytes() < list.prefix.as_bytes() || list.after.is_empty() {
        return Start::AtPartition(list.prefix.clone().into_bytes());
    }
    if is_common_prefix(&list.after, list)
        && let Some(behind) = successor(list.after.as_bytes())
    {
        return Start::AtPartition(behind);
    }
    Start::AfterPartition(list.after.clone().into_bytes())
}

fn next_start(covering: Option<&str>, last: &str) -> Start {
    match covering.and_then(|prefix| successor(prefix.as_bytes())) {
        Some(behind) => Start::AtPartition(behind),
        None => Start::AfterPartition(last.as_bytes().to_vec()),
    }
}

fn common_prefix<'a>(object: &'a str, list: &ListObjects) -> Option<&'a str> {
    if list.delimiter.is_empty() {
        return None;
    }
    let rest = object.get(list.prefix.len()..)?;
    let at = rest.find(&list.delimiter)?;
    object.get(..list.prefix.len() + at + list.delimiter.len())
}

fn is_common_prefix(text: &str, list: &ListObjects) -> bool {
    text.starts_with(&list.prefix) && common_prefix(text, list) == Some(text)
}

fn object_key(entry: &Entry) -> Result<&str, Fault> {
    let damaged = crate::error::StoredDataDamaged("an object key is not UTF-8");
    std::str::from_utf8(&entry.partition).map_err(|_| damaged.into())
}

/// Whether `after` lies behind everything that begins with `prefix`: then a scan would begin behind its end.
pub(crate) fn is_behind(after: &str, prefix: &str) -> bool {
    after.as_bytes() > prefix.as_bytes() && !after.starts_with(prefix)
}

/// The first bytes behind everything that begins with `prefix`; `None` when nothing can come behind.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}

/// The API never asks for more (AWS: `ListObjectsV2`, `max-keys`).
const SCAN_LEN_MAX: usize = 1001;
