//! Which query parameters an operation may have.
//!
//! `s3s` picks an operation by the parameters that it knows and ignores the rest, so that `DELETE /bucket?unknown`
//! deletes the bucket. Here a request must match a row of [`ROWS`]: a subresource without a row is not implemented, and
//! a write may have no parameter that its row does not name. A read may have further parameters with a value; without
//! one they look like a subresource. What begins with `x-amz-` is a header that a presigner moved into the query: it
//! asks for something, and is refused unless it changes nothing.

use std::borrow::Cow;
use std::collections::HashSet;

use http::{Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;

use crate::body::DocumentKind;
use crate::refusal::Refusal;
use crate::target::Target;

/// The decoded names of the query's parameters. A name that is not UTF-8 comes out garbled, and so is known to nobody.
pub(crate) fn decoded_names(uri: &Uri) -> impl Iterator<Item = Cow<'_, str>> {
    pairs(uri).map(|(name, _)| name)
}

/// The parameters of the query: their decoded names, and their values as they came.
pub(crate) fn pairs(uri: &Uri) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let raw = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    raw.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode_str(name).decode_utf8_lossy(), value)
    })
}

/// Checks the query of a request to `target`.
pub(crate) fn check(method: &Method, target: Target, uri: &Uri) -> Result<(), Refusal> {
    let parameters: Vec<(Cow<'_, str>, &str)> = pairs(uri).take(PARAMETERS_MAX + 1).collect();
    if parameters.len() > PARAMETERS_MAX {
        return Err(Refusal::invalid_argument("The query string has too many parameters."));
    }
    check_encoding(&parameters)?;
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let mut rest = Vec::with_capacity(parameters.len());
    let mut subresources: Vec<&str> = Vec::new();
    for (name, value) in &parameters {
        if AUTHORIZATION.contains(&name.as_ref()) || is_hint(method, name) {
            continue;
        }
        if SUBRESOURCES.contains(&name.as_ref()) {
            subresources.push(name);
        } else {
            rest.push((name.as_ref(), *value));
        }
    }
    let upload = rest.iter().any(|(name, _)| *name == "uploadId");
    if upload {
        subresources.push("uploadId");
    }
    let subresource = match subresources.as_slice() {
        [] => "",
        [one] => one,
        several => {
            let message = format!("Conflicting query string parameters: {}", several.join(", "));
            return Err(Refusal::invalid_argument(message).argument("ResourceType", several[0]));
        }
    };
    let row = ROWS.iter().find(|row| row.matches(method, target, subresource));
    let Some(row) = row else { return Err(no_row(method, target, subresource)) };
    for (name, value) in rest {
        if !row.parameters.contains(&name) && (!is_read || value.is_empty() || is_moved_header(name)) {
            return Err(unknown_parameter(name));
        }
        check_value(name, value)?;
    }
    if upload && method == Method::PUT && !parameters.iter().any(|(name, _)| name == "partNumber") {
        return Err(Refusal::invalid_argument("This operation needs a partNumber beside the uploadId."));
    }
    Ok(())
}

/// What a signature covers must have one reading: `s3s` takes a doubled parameter for an absent one.
fn check_encoding(parameters: &[(Cow<'_, str>, &str)]) -> Result<(), Refusal> {
    let mut names = HashSet::with_capacity(parameters.len());
    for (name, value) in parameters {
        if percent_decode_str(value).decode_utf8().is_err() || name.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidURI", "Couldn't parse the specified URI."));
        }
        if !names.insert(name) {
            let message = "A query string parameter must not be given more than once.";
            return Err(Refusal::invalid_argument(message).detail("ArgumentName", printable(name)));
        }
    }
    Ok(())
}

/// What a presigner moves from headers into the URL and what changes nothing. Each spells it in its own case.
fn is_hint(method: &Method, name: &str) -> bool {
    let hints = match *method {
        Method::GET | Method::HEAD => READ_HINTS,
        Method::PUT => PUT_HINTS,
        _ => &[],
    };
    hints.iter().any(|hint| hint.eq_ignore_ascii_case(name))
}

fn is_moved_header(name: &str) -> bool {
    name.as_bytes().get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"x-amz-"))
}

fn check_value(name: &str, value: &str) -> Result<(), Refusal> {
    match name {
        "versionId" if value.is_empty() => {
            Err(Refusal::invalid_argument("Version id cannot be the empty string").argument(name, ""))
        }
        // Objects have one version here, which AWS calls `null`.
        "versionId" if value != "null" => {
            Err(Refusal::new(StatusCode::NOT_FOUND, "NoSuchVersion", "The specified version does not exist."))
        }
        "list-type" if value != "2" => {
            Err(Refusal::invalid_argument("Invalid List Type specified in Request").argument(name, printable(value)))
        }
        _ => Ok(()),
    }
}

fn no_row(method: &Method, target: Target, subresource: &str) -> Refusal {
    let known_method = ROWS.iter().any(|row| row.method == method.as_str() && row.target == target);
    if subresource.is_empty() && (!known_method || method == Method::POST) {
        return method_not_allowed(method, target);
    }
    Refusal::not_implemented(format_args!("The {method} method of the subresource {subresource}"))
}

/// What the body of the request is, if it is read whole rather than the bytes of an object.
pub(crate) fn document(method: &Method, target: Target, uri: &Uri) -> Option<DocumentKind> {
    let has = |wanted: &str| decoded_names(uri).any(|name| name == wanted);
    match *method {
        Method::POST if target == Target::Bucket => Some(DocumentKind::Deletion),
        Method::POST => (!has("uploads")).then_some(DocumentKind::Completion),
        Method::PUT if has("acl") => Some(DocumentKind::Acl),
        Method::PUT if has("encryption") => Some(DocumentKind::Encryption),
        Method::PUT if target == Target::Bucket && has("policy") => Some(DocumentKind::Policy),
        Method::PUT if target == Target::Bucket => Some(DocumentKind::Bucket),
        _ => None,
    }
}

pub(crate) fn method_not_allowed(method: &Method, target: Target) -> Refusal {
    let message = "The specified method is not allowed against this resource.";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
        .detail("Method", method.as_str())
        .detail("ResourceType", target.resource_type())
}

fn unknown_parameter(name: &str) -> Refusal {
    let name = printable(name);
    Refusal::not_implemented(format_args!("The query string parameter {name}")).detail("ArgumentName", name)
}

/// A text of the client's, short enough to repeat.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

impl Target {
    const fn resource_type(self) -> &'static str {
        match self {
            Self::Service => "SERVICE",
            Self::Bucket => "BUCKET",
            Self::Object => "OBJECT",
            Self::Health | Self::Admin => "SERVER",
        }
    }
}

/// One operation: how it is named in a request and which parameters it knows.
struct Row {
    method: &'static str,
    target: Target,
    /// The subresource that names it; empty for the plain operation.
    subresource: &'static str,
    parameters: &'static [&'static str],
}

impl Row {
    fn matches(&self, method: &Method, target: Target, subresource: &str) -> bool {
        self.method == method.as_str() && self.target == target && self.subresource == subresource
    }
}

const fn row(
    method: &'static str,
    target: Target,
    subresource: &'static str,
    parameters: &'static [&'static str],
) -> Row {
    Row { method, target, subresource, parameters }
}

const ROWS: &[Row] = &[
    row("GET", Target::Service, "", &["prefix", "max-buckets", "continuation-token", "bucket-region"]),
    row(
        "GET",
        Target::Bucket,
        "",
        &[
            "list-type",
            "prefix",
            "delimiter",
            "marker",
            "max-keys",
            "encoding-type",
            "continuation-token",
            "start-after",
            "fetch-owner",
        ],
    ),
    row("GET", Target::Bucket, "location", &[]),
    row("GET", Target::Bucket, "acl", &[]),
    row("GET", Target::Bucket, "versioning", &[]),
    row("GET", Target::Bucket, "policy", &[]),
    row("GET", Target::Bucket, "policyStatus", &[]),
    row(
        "GET",
        Target::Bucket,
        "uploads",
        &["prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"],
    ),
    row("GET", Target::Bucket, "encryption", &[]),
    row("HEAD", Target::Bucket, "", &[]),
    row("PUT", Target::Bucket, "", &[]),
    row("PUT", Target::Bucket, "acl", &[]),
    row("PUT", Target::Bucket, "policy", &[]),
    row("PUT", Target::Bucket, "encryption", &[]),
    row("DELETE", Target::Bucket, "", &[]),
    row("DELETE", Target::Bucket, "policy", &[]),
    row("DELETE", Target::Bucket, "encryption", &[]),
    row("POST", Target::Bucket, "delete", &[]),
    row("GET", Target::Object, "", OBJECT_READ),
    row("GET", Target::Object, "acl", &["versionId"]),
    row("GET", Target::Object, "attributes", &["versionId"]),
    row("GET", Target::Object, "uploadId", &["uploadId", "max-parts", "part-number-marker", "encoding-type"]),
    row("HEAD", Target::Object, "", OBJECT_READ),
    row("PUT", Target::Object, "", &[]),
    row("PUT", Target::Object, "acl", &["versionId"]),
    row("PUT", Target::Object, "encryption", &["versionId"]),
    row("PUT", Target::Object, "uploadId", &["uploadId", "partNumber"]),
    row("POST", Target::Object, "uploads", &[]),
    row("POST", Target::Object, "uploadId", &["uploadId"]),
    row("DELETE", Target::Object, "", &["versionId"]),
    row("DELETE", Target::Object, "uploadId", &["uploadId"]),
];

const OBJECT_READ: &[&str] = &[
    "partNumber",
    "versionId",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

/// Parameters that belong to the authorization or name the operation once more. They are looked at elsewhere.
const AUTHORIZATION: &[&str] = &[
    "x-id",
    "AWSAccessKeyId",
    "Expires",
    "Signature",
    "X-Amz-Algorithm",
    "X-Amz-Content-Sha256",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// Which checksums a client would like to have, who it is, and that it would pay.
const READ_HINTS: &[&str] = &["x-amz-checksum-mode", "x-amz-request-payer", "x-amz-user-agent"];

/// Which checksum a client would like to send. A presigned PUT of the JavaScript SDK has it.
const PUT_HINTS: &[&str] = &["x-amz-sdk-checksum-algorithm"];

/// A presigned list with everything that it may have needs 20.
const PARAMETERS_MAX: usize = 64;

/// The names that stand for a subresource (AWS: "API Operations", all of Amazon S3 and S3 Express), whether we have it
/// or not.
const SUBRESOURCES: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "encryptionConfig",
    "events",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploads",
    "usage",
    "versioning",
    "versions",
    "website",
];

#[cfg(test)]
mod tests;
