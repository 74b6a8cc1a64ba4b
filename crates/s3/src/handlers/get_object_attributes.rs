use http::header::LAST_MODIFIED;
use http::{HeaderMap, HeaderName, HeaderValue};
use operations::{ObjectAttributes, StoredChecksum};
use policy::Action;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Handlers;
use super::answer::{checksum_fields, http_date};
use super::get_object::hide_absence;
use super::names::page_size;
use super::own::xml;
use crate::own::OwnInput;
use crate::render::element;

/// AWS: `GetObjectAttributes`: what was asked for of tag, checksum, parts, storage class and size. It takes the right to
/// read the object besides, and its customer key; the answer repeats neither key nor mode.
///
/// Parts are told for every object that was uploaded in parts. The checksums of single parts are not kept.
pub(super) async fn get_object_attributes(
    handlers: &Handlers,
    mut request: S3Request<OwnInput>,
) -> S3Result<S3Response<Body>> {
    let asking = handlers.asking(&request)?;
    let input = &request.input;
    let granted = asking.object(Action::GetObjectAttributes, &input.bucket, &input.object).await?;
    let readable = asking.object(Action::GetObject, &input.bucket, &input.object).await?;
    let wanted = Wanted::read(&request.headers)?;
    let customer_key = asking.read_key(&mut request.headers)?.customer_key;
    let objects = &handlers.operations().objects;
    let found = objects.get_object_attributes(&granted, &readable, customer_key).await;
    let attributes = found.map_err(|error| hide_absence(handlers, &readable, error))?;
    asking.note_encryption(&attributes.info.encryption);
    let mut response = xml(wanted.document(&attributes));
    let date = HeaderValue::try_from(http_date(attributes.info.last_modified));
    response.headers.insert(LAST_MODIFIED, date.expect("an HTTP date is a header value"));
    Ok(response)
}

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    tag: bool,
    checksum: bool,
    storage_class: bool,
    size: bool,
    parts: Option<PartsPage>,
}

/// Which parts.
#[derive(Debug, PartialEq, Eq)]
struct PartsPage {
    limit: usize,
    after: usize,
}

impl Wanted {
    fn read(headers: &HeaderMap) -> S3Result<Self> {
        let mut wanted = Self::default();
        let listed = headers.get_all(&ATTRIBUTES).iter().filter_map(|value| value.to_str().ok());
        let names: Vec<&str> = listed.flat_map(|list| list.split(',')).map(str::trim).collect();
        if names.iter().all(|name| name.is_empty()) {
            let message = "The x-amz-object-attributes header specifying the attributes to be retrieved is either \
                           missing or empty";
            return Err(invalid(message));
        }
        for name in names {
            match name {
                "ETag" => wanted.tag = true,
                "Checksum" => wanted.checksum = true,
                "StorageClass" => wanted.storage_class = true,
                "ObjectSize" => wanted.size = true,
                "ObjectParts" => wanted.parts = Some(PartsPage::read(headers)?),
                _ => return Err(invalid("Invalid attribute name specified.")),
            }
        }
        Ok(wanted)
    }

    /// Elements in the order of AWS's documentation.
    fn document(&self, attributes: &ObjectAttributes) -> String {
        let info = &attributes.info;
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        text.push_str("<GetObjectAttributesResponse xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        if self.tag {
            element(&mut text, "ETag", &info.etag.to_string());
        }
        if self.checksum
            && let Some(checksum) = info.metadata.checksums.first()
        {
            write_checksum(&mut text, checksum);
        }
        if let (Some(page), Some(sizes)) = (&self.parts, &attributes.parts) {
            page.write(&mut text, sizes);
        }
        if self.storage_class {
            element(&mut text, "StorageClass", "STANDARD");
        }
        if self.size {
            element(&mut text, "ObjectSize", &info.size.to_string());
        }
        text.push_str("</GetObjectAttributesResponse>");
        text
    }
}

impl PartsPage {
    fn read(headers: &HeaderMap) -> S3Result<Self> {
        let number = |name: &HeaderName| {
            let text = headers.get(name).map(|value| value.to_str().unwrap_or_default());
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            text.map(|text| text.parse::<i32>().map_err(|_| invalid(&message))).transpose()
        };
        let limit = page_size(number(&MAX_PARTS)?, "max-parts")?;
        let after = number(&PART_NUMBER_MARKER)?.unwrap_or(0);
        let after = usize::try_from(after)
            .map_err(|_| invalid("Argument part-number-marker must be an integer between 0 and 2147483647"))?;
        Ok(Self { limit, after })
    }

    fn write(&self, text: &mut String, sizes: &[u64]) {
        let rest = sizes.get(self.after..).unwrap_or_default();
        let shown = &rest[..rest.len().min(self.limit)];
        text.push_str("<ObjectParts>");
        // A page of nothing has no next one: its marker would lead to the same page for ever.
        let is_truncated = self.limit > 0 && shown.len() < rest.len();
        element(text, "IsTruncated", if is_truncated { "true" } else { "false" });
        element(text, "MaxParts", &self.limit.to_string());
        element(text, "NextPartNumberMarker", &(self.after.min(sizes.len()) + shown.len()).to_string());
        element(text, "PartNumberMarker", &self.after.to_string());
        for (index, size) in shown.iter().enumerate() {
            text.push_str("<Part>");
            element(text, "PartNumber", &(self.after + index + 1).to_string());
            element(text, "Size", &size.to_string());
            text.push_str("</Part>");
        }
        element(text, "PartsCount", &sizes.len().to_string());
        text.push_str("</ObjectParts>");
    }
}

fn write_checksum(text: &mut String, checksum: &StoredChecksum) {
    let fields = checksum_fields(Some(checksum));
    text.push_str("<Checksum>");
    for (name, value) in [
        ("ChecksumCRC32", &fields.crc32),
        ("ChecksumCRC32C", &fields.crc32c),
        ("ChecksumCRC64NVME", &fields.crc64nvme),
        ("ChecksumSHA1", &fields.sha1),
        ("ChecksumSHA256", &fields.sha256),
    ] {
        if let Some(value) = value {
            element(text, name, value);
        }
    }
    if let Some(kind) = &fields.kind {
        element(text, "ChecksumType", kind.as_str());
    }
    text.push_str("</Checksum>");
}

fn invalid(message: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message.to_owned())
}

const ATTRIBUTES: HeaderName = HeaderName::from_static("x-amz-object-attributes");
const MAX_PARTS: HeaderName = HeaderName::from_static("x-amz-max-parts");
const PART_NUMBER_MARKER: HeaderName = HeaderName::from_static("x-amz-part-number-marker");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn attributes_come_as_a_list() {
        let wanted = Wanted::read(&headers(&[("x-amz-object-attributes", "ETag, ObjectSize")])).unwrap();
        assert_eq!(wanted, Wanted { tag: true, size: true, ..Wanted::default() });
        for list in ["", " , ", "Etag", "ETag,Everything"] {
            assert!(Wanted::read(&headers(&[("x-amz-object-attributes", list)])).is_err(), "{list}");
        }
        assert!(Wanted::read(&HeaderMap::new()).is_err());
    }

    #[test]
    fn parts_come_in_pages() {
        let page = |limit, after| {
            let mut text = String::new();
            PartsPage { limit, after }.write(&mut text, &[5, 6, 7]);
            text
        };
        let part = |number, size| format!("<Part><PartNumber>{number}</PartNumber><Size>{size}</Size></Part>");
        for (limit, after, truncated, next, parts) in [
            (1000, 0, false, 3, part(1, 5) + &part(2, 6) + &part(3, 7)),
            (2, 0, true, 2, part(1, 5) + &part(2, 6)),
            (2, 2, false, 3, part(3, 7)),
            (0, 0, false, 0, String::new()),
            (1000, 3, false, 3, String::new()),
            (1000, 9, false, 3, String::new()),
        ] {
            let expected = format!(
                "<ObjectParts><IsTruncated>{truncated}</IsTruncated><MaxParts>{limit}</MaxParts>\
                 <NextPartNumberMarker>{next}</NextPartNumberMarker><PartNumberMarker>{after}</PartNumberMarker>\
                 {parts}<PartsCount>3</PartsCount></ObjectParts>"
            );
            assert_eq!(page(limit, after), expected);
        }
        for bad in ["-1", "x", "99999999999"] {
            for name in ["x-amz-max-parts", "x-amz-part-number-marker"] {
                let sent = headers(&[(name, bad)]);
                assert!(PartsPage::read(&sent).is_err(), "{name}: {bad}");
            }
        }
    }
}
