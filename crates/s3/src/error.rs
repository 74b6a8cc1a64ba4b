//! From what can go wrong to the code, the status and the words of the S3 protocol. One match each, without a wildcard:
//! a new error does not compile until it has an answer.

use http::StatusCode;
use operations::{BodyError, Fault};

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

/// Something on our side. What exactly goes to the log, and only there.
pub(crate) fn of_fault(fault: &Fault) -> Refusal {
    let try_again = || {
        let message = "Please reduce your request rate.";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", message)
    };
    match fault {
        Fault::Store(error) => match error {
            // SDKs wait and retry after 503, and give up or hurry after others.
            storage::Error::Full => {
                let message = "The storage of this service is full. Nothing was stored.";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "InsufficientStorage", message)
            }
            storage::Error::Unavailable(_) => try_again(),
            storage::Error::NoSuchBlob(_) | storage::Error::BlobTooShort(_) | storage::Error::Damaged(_) => {
                Refusal::internal()
            }
        },
        Fault::Contention(_) => try_again(),
        Fault::KeyService(_) | Fault::Damaged(_) => Refusal::internal(),
        Fault::NotCovered(_) => Refusal::access_denied("Access Denied"),
    }
}
