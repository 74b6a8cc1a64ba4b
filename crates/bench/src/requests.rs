//! Each operation as requests: what is sent, and what the answer must be.
//!
//! Every function returns the bytes of objects (for lists: of the page) that moved.

mod list;
mod multipart;

pub(crate) use list::Listing;

use crate::body::RequestBody;
use crate::client::{Answer, Call, Client, Sink};
use crate::error::Failure;
use crate::pattern::Pattern;
use crate::plan::{Encryption, Plan};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderName, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;
use std::sync::Arc;

/// The operations, over one client.
pub(crate) struct Requests {
    client: Client,
    plan: Arc<Plan>,
    pattern: Pattern,
}

type Headers<'a> = Vec<(&'static str, Cow<'a, str>)>;

impl Requests {
    pub(crate) fn new(client: Client, plan: Arc<Plan>, pattern: Pattern) -> Self {
        Self { client, plan, pattern }
    }

    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        self.client.connect().await
    }

    /// Creates the bucket unless it is there.
    pub(crate) async fn ensure_bucket(&mut self, region: &str) -> Result<(), Failure> {
        match self.client.call(Call::new(Method::HEAD, ""), Sink::Discard).await {
            Ok(_) => return Ok(()),
            Err(Failure::Status { status: 404, .. }) => {}
            Err(failure) => return Err(failure),
        }
        let mut call = Call::new(Method::PUT, "");
        if region != "us-east-1" {
            // The one region that must not be named (API reference, CreateBucket, LocationConstraint).
            let document = format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
                 </CreateBucketConfiguration>"
            );
            call.body = RequestBody::given(Bytes::from(document));
        }
        self.client.call(call, Sink::Discard).await.map(drop)
    }

    pub(crate) async fn put(&mut self, object_key: &str) -> Result<u64, Failure> {
        let plan = self.plan.clone();
        let mut call = Call::new(Method::PUT, object_key);
        call.headers = writing(&plan);
        call.body = RequestBody::generated(self.pattern.at(object_key, 0), plan.size, plan.pace);
        self.client.call(call, Sink::Discard).await?;
        Ok(plan.size)
    }

    pub(crate) async fn get(&mut self, object_key: &str) -> Result<u64, Failure> {
        let plan = self.plan.clone();
        let mut call = Call::new(Method::GET, object_key);
        call.headers = customer_key(&plan);
        let sink = self.reading(object_key, 0);
        let answer = self.client.call(call, sink).await?;
        of_length(&answer, plan.size)
    }

    /// Reads `range_size` bytes from `offset` on; they lie within the object.
    pub(crate) async fn range(&mut self, object_key: &str, offset: u64) -> Result<u64, Failure> {
        let plan = self.plan.clone();
        let last = offset + plan.range_size - 1;
        let mut call = Call::new(Method::GET, object_key);
        call.headers = customer_key(&plan);
        call.headers.push(("range", format!("bytes={offset}-{last}").into()));
        call.expected = StatusCode::PARTIAL_CONTENT;
        let sink = self.reading(object_key, offset);
        let answer = self.client.call(call, sink).await?;
        if plan.verify && header(&answer, &CONTENT_RANGE) != format!("bytes {offset}-{last}/{}", plan.size) {
            return Err(Failure::Mismatch("another Content-Range"));
        }
        of_length(&answer, plan.range_size)
    }

    pub(crate) async fn head(&mut self, object_key: &str) -> Result<u64, Failure> {
        let plan = self.plan.clone();
        let mut call = Call::new(Method::HEAD, object_key);
        call.headers = customer_key(&plan);
        let answer = self.client.call(call, Sink::Discard).await?;
        if plan.verify && header(&answer, &CONTENT_LENGTH) != plan.size.to_string() {
            return Err(Failure::Mismatch("another Content-Length"));
        }
        Ok(0)
    }

    /// Copies an object onto itself under the key that it has. No body is sent and none comes.
    pub(crate) async fn rekey(&mut self, object_key: &str) -> Result<u64, Failure> {
        let plan = self.plan.clone();
        let mut call = Call::new(Method::PUT, object_key);
        call.headers = match &plan.encryption {
            Encryption::None | Encryption::ServerKey => vec![("x-amz-server-side-encryption", "AES256".into())],
            Encryption::CustomerKey(key) => key.headers().into_iter().chain(key.copy_source_headers()).collect(),
        };
        call.headers.push(("x-amz-copy-source", format!("/{}/{object_key}", plan.bucket).into()));
        let answer = self.client.call(call, Sink::Text).await?;
        // A copy may fail behind a status of success (API reference, CopyObject).
        if !String::from_utf8_lossy(&answer.text).contains("<CopyObjectResult") {
            return Err(Failure::Mismatch("no result of a copy"));
        }
        Ok(0)
    }

    pub(crate) async fn delete(&mut self, object_key: &str) -> Result<u64, Failure> {
        let mut call = Call::new(Method::DELETE, object_key);
        call.expected = StatusCode::NO_CONTENT;
        self.client.call(call, Sink::Discard).await?;
        Ok(0)
    }

    fn reading(&self, object_key: &str, offset: u64) -> Sink {
        if self.plan.verify { Sink::Compare(self.pattern.at(object_key, offset)) } else { Sink::Discard }
    }
}

/// The headers with which an object or an upload begins.
fn writing(plan: &Plan) -> Headers<'_> {
    match &plan.encryption {
        Encryption::ServerKey => vec![("x-amz-server-side-encryption", "AES256".into())],
        Encryption::None | Encryption::CustomerKey(_) => customer_key(plan),
    }
}

/// The headers that every other request about the object needs.
fn customer_key(plan: &Plan) -> Headers<'_> {
    match &plan.encryption {
        Encryption::None | Encryption::ServerKey => Vec::new(),
        Encryption::CustomerKey(key) => key.headers().into(),
    }
}

fn of_length(answer: &Answer, length: u64) -> Result<u64, Failure> {
    if answer.body_length == length { Ok(length) } else { Err(Failure::Mismatch("another length")) }
}

fn header<'a>(answer: &'a Answer, name: &HeaderName) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A query value as Signature V4 wants it: all but the unreserved characters encoded.
fn encoded(value: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(value, RESERVED)
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
