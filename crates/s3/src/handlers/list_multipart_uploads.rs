use model::UploadId;
use operations::ListUploads;
use policy::Action;
use s3s::dto::{
    CommonPrefix, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload, StorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{owner, timestamp};
use super::error::s3;
use super::list_objects::Encoding;
use super::names::page_size;

/// AWS: `ListMultipartUploads`.
pub(super) async fn list_multipart_uploads(
    handlers: &Handlers,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.bucket(Action::ListBucketMultipartUploads, &input.bucket).await?;
    let limit = page_size(input.max_uploads, "max-uploads")?;
    let encoding = Encoding::from_input(input.encoding_type.as_ref())?;
    let list = ListUploads {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: input.key_marker.clone().unwrap_or_default(),
        after_upload: input.upload_id_marker.as_deref().and_then(|id| UploadId::parse(id).ok()),
        limit,
    };
    let page = handlers.operations().uploads.list(&granted, &list).await.map_err(s3)?;
    let bucket_owner = granted.bucket_facts().map(|bucket| owner(&bucket.owner));
    let uploads = page.uploads.into_iter().map(|upload| MultipartUpload {
        key: Some(encoding.apply(&upload.object)),
        upload_id: Some(upload.upload.to_string()),
        initiated: Some(timestamp(upload.begun)),
        initiator: bucket_owner.clone().map(|who| Initiator { display_name: who.display_name, id: who.id }),
        owner: bucket_owner.clone(),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..MultipartUpload::default()
    });
    let common_prefixes = page.common_prefixes.iter().map(|p| CommonPrefix { prefix: Some(encoding.apply(p)) });
    let (next_object, next_upload) = match page.next {
        None => (None, None),
        Some((object, upload)) => (Some(encoding.apply(&object)), upload.map(|upload| upload.to_string())),
    };
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket.clone()),
        prefix: input.prefix.as_deref().map(|text| encoding.apply(text)),
        delimiter: input.delimiter.as_deref().map(|text| encoding.apply(text)),
        key_marker: Some(encoding.apply(input.key_marker.as_deref().unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.clone().unwrap_or_default()),
        is_truncated: Some(next_object.is_some()),
        next_key_marker: next_object,
        next_upload_id_marker: next_upload,
        max_uploads: i32::try_from(limit).ok(),
        encoding_type: input.encoding_type.clone(),
        uploads: Some(uploads.collect()),
        common_prefixes: Some(common_prefixes.collect()),
        ..ListMultipartUploadsOutput::default()
    }))
}
