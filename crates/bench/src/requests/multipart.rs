//! A whole multipart upload as one operation: create, the parts one after another, complete.

use super::{Requests, customer_key, encoded, header, writing};
use crate::body::RequestBody;
use crate::client::{Call, Sink};
use crate::error::Failure;
use crate::xml;
use bytes::Bytes;
use http::header::ETAG;
use http::{Method, StatusCode};
use std::fmt::Write;

impl Requests {
    /// Uploads an object in parts. An upload that fails half-way is aborted, so that its parts do not stay.
    pub(crate) async fn multipart(&mut self, object_key: &str) -> Result<u64, Failure> {
        let upload_id = self.create_upload(object_key).await?;
        let query = format!("uploadId={}", encoded(&upload_id));
        match self.fill_upload(object_key, &query).await {
            Ok(()) => Ok(self.plan.size),
            Err(failure) => {
                let mut abort = Call::new(Method::DELETE, object_key);
                abort.query = query;
                abort.expected = StatusCode::NO_CONTENT;
                // The first failure is the one to report; an abort that fails too adds nothing.
                let _ = self.client.call(abort, Sink::Discard).await;
                Err(failure)
            }
        }
    }

    async fn create_upload(&mut self, object_key: &str) -> Result<String, Failure> {
        let plan = self.plan.clone();
        let mut call = Call::new(Method::POST, object_key);
        call.query = "uploads=".to_owned();
        call.headers = writing(&plan);
        let answer = self.client.call(call, Sink::Text).await?;
        xml::text(&answer.text, "UploadId").ok_or(Failure::Mismatch("an upload without an id"))
    }

    async fn fill_upload(&mut self, object_key: &str, upload_query: &str) -> Result<(), Failure> {
        let mut document = String::from("<CompleteMultipartUpload>");
        let (mut offset, mut number) = (0, 1);
        while offset < self.plan.size {
            let length = self.plan.part_size.min(self.plan.size - offset);
            let etag = self.upload_part(object_key, upload_query, number, offset, length).await?;
            write!(document, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
                .expect("writing to a String cannot fail");
            offset += length;
            number += 1;
        }
        document.push_str("</CompleteMultipartUpload>");
        let plan = self.plan.clone();
        let mut call = Call::new(Method::POST, object_key);
        call.query = upload_query.to_owned();
        call.headers = customer_key(&plan);
        call.body = RequestBody::given(Bytes::from(document));
        let answer = self.client.call(call, Sink::Text).await?;
        // The status is sent before the work is done, so a failure may come as a document behind a 200 (API
        // reference, CompleteMultipartUpload).
        if xml::text(&answer.text, "Code").is_some() {
            return Err(Failure::Status { status: 200, code: xml::error_code(&answer.text) });
        }
        Ok(())
    }

    async fn upload_part(
        &mut self,
        object_key: &str,
        upload_query: &str,
        number: u64,
        offset: u64,
        length: u64,
    ) -> Result<String, Failure> {
        let plan = self.plan.clone();
        let mut call = Call::new(Method::PUT, object_key);
        call.query = format!("partNumber={number}&{upload_query}");
        call.headers = customer_key(&plan);
        call.body = RequestBody::generated(self.pattern.at(object_key, offset), length, plan.pace);
        let answer = self.client.call(call, Sink::Discard).await?;
        match header(&answer, &ETAG) {
            "" => Err(Failure::Mismatch("a part without an ETag")),
            etag => Ok(etag.replace('"', "&quot;")),
        }
    }
}
