use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use s3s::{S3Error, S3ErrorCode};

/// An error answer of the S3 protocol, before it is rendered. Nothing in it is secret.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    /// Further elements of the document, such as `ArgumentName`.
    pub(crate) details: Vec<(&'static str, String)>,
    /// Headers that go with the answer.
    pub(crate) headers: Option<Box<HeaderMap>>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { status, code, message, details: Vec::new(), headers: None }
    }

    pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }

    pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", message)
    }

    pub(crate) fn access_denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    /// The answer to a feature that exists on AWS or may exist some day, and that we do not have.
    pub(crate) fn not_implemented(what: impl std::fmt::Display) -> Self {
        let message = format!("{what} implies functionality that is not implemented");
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }

    pub(crate) fn internal() -> Self {
        let message = "We encountered an internal error. Please try again.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// Adds an element to the document.
    #[must_use]
    pub(crate) fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// Names the header or parameter at fault, as AWS does with `InvalidArgument`.
    #[must_use]
    pub(crate) fn argument(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.detail("ArgumentName", name).detail("ArgumentValue", value)
    }

    /// What `s3s` needs to answer with the same status. The details travel in the exchange.
    pub(crate) fn to_s3_error(&self) -> S3Error {
        let code = S3ErrorCode::from_bytes(self.code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
        let mut error = S3Error::with_message(code, self.message.clone());
        error.set_status_code(self.status);
        if let Some(headers) = &self.headers {
            error.set_headers(HeaderMap::clone(headers));
        }
        error
    }
}
