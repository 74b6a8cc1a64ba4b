//! Objects: their records, their metadata, their bodies.

use envelope::{METADATA_OVERHEAD, ObjectIdentity, PartEntry, TAG_LEN, UnlockedObject};
use kms::{KeyServiceError, Requester, StoredWrap};
use model::{ObjectKey, VersionId};
use storage::{Entry, Partition};

use super::bytes::{Looked, Place};
use super::ciphertext::giveaway;
use super::report::{ObjectVerdict, Problem, Proof};
use super::rows::{Rows, payload_of};
use super::{Run, WalkedBucket};
use crate::error::Fault;
use crate::held_by::HeldBy;
use crate::records::{BodyPlace, ObjectMetadata, ObjectRecord, PartsRecord, StoredETag, sole, tables};

/// What is being looked at: an object, or an upload that is to become one.
pub(super) struct Subject<'a> {
    pub(super) bucket: &'a WalkedBucket,
    pub(super) partition: Partition,
    pub(super) verdict: ObjectVerdict,
}

impl<'a> Subject<'a> {
    pub(super) fn new(bucket: &'a WalkedBucket, entry: &Entry, upload: Option<String>) -> Self {
        let verdict = ObjectVerdict {
            bucket: bucket.shown.clone(),
            object_key: String::from_utf8_lossy(&entry.partition).into_owned(),
            upload,
            held_by: None,
            is_record_authentic: false,
            bytes: 0,
            chunks: 0,
            proof: Proof::LengthsOnly,
            findings: 0,
        };
        Self { bucket, partition: Partition::new(bucket.scope(), entry.partition.clone()), verdict }
    }
}

impl Run<'_> {
    pub(super) async fn objects(&mut self, bucket: &WalkedBucket) -> Result<(), Fault> {
        let records = self.records.clone();
        let mut rows = Rows::within(&records, bucket.scope(), tables::OBJECTS, &self.selection.prefix);
        while let Some(page) = rows.next().await? {
            for entry in page {
                let before = self.summary.findings;
                let mut subject = Subject::new(bucket, &entry, None);
                self.object(&mut subject, &entry).await?;
                self.summary.objects += 1;
                self.close(subject.verdict, before);
            }
        }
        Ok(())
    }

    async fn object(&mut self, subject: &mut Subject<'_>, entry: &Entry) -> Result<(), Fault> {
        let checked = self.records.check(&subject.partition, &sole(tables::OBJECTS), entry.value.clone());
        subject.verdict.is_record_authentic = checked.is_ok();
        if checked.is_err() {
            self.tell_of(subject, "object record", Problem::NotAuthentic);
        }
        let record = match ObjectRecord::decode(payload_of(&entry.value)) {
            Ok(record) => record,
            Err(error) => {
                self.tell_of(subject, "object record", Problem::Unreadable(error.to_string()));
                return Ok(());
            }
        };
        let key = self.unlock(subject, &record.wrap, record.version).await;
        self.etag(subject, "ETag", &record.etag);
        let is_object_metadata = |plain: &[u8]| ObjectMetadata::decode(plain).is_ok();
        self.sealed_field(subject, "metadata", &record.sealed_metadata, key.as_ref(), is_object_metadata);
        let parts_len = match &record.body {
            BodyPlace::Inline(entry) => {
                let raw = self.records.get_raw(&subject.partition, &ObjectRecord::inline_key(record.version)).await?;
                match raw {
                    Some(raw) => self.part_of(subject, entry, Place::Inline(raw), key.as_ref()).await,
                    None => self.tell_of(subject, "inline body", Problem::Missing("there is no such record".into())),
                }
                Some(entry.length)
            }
            BodyPlace::Blob(entry, blob) => {
                self.part_of(subject, entry, Place::Blob(*blob), key.as_ref()).await;
                Some(entry.length)
            }
            BodyPlace::Parts => self.parts(subject, &record, key.as_ref()).await?,
        };
        if let Some(parts) = parts_len.filter(|parts| *parts != record.size) {
            self.tell_of(subject, "object record", Problem::Size { parts, object: record.size });
        }
        Ok(())
    }

    /// The parts of an object; gives the sum of their lengths.
    async fn parts(
        &mut self,
        subject: &mut Subject<'_>,
        record: &ObjectRecord,
        key: Option<&UnlockedObject>,
    ) -> Result<Option<u64>, Fault> {
        let parts_key = ObjectRecord::parts_key(record.version);
        let Some(raw) = self.records.get_raw(&subject.partition, &parts_key).await? else {
            self.tell_of(subject, "parts record", Problem::Missing("there is no such record".into()));
            return Ok(None);
        };
        if self.records.check(&subject.partition, &parts_key, raw.clone()).is_err() {
            subject.verdict.is_record_authentic = false;
            self.tell_of(subject, "parts record", Problem::NotAuthentic);
        }
        let parts = match PartsRecord::decode(payload_of(&raw)) {
            Ok(parts) => parts,
            Err(error) => {
                self.tell_of(subject, "parts record", Problem::Unreadable(error.to_string()));
                return Ok(None);
            }
        };
        if key.is_some_and(|key| key.verify_manifest(&parts.manifest).is_err()) {
            self.tell_of(subject, "manifest", Problem::NotAuthentic);
        }
        for (entry, blob) in parts.manifest.entries().iter().zip(&parts.blobs) {
            self.part_of(subject, entry, Place::Blob(*blob), key).await;
        }
        Ok(Some(parts.manifest.total_len()))
    }

    /// Looks at one part, and tells what is wrong with it.
    pub(super) async fn part_of(
        &mut self,
        subject: &mut Subject<'_>,
        entry: &PartEntry,
        place: Place,
        key: Option<&UnlockedObject>,
    ) {
        let Looked { bytes, chunks, problems } = self.part(entry, place, key).await;
        subject.verdict.bytes += bytes;
        subject.verdict.chunks += chunks;
        for problem in problems {
            self.tell_of(subject, &format!("part {}", entry.number.get()), problem);
        }
    }

    /// The object's key, where the server holds it and it opens. A record that is not true is not believed so far.
    pub(super) async fn unlock(
        &mut self,
        subject: &mut Subject<'_>,
        wrap: &StoredWrap,
        version: VersionId,
    ) -> Option<UnlockedObject> {
        let held_by = HeldBy::of(wrap);
        subject.verdict.held_by = Some(held_by.clone());
        let without_key = if self.selection.quick { Proof::LengthsOnly } else { Proof::LooksSealed };
        subject.verdict.proof = without_key;
        if held_by == HeldBy::Customer || !subject.verdict.is_record_authentic {
            return None;
        }
        let object = ObjectKey::parse(subject.verdict.object_key.clone()).ok();
        let (Some(object), Some(bucket)) = (object, subject.bucket.name.as_ref()) else {
            self.tell_of(
                subject,
                "object record",
                Problem::Unreadable("its place has a name that none can have".into()),
            );
            return None;
        };
        if let Some(why) = wrap.kms.as_ref().and_then(|kms| self.given_up.get(&kms.kms_key)) {
            let problem = Problem::KeyNotAtHand(why.clone());
            self.tell_of(subject, "object record", problem);
            return None;
        }
        let identity = ObjectIdentity { bucket: subject.bucket.id, object: &object, version };
        let requester = Requester { principal: &self.at_rest.principal, bucket };
        match self.at_rest.keys.unwrap(wrap, &identity, requester).await {
            Ok(data_key) => {
                subject.verdict.proof = if self.selection.quick { Proof::LengthsOnly } else { Proof::Authenticated };
                Some(UnlockedObject::new(data_key))
            }
            Err(error) => {
                if let Some(kms) = &wrap.kms
                    && matches!(error, KeyServiceError::Unavailable(_) | KeyServiceError::Refused(_))
                {
                    self.given_up.insert(kms.kms_key.clone(), error.to_string());
                }
                let problem = match &error {
                    KeyServiceError::UnknownKey(_) | KeyServiceError::NotFound(_) | KeyServiceError::Damaged(_) => {
                        Problem::WrapDoesNotOpen(error.to_string())
                    }
                    _ => Problem::KeyNotAtHand(error.to_string()),
                };
                self.tell_of(subject, "object record", problem);
                None
            }
        }
    }

    /// A tag that stands under the store key.
    pub(super) fn etag(&mut self, subject: &Subject<'_>, what: &str, etag: &StoredETag) {
        let sealer = self.at_rest.store_key.digest_sealer(subject.bucket.id.as_bytes());
        if subject.verdict.is_record_authentic && etag.open(&sealer).is_err() {
            self.tell_of(subject, what, Problem::NotAuthentic);
        }
    }

    /// A small thing that is sealed under the object's key.
    pub(super) fn sealed_field(
        &mut self,
        subject: &Subject<'_>,
        what: &str,
        sealed: &[u8],
        key: Option<&UnlockedObject>,
        decodes: impl Fn(&[u8]) -> bool,
    ) {
        let problem = match key.map(|key| key.open_metadata(sealed)) {
            Some(Err(_)) => Some(Problem::NotAuthentic),
            Some(Ok(plain)) if !decodes(&plain) => Some(Problem::Unreadable("its layout".into())),
            Some(Ok(_)) => None,
            None if sealed.len() < METADATA_OVERHEAD => Some(Problem::Unreadable("it is cut".into())),
            None => giveaway(&sealed[..sealed.len() - TAG_LEN]).map(|giveaway| Problem::LooksLikePlaintext {
                count: 1,
                first: 0,
                giveaway,
            }),
        };
        if let Some(problem) = problem {
            self.tell_of(subject, what, problem);
        }
    }

    pub(super) fn tell_of(&mut self, subject: &Subject<'_>, what: &str, problem: Problem) {
        let what = match &subject.verdict.upload {
            Some(upload) => format!("upload {upload}: {what}"),
            None => what.to_owned(),
        };
        self.tell(Some(subject.bucket), Some(&subject.verdict.object_key), what, problem);
    }
}
