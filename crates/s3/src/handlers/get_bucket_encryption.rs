use http::StatusCode;
use operations::BucketEncryption;
use policy::Action;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Handlers;
use super::encryption_document::write_bucket;
use super::own::xml;
use crate::compatibility::UnconfiguredEncryption;
use crate::own::OwnInput;
use crate::refusal::Refusal;

/// AWS: `GetBucketEncryption`. What a bucket without a configuration answers is a setting.
pub(super) async fn get_bucket_encryption(
    handlers: &Handlers,
    request: S3Request<OwnInput>,
) -> S3Result<S3Response<Body>> {
    let asking = handlers.asking(&request)?;
    let granted = asking.bucket(Action::GetEncryptionConfiguration, &request.input.bucket).await?;
    let configured = handlers.operations().buckets.encryption(&granted);
    let configured = configured.map_err(operations::Fault::from).map_err(super::error::s3)?;
    match (configured, handlers.compatibility().unconfigured_encryption) {
        (Some(encryption), _) => Ok(xml(write_bucket(encryption))),
        (None, UnconfiguredEncryption::Aes256) => Ok(xml(write_bucket(&BucketEncryption::default()))),
        (None, UnconfiguredEncryption::NotFound) => Err(asking.exchange.refuse(Refusal::new(
            StatusCode::NOT_FOUND,
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        ))),
    }
}
