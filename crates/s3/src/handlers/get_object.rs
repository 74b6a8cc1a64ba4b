use envelope::CustomerKey;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use model::{ByteRange, RangeSpec};
use operations::{GetObject, Granted, ObjectInfo, ReadError};
use policy::Action;
use s3s::dto::{GetObjectInput, GetObjectOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, etag, kms_fields, server_side_encryption, timestamp};
use super::body::response_body;
use super::conditions::{if_range, read_conditions};
use super::error::{KEY_WRONG, s3};
use super::metadata::metadata_headers;
use super::names::part_number;
use crate::compatibility::WrongKeyStatus;
use crate::gateway::RangeSetAside;

/// AWS: `GetObject`.
pub(super) async fn get_object(
    handlers: &Handlers,
    mut request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::GetObject, &input.bucket, &input.key).await?;
    let read = asking.read_key(&mut request.headers)?;
    let get = wanted(&request.headers, &request.extensions, read.customer_key, input.part_number)?;
    let found = handlers.operations().objects.get_object(&granted, &get).await;
    let operations::GetObjectOutput { info, range, body } =
        found.map_err(|error| hide_absence(handlers, &granted, error))?;
    asking.note_encryption(&info.encryption);
    let length = range.as_ref().map_or(info.size, ByteRange::len);
    let mut headers = HeaderMap::new();
    metadata_headers(&info, &mut headers);
    override_headers(&request, &mut headers)?;
    let kms = kms_fields(&info.encryption);
    let wants_checksum = input.checksum_mode.is_some() && range.is_none();
    let checksum = checksum_fields(info.metadata.checksums.first().filter(|_| wants_checksum));
    let (customer_algorithm, customer_md5) = read.echo.into_fields();
    let output = GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(i64::try_from(length).unwrap_or(i64::MAX)),
        content_range: content_range(range, info.size),
        e_tag: Some(etag(&info.etag)),
        last_modified: Some(timestamp(info.last_modified)),
        parts_count: parts_count(&get, &info),
        server_side_encryption: server_side_encryption(&info.encryption),
        ssekms_key_id: kms.key_id,
        bucket_key_enabled: kms.bucket_key_enabled,
        sse_customer_algorithm: customer_algorithm,
        sse_customer_key_md5: customer_md5,
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        checksum_type: checksum.kind,
        body: Some(response_body(body, length)),
        ..GetObjectOutput::default()
    };
    Ok(S3Response::with_headers(output, headers))
}

/// Without the right to list, absent looks like forbidden (AWS: `GetObject`, "Permissions"). What a wrong key looks like
/// is a setting.
pub(super) fn hide_absence(handlers: &Handlers, granted: &Granted, error: ReadError) -> S3Error {
    match error {
        ReadError::NoSuchKey(_) if !granted.may_list() => {
            S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
        }
        ReadError::WrongKey(_) if handlers.compatibility().wrong_key_status == WrongKeyStatus::BadRequest => {
            S3Error::with_message(S3ErrorCode::InvalidRequest, KEY_WRONG)
        }
        error => s3(error),
    }
}

/// A header that is not one byte range is ignored, as RFC 9110 section 14.2 allows and AWS does.
fn range(headers: &HeaderMap, extensions: &Extensions) -> Option<RangeSpec> {
    let aside = extensions.get::<RangeSetAside>().map(|RangeSetAside(value)| value);
    RangeSpec::parse(aside.or_else(|| headers.get(header::RANGE))?.to_str().ok()?).ok()
}

/// What a GET or a HEAD asks for; a range and a part exclude each other.
pub(super) fn wanted(
    headers: &HeaderMap,
    extensions: &Extensions,
    customer_key: Option<CustomerKey>,
    part: Option<i32>,
) -> S3Result<GetObject> {
    let (conditions, range) = (read_conditions(headers), range(headers, extensions));
    let part = part.map(part_number).transpose()?;
    if range.is_some() && part.is_some() {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    Ok(GetObject { customer_key, conditions, range, if_range: if_range(headers), part })
}

/// An empty part is a range without a byte, for which the header has no form (RFC 9110 section 14.4).
pub(super) fn content_range(range: Option<ByteRange>, size: u64) -> Option<String> {
    let range = range.filter(|range| !range.is_empty())?;
    Some(format!("bytes {}-{}/{size}", range.start, range.end - 1))
}

pub(super) fn parts_count(get: &GetObject, info: &ObjectInfo) -> Option<i32> {
    get.part.and(info.parts).and_then(|parts| i32::try_from(parts).ok())
}

/// The `response-*` parameters; only a signed request may use them (AWS: `GetObject`).
fn override_headers(request: &S3Request<GetObjectInput>, headers: &mut HeaderMap) -> S3Result<()> {
    let input = &request.input;
    let expires = input.response_expires.as_ref().map(|at| {
        let mut text = Vec::new();
        let format = s3s::dto::TimestampFormat::HttpDate;
        at.format(format, &mut text).map(|()| String::from_utf8_lossy(&text).into_owned())
    });
    let expires = expires.transpose().map_err(|_| bad_override("response-expires"))?;
    let overrides = [
        (header::CONTENT_TYPE, input.response_content_type.as_deref(), "response-content-type"),
        (header::CONTENT_LANGUAGE, input.response_content_language.as_deref(), "response-content-language"),
        (header::EXPIRES, expires.as_deref(), "response-expires"),
        (header::CACHE_CONTROL, input.response_cache_control.as_deref(), "response-cache-control"),
        (header::CONTENT_DISPOSITION, input.response_content_disposition.as_deref(), "response-content-disposition"),
        (header::CONTENT_ENCODING, input.response_content_encoding.as_deref(), "response-content-encoding"),
    ];
    for (name, value, parameter) in overrides {
        let Some(value) = value else { continue };
        override_header(request, headers, name, value).map_err(|_| bad_override(parameter))?;
    }
    Ok(())
}

fn override_header(
    request: &S3Request<GetObjectInput>,
    headers: &mut HeaderMap,
    name: HeaderName,
    value: &str,
) -> Result<(), S3Error> {
    let anonymous = crate::exchange::Exchange::of(&request.extensions)?.principal().is_none_or(|p| p.arn().is_none());
    if anonymous {
        let message = "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad_override(name.as_str()))?;
    headers.insert(name, value);
    Ok(())
}

fn bad_override(parameter: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, format!("{parameter} cannot be used here or is malformed"))
}
