//! ListMultipartUploads: what was begun and neither completed nor aborted.

use crate::address::Address;
use crate::client::{Call, Client};
use crate::error::ClientError;
use crate::list_objects::decoded_by;
use crate::xml::Element;
use http::Method;

/// An unfinished upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// The object that it would become.
    pub key: String,
    /// Names the upload.
    pub id: String,
    /// When it began, as the answer has it (RFC 3339).
    pub initiated: String,
}

impl Client {
    /// AWS: `ListMultipartUploads`, all pages: the unfinished uploads of keys that begin like that of `prefix`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_multipart_uploads(&self, prefix: &Address) -> Result<Vec<UnfinishedUpload>, ClientError> {
        let bucket = prefix.with_key("");
        let nonsense = |why| move || ClientError::nonsense(&prefix.bucket, why);
        let mut uploads = Vec::new();
        let mut markers: Option<(String, String)> = None;
        loop {
            let mut call = Call::new(Method::GET, &bucket);
            call.query = vec![("uploads", "".into()), ("encoding-type", "url".into())];
            call.query.push(("prefix", prefix.key.as_str().into()));
            if let Some((key, id)) = markers.take() {
                call.query.push(("key-marker", key.into()));
                call.query.push(("upload-id-marker", id.into()));
            }
            let answer = self.call(&call).await.map_err(|failed| self.asked(&bucket, false).judge(failed))?;
            let root = Element::parse(&answer.text).ok_or_else(nonsense("a list that is no XML"))?;
            let before = uploads.len();
            for upload in root.children("Upload") {
                uploads.push(unfinished(&root, upload).ok_or_else(nonsense("an upload without key or id"))?);
            }
            if root.text_of("IsTruncated") != Some("true") || uploads.len() == before {
                return Ok(uploads);
            }
            let marker = |name| root.text_of(name).and_then(|text| decoded_by(&root, text));
            let id = root.text_of("NextUploadIdMarker").map(str::to_owned);
            markers = Some(marker("NextKeyMarker").zip(id).ok_or_else(nonsense("a page without markers"))?);
        }
    }
}

fn unfinished(root: &Element, upload: &Element) -> Option<UnfinishedUpload> {
    Some(UnfinishedUpload {
        key: decoded_by(root, upload.text_of("Key")?)?,
        id: upload.text_of("UploadId")?.to_owned(),
        initiated: upload.text_of("Initiated").unwrap_or_default().to_owned(),
    })
}
