//! Requests through the whole of this crate to the operations over the reference store: what crosses the line between
//! the front, which sees headers, and the operations, which see permits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

// The name that the rest of the workspace knows the crate by.
extern crate canopic_s3 as s3;

mod access;
mod attributes;
mod bucket_encryption;
mod buckets;
mod completion;
mod forms;
mod kms_mode;
mod support;
