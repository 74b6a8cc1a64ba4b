//! What no object names: lists of parts and inline bodies without their object, and bytes without a record.

use storage::{Entry, Held, HeldKind, Partition};

use super::bytes::Place;
use super::named::NamedBlobs;
use super::report::Problem;
use super::rows::{Rows, payload_of};
use super::{Run, WalkedBucket};
use crate::error::Fault;
use crate::records::{BodyPlace, ObjectRecord, sole, tables};

impl Run<'_> {
    /// Records that go with an object, of which there is none that names them. A deletion takes them along, so there is
    /// never one.
    pub(super) async fn unnamed_records(&mut self, bucket: &WalkedBucket) -> Result<(), Fault> {
        let records = self.records.clone();
        for table in [tables::PARTS_OF_OBJECTS, tables::BODIES] {
            let mut rows = Rows::within(&records, bucket.scope(), table, &self.selection.prefix);
            while let Some(page) = rows.next().await? {
                for entry in page {
                    let object = self.current(bucket, &entry).await?;
                    let is_named = object.is_some_and(|object| {
                        let names_table = match object.body {
                            BodyPlace::Parts => table == tables::PARTS_OF_OBJECTS,
                            BodyPlace::Inline(_) => table == tables::BODIES,
                            BodyPlace::Blob(..) => false,
                        };
                        names_table && object.version.as_bytes()[..] == entry.suffix
                    });
                    if !is_named {
                        self.unnamed_record(bucket, entry, table == tables::BODIES).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn unnamed_record(&mut self, bucket: &WalkedBucket, entry: Entry, is_body: bool) {
        let object = String::from_utf8_lossy(&entry.partition).into_owned();
        let kind = if is_body { "inline body" } else { "parts record" };
        let what = format!("{kind} of version {}", hex::encode(&entry.suffix));
        self.tell(Some(bucket), Some(&object), what.clone(), Problem::UnnamedRecord);
        if is_body {
            let length = entry.value.len() as u64;
            for problem in self.stray(Place::Inline(entry.value), length).await.problems {
                self.tell(Some(bucket), Some(&object), what.clone(), problem);
            }
        }
    }

    async fn current(&self, bucket: &WalkedBucket, entry: &Entry) -> Result<Option<ObjectRecord>, Fault> {
        let partition = Partition::new(bucket.scope(), entry.partition.clone());
        let raw = self.records.get_raw(&partition, &sole(tables::OBJECTS)).await?;
        Ok(raw.and_then(|raw| ObjectRecord::decode(payload_of(&raw)).ok()))
    }

    /// What the backend holds that no record names.
    pub(super) async fn unnamed_bytes(&mut self, buckets: &[WalkedBucket]) -> Result<(), Fault> {
        let Some(inventory) = self.at_rest.inventory.clone() else { return Ok(()) };
        let mut linked = 0;
        let mut after = None;
        loop {
            let page = inventory.held(after.as_deref(), PAGE).await?;
            for held in &page {
                match held.kind {
                    HeldKind::Linked(_) => linked += 1,
                    HeldKind::Stranger => {
                        let what = format!("the file {}", held.name);
                        self.tell(None, None, what, Problem::Stranger(held.length));
                    }
                    HeldKind::Garbage(_) | HeldKind::Unlinked(_) => self.unnamed_blob(held).await,
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.name.clone()),
                _ => break,
            }
        }
        for class in NamedBlobs::classes(linked) {
            let named = NamedBlobs::collect(&self.records, buckets, class).await?;
            let mut after = None;
            loop {
                let page = inventory.held(after.as_deref(), PAGE).await?;
                for held in page.iter().filter(|held| named.lacks(held)) {
                    self.unnamed_blob(held).await;
                }
                match page.last() {
                    Some(last) if page.len() == PAGE => after = Some(last.name.clone()),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    async fn unnamed_blob(&mut self, held: &Held) {
        let (HeldKind::Linked(id) | HeldKind::Garbage(id) | HeldKind::Unlinked(id)) = held.kind else { return };
        let mut problems = self.stray(Place::Blob(id), held.length).await.problems;
        if problems.is_empty() {
            problems.push(Problem::UnnamedBytes);
        }
        for problem in problems {
            self.tell(None, None, format!("the blob {id} ({})", held.name), problem);
        }
    }
}

/// Things that are asked for at a time.
const PAGE: usize = 1024;
