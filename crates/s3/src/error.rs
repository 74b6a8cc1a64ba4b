//! From what can go wrong to the code, the status and the words of the S3 protocol. One match each, without a wildcard:
//! a new error does not compile until it has an answer.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use operations::{BodyError, Fault, KeyServiceError};

use crate::refusal::Refusal;

/// A request body that did not come whole or is not what it claims to be.
pub(crate) fn of_body(fault: &BodyError) -> Refusal {
    let (status, code) = match fault {
        BodyError::Incomplete => (StatusCode::BAD_REQUEST, "IncompleteBody"),
        BodyError::ContentSha256Mismatch => (StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch"),
        BodyError::SignatureMismatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        BodyError::Malformed => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        BodyError::Source => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    };
    Refusal::new(status, code, fault.to_string())
}

/// A document or the fields of a form did not come in time.
pub(crate) fn too_slow() -> Refusal {
    let message = "Your socket connection to the server was not read from or written to within the timeout period. \
                   Idle connections will be closed.";
    Refusal::new(StatusCode::BAD_REQUEST, "RequestTimeout", message)
}

/// Something on our side: the client learns that it was us, the log what it was, here and once.
pub(crate) fn of_fault(fault: &Fault) -> Refusal {
    match fault {
        Fault::Store(error) => of_store(error),
        Fault::KeyService(error) => of_key_service(error),
        Fault::Contention(_) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
        }
        Fault::Damaged(_) | Fault::NotCovered(_) => internal(fault),
    }
}

/// AWS: "List of SSE-KMS errors" of the S3 error responses. What the client named wrongly is told; what is wrong between
/// us and the KMS goes to the log.
fn of_key_service(error: &KeyServiceError) -> Refusal {
    let named = |code| Refusal::new(StatusCode::BAD_REQUEST, code, error.to_string());
    match error {
        KeyServiceError::NotFound(_) => named("KMS.NotFoundException"),
        KeyServiceError::Disabled(_) => named("KMS.DisabledException"),
        KeyServiceError::PendingDeletion(_) => named("KMS.KMSInvalidStateException"),
        KeyServiceError::AlreadyExists(_) => named("KMS.AlreadyExistsException"),
        KeyServiceError::NotSupported(_) => {
            Refusal::not_implemented("Server-side encryption with a KMS: none is configured, or it cannot do this; it")
        }
        KeyServiceError::Refused(_) | KeyServiceError::Unavailable(_) | KeyServiceError::Audit(_) => {
            tracing::warn!(target: "canopic::fault", %error, "a server-held key cannot be used");
            let message = "The key service is unavailable. Please try again.";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", message)
        }
        KeyServiceError::UnknownKey(_) | KeyServiceError::Damaged(_) => internal(error),
    }
}

fn of_store(error: &storage::Error) -> Refusal {
    match error {
        // SDKs wait and retry after 503, and give up or hurry after others.
        storage::Error::Full => {
            tracing::warn!(target: "canopic::fault", "the store is full: a write was refused");
            let message = "The store is full. Nothing was written; reads and deletes go on.";
            let mut refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "InsufficientStorage", message);
            refusal.headers = Some(Box::new(HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("30"))])));
            refusal
        }
        storage::Error::Unavailable(_) => {
            tracing::warn!(target: "canopic::fault", %error, "the store is unavailable");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "The store is unavailable. Please try again.")
        }
        storage::Error::NoSuchBlob(_) | storage::Error::BlobTooShort(_) | storage::Error::Damaged(_) => internal(error),
    }
}

fn internal(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(target: "canopic::fault", %error, "a request failed on our side");
    Refusal::internal()
}
