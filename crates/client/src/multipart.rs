//! The calls of an upload in parts: create, upload, list, complete, abort. What is done with them is in `upload.rs` and
//! `copy_object.rs`.

use crate::address::Address;
use crate::body::Progress;
use crate::checksum::Checksum;
use crate::client::{Call, Client, Failed};
use crate::customer_key::{CustomerKey, Headers};
use crate::encryption::confirmed;
use crate::error::ClientError;
use crate::put_object::{NewObject, etag};
use crate::xml::{Element, escaped};
use bytes::Bytes;
use http::Method;
use std::fmt::Write;
use std::sync::Arc;

/// An upload under way on a server.
pub(crate) struct Upload<'a> {
    pub address: &'a Address,
    pub id: &'a str,
    pub key: Option<&'a CustomerKey>,
    pub checksum: Option<Checksum>,
}

/// A part that the server has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Part {
    pub number: u16,
    pub size: u64,
    /// With its quotation marks.
    pub etag: String,
    /// In base64; none where none is used, or none was told.
    pub checksum: Option<String>,
}

impl Client {
    /// AWS: `CreateMultipartUpload`. Gives the upload's id.
    pub(crate) async fn create_multipart_upload(
        &self,
        object: &NewObject,
        checksum: Option<Checksum>,
    ) -> Result<String, ClientError> {
        let (address, key) = (&object.address, object.encryption.customer_key().map(Arc::as_ref));
        self.protect(key)?;
        let names = object.metadata_names();
        let mut call = Call::new(Method::POST, address);
        call.query.push(("uploads", "".into()));
        call.headers = object.headers(&names);
        if let Some(checksum) = checksum {
            call.headers.push(("x-amz-checksum-algorithm", checksum.name().into()));
            call.headers.push(("x-amz-checksum-type", checksum.type_in_parts().into()));
        }
        let answer = self.call(&call).await.map_err(|failed| self.asked(address, key.is_some()).judge(failed))?;
        let id = Element::parse(&answer.text).and_then(|root| root.text_of("UploadId").map(str::to_owned));
        let id = id.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| ClientError::nonsense(address, "an upload without an id"))?;
        if let Err(error) = confirmed(address, key, &answer.headers) {
            // Nothing may be sent into it. The first error is the one to tell.
            let _ = self.abort_multipart_upload(address, &id).await;
            return Err(error);
        }
        Ok(id)
    }

    /// AWS: `UploadPart`.
    pub(crate) async fn upload_part(
        &self,
        upload: &Upload<'_>,
        number: u16,
        body: Bytes,
        progress: Arc<dyn Progress>,
    ) -> Result<Part, ClientError> {
        let mut call = upload.call(Method::PUT);
        call.query.push(("partNumber", number.to_string().into()));
        let (size, sum) = (body.len() as u64, upload.checksum.map(|checksum| checksum.of(&body)));
        call.headers.extend(upload.checksum.zip(sum.as_deref()).map(|(checksum, sum)| (checksum.header(), sum.into())));
        call.body = body;
        call.progress = Some(progress);
        let answer = self.call(&call).await.map_err(|failed| self.judge_upload(upload, failed))?;
        confirmed(upload.address, upload.key, &answer.headers)?;
        let etag = etag(&answer.headers);
        if etag.is_empty() {
            return Err(ClientError::nonsense(upload.address, "a part without an ETag"));
        }
        Ok(Part { number, size, etag, checksum: sum })
    }

    /// AWS: `ListParts`, all pages.
    pub(crate) async fn list_parts(&self, upload: &Upload<'_>) -> Result<Vec<Part>, ClientError> {
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let mut call = upload.call(Method::GET);
            call.query.extend(marker.take().map(|marker: String| ("part-number-marker", marker.into())));
            let answer = self.call(&call).await.map_err(|failed| self.judge_upload(upload, failed))?;
            let nonsense = || ClientError::nonsense(upload.address, "a list of parts that is none");
            let root = Element::parse(&answer.text).ok_or_else(nonsense)?;
            let before = parts.len();
            for listed in root.children("Part") {
                parts.push(listed_part(listed, upload.checksum).ok_or_else(nonsense)?);
            }
            if root.text_of("IsTruncated") != Some("true") || parts.len() == before || parts.len() > PARTS_MAX {
                return Ok(parts);
            }
            marker = root.text_of("NextPartNumberMarker").map(str::to_owned);
        }
    }

    /// AWS: `CompleteMultipartUpload`. Gives the ETag of the object. `parts` are in order and hold `whole`, if there is
    /// a checksum over all of them.
    pub(crate) async fn complete_multipart_upload(
        &self,
        upload: &Upload<'_>,
        parts: &[Part],
        whole: Option<&str>,
    ) -> Result<String, ClientError> {
        let mut call = upload.call(Method::POST);
        let size: u64 = parts.iter().map(|part| part.size).sum();
        call.headers.push(("x-amz-mp-object-size", size.to_string().into()));
        if let Some((checksum, whole)) = upload.checksum.zip(whole) {
            call.headers.push((checksum.header(), whole.into()));
            call.headers.push(("x-amz-checksum-type", checksum.type_in_parts().into()));
        }
        call.body = completion(parts, upload.checksum).into();
        call.slow = true;
        match self.call(&call).await {
            Ok(answer) => {
                let root = Element::parse(&answer.text);
                Ok(root.and_then(|root| root.text_of("ETag").map(str::to_owned)).unwrap_or_default())
            }
            // An attempt of which no answer came may have done it.
            Err(Failed::Refused(refusal)) if refusal.code == "NoSuchUpload" => {
                let head = self.head_object(upload.address, upload.key).await;
                let same = |head: &crate::ObjectHead| {
                    let checksum = head.checksum.as_ref().map(|(_, value)| value.as_str());
                    head.size == size && whole.is_some() && checksum == whole
                };
                match head {
                    Ok(head) if same(&head) => Ok(head.etag),
                    _ => Err(self.judge_upload(upload, Failed::Refused(refusal))),
                }
            }
            Err(failed) => Err(self.judge_upload(upload, failed)),
        }
    }

    /// AWS: `AbortMultipartUpload`. One that is gone already is no failure.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn abort_multipart_upload(&self, address: &Address, id: &str) -> Result<(), ClientError> {
        let upload = Upload { address, id, key: None, checksum: None };
        let aborted = self.call(&upload.call(Method::DELETE)).await;
        match aborted {
            Err(Failed::Refused(refusal)) if refusal.status == 404 => Ok(()),
            aborted => aborted.map(drop).map_err(|failed| self.judge_upload(&upload, failed)),
        }
    }

    pub(crate) fn judge_upload(&self, upload: &Upload<'_>, failed: Failed) -> ClientError {
        self.asked(upload.address, upload.key.is_some()).judge(failed)
    }
}

impl<'a> Upload<'a> {
    pub(crate) fn call(&self, method: Method) -> Call<'a> {
        let mut call = Call::new(method, self.address);
        call.query.push(("uploadId", self.id.into()));
        call.headers = self.key.map(|key| Headers::from(key.headers())).unwrap_or_default();
        call
    }
}

fn listed_part(listed: &Element, checksum: Option<Checksum>) -> Option<Part> {
    Some(Part {
        number: listed.text_of("PartNumber")?.parse().ok()?,
        size: listed.text_of("Size")?.parse().ok()?,
        etag: listed.text_of("ETag")?.to_owned(),
        checksum: checksum.and_then(|checksum| listed.text_of(checksum.element())).map(str::to_owned),
    })
}

fn completion(parts: &[Part], checksum: Option<Checksum>) -> String {
    let mut document = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for part in parts {
        let etag = escaped(&part.etag);
        write!(document, "<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag>", part.number)
            .expect("writing to a String cannot fail");
        if let Some((checksum, sum)) = checksum.zip(part.checksum.as_deref()) {
            let (name, sum) = (checksum.element(), escaped(sum));
            write!(document, "<{name}>{sum}</{name}>").expect("writing to a String cannot fail");
        }
        document.push_str("</Part>");
    }
    document.push_str("</CompleteMultipartUpload>");
    document
}

/// AWS: "Amazon S3 multipart upload limits".
pub(crate) const PARTS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_names_parts_in_order() {
        let part = |number, checksum: Option<&str>| Part {
            number,
            size: 5,
            etag: "\"e\"".to_owned(),
            checksum: checksum.map(str::to_owned),
        };
        let document = completion(&[part(1, Some("AA==")), part(2, None)], Some(Checksum::Crc32));
        let root = Element::parse(document.as_bytes()).unwrap();
        let parts: Vec<_> = root.children("Part").collect();
        assert_eq!(parts[0].text_of("ETag"), Some("\"e\""));
        assert_eq!(parts[0].text_of("ChecksumCRC32"), Some("AA=="));
        assert_eq!((parts[1].text_of("PartNumber"), parts[1].text_of("ChecksumCRC32")), (Some("2"), None));
        assert_eq!(listed_part(parts[0], None), None, "no size");
    }
}
