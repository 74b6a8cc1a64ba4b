//! A completion asked for again. A client whose first answer was lost cannot know that it succeeded; SDKs then repeat
//! the request, and AWS answers it as it did the first time.
//!
//! An upload's id is the version that it becomes, so the object itself tells, as long as it is current. Once it was
//! replaced or deleted, the upload does not exist.

use model::{ETag, ObjectKey, UploadId};

use crate::authorize::Granted;
use crate::buckets::Bucket;
use crate::checksum::StoredChecksum;
use crate::complete_multipart_upload::{CompleteError, CompleteMultipartUpload, multipart_etag};
use crate::encryption::{EncryptionMode, RequestedEncryption, RequestedKms, mode_of, unlock};
use crate::error::{BadChecksum, Fault, NoSuchUpload};
use crate::objects::identity;
use crate::put_object::PutObjectOutput;
use crate::records::{ObjectMetadata, ObjectRecord};
use crate::uploads::{UploadFacts, Uploads};

impl Uploads {
    /// What a policy may know of an upload that became the current object. Nothing more is written for it, so what
    /// policies demand of writes has been met; the object has the mode and the KMS key that were asked for. It does not
    /// tell whether `AES256` came beside its customer key: it counts as if it did, as the strictest of policies ask.
    pub(crate) async fn facts_of_completed(
        &self,
        bucket: &Bucket,
        object: &ObjectKey,
        upload: UploadId,
    ) -> Result<Option<UploadFacts>, Fault> {
        let current = self.objects.current(&bucket.partition(object)).await?;
        let Some(current) = current.filter(|current| current.record.version.as_bytes() == upload.as_bytes()) else {
            return Ok(None);
        };
        let encryption = mode_of(&current.record.wrap);
        let requested = RequestedEncryption {
            server_header: matches!(encryption, EncryptionMode::Server | EncryptionMode::Customer),
            customer_header: encryption == EncryptionMode::Customer,
            kms: match &encryption {
                EncryptionMode::Kms(facts) => Some(RequestedKms { key_id: Some(facts.kms_key.to_string()) }),
                EncryptionMode::Server | EncryptionMode::Customer => None,
            },
        };
        Ok(Some(UploadFacts { requested, encryption }))
    }

    /// What the completion answered, if the upload became the current object out of the same parts.
    pub(crate) async fn completed_before(
        &self,
        granted: &Granted,
        bucket: &Bucket,
        object: &ObjectKey,
        complete: &CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, CompleteError> {
        let current = self.objects.current(&bucket.partition(object)).await?.ok_or(NoSuchUpload)?;
        let record = current.record;
        if record.version.as_bytes() != complete.upload.as_bytes() {
            return Err(NoSuchUpload.into());
        }
        let etag = self.objects.open_etag(bucket, &record)?;
        let tags: Option<Vec<ETag>> = complete.parts.iter().map(|part| part.etag.clone()).collect();
        if tags.is_none_or(|tags| multipart_etag(&tags) != etag) {
            return Err(NoSuchUpload.into());
        }
        let checksum = self.checksum_of_completed(granted, bucket, object, &record, complete).await?;
        let encryption = mode_of(&record.wrap);
        Ok(PutObjectOutput { etag, last_modified: record.last_modified, checksum, encryption, size: record.size })
    }

    /// It is sealed; without the customer key it is left out, and an upload that has none can be completed so.
    async fn checksum_of_completed(
        &self,
        granted: &Granted,
        bucket: &Bucket,
        object: &ObjectKey,
        record: &ObjectRecord,
        complete: &CompleteMultipartUpload,
    ) -> Result<Option<StoredChecksum>, CompleteError> {
        let customer_key = complete.customer_key.as_ref();
        if mode_of(&record.wrap) == EncryptionMode::Customer && customer_key.is_none() {
            return Ok(None);
        }
        let identity = identity(bucket, object, record.version);
        let unlocked = unlock(self.keys(), &record.wrap, customer_key, &identity, granted.requester(bucket)).await?;
        let opened = unlocked.open_metadata(&record.sealed_metadata).map_err(Fault::from)?;
        let metadata = ObjectMetadata::decode(&opened).map_err(Fault::from)?;
        let stored = metadata.checksums.into_iter().next();
        if let (Some((algorithm, claimed)), Some(stored)) = (&complete.checksum, &stored)
            && (*algorithm != stored.algorithm || *claimed != stored.value)
        {
            return Err(BadChecksum(algorithm.name()).into());
        }
        Ok(stored)
    }
}
