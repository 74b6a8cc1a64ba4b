//! Looks at everything that is stored, and says what is not as it should be.
//!
//! For each object and each upload in progress: whether its records are the ones that were written there, whose key it
//! needs, and whether each chunk has its place and length. Where the server holds the key, each chunk, the metadata and
//! the list of parts are opened. Where it does not, chunks are tested for looking like ciphertext ([`ciphertext`] says
//! what that can show and what not). Afterwards everything else: records that no object names, and whatever the backend
//! holds that no record names, because that is where plaintext could lie.
//!
//! It reads through the two ports and changes nothing, so it can run beside a server; what is written and deleted
//! meanwhile can then be told as missing or unnamed. What it finds goes to a [`VerifySink`] at once, so that memory does
//! not depend on how much is stored.
//!
//! Deliberately absent: repair, and judging the values in records that nobody sealed (a time, an ACL): the tag of the
//! record stands for them.

mod bytes;
mod ciphertext;
mod named;
mod objects;
mod report;
mod rows;
mod unnamed;
mod uploads;

use std::collections::HashMap;
use std::sync::Arc;

use envelope::{RootKeyId, StoreKey, sealed_len};
use kms::DataKeys;
use model::{BucketId, BucketName, KmsKeyId, Principal};
use storage::{Blobs, Entry, Inventory, Metadata, Partition, RecordKey, Scope, Table};

use crate::error::Fault;
use crate::held_by::HeldBy;
use crate::records::{BucketRecord, ObjectRecord, Records, keyring_place, tables};

pub use ciphertext::Giveaway;
pub use report::{Finding, ObjectVerdict, Problem, Proof, Throttle, VerifySink};

use rows::{Rows, payload_of};

/// What a verification stands on.
pub struct AtRest {
    /// The records.
    pub metadata: Arc<dyn Metadata>,
    /// The bytes.
    pub blobs: Arc<dyn Blobs>,
    /// What the backend holds besides, where it can tell.
    pub inventory: Option<Arc<dyn Inventory>>,
    /// The keys of the server. Each use is told to their audit trail.
    pub keys: DataKeys,
    /// Authenticates the records.
    pub store_key: Arc<StoreKey>,
    /// In whose name keys are used.
    pub principal: Principal,
}

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only this bucket. What belongs to no bucket is then not looked at, nor what no record names.
    pub bucket: Option<BucketName>,
    /// Only objects whose key begins so; empty for all.
    pub prefix: String,
    /// Reads no body: lengths only.
    pub quick: bool,
}

/// How much there is to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Objects.
    pub objects: u64,
    /// Their sealed bytes, as their records say.
    pub bytes: u64,
}

/// What a verification came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifySummary {
    /// Buckets that were walked.
    pub buckets: u64,
    /// Objects.
    pub objects: u64,
    /// Uploads in progress.
    pub uploads: u64,
    /// Sealed bytes of both.
    pub bytes: u64,
    /// Objects and uploads by whose key they need.
    pub held_by: HashMap<HeldBy, u64>,
    /// Objects and uploads by what is known of their bytes.
    pub proofs: HashMap<Proof, u64>,
    /// Things that are wrong.
    pub findings: u64,
    /// Things that only deserve to be known.
    pub notes: u64,
}

/// A bucket on the walk.
pub(crate) struct WalkedBucket {
    id: BucketId,
    /// As it stands in the store, for people.
    shown: String,
    name: Option<BucketName>,
}

impl WalkedBucket {
    const fn scope(&self) -> Scope {
        Scope::bucket(self.id)
    }
}

/// A verification under way.
struct Run<'a> {
    at_rest: &'a AtRest,
    records: Records,
    selection: &'a Selection,
    throttle: &'a dyn Throttle,
    sink: &'a mut dyn VerifySink,
    summary: VerifySummary,
    /// KMS keys that the KMS did not serve for once, and why: it is not asked for them again, so that a million objects
    /// do not wait for it a million times.
    given_up: HashMap<KmsKeyId, String>,
}

impl AtRest {
    /// Counts what there is to look at, from the records alone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn measure(&self, selection: &Selection) -> Result<Extent, Fault> {
        let records = self.records();
        let mut extent = Extent::default();
        for bucket in buckets(&records, selection).await?.0 {
            let mut rows = Rows::within(&records, bucket.scope(), tables::OBJECTS, &selection.prefix);
            while let Some(page) = rows.next().await? {
                for entry in page {
                    extent.objects += 1;
                    let size = ObjectRecord::decode(payload_of(&entry.value)).map_or(0, |record| record.size);
                    extent.bytes += sealed_len(size);
                }
            }
        }
        Ok(extent)
    }

    /// Looks at everything that is selected.
    ///
    /// # Errors
    /// When the buckets cannot be listed. All else is a finding.
    pub async fn verify(
        &self,
        selection: &Selection,
        throttle: &dyn Throttle,
        sink: &mut dyn VerifySink,
    ) -> Result<VerifySummary, Fault> {
        let summary = VerifySummary::default();
        let mut run = Run {
            at_rest: self,
            records: self.records(),
            selection,
            throttle,
            sink,
            summary,
            given_up: HashMap::new(),
        };
        run.all().await?;
        Ok(run.summary)
    }

    fn records(&self) -> Records {
        Records::new(self.metadata.clone(), Arc::new(self.store_key.authenticator()))
    }
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), Fault> {
        let (buckets, unreadable) = buckets(&self.records, self.selection).await?;
        for name in unreadable {
            self.tell(None, None, format!("the record of the bucket {name}"), Problem::Unreadable("its layout".into()));
        }
        // A selected bucket's own record stands among those of the server.
        for table in all_tables().filter(|table| self.selection.bucket.is_none() || *table == tables::BUCKETS) {
            let outcome = self.frames(None, table).await;
            self.go_on(None, "records of the server", outcome);
        }
        for bucket in &buckets {
            self.summary.buckets += 1;
            let outcome = self.objects(bucket).await;
            self.go_on(Some(bucket), "objects", outcome);
            let outcome = self.uploads(bucket).await;
            self.go_on(Some(bucket), "uploads", outcome);
            let outcome = self.unnamed_records(bucket).await;
            self.go_on(Some(bucket), "bodies and lists of parts", outcome);
            for table in all_tables().filter(|table| !has_own_walk(*table)) {
                let outcome = self.frames(Some(bucket), table).await;
                self.go_on(Some(bucket), "other records", outcome);
            }
        }
        if self.selection.bucket.is_none() && self.selection.prefix.is_empty() {
            let outcome = self.unnamed_bytes(&buckets).await;
            self.go_on(None, "what the store holds", outcome);
        }
        Ok(())
    }

    /// A walk that the store cannot serve to its end is a finding like others: the next one may go through.
    fn go_on(&mut self, bucket: Option<&WalkedBucket>, walk: &str, outcome: Result<(), Fault>) {
        if let Err(error) = outcome {
            let what = format!("the walk through {walk} ends early");
            self.tell(bucket, None, what, Problem::Unreadable(error.to_string()));
        }
    }

    /// Authenticates every record of a table of which nothing else is looked at.
    async fn frames(&mut self, bucket: Option<&WalkedBucket>, table: Table) -> Result<(), Fault> {
        let scope = bucket.map_or(Scope::SYSTEM, WalkedBucket::scope);
        let prefix = if bucket.is_some() { self.selection.prefix.as_str() } else { "" };
        let records = self.records.clone();
        let mut rows = Rows::within(&records, scope, table, prefix);
        while let Some(page) = rows.next().await? {
            for entry in page {
                let name = String::from_utf8_lossy(&entry.partition).into_owned();
                if bucket.is_none() && self.selection.bucket.as_ref().is_some_and(|only| only.as_str() != name) {
                    continue;
                }
                if records.open_entry(scope, table, &entry).is_err() && !is_keyring(scope, table, &entry) {
                    let what = format!("a record of table {} ({name})", table.0);
                    self.tell(bucket, None, what, Problem::NotAuthentic);
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, bucket: Option<&WalkedBucket>, object: Option<&str>, what: String, problem: Problem) {
        if problem.is_note() {
            self.summary.notes += 1;
        } else {
            self.summary.findings += 1;
        }
        let bucket = bucket.map(|bucket| bucket.shown.clone());
        self.sink.finding(&Finding { bucket, object_key: object.map(str::to_owned), what, problem });
    }

    /// Counts an object or upload, and passes on what is known of it.
    fn close(&mut self, mut verdict: ObjectVerdict, findings_before: u64) {
        verdict.findings = self.summary.findings - findings_before;
        self.summary.bytes += verdict.bytes;
        *self.summary.proofs.entry(verdict.proof).or_default() += 1;
        if let Some(held_by) = &verdict.held_by {
            *self.summary.held_by.entry(held_by.clone()).or_default() += 1;
        }
        self.sink.object(&verdict);
        self.sink.progress(1, 0);
    }
}

/// The buckets to walk, and the names of those whose records cannot be read. Records that do not authenticate are walked
/// too: their own finding is told where their table is.
async fn buckets(records: &Records, selection: &Selection) -> Result<(Vec<WalkedBucket>, Vec<String>), Fault> {
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    let mut rows = Rows::within(records, Scope::SYSTEM, tables::BUCKETS, "");
    while let Some(page) = rows.next().await? {
        for entry in page {
            let shown = String::from_utf8_lossy(&entry.partition).into_owned();
            let name = BucketName::parse(&shown).ok();
            if selection.bucket.is_some() && selection.bucket != name {
                continue;
            }
            match BucketRecord::decode(payload_of(&entry.value)) {
                Ok(record) => readable.push(WalkedBucket { id: record.id, shown, name }),
                Err(_) => unreadable.push(shown),
            }
        }
    }
    Ok((readable, unreadable))
}

/// Whether a bucket's table has a walk of its own here, which says more than that its frames are true.
fn has_own_walk(table: Table) -> bool {
    (tables::OBJECTS..=tables::UPLOADED_PARTS).contains(&table)
}

/// Whether this is the sealed keyring of gateways that share the store. It has no frame, and its seal was verified by
/// whoever opened the keyring in order to look at the rest.
fn is_keyring(scope: Scope, table: Table, entry: &Entry) -> bool {
    let found = (Partition::new(scope, entry.partition.clone()), RecordKey::new(table, entry.suffix.clone()));
    found == keyring_place() && RootKeyId::of_keyring_file(&entry.value).is_some()
}

/// Every table that there can be: something may stand where nothing belongs.
fn all_tables() -> impl Iterator<Item = Table> {
    (0..=u8::MAX).map(Table)
}
