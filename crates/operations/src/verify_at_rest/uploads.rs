//! Uploads in progress, their parts, and parts whose upload is over.

use envelope::UnlockedObject;
use model::UploadId;
use storage::{Entry, Partition};

use super::bytes::Place;
use super::objects::Subject;
use super::report::Problem;
use super::rows::{Rows, payload_of};
use super::{Run, WalkedBucket};
use crate::error::Fault;
use crate::records::{ObjectMetadata, PartChecksum, PartRecord, UploadRecord, tables};

impl Run<'_> {
    pub(super) async fn uploads(&mut self, bucket: &WalkedBucket) -> Result<(), Fault> {
        let records = self.records.clone();
        let mut rows = Rows::within(&records, bucket.scope(), tables::UPLOADS, &self.selection.prefix);
        while let Some(page) = rows.next().await? {
            for entry in page {
                let before = self.summary.findings;
                let mut subject = Subject::new(bucket, &entry, Some(hex::encode(&entry.suffix)));
                self.upload(&mut subject, &entry).await?;
                self.summary.uploads += 1;
                self.close(subject.verdict, before);
            }
        }
        self.left_parts(bucket).await
    }

    async fn upload(&mut self, subject: &mut Subject<'_>, entry: &Entry) -> Result<(), Fault> {
        let records = self.records.clone();
        subject.verdict.is_record_authentic =
            records.open_entry(subject.bucket.scope(), tables::UPLOADS, entry).is_ok();
        if !subject.verdict.is_record_authentic {
            self.tell_of(subject, "record", Problem::NotAuthentic);
        }
        let key = match UploadRecord::decode(payload_of(&entry.value)) {
            Ok(record) => {
                let key = self.unlock(subject, &record.wrap, record.version).await;
                let is_object_metadata = |plain: &[u8]| ObjectMetadata::decode(plain).is_ok();
                self.sealed_field(subject, "metadata", &record.sealed_metadata, key.as_ref(), is_object_metadata);
                key
            }
            Err(error) => {
                self.tell_of(subject, "record", Problem::Unreadable(error.to_string()));
                None
            }
        };
        let mut rows =
            Rows::behind(&records, subject.bucket.scope(), tables::UPLOADED_PARTS, &entry.partition, &entry.suffix);
        while let Some(page) = rows.next().await? {
            for part in &page {
                if part.partition != entry.partition || !part.suffix.starts_with(&entry.suffix) {
                    return Ok(());
                }
                self.uploaded_part(subject, part, key.as_ref()).await;
            }
        }
        Ok(())
    }

    /// Parts whose upload is not there any more. They can become nothing, but their bytes are there.
    async fn left_parts(&mut self, bucket: &WalkedBucket) -> Result<(), Fault> {
        let records = self.records.clone();
        let mut rows = Rows::within(&records, bucket.scope(), tables::UPLOADED_PARTS, &self.selection.prefix);
        let mut known: Option<(Vec<u8>, Vec<u8>, bool)> = None;
        while let Some(page) = rows.next().await? {
            for part in page {
                let upload = part.suffix.get(..UPLOAD_ID_LEN).unwrap_or_default().to_vec();
                let is_there = match &known {
                    Some((partition, id, is_there)) if *partition == part.partition && *id == upload => *is_there,
                    _ => self.has_upload(bucket, &part.partition, &upload).await?,
                };
                if !is_there {
                    let mut subject = Subject::new(bucket, &part, Some(hex::encode(&upload)));
                    self.uploaded_part(&mut subject, &part, None).await;
                    self.tell_of(&subject, "a part", Problem::LeftPart);
                }
                known = Some((part.partition, upload, is_there));
            }
        }
        Ok(())
    }

    async fn has_upload(&self, bucket: &WalkedBucket, partition: &[u8], upload: &[u8]) -> Result<bool, Fault> {
        let Ok(id) = <[u8; UPLOAD_ID_LEN]>::try_from(upload) else { return Ok(false) };
        let record_key = UploadRecord::record_key(UploadId::from_bytes(id));
        Ok(self.records.get_raw(&Partition::new(bucket.scope(), partition), &record_key).await?.is_some())
    }

    async fn uploaded_part(&mut self, subject: &mut Subject<'_>, entry: &Entry, key: Option<&UnlockedObject>) {
        let number = entry.suffix.get(UPLOAD_ID_LEN..).and_then(|number| number.try_into().ok());
        let what = number.map_or_else(
            || "a part without a number".to_owned(),
            |number: [u8; 2]| format!("the record of part {}", u16::from_be_bytes(number)),
        );
        let is_authentic = self.records.open_entry(subject.bucket.scope(), tables::UPLOADED_PARTS, entry).is_ok();
        if !is_authentic {
            self.tell_of(subject, &what, Problem::NotAuthentic);
        }
        let record = match PartRecord::decode(payload_of(&entry.value)) {
            Ok(record) => record,
            Err(error) => return self.tell_of(subject, &what, Problem::Unreadable(error.to_string())),
        };
        if is_authentic {
            self.etag(subject, &what, &record.etag);
        }
        if !record.sealed_checksum.is_empty() {
            let is_checksum = |plain: &[u8]| PartChecksum::decode(plain).is_ok();
            self.sealed_field(subject, &what, &record.sealed_checksum, key, is_checksum);
        }
        self.part_of(subject, &record.entry, Place::Blob(record.blob), key).await;
    }
}

const UPLOAD_ID_LEN: usize = 16;
