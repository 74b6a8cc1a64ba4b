//! DeleteObject, and DeleteObjects for many.

use crate::address::Address;
use crate::client::{Call, Client};
use crate::error::{ClientError, Refusal};
use crate::xml::{Element, escaped};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use md5::{Digest, Md5};
use std::fmt::Write;

impl Client {
    /// AWS: `DeleteObject`. An object that is not there is no failure.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_object(&self, address: &Address) -> Result<(), ClientError> {
        let deleted = self.call(&Call::new(Method::DELETE, address)).await;
        deleted.map(drop).map_err(|failed| self.asked(address, false).judge(failed))
    }

    /// AWS: `DeleteObjects`, at most 1,000 keys. Gives those that could not be deleted, with the reason.
    ///
    /// # Errors
    /// [`ClientError`] when nothing was done.
    pub async fn delete_objects(
        &self,
        bucket: &Address,
        keys: &[String],
    ) -> Result<Vec<(String, Refusal)>, ClientError> {
        let bucket = bucket.with_key("");
        let mut document =
            String::from("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
        for key in keys {
            let key = escaped_key(key);
            write!(document, "<Object><Key>{key}</Key></Object>").expect("writing to a String cannot fail");
        }
        document.push_str("</Delete>");
        let mut call = Call::new(Method::POST, &bucket);
        call.query.push(("delete", "".into()));
        // Demanded by AWS; what every server knows.
        call.headers.push(("content-md5", STANDARD.encode(Md5::digest(&document)).into()));
        call.body = document.into();
        call.slow = true;
        let answer = self.call(&call).await.map_err(|failed| self.asked(&bucket, false).judge(failed))?;
        let root = Element::parse(&answer.text);
        let root = root.ok_or_else(|| ClientError::nonsense(&bucket, "a list of deletions that is no XML"))?;
        let failures = root.children("Error").map(|each| {
            let key = each.text_of("Key").unwrap_or_default().to_owned();
            (key, Refusal::of_document(200, each))
        });
        Ok(failures.collect())
    }
}

/// Characters that XML 1.0 would change or lose, as references.
fn escaped_key(key: &str) -> String {
    escaped(key).replace('\r', "&#13;").replace('\n', "&#10;").replace('\t', "&#9;")
}

/// Keys of one call (AWS: `DeleteObjects`).
pub const DELETE_MAX: usize = 1000;
