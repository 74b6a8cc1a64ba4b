use policy::Action;
use s3s::dto::{Bucket, ListBucketsInput, ListBucketsOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{owner, timestamp};
use super::error::s3;

/// AWS: `ListBuckets`: the caller's own, with when they were created.
pub(super) async fn list_buckets(
    handlers: &Handlers,
    request: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.service(Action::ListAllMyBuckets)?;
    let prefix = request.input.prefix.clone().unwrap_or_default();
    let after = request.input.continuation_token.clone().unwrap_or_default();
    let limit = request.input.max_buckets.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let found = handlers.operations().buckets.list(&granted).await.map_err(s3)?;
    let mut found = found.into_iter().filter(|b| b.name.as_str().starts_with(&prefix) && *b.name.as_str() > *after);
    let buckets: Vec<Bucket> = found
        .by_ref()
        .take(limit)
        .map(|bucket| Bucket {
            bucket_region: None,
            creation_date: Some(timestamp(bucket.created)),
            name: Some(bucket.name.to_string()),
        })
        .collect();
    let more = found.next().is_some();
    let continuation_token = buckets.last().filter(|_| more).and_then(|bucket| bucket.name.clone());
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token,
        owner: Some(owner(granted.principal())),
        prefix: request.input.prefix.clone(),
    }))
}
