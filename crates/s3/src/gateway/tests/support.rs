//! A gateway in front of operations that only note what reaches them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Request, Response};
use identity::{AccessKeyId, SecretAccessKey, Token};
use model::{Principal, Timestamp};
use operations::Fault;
use s3s::dto::*;
use s3s::{Body, S3, S3Request, S3Response, S3Result};
use time::OffsetDateTime;

use super::sign::{ID, SECRET};
use crate::auth::CredentialStore;
use crate::body::{Held, fault_of};
use crate::connection::Connection;
use crate::error;
use crate::exchange::{Exchange, RequestSummary};
use crate::gateway::{Gateway, GatewayConfig};
use crate::own::{OwnInput, OwnOperation, OwnOperations};
use crate::server_routes::{AdminRequest, ServerRoutes};
use crate::target::Domains;

pub(super) const TOKEN: &str = "cnptAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What reached an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) operation: &'static str,
    pub(super) principal: String,
    pub(super) bucket: String,
    pub(super) object: String,
    pub(super) body: Bytes,
    pub(super) trailers: Vec<(String, String)>,
    pub(super) authorization: bool,
    pub(super) headers: HeaderMap,
}

#[derive(Clone, Default)]
pub(super) struct Stub {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    async fn note<T>(
        &self,
        operation: &'static str,
        request: &S3Request<T>,
        names: (&str, &str),
        body: Option<StreamingBlob>,
    ) -> S3Result<()> {
        let exchange = Exchange::of(&request.extensions)?;
        let mut bytes = Vec::new();
        let mut body = body;
        while let Some(body) = &mut body
            && let Some(piece) = body.next().await
        {
            let piece = piece.map_err(|error| exchange.refuse(error::of_body(&fault_of(exchange, &error))))?;
            bytes.extend_from_slice(&piece);
        }
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let trailers = exchange.trailers().cloned().unwrap_or_default();
        self.seen.lock().unwrap().push(Seen {
            operation,
            principal: exchange.principal().expect("settled").arn().unwrap_or_else(|| "anonymous".into()),
            bucket: names.0.to_owned(),
            object: names.1.to_owned(),
            body: bytes.into(),
            trailers: trailers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            authorization: request.headers.contains_key("authorization"),
            headers: request.headers.clone(),
        });
        Ok(())
    }
}

#[async_trait]
impl S3 for Stub {
    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.note("list_buckets", &request, ("", ""), None).await?;
        Ok(S3Response::new(ListBucketsOutput::default()))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        self.note("list_objects", &request, (&request.input.bucket, ""), None).await?;
        Ok(S3Response::new(ListObjectsOutput::default()))
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.note("create_bucket", &request, (&request.input.bucket, ""), None).await?;
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.note("delete_bucket", &request, (&request.input.bucket, ""), None).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn put_bucket_policy(
        &self,
        request: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        self.note("put_bucket_policy", &request, (&request.input.bucket, &request.input.policy), None).await?;
        Ok(S3Response::new(PutBucketPolicyOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.note("delete_objects", &request, (&request.input.bucket, ""), None).await?;
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let body = request.input.body.take();
        let names = (request.input.bucket.clone(), request.input.key.clone());
        self.note("put_object", &request, (&names.0, &names.1), body).await?;
        let e_tag = Some(ETag::Strong("tag".to_owned()));
        Ok(S3Response::new(PutObjectOutput { e_tag, ..PutObjectOutput::default() }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let names = (request.input.bucket.clone(), request.input.key.clone());
        self.note("get_object", &request, (&names.0, &names.1), None).await?;
        if let Some(status) = names.1.strip_prefix("status/").and_then(|status| status.parse().ok()) {
            let mut error = s3s::S3Error::with_message(s3s::S3ErrorCode::InvalidRange, "said by an operation");
            error.set_status_code(http::StatusCode::from_u16(status).unwrap());
            error.set_headers(HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"tag\""))]));
            return Err(error);
        }
        let body = Some(StreamingBlob::from(Body::from(Bytes::from_static(b"hello"))));
        Ok(S3Response::new(GetObjectOutput { body, content_length: Some(5), ..Default::default() }))
    }
}

#[async_trait]
impl OwnOperations for Stub {
    async fn own(&self, operation: OwnOperation, request: S3Request<OwnInput>) -> S3Result<S3Response<Body>> {
        let names = (request.input.bucket.clone(), request.input.object.clone());
        let document = Some(StreamingBlob::from(Body::from(request.input.document.clone())));
        self.note(operation.name(), &request, (&names.0, &names.1), document).await?;
        Ok(S3Response::new(Body::empty()))
    }
}

struct Store;

fn alice() -> Principal {
    Principal::from_arn("arn:aws:iam::111122223333:user/alice").unwrap()
}

#[async_trait]
impl CredentialStore for Store {
    async fn access_key(&self, id: &AccessKeyId) -> Result<Option<(Arc<SecretAccessKey>, Principal)>, Fault> {
        let secret = Arc::new(SecretAccessKey::parse(SECRET).unwrap());
        Ok((id.as_str() == ID).then(|| (secret, alice())))
    }

    async fn token(&self, token: &Token) -> Result<Option<Principal>, Fault> {
        Ok((token.expose() == TOKEN).then(alice))
    }
}

struct Now;

impl operations::Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap() * 1000)
    }
}

struct Routes;

#[async_trait]
impl ServerRoutes for Routes {
    async fn health(&self, path: &str) -> Option<Response<Body>> {
        (path == "/live").then(|| Response::new(Body::from("live".to_owned())))
    }

    async fn admin(&self, request: AdminRequest) -> Response<Body> {
        let arn = request.principal.arn().unwrap_or_default();
        let text = format!("{} {} {arn} {}", request.method, request.path, String::from_utf8_lossy(&request.body));
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = http::StatusCode::CONFLICT;
        response
    }
}

/// A request in the making. Header names are in lower case.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) method: &'static str,
    pub(super) uri: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) secure: bool,
    pub(super) piece_len: usize,
}

impl Draft {
    pub(super) fn new(method: &'static str, uri: impl Into<String>) -> Self {
        let headers = vec![("host".to_owned(), "127.0.0.1:9443".to_owned())];
        Self { method, uri: uri.into(), headers, body: Vec::new(), secure: true, piece_len: 1 << 16 }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body comes in pieces of this length.
    pub(super) fn pieces(mut self, length: usize) -> Self {
        self.piece_len = length;
        self
    }

    pub(super) fn insecure(mut self) -> Self {
        self.secure = false;
        self
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What a client gets.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) summary: RequestSummary,
}

impl Answer {
    /// The status and the code of the error document.
    pub(super) fn error(&self) -> (u16, &str) {
        let code = self.text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        (self.status, code.map_or("", |(code, _)| code))
    }
}

pub(super) struct World {
    gateway: Gateway<Stub>,
    stub: Stub,
}

impl World {
    pub(super) fn new() -> Self {
        let stub = Stub::default();
        let config = GatewayConfig {
            region: "us-east-1".to_owned(),
            domains: Domains::new(["s3.example"]).unwrap(),
            credentials: Arc::new(Store),
            routes: Arc::new(Routes),
            clock: Arc::new(Now),
        };
        Self { gateway: Gateway::new(stub.clone(), config), stub }
    }

    /// Takes a share of what requests may hold, as Alice's requests would.
    pub(super) fn hold(&self, length: u64) -> Held {
        self.gateway.budget.hold(length, Some(&alice())).expect("nobody holds anything")
    }

    pub(super) async fn send(&self, draft: Draft) -> Answer {
        let mut request = Request::builder().method(draft.method).uri(&draft.uri);
        for (name, value) in &draft.headers {
            request = request.header(name, value);
        }
        let (secure, body) = (draft.secure, draft.body);
        if !body.is_empty() && draft.headers.iter().all(|(name, _)| name != "content-length") {
            request = request.header("content-length", body.len());
        }
        if body.is_empty() {
            return self.send_raw(request.body(Body::empty()).unwrap(), secure).await;
        }
        let pieces: Vec<_> = body
            .chunks(draft.piece_len)
            .map(|piece| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        let body = Body::http_body(http_body_util::StreamBody::new(futures::stream::iter(pieces)));
        self.send_raw(request.body(body).unwrap(), secure).await
    }

    pub(super) async fn send_raw(&self, request: Request<Body>, secure: bool) -> Answer {
        let connection = Connection { secure, tls: None, peer: ([192, 0, 2, 1], 5000).into() };
        let response = self.gateway.call(request, connection).await;
        let (parts, body) = response.into_parts();
        let text =
            String::from_utf8(http_body_util::BodyExt::collect(body).await.unwrap().to_bytes().to_vec()).unwrap();
        let summary = parts.extensions.get::<RequestSummary>().unwrap().clone();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text, summary }
    }

    /// What reached the operations since the last time.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.stub.seen.lock().unwrap())
    }

    /// Sends what must be refused: nothing reaches an operation.
    pub(super) async fn refused(&self, draft: Draft) -> (u16, String) {
        let answer = self.send(draft).await;
        assert_eq!(self.seen(), [], "{answer:?}");
        let (status, code) = answer.error();
        (status, code.to_owned())
    }

    /// Sends what must be served as Alice's.
    pub(super) async fn served(&self, draft: Draft) -> Seen {
        let answer = self.send(draft).await;
        assert!(answer.status < 300, "{answer:?}");
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1);
        let seen = seen.remove(0);
        assert_eq!(seen.principal, "arn:aws:iam::111122223333:user/alice");
        seen
    }
}
