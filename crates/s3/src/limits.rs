//! Bounds on what a client can make us hold in memory. The server bounds headers, `s3s` gets its bounds from here.

use s3s::config::S3Config;

/// The largest XML or JSON body, in bytes. A list of 10,000 parts with every checksum stays below 3 MiB.
pub(crate) const DOCUMENT_LEN_MAX: usize = 4 << 20;

/// The largest signed chunk, in bytes: it is held whole until its signature is checked. Clients use 64 KiB to 1 MiB.
pub(crate) const SIGNED_CHUNK_LEN_MAX: u64 = 16 << 20;

/// The largest body of an admin request, in bytes.
pub(crate) const ADMIN_BODY_LEN_MAX: usize = 1 << 20;

/// How `s3s` is configured. Its skew bound is ours, so that both sides say the same.
pub(crate) fn s3s_config() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = DOCUMENT_LEN_MAX;
    config.form_max_field_size = 20 << 10;
    config.form_max_fields_size = 1 << 20;
    config.form_max_parts = 100;
    config.post_object_max_file_size = 0;
    config.presigned_url_max_skew_time_secs = u32::try_from(identity::SKEW_MAX_MS / 1000).unwrap_or(900);
    config
}
