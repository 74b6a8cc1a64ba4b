//! Operations that `s3s` 0.14.1 does not know, or whose documents it cannot read or write as AWS does. They come behind
//! its check of the signature all the same ([`crate::Gateway`]).
//!
//! - `GetBucketEncryption`, `PutBucketEncryption`: `s3s` has no `BlockedEncryptionTypes`.
//! - `UpdateObjectEncryption`: it takes the request for a `PutObject`.
//! - `GetObjectAttributes`: it takes the list of attributes for one, and puts quotes around the tag.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Uri};
use s3s::{Body, S3Request, S3Response, S3Result};

use crate::query::decoded_names;
use crate::target::Target;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnOperation {
    /// `GET /bucket?encryption`.
    GetBucketEncryption,
    /// `PUT /bucket?encryption`.
    PutBucketEncryption,
    /// `GET /bucket/object?attributes`.
    GetObjectAttributes,
    /// `PUT /bucket/object?encryption`.
    UpdateObjectEncryption,
}

/// What a request for one of them is about.
pub struct OwnInput {
    /// The name of the bucket, as it came.
    pub bucket: String,
    /// The key of the object, as it came; empty for the bucket itself.
    pub object: String,
    /// The document, whole; empty without one.
    pub document: Bytes,
}

/// Answers them, like the trait of `s3s` does the others.
#[async_trait]
pub trait OwnOperations: Send + Sync + 'static {
    /// Answers one request, whose signature has been checked.
    ///
    /// # Errors
    /// What the client is told instead.
    async fn own(&self, operation: OwnOperation, request: S3Request<OwnInput>) -> S3Result<S3Response<Body>>;
}

impl OwnOperation {
    /// The operation of a request, if it is one of these. The query has been checked to name one operation only.
    pub(crate) fn of(method: &Method, target: Target, uri: &Uri) -> Option<Self> {
        let has = |wanted: &str| decoded_names(uri).any(|name| name == wanted);
        match (method, target) {
            (&Method::GET, Target::Bucket) if has("encryption") => Some(Self::GetBucketEncryption),
            (&Method::PUT, Target::Bucket) if has("encryption") => Some(Self::PutBucketEncryption),
            (&Method::PUT, Target::Object) if has("encryption") => Some(Self::UpdateObjectEncryption),
            (&Method::GET, Target::Object) if has("attributes") => Some(Self::GetObjectAttributes),
            _ => None,
        }
    }

    /// Its name on AWS.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GetBucketEncryption => "GetBucketEncryption",
            Self::PutBucketEncryption => "PutBucketEncryption",
            Self::GetObjectAttributes => "GetObjectAttributes",
            Self::UpdateObjectEncryption => "UpdateObjectEncryption",
        }
    }

    pub(crate) const fn has_document(self) -> bool {
        matches!(self, Self::PutBucketEncryption | Self::UpdateObjectEncryption)
    }
}
