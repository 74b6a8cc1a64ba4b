//! Bounds on what a client can make us hold in memory. The server bounds headers, `s3s` gets its bounds from here.

use std::time::Duration;

use s3s::config::S3Config;

/// What all requests together may hold of documents and signed chunks, in bytes: 16 of the longest documents, or 1,024
/// chunks of 64 KiB.
pub(crate) const HELD_LEN_MAX: usize = 64 << 20;

/// What anonymous requests may have of [`HELD_LEN_MAX`], so that they leave room for those who have proven themselves.
pub(crate) const HELD_FOR_ANONYMOUS_LEN_MAX: usize = 16 << 20;

/// How long a document may be on its way.
pub(crate) const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(30);

/// The longest completion, in bytes. A list of 10,000 parts with every checksum stays below 3 MiB.
pub(crate) const COMPLETION_LEN_MAX: usize = 4 << 20;

/// The longest list of objects to delete, in bytes. A list of 1,000 names of 1,024 bytes stays below 1.2 MiB, unless
/// most of it is escapes.
pub(crate) const DELETION_LEN_MAX: usize = 2 << 20;

/// The longest ACL or configuration of a bucket, in bytes. An ACL of 100 grants has 40 KiB.
pub(crate) const CONFIGURATION_LEN_MAX: usize = 64 << 10;

/// The largest signed chunk, in bytes: it is held whole until its signature is checked. The SDKs for Java and .NET and
/// that of `MinIO` sign 64 to 128 KiB at a time, and the largest chunks of botocore have 1 MiB. Those of the SDK for Rust
/// are as long as the body, but they are not signed.
pub(crate) const SIGNED_CHUNK_LEN_MAX: u64 = 1 << 20;

/// The largest body of an admin request, in bytes.
pub(crate) const ADMIN_BODY_LEN_MAX: usize = 1 << 20;

/// How `s3s` is configured. Its skew bound is ours, so that both sides say the same.
pub(crate) fn s3s_config() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = COMPLETION_LEN_MAX;
    config.form_max_field_size = 20 << 10;
    config.form_max_fields_size = 1 << 20;
    config.form_max_parts = 100;
    config.post_object_max_file_size = 0;
    config.presigned_url_max_skew_time_secs = u32::try_from(identity::SKEW_MAX_MS / 1000).unwrap_or(900);
    config
}
