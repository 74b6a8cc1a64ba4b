use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Extensions, HeaderMap, HeaderValue};
use identity::SignatureScheme;
use model::{Principal, Timestamp};
use operations::BodyError;
use s3s::S3Error;

use crate::body::Held;
use crate::connection::Connection;
use crate::refusal::Refusal;

/// What a log line may say of a request. Nothing in it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestSummary {
    /// The id that the client got in `x-amz-request-id`.
    pub request_id: String,
    /// The operation, such as `PutObject`; `None` when the request was refused before one was known.
    pub operation: Option<String>,
    /// The ARN of the verified principal, or `anonymous`; `None` when none was settled.
    pub principal: Option<String>,
    /// The code of the error answer.
    pub error: Option<String>,
    /// The encryption mode that the object had or got: `SSE-S3`, `SSE-KMS` or `SSE-C`.
    pub encryption: Option<&'static str>,
}

/// How a request was signed, as it was read when its claim was; nothing reads the request a second time for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) scheme: SignatureScheme,
    pub(crate) place: SignedIn,
    /// When a presigned URL was made; version 2 does not say.
    pub(crate) at: Option<Timestamp>,
}

/// Where a signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedIn {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned URL.
    Query,
    /// In the fields of a form.
    Form,
}

/// What one request gathers on its way, shared by the gateway, the code that `s3s` calls back and the body's watchers.
///
/// `s3s` passes nothing but headers and XML from a handler to its answer, and erases the types of body errors; both
/// come back through here.
pub(crate) struct Exchange {
    pub(crate) connection: Connection,
    request_id: String,
    host_id: String,
    proven: OnceLock<(Principal, Option<Signed>)>,
    body_length: OnceLock<u64>,
    body_fault: OnceLock<BodyError>,
    body_refusal: OnceLock<Refusal>,
    trailers: OnceLock<HeaderMap>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    resource: String,
    operation: Option<String>,
    encryption: Option<&'static str>,
    refusal: Option<Refusal>,
    held: Option<Held>,
}

impl Exchange {
    pub(crate) fn new(connection: Connection) -> Arc<Self> {
        let random: [u8; 24] = envelope::random_bytes();
        Arc::new(Self {
            connection,
            request_id: hex::encode_upper(&random[..8]),
            host_id: STANDARD.encode(&random[8..]),
            proven: OnceLock::new(),
            body_length: OnceLock::new(),
            body_fault: OnceLock::new(),
            body_refusal: OnceLock::new(),
            trailers: OnceLock::new(),
            notes: Mutex::default(),
        })
    }

    /// The exchange of a request on its way through `s3s`.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Arc<Self>, S3Error> {
        // Only the gateway calls `s3s`, and it always puts one in.
        extensions.get::<Arc<Self>>().ok_or_else(|| Refusal::internal().to_s3_error())
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.request_id
    }

    pub(crate) fn host_id(&self) -> &str {
        &self.host_id
    }

    /// What error documents name as the resource.
    pub(crate) fn resource(&self) -> String {
        self.notes().resource.clone()
    }

    pub(crate) fn set_resource(&self, resource: String) {
        self.notes().resource = resource;
    }

    /// Who the request was proven to come from. `None` until the signature has been checked.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.proven.get().map(|(principal, _)| principal)
    }

    /// How the request was signed. `None` until the signature has been checked, and for the anonymous.
    pub(crate) fn signed(&self) -> Option<Signed> {
        self.proven.get().and_then(|(_, signed)| *signed)
    }

    /// Called once the proof has been checked, and never before.
    pub(crate) fn settle(&self, principal: Principal, signed: Option<Signed>) {
        let _ = self.proven.set((principal, signed));
    }

    /// The declared length of the plaintext body in bytes, whatever its framing.
    pub(crate) fn body_length(&self) -> Option<u64> {
        self.body_length.get().copied()
    }

    pub(crate) fn set_body_length(&self, length: u64) {
        let _ = self.body_length.set(length);
    }

    /// The first thing that went wrong with the request body.
    pub(crate) fn body_fault(&self) -> Option<&BodyError> {
        self.body_fault.get()
    }

    pub(crate) fn set_body_fault(&self, fault: BodyError) {
        let _ = self.body_fault.set(fault);
    }

    /// Why we stopped reading the body. It is the answer, whatever others made of it.
    pub(crate) fn body_refusal(&self) -> Option<&Refusal> {
        self.body_refusal.get()
    }

    pub(crate) fn set_body_refusal(&self, refusal: Refusal) {
        let _ = self.body_refusal.set(refusal);
    }

    /// Keeps a share of the budget until [`Self::let_go`].
    pub(crate) fn hold(&self, held: Held) {
        self.notes().held = Some(held);
    }

    /// The request has been answered: what it held is free.
    pub(crate) fn let_go(&self) {
        self.notes().held = None;
    }

    /// What stood behind an aws-chunked body; `None` until it has been read to its end.
    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.get()
    }

    pub(crate) fn set_trailers(&self, trailers: HeaderMap) {
        let _ = self.trailers.set(trailers);
    }

    /// The name that `s3s` gives the operation.
    pub(crate) fn operation(&self) -> Option<String> {
        self.notes().operation.clone()
    }

    pub(crate) fn set_operation(&self, name: &str) {
        self.notes().operation = Some(name.to_owned());
    }

    pub(crate) fn set_encryption(&self, mode: &'static str) {
        self.notes().encryption = Some(mode);
    }

    /// Keeps a refusal for the gateway to render, and gives what `s3s` needs to pass it on.
    pub(crate) fn refuse(&self, refusal: Refusal) -> S3Error {
        let error = refusal.to_s3_error();
        self.notes().refusal = Some(refusal);
        error
    }

    pub(crate) fn take_refusal(&self) -> Option<Refusal> {
        self.notes().refusal.take()
    }

    pub(crate) fn summary(&self, error: Option<String>) -> RequestSummary {
        let notes = self.notes();
        let arn = |principal: &Principal| principal.arn().unwrap_or_else(|| "anonymous".to_owned());
        RequestSummary {
            request_id: self.request_id.clone(),
            operation: notes.operation.clone(),
            principal: self.principal().map(arn),
            error,
            encryption: notes.encryption,
        }
    }

    /// The headers of every answer.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        let value = |text: &str| HeaderValue::from_str(text).expect("hexadecimal and base64 fit in a header");
        headers.insert("x-amz-request-id", value(&self.request_id));
        headers.insert("x-amz-id-2", value(&self.host_id));
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Nothing panics while it is held.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
