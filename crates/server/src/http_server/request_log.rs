//! The one line that every request leaves.
//!
//! Of the query only the names of parameters that S3 knows are logged, never a value: values hold signatures, and an
//! unknown name may be anything that somebody pasted. Header values are not logged at all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, Request, Response, StatusCode};
use tokio::time::Instant;

use super::answer::{Connection, RequestFacts};

/// Names of query parameters that may be logged, in lower case.
const KNOWN_PARAMETERS: &[&str] = &[
    "accelerate",
    "acl",
    "allow-unordered",
    "analytics",
    "attributes",
    "awsaccesskeyid",
    "continuation-token",
    "cors",
    "delete",
    "delimiter",
    "encoding-type",
    "encryption",
    "expires",
    "fetch-owner",
    "intelligent-tiering",
    "inventory",
    "key-marker",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "metrics",
    "notification",
    "object-lock",
    "ownershipcontrols",
    "part-number-marker",
    "partnumber",
    "policy",
    "policystatus",
    "prefix",
    "publicaccessblock",
    "replication",
    "requestpayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "signature",
    "start-after",
    "tagging",
    "torrent",
    "upload-id-marker",
    "uploadid",
    "uploads",
    "version-id-marker",
    "versionid",
    "versioning",
    "versions",
    "website",
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-id",
];

/// Gathers what the line says; dropping it writes the line, however the request ended.
pub(super) struct RequestLog {
    began: Instant,
    connection: Connection,
    method: Method,
    path: String,
    parameters: String,
    received: Arc<AtomicU64>,
    sent: u64,
    status: Option<StatusCode>,
    facts: RequestFacts,
    ended: bool,
}

impl RequestLog {
    pub(super) fn begin<B>(request: &Request<B>, connection: Connection) -> Self {
        Self {
            began: Instant::now(),
            connection,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            parameters: parameter_names(request.uri().query().unwrap_or_default()),
            received: Arc::default(),
            sent: 0,
            status: None,
            facts: RequestFacts::default(),
            ended: false,
        }
    }

    /// Counts the bytes of the request's body.
    pub(super) fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// The answer is there; its body may still be long.
    pub(super) fn answered<B: http_body::Body>(&mut self, response: &mut Response<B>) {
        self.status = Some(response.status());
        self.facts = response.extensions_mut().remove().unwrap_or_default();
        if self.facts.request_id.is_none() {
            let told = response.headers().get("x-amz-request-id").and_then(|id| id.to_str().ok());
            self.facts.request_id = told.map(str::to_owned);
        }
        // Such a body is dropped without a look.
        self.ended = self.method == Method::HEAD || response.body().is_end_stream();
    }

    /// Counts bytes of the answer's body.
    pub(super) fn sent(&mut self, length: u64) {
        self.sent += length;
    }

    /// The answer's body came to its end.
    pub(super) fn ended(&mut self) {
        self.ended = true;
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        let outcome = match (self.status, self.ended) {
            (Some(_), true) => "complete",
            (Some(_), false) => "cut",
            (None, _) => "cancelled",
        };
        tracing::info!(
            target: "canopic::request",
            request_id = self.facts.request_id.as_deref(),
            peer = %self.connection.peer,
            secure = self.connection.secure,
            method = self.method.as_str(),
            operation = self.facts.operation.as_deref(),
            path = self.path,
            parameters = self.parameters,
            status = self.status.map(|status| status.as_u16()),
            outcome,
            bytes_in = self.received.load(Ordering::Relaxed),
            bytes_out = self.sent,
            duration_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            principal = self.facts.principal.as_deref(),
            error_code = self.facts.error_code.as_deref(),
            encryption = self.facts.encryption,
        );
    }
}

/// The known names, sorted and separated by spaces; `?` stands for all others.
fn parameter_names(query: &str) -> String {
    let mut names = BTreeSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        let known = KNOWN_PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name));
        names.insert(if known { name } else { "?" });
    }
    names.into_iter().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_of_parameters_are_logged() {
        assert_eq!(parameter_names("uploadId=hush&partNumber=1"), "partNumber uploadId");
        assert_eq!(parameter_names("X-Amz-Signature=hush&X-Amz-Date=x&a=b&c"), "? X-Amz-Date X-Amz-Signature");
        assert_eq!(parameter_names("hush"), "?");
        assert_eq!(parameter_names(""), "");
    }
}
