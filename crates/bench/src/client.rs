//! Signed requests on one connection, and what is done with the bytes that come back.

use crate::body::{Pace, RequestBody};
use crate::endpoint::Endpoint;
use crate::error::Failure;
use crate::pattern::Cursor;
use crate::plan::Plan;
use crate::xml;
use bytes::Bytes;
use client::{Connection, Sent, SignedParts, Signer, now, stamp};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::borrow::Cow;
use std::sync::Arc;

/// A client with at most one connection.
pub(crate) struct Client {
    endpoint: Arc<Endpoint>,
    plan: Arc<Plan>,
    signer: Signer,
    connection: Option<Connection<RequestBody>>,
}

/// One request.
pub(crate) struct Call<'a> {
    pub method: Method,
    /// Below the bucket; empty for the bucket itself. Needs no percent-encoding.
    pub object_key: &'a str,
    /// Canonical: parameters sorted and encoded, each with an equals sign.
    pub query: String,
    /// Lower-case names; signed.
    pub headers: Vec<(&'static str, Cow<'a, str>)>,
    pub body: RequestBody,
    /// The status of success.
    pub expected: StatusCode,
}

/// What is done with the body of a successful answer.
pub(crate) enum Sink {
    /// Counted.
    Discard,
    /// Kept, up to a bound.
    Text,
    /// Compared, and counted.
    Compare(Cursor),
}

/// A successful answer.
pub(crate) struct Answer {
    pub headers: HeaderMap,
    pub body_length: u64,
    /// Only with [`Sink::Text`].
    pub text: Vec<u8>,
}

impl<'a> Call<'a> {
    /// A request without query, headers or body that succeeds with 200.
    pub(crate) fn new(method: Method, object_key: &'a str) -> Self {
        Self {
            method,
            object_key,
            query: String::new(),
            headers: Vec::new(),
            body: RequestBody::empty(),
            expected: StatusCode::OK,
        }
    }
}

impl Client {
    pub(crate) fn new(endpoint: Arc<Endpoint>, plan: Arc<Plan>) -> Self {
        let signer = Signer::new(endpoint.credentials.clone());
        Self { endpoint, plan, signer, connection: None }
    }

    /// Opens the connection unless it is open, so that the first measured request does not pay for it.
    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        let limit = self.plan.timeout;
        let opening = async {
            self.connection = Some(self.take_connection().await?);
            Ok(())
        };
        tokio::time::timeout(limit, opening).await.unwrap_or(Err(Failure::Timeout))
    }

    /// Sends a request and reads its answer to the end, within the time that a request may take.
    pub(crate) async fn call(&mut self, call: Call<'_>, sink: Sink) -> Result<Answer, Failure> {
        let expected = call.expected;
        let request = self.signed(call)?;
        let limit = self.plan.timeout;
        tokio::time::timeout(limit, self.exchange(request, expected, sink)).await.unwrap_or(Err(Failure::Timeout))
    }

    /// The connection is given back only when the answer was read to its end: what breaks or is cut off by the time
    /// limit closes it.
    async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        expected: StatusCode,
        sink: Sink,
    ) -> Result<Answer, Failure> {
        let mut connection = self.take_connection().await?;
        let has_body = request.body().len() > 0;
        let response = match connection.send(request).await? {
            Sent::Answered(response) => response,
            // The server closed an idle connection just now, which is no failure; on a fresh one it would be.
            Sent::NotSent(request) => {
                connection = self.open().await?;
                match connection.send(*request).await? {
                    Sent::Answered(response) => response,
                    Sent::NotSent(_) => return Err(Failure::Connection("closed before the request")),
                }
            }
        };
        let status = response.status();
        if status != expected {
            let (code, read_to_end) = error_code(response).await;
            // A refused upload may still be under way, so its connection is not used again.
            if read_to_end && !has_body {
                self.connection = Some(connection);
            }
            return Err(Failure::Status { status: status.as_u16(), code });
        }
        let answer = read(response, sink, self.plan.pace.map(Pace::new)).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn open(&self) -> Result<Connection<RequestBody>, Failure> {
        Ok(Connection::open(self.endpoint.address, self.endpoint.tls.as_ref()).await?)
    }

    async fn take_connection(&mut self) -> Result<Connection<RequestBody>, Failure> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_usable().await
        {
            return Ok(connection);
        }
        self.open().await
    }

    fn signed(&mut self, call: Call<'_>) -> Result<Request<RequestBody>, Failure> {
        let stamp = stamp(now());
        let payload_hash: Cow<'_, str> =
            if self.plan.signed_payload { call.body.sha256_hex().into() } else { "UNSIGNED-PAYLOAD".into() };
        let mut headers = call.headers;
        headers.push(("host", self.endpoint.authority.as_str().into()));
        headers.push(("x-amz-content-sha256", payload_hash.clone()));
        headers.push(("x-amz-date", stamp.as_str().into()));
        headers.sort_unstable_by_key(|(name, _)| *name);
        let slash = if call.object_key.is_empty() { "" } else { "/" };
        let path = format!("/{}{slash}{}", self.plan.bucket, call.object_key);
        let authorization = self.signer.authorization(
            &SignedParts {
                method: call.method.as_str(),
                path: &path,
                query: &call.query,
                headers: &headers,
                payload_hash: &payload_hash,
            },
            &stamp,
        );
        let target = if call.query.is_empty() { path } else { format!("{path}?{}", call.query) };
        let mut request = Request::builder().method(&call.method).uri(target);
        for (name, value) in &headers {
            request = request.header(*name, sensitive(value)?);
        }
        request = request.header("authorization", sensitive(&authorization)?);
        if call.method == Method::PUT || call.method == Method::POST {
            request = request.header("content-length", call.body.len());
        }
        request.body(call.body).map_err(|_| Failure::Mismatch(UNSENDABLE))
    }
}

/// Reads a body to its end.
async fn read(response: Response<Incoming>, mut sink: Sink, mut pace: Option<Pace>) -> Result<Answer, Failure> {
    let (head, mut body) = response.into_parts();
    let mut answer = Answer { headers: head.headers, body_length: 0, text: Vec::new() };
    while let Some(bytes) = next_bytes(&mut body).await? {
        answer.body_length += bytes.len() as u64;
        match &mut sink {
            Sink::Discard => {}
            Sink::Text if answer.text.len() + bytes.len() > LONGEST_TEXT => {
                return Err(Failure::Mismatch("an answer too long to be read"));
            }
            Sink::Text => answer.text.extend_from_slice(&bytes),
            Sink::Compare(cursor) => {
                cursor.compare(&bytes).map_err(|_| Failure::Mismatch("other bytes than were written"))?;
            }
        }
        if let Some(pace) = &mut pace {
            pace.moved(bytes.len());
            pace.wait().await;
        }
    }
    Ok(answer)
}

async fn next_bytes(body: &mut Incoming) -> Result<Option<Bytes>, Failure> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::Connection("broke in the body"))?;
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// The code of an S3 error document, empty when there is none, and whether the body was read to its end.
async fn error_code(response: Response<Incoming>) -> (String, bool) {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while text.len() <= LONGEST_ERROR {
        match next_bytes(&mut body).await {
            Ok(Some(bytes)) => text.extend_from_slice(&bytes),
            Ok(None) => return (xml::error_code(&text), true),
            Err(_) => break,
        }
    }
    (xml::error_code(&text), false)
}

/// Marked so that nothing on the way prints it: the signature, and with SSE-C the customer key.
fn sensitive(value: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Failure::Mismatch(UNSENDABLE))?;
    value.set_sensitive(true);
    Ok(value)
}

const UNSENDABLE: &str = "a name, region or key that HTTP cannot carry";
/// A page of 1,000 keys is about 300 KiB.
const LONGEST_TEXT: usize = 8 << 20;
const LONGEST_ERROR: usize = 64 << 10;
