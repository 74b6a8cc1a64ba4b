//! Uploads by HTML form (AWS: "Browser-based uploads using POST").
//!
//! `s3s` holds the whole file in memory, takes one of several fields of the same name, and does not ask whether the
//! policy covers what it passes on. So a form is read here, streaming, and becomes the `PUT` that says the same: its
//! fields turn into headers, its file into the body. Everything that judges a put then judges it too: the checks of the
//! front, the bucket's policy (which sees the fields as the keys that the headers would be), the encryption headers,
//! the digests.
//!
//! 1. [`reader`]: the fields in front of the file, bounded in length and time;
//! 2. `auth`: who signed the policy document, or nobody;
//! 3. [`PostPolicy`]: what the document allows, and that it covers every field;
//! 4. [`put`]: the request that the form stands for;
//! 5. [`FormFile`]: the file as its body, held to the range of lengths that the document allows;
//! 6. [`answer`]: what the browser gets.

pub(crate) mod answer;
mod fields;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod multipart;
mod part_headers;
mod policy;
pub(crate) mod put;
pub(crate) mod reader;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};

use crate::refusal::Refusal;

pub(crate) use fields::Fields;
pub(crate) use file::FormFile;
pub(crate) use policy::{LengthRange, PostPolicy};

/// Whether a request is a form, as `s3s` would read it.
pub(crate) fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.trim_start().get(..FORM_DATA.len());
    *method == Method::POST && essence.is_some_and(|essence| essence.eq_ignore_ascii_case(FORM_DATA))
}

/// The form cannot be read.
fn malformed() -> Refusal {
    let message = "The body of your POST request is not well-formed multipart/form-data.";
    Refusal::new(StatusCode::BAD_REQUEST, "MalformedPOSTRequest", message)
}

const FORM_DATA: &str = "multipart/form-data";
