//! The calls on the keyring.

use admin_api::{
    ErrorAnswer, ErrorCode, ExportKeyring, ExportedKeyring, Keyring, KeyringVersion, ResealKeyring, Secret,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::RootKey;
use kms::{KeyChangeOperation, KeyName, LocalKeyring};
use model::Timestamp;

use super::error;
use super::kms_calls::kms_error;
use crate::key_changes::ChangesBy;

/// With what other gateways did until now.
pub(super) async fn up_to_date_status(keyring: &LocalKeyring) -> Result<Keyring, ErrorAnswer> {
    keyring.refresh().await.map_err(kms_error)?;
    Ok(status(keyring))
}

fn status(keyring: &LocalKeyring) -> Keyring {
    Keyring {
        root_key_id: keyring.root_key_id().to_string(),
        versions: keyring.versions().into_iter().map(version).collect(),
    }
}

pub(super) async fn rotate(keyring: &LocalKeyring, changes: &ChangesBy<'_>) -> Result<KeyringVersion, ErrorAnswer> {
    let rotated = keyring.rotate_own().await;
    let key_name = rotated.as_ref().ok().map(|version| KeyName::Keyring(version.id));
    let rotated = changes.told(KeyChangeOperation::Rotate, key_name, rotated).await.map_err(kms_error)?;
    tracing::info!(id = %rotated.id, "rotated the keyring's key");
    Ok(version(rotated))
}

pub(super) async fn export(
    keyring: &LocalKeyring,
    changes: &ChangesBy<'_>,
    call: &ExportKeyring,
) -> Result<ExportedKeyring, ErrorAnswer> {
    let root_key = root_key(&call.root_key)?;
    // A backup that lacks what another gateway just made would be found out too late.
    let copy = keyring.refresh().await.map(|()| keyring.sealed_under(&root_key));
    let sealed = changes.told(KeyChangeOperation::Export, None, copy).await;
    let sealed = STANDARD.encode(sealed.map_err(kms_error)?);
    tracing::info!(root_key_id = %root_key.id(), "a copy of the keyring was taken, sealed under another root key");
    Ok(ExportedKeyring { sealed })
}

pub(super) async fn reseal(
    keyring: &LocalKeyring,
    changes: &ChangesBy<'_>,
    call: &ResealKeyring,
) -> Result<Keyring, ErrorAnswer> {
    let root_key = root_key(&call.root_key)?;
    let root_key_id = root_key.id();
    let resealed = keyring.reseal(root_key).await;
    changes.told(KeyChangeOperation::Reseal, None, resealed).await.map_err(kms_error)?;
    tracing::warn!(%root_key_id, "the keyring is sealed under another root key from now on");
    Ok(status(keyring))
}

fn root_key(text: &Secret) -> Result<RootKey, ErrorAnswer> {
    RootKey::from_file_text(text.expose()).map_err(|source| error(ErrorCode::InvalidCall, &source.to_string()))
}

fn version(version: kms::KeyringVersion) -> KeyringVersion {
    KeyringVersion {
        id: version.id.to_string(),
        created_ms: version.created.map(Timestamp::as_millis),
        is_current: version.is_current,
    }
}
