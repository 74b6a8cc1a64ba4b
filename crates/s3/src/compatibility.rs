//! Where S3 services differ, and an operator may choose what clients find here. The defaults are those of AWS, but for
//! the combination of the OSiRIS guide, which is what its users send.

/// What the operator chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compatibility {
    /// Customer headers beside `x-amz-server-side-encryption: AES256`.
    pub sse_c_with_aes256: SseCWithAes256,
    /// What a read with the wrong customer key gets.
    pub wrong_key_status: WrongKeyStatus,
    /// What `GetBucketEncryption` says of a bucket without a configuration.
    pub unconfigured_encryption: UnconfiguredEncryption,
    /// Which versions of the policy language a bucket policy may name.
    pub policy_versions: PolicyVersions,
}

/// Customer headers beside `x-amz-server-side-encryption: AES256`, which boto 2 sends together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SseCWithAes256 {
    /// They are SSE-C, and policies see both.
    #[default]
    Allow,
    /// 400, as on AWS.
    Refuse,
}

/// The status of a read with the wrong customer key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WrongKeyStatus {
    /// 403 `AccessDenied`, as on AWS.
    #[default]
    Forbidden,
    /// 400 `InvalidRequest`, as ceph/s3-tests expect.
    BadRequest,
}

/// The answer of `GetBucketEncryption` for a bucket without a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnconfiguredEncryption {
    /// SSE-S3, which is what happens; as on AWS since 2023.
    #[default]
    Aes256,
    /// 404 `ServerSideEncryptionConfigurationNotFoundError`, as on AWS before.
    NotFound,
}

/// The versions that a bucket policy may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyVersions {
    /// Any date; one that names no version is taken for 2012-10-17, with a warning.
    #[default]
    Lenient,
    /// 2008-10-17 and 2012-10-17 only, as on AWS.
    Strict,
}
