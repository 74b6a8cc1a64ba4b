//! PutObject: an object in one request.

use crate::address::Address;
use crate::body::Progress;
use crate::checksum::Checksum;
use crate::client::{Call, Client};
use crate::customer_key::Headers;
use crate::encryption::{Encryption, confirmed};
use crate::error::ClientError;
use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderMap, Method};
use std::sync::Arc;

/// An object that is to be.
pub struct NewObject {
    /// Where.
    pub address: Address,
    /// How it is sealed.
    pub encryption: Encryption,
    /// Its `Content-Type`, if it is to have one.
    pub content_type: Option<String>,
    /// Further headers that every answer with the object is to repeat, such as `content-encoding`: names in lower case,
    /// and values.
    pub content_headers: Vec<(&'static str, String)>,
    /// User metadata: names without `x-amz-meta-`, in lower case, and values.
    pub metadata: Vec<(String, String)>,
}

impl NewObject {
    /// The headers with which it begins. Names of metadata are made by the caller, so that they live long enough.
    pub(crate) fn headers<'a>(&'a self, metadata_names: &'a [String]) -> Headers<'a> {
        let mut headers = self.encryption.headers();
        headers.extend(self.content_type.as_ref().map(|kind| ("content-type", kind.into())));
        headers.extend(self.content_headers.iter().map(|(name, value)| (*name, value.into())));
        headers.extend(metadata_names.iter().map(String::as_str).zip(self.metadata.iter().map(|(_, v)| v.into())));
        headers
    }

    pub(crate) fn metadata_names(&self) -> Vec<String> {
        self.metadata.iter().map(|(name, _)| format!("x-amz-meta-{name}")).collect()
    }
}

impl Client {
    /// AWS: `PutObject`. Gives the ETag.
    pub(crate) async fn put_object(
        &self,
        object: &NewObject,
        body: Bytes,
        checksum: Option<Checksum>,
        progress: Arc<dyn Progress>,
    ) -> Result<String, ClientError> {
        let (address, key) = (&object.address, object.encryption.customer_key().map(Arc::as_ref));
        self.protect(key)?;
        let names = object.metadata_names();
        let mut call = Call::new(Method::PUT, address);
        call.headers = object.headers(&names);
        call.headers.extend(checksum.map(|checksum| (checksum.header(), checksum.of(&body).into())));
        call.body = body;
        call.progress = Some(progress);
        let answer = self.call(&call).await.map_err(|failed| self.asked(address, key.is_some()).judge(failed))?;
        confirmed(address, key, &answer.headers)?;
        Ok(etag(&answer.headers))
    }
}

/// The ETag with its quotation marks; empty when there is none.
pub(crate) fn etag(headers: &HeaderMap) -> String {
    headers.get(ETAG).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
