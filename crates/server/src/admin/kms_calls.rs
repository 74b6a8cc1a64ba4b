//! The calls on KMS keys, whichever KMS it is.

use std::ops::RangeInclusive;
use std::time::Duration;

use admin_api::{
    CreateKmsKey, DescribeKmsKey, DisableKmsKey, EnableKmsKey, ErrorAnswer, ErrorCode, KeyCache, KmsKey, KmsKeyList,
    KmsKeyState, RotateKmsKey, ScheduleKmsKeyDeletion,
};
use kms::{CacheStats, CachedKms, KeyChangeOperation, KeyName, KeyServiceError};
use model::{KmsKeyId, Timestamp};

use super::{calls, error};
use crate::clock;
use crate::key_changes::ChangesBy;

/// As AWS has it (`ScheduleKeyDeletion`, `PendingWindowInDays`).
const WAITING_DAYS: RangeInclusive<u32> = 7..=30;
const WAITING_DAYS_DEFAULT: u32 = 30;
const DAY: Duration = Duration::from_secs(86_400);

type Answer<T> = Result<T, ErrorAnswer>;

pub(super) async fn create(kms: &CachedKms, changes: &ChangesBy<'_>, call: CreateKmsKey) -> Answer<KmsKey> {
    let id = kms_key_id(&call.id)?;
    let created = kms.create(&id).await;
    let created =
        changes.told(KeyChangeOperation::Create, Some(KeyName::Kms(&id)), created).await.map_err(kms_error)?;
    tracing::info!(%id, "created a KMS key");
    Ok(answer(created))
}

pub(super) async fn describe(kms: &CachedKms, call: DescribeKmsKey) -> Answer<KmsKey> {
    kms.describe(&kms_key_id(&call.id)?).await.map(answer).map_err(kms_error)
}

pub(super) async fn list(kms: &CachedKms) -> Answer<KmsKeyList> {
    let keys = kms.list().await.map_err(kms_error)?;
    let CacheStats { hits, misses, keys: kept } = kms.stats();
    Ok(KmsKeyList { kms_keys: keys.into_iter().map(answer).collect(), cache: KeyCache { hits, misses, keys: kept } })
}

pub(super) async fn enable(kms: &CachedKms, changes: &ChangesBy<'_>, call: EnableKmsKey) -> Answer<KmsKey> {
    let id = kms_key_id(&call.id)?;
    let enabled = kms.enable(&id).await;
    let enabled =
        changes.told(KeyChangeOperation::Enable, Some(KeyName::Kms(&id)), enabled).await.map_err(kms_error)?;
    tracing::info!(%id, "enabled a KMS key");
    Ok(answer(enabled))
}

pub(super) async fn disable(kms: &CachedKms, changes: &ChangesBy<'_>, call: DisableKmsKey) -> Answer<KmsKey> {
    let id = kms_key_id(&call.id)?;
    let disabled = kms.disable(&id).await;
    let disabled =
        changes.told(KeyChangeOperation::Disable, Some(KeyName::Kms(&id)), disabled).await.map_err(kms_error)?;
    tracing::info!(%id, "disabled a KMS key");
    Ok(answer(disabled))
}

pub(super) async fn schedule_deletion(
    kms: &CachedKms,
    changes: &ChangesBy<'_>,
    call: ScheduleKmsKeyDeletion,
) -> Answer<KmsKey> {
    let id = kms_key_id(&call.id)?;
    let days = call.waiting_days.unwrap_or(WAITING_DAYS_DEFAULT);
    if !WAITING_DAYS.contains(&days) {
        return Err(error(ErrorCode::InvalidCall, "a KMS key waits 7 to 30 days for its deletion"));
    }
    let waiting_ms = u64::try_from((DAY * days).as_millis()).unwrap_or(u64::MAX);
    let at = Timestamp::from_millis(clock::now().as_millis().saturating_add(waiting_ms));
    let pending = kms.schedule_deletion(&id, at).await;
    let pending = changes
        .told(KeyChangeOperation::ScheduleDeletion, Some(KeyName::Kms(&id)), pending)
        .await
        .map_err(kms_error)?;
    tracing::warn!(%id, days, "a KMS key is to be deleted; enabling it cancels that");
    Ok(answer(pending))
}

pub(super) async fn rotate(kms: &CachedKms, changes: &ChangesBy<'_>, call: RotateKmsKey) -> Answer<KmsKey> {
    let id = kms_key_id(&call.id)?;
    let rotated = kms.rotate(&id).await;
    let rotated =
        changes.told(KeyChangeOperation::Rotate, Some(KeyName::Kms(&id)), rotated).await.map_err(kms_error)?;
    tracing::info!(%id, versions = rotated.versions, "rotated a KMS key");
    Ok(answer(rotated))
}

/// What a KMS or the keyring says, for an administrator: who may hear its reasons.
pub(super) fn kms_error(source: KeyServiceError) -> ErrorAnswer {
    let code = match &source {
        KeyServiceError::NotFound(_) => ErrorCode::NoSuchKmsKey,
        KeyServiceError::AlreadyExists(_) => ErrorCode::KmsKeyExists,
        KeyServiceError::Disabled(_) | KeyServiceError::PendingDeletion(_) => ErrorCode::WrongState,
        KeyServiceError::NotSupported(_) | KeyServiceError::Refused(_) => ErrorCode::NotSupported,
        KeyServiceError::Unavailable(_) | KeyServiceError::Audit(_) => {
            tracing::warn!(error = %source, "an admin call on keys could not be done");
            ErrorCode::Unavailable
        }
        KeyServiceError::UnknownKey(_) | KeyServiceError::Damaged(_) => return calls::internal(source),
    };
    error(code, &source.to_string())
}

fn kms_key_id(id: &str) -> Answer<KmsKeyId> {
    KmsKeyId::parse(id).map_err(|source| error(ErrorCode::InvalidCall, &source.to_string()))
}

fn answer(key: kms::KmsKey) -> KmsKey {
    let (state, deletion_ms) = match key.state {
        kms::KmsKeyState::Enabled => (KmsKeyState::Enabled, None),
        kms::KmsKeyState::Disabled => (KmsKeyState::Disabled, None),
        kms::KmsKeyState::PendingDeletion(at) => (KmsKeyState::PendingDeletion, Some(at.as_millis())),
    };
    KmsKey {
        id: key.id.as_str().to_owned(),
        state,
        deletion_ms,
        created_ms: key.created.map(Timestamp::as_millis),
        versions: key.versions,
    }
}
