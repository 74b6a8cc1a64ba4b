use std::fmt;

use model::{BucketName, ObjectKey};

/// What an action is done to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Resource {
    /// The installation as a whole: listing one's buckets.
    Service,
    /// A bucket, existing or to be created.
    Bucket(BucketName),
    /// An object key in a bucket, whether or not an object is there.
    Object(BucketName, ObjectKey),
}

impl Resource {
    /// `arn:aws:s3:::*`, `arn:aws:s3:::BUCKET` or `arn:aws:s3:::BUCKET/KEY`.
    #[must_use]
    pub fn arn(&self) -> String {
        match self {
            Self::Service => format!("{ARN_PREFIX}*"),
            Self::Bucket(bucket) => format!("{ARN_PREFIX}{bucket}"),
            Self::Object(bucket, object_key) => format!("{ARN_PREFIX}{bucket}/{object_key}"),
        }
    }

    /// The bucket concerned.
    #[must_use]
    pub const fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Service => None,
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn())
    }
}

pub(crate) const ARN_PREFIX: &str = "arn:aws:s3:::";
