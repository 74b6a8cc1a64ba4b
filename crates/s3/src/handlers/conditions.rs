//! Conditional headers. They are read from the request itself: s3s takes one tag where HTTP allows a list.

use http::{HeaderMap, HeaderName, header};
use model::{ETag, Timestamp};
use operations::{IfRange, ReadConditions, TagMatch, WriteConditions};
use s3s::{S3Error, S3ErrorCode, S3Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

pub(super) fn read_conditions(headers: &HeaderMap) -> ReadConditions {
    conditions_from(
        headers,
        &[header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE],
    )
}

pub(super) fn copy_source_conditions(headers: &HeaderMap) -> ReadConditions {
    conditions_from(
        headers,
        &[
            HeaderName::from_static("x-amz-copy-source-if-match"),
            HeaderName::from_static("x-amz-copy-source-if-none-match"),
            HeaderName::from_static("x-amz-copy-source-if-modified-since"),
            HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
        ],
    )
}

fn conditions_from(headers: &HeaderMap, names: &[HeaderName; 4]) -> ReadConditions {
    let [if_match, if_none_match, if_modified_since, if_unmodified_since] = names;
    ReadConditions {
        if_match: tags(headers, if_match),
        if_none_match: tags(headers, if_none_match),
        if_modified_since: date(headers, if_modified_since),
        if_unmodified_since: date(headers, if_unmodified_since),
    }
}

/// `If-Range` (RFC 9110 section 13.1.5): the range counts only for the object that the client has a piece of already. A
/// weak tag names none.
pub(super) fn if_range(headers: &HeaderMap) -> Option<IfRange> {
    let text = headers.get(header::IF_RANGE)?.to_str().unwrap_or_default().trim();
    if text.starts_with('"') {
        return Some(ETag::parse(text).map_or(IfRange::Nothing, IfRange::Tag));
    }
    Some(date(headers, &header::IF_RANGE).map_or(IfRange::Nothing, IfRange::Date))
}

/// AWS: `PutObject` takes `If-None-Match: *` only, and `If-Match` with a tag.
pub(super) fn write_conditions(headers: &HeaderMap) -> S3Result<WriteConditions> {
    let if_none_match = match tags(headers, &header::IF_NONE_MATCH) {
        None => false,
        Some(TagMatch::Any) => true,
        Some(TagMatch::Tags(_)) => {
            return Err(S3Error::with_message(
                S3ErrorCode::NotImplemented,
                "A header you provided implies functionality that is not implemented: If-None-Match with a tag",
            ));
        }
    };
    Ok(WriteConditions { if_match: tags(headers, &header::IF_MATCH), if_none_match })
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<TagMatch> {
    let mut found = None;
    for value in headers.get_all(name) {
        let text = String::from_utf8_lossy(value.as_bytes());
        if text.trim() == "*" {
            return Some(TagMatch::Any);
        }
        let tags = text.split(',').map(str::trim).map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
        found.get_or_insert_with(Vec::new).extend(tags.filter_map(ETag::parse));
    }
    found.map(TagMatch::Tags)
}

/// A date that is none is ignored (RFC 9110 section 13.1.3).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    let date = OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok()?;
    let seconds = u64::try_from(date.unix_timestamp()).ok()?;
    seconds.checked_mul(1000).map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn lists_of_tags_and_dates_are_read() {
        let mut headers = HeaderMap::new();
        let tag = "d41d8cd98f00b204e9800998ecf8427e";
        headers.insert(header::IF_MATCH, HeaderValue::from_str(&format!("\"x\", W/\"{tag}\"")).unwrap());
        headers.insert(header::IF_MODIFIED_SINCE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        let conditions = read_conditions(&headers);
        assert_eq!(conditions.if_match, Some(TagMatch::Tags(vec![ETag::parse(tag).unwrap()])));
        assert_eq!(conditions.if_modified_since, Some(Timestamp::from_millis(784_111_777_000)));
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        assert!(write_conditions(&headers).unwrap().if_none_match);
    }
}
