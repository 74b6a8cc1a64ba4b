use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use operations::{ListObjects, ListedObject};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use policy::Action;
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass, Owner,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{etag, owner, timestamp};
use super::error::s3;
use super::names::page_size;

/// AWS: `ListObjects`, the first version.
pub(super) async fn list_objects(
    handlers: &Handlers,
    request: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.bucket(Action::ListBucket, &input.bucket).await?;
    let limit = page_size(input.max_keys, "max-keys")?;
    let encoding = Encoding::from_input(input.encoding_type.as_ref())?;
    let list = ListObjects {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: input.marker.clone().unwrap_or_default(),
        limit,
    };
    let page = handlers.operations().objects.list_objects(&granted, &list).await.map_err(s3)?;
    let bucket_owner = granted.bucket_facts().map(|bucket| owner(&bucket.owner));
    // Without a delimiter the last object key is the next marker, and AWS leaves it out.
    let next_marker = page.next.as_deref().filter(|_| !list.delimiter.is_empty()).map(|next| encoding.apply(next));
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket.clone()),
        prefix: Some(encoding.apply(&list.prefix)),
        marker: Some(encoding.apply(&list.after)),
        delimiter: input.delimiter.as_deref().filter(|d| !d.is_empty()).map(|text| encoding.apply(text)),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(page.next.is_some()),
        next_marker,
        encoding_type: input.encoding_type.clone(),
        contents: Some(contents(page.objects, &encoding, bucket_owner.as_ref())),
        common_prefixes: Some(common_prefixes(&page.common_prefixes, &encoding)),
        ..ListObjectsOutput::default()
    }))
}

/// AWS: `ListObjectsV2`.
pub(super) async fn list_objects_v2(
    handlers: &Handlers,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.bucket(Action::ListBucket, &input.bucket).await?;
    let limit = page_size(input.max_keys, "max-keys")?;
    let encoding = Encoding::from_input(input.encoding_type.as_ref())?;
    let after = match &input.continuation_token {
        Some(token) => decode_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let list = ListObjects {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after,
        limit,
    };
    let page = handlers.operations().objects.list_objects(&granted, &list).await.map_err(s3)?;
    let bucket_owner = granted.bucket_facts().map(|bucket| owner(&bucket.owner));
    let shown_owner = bucket_owner.filter(|_| input.fetch_owner.unwrap_or(false));
    let key_count = i32::try_from(page.objects.len() + page.common_prefixes.len()).ok();
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket.clone()),
        prefix: Some(encoding.apply(&list.prefix)),
        delimiter: input.delimiter.as_deref().filter(|d| !d.is_empty()).map(|text| encoding.apply(text)),
        start_after: input.start_after.as_deref().map(|text| encoding.apply(text)),
        max_keys: i32::try_from(limit).ok(),
        key_count,
        continuation_token: input.continuation_token.clone(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(encode_token),
        encoding_type: input.encoding_type.clone(),
        contents: Some(contents(page.objects, &encoding, shown_owner.as_ref())),
        common_prefixes: Some(common_prefixes(&page.common_prefixes, &encoding)),
        ..ListObjectsV2Output::default()
    }))
}

fn contents(objects: Vec<ListedObject>, encoding: &Encoding, shown_owner: Option<&Owner>) -> Vec<Object> {
    let shown = |object: ListedObject| Object {
        e_tag: Some(etag(&object.etag)),
        key: Some(encoding.apply(&object.object)),
        last_modified: Some(timestamp(object.last_modified)),
        owner: shown_owner.cloned(),
        size: i64::try_from(object.size).ok(),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    };
    objects.into_iter().map(shown).collect()
}

fn common_prefixes(prefixes: &[String], encoding: &Encoding) -> Vec<CommonPrefix> {
    prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encoding.apply(prefix)) }).collect()
}

/// `encoding-type=url`: names that XML cannot carry come percent-encoded.
pub(super) struct Encoding {
    url: bool,
}

impl Encoding {
    pub(super) fn from_input(requested: Option<&EncodingType>) -> S3Result<Self> {
        match requested.map(EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some("url") => Ok(Self { url: true }),
            Some(_) => {
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Invalid Encoding Method specified in Request"))
            }
        }
    }

    pub(super) fn apply(&self, text: &str) -> String {
        if self.url { utf8_percent_encode(text, ESCAPED).to_string() } else { text.to_owned() }
    }
}

/// AWS leaves these as they are, `/` among them.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// A token says where the page ended; it is opaque so that nobody builds on it.
fn encode_token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

fn decode_token(token: &str) -> S3Result<String> {
    let last = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    last.filter(|last| !last.is_empty()).ok_or_else(|| {
        S3Error::with_message(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect")
    })
}
