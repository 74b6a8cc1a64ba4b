//! The named keys: the keyring as a KMS of its own.

use async_trait::async_trait;
use envelope::{Damaged, KeyEncryptionKey, KeyId, KeyVersion, KeyVersions, KeyringKeys, NamedKey, NamedKeyState};
use model::{KmsKeyId, Timestamp};

use super::changes::full;
use super::{LocalKeyring, State};
use crate::{KeyService, KeyServiceError, KmsKey, KmsKeyState};

impl LocalKeyring {
    /// Destroys the named keys whose time has come, and tells which. Nothing that they sealed opens again.
    ///
    /// # Errors
    /// What keeps the keyring from changing.
    pub async fn destroy_due(&self, now: Timestamp) -> Result<Vec<KmsKeyId>, KeyServiceError> {
        if due(&self.state().keys, now).is_empty() {
            return Ok(Vec::new());
        }
        self.change(move |keys, _| {
            let due = due(keys, now);
            Ok((due.iter().fold(keys.share(), |keys, id| keys.without_named(id)), due))
        })
        .await
    }

    async fn set(
        &self,
        id: &KmsKeyId,
        change: impl Fn(&KmsKeyId, &NamedKey, Timestamp) -> Result<NamedKey, KeyServiceError> + Send + 'static,
    ) -> Result<KmsKey, KeyServiceError> {
        let id = id.clone();
        self.change(move |keys, now| {
            let changed = change(&id, find(keys, &id)?, now)?;
            let told = described(&id, &changed);
            Ok((keys.with_named(id.clone(), changed).map_err(full)?, told))
        })
        .await
    }
}

#[async_trait]
impl KeyService for LocalKeyring {
    async fn create(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let id = id.clone();
        self.change(move |keys, now| {
            if keys.named(&id).is_some() {
                return Err(KeyServiceError::AlreadyExists(id.clone()));
            }
            let versions = KeyVersions::first(KeyVersion::generate(Some(now)));
            let key = NamedKey { state: NamedKeyState::Enabled, created: now, versions };
            let told = described(&id, &key);
            Ok((keys.with_named(id.clone(), key).map_err(full)?, told))
        })
        .await
    }

    async fn describe(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        self.known(|state| Ok(described(id, find(&state.keys, id)?))).await
    }

    async fn list(&self) -> Result<Vec<KmsKey>, KeyServiceError> {
        self.refresh().await?;
        Ok(self.state().keys.all_named().map(|(id, key)| described(id, key)).collect())
    }

    async fn enable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        self.set(id, |_, key, _| Ok(with_state(key, NamedKeyState::Enabled))).await
    }

    async fn disable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        self.set(id, |id, key, _| {
            // It would cancel the deletion in passing.
            refuse_pending(id, key)?;
            Ok(with_state(key, NamedKeyState::Disabled))
        })
        .await
    }

    async fn schedule_deletion(&self, id: &KmsKeyId, at: Timestamp) -> Result<KmsKey, KeyServiceError> {
        self.set(id, move |id, key, _| {
            refuse_pending(id, key)?;
            Ok(with_state(key, NamedKeyState::PendingDeletion(at)))
        })
        .await
    }

    async fn rotate(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        self.set(id, |id, key, now| {
            let key = usable(id, key)?;
            let versions = key.versions.rotated(KeyVersion::generate(Some(now))).map_err(full)?;
            Ok(NamedKey { state: key.state, created: key.created, versions })
        })
        .await
    }

    async fn wrap(&self, id: &KmsKeyId, key: &KeyEncryptionKey, context: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        self.ensure_known().await?;
        let sealed = |state: &State| {
            let sealer = usable(id, find(&state.keys, id)?)?;
            Ok(sealer.versions.current().key.seal_key(key, context))
        };
        self.known(sealed).await
    }

    async fn unwrap(
        &self,
        id: &KmsKeyId,
        inner: KeyId,
        sealed: &[u8],
        context: &[u8],
    ) -> Result<KeyEncryptionKey, KeyServiceError> {
        let opened = |state: &State| {
            let named = usable(id, find(&state.keys, id)?)?;
            let sealer = KeyEncryptionKey::sealer_of(sealed)?;
            let sealer = named.versions.find(sealer).ok_or(KeyServiceError::UnknownKey(sealer))?;
            // It names this very key, so one that does not commit to it was changed.
            Ok(sealer.open_key(inner, sealed, context).map_err(|_| Damaged)?)
        };
        self.known(opened).await
    }

    async fn is_current(&self, id: &KmsKeyId, sealed: &[u8]) -> Result<bool, KeyServiceError> {
        let is_current = |state: &State| {
            let versions = &find(&state.keys, id)?.versions;
            let sealer = KeyEncryptionKey::sealer_of(sealed)?;
            versions.find(sealer).ok_or(KeyServiceError::UnknownKey(sealer))?;
            Ok(sealer == versions.current().key.id())
        };
        self.known(is_current).await
    }
}

fn find<'a>(keys: &'a KeyringKeys, id: &KmsKeyId) -> Result<&'a NamedKey, KeyServiceError> {
    keys.named(id).ok_or_else(|| KeyServiceError::NotFound(id.clone()))
}

fn usable<'a>(id: &KmsKeyId, key: &'a NamedKey) -> Result<&'a NamedKey, KeyServiceError> {
    refuse_pending(id, key)?;
    match key.state {
        NamedKeyState::Disabled => Err(KeyServiceError::Disabled(id.clone())),
        NamedKeyState::Enabled | NamedKeyState::PendingDeletion(_) => Ok(key),
    }
}

fn refuse_pending(id: &KmsKeyId, key: &NamedKey) -> Result<(), KeyServiceError> {
    match key.state {
        NamedKeyState::PendingDeletion(_) => Err(KeyServiceError::PendingDeletion(id.clone())),
        NamedKeyState::Enabled | NamedKeyState::Disabled => Ok(()),
    }
}

fn due(keys: &KeyringKeys, now: Timestamp) -> Vec<KmsKeyId> {
    let due = |key: &NamedKey| matches!(key.state, NamedKeyState::PendingDeletion(at) if at <= now);
    keys.all_named().filter(|(_, key)| due(key)).map(|(id, _)| id.clone()).collect()
}

fn with_state(key: &NamedKey, state: NamedKeyState) -> NamedKey {
    NamedKey { state, created: key.created, versions: key.versions.share() }
}

fn described(id: &KmsKeyId, key: &NamedKey) -> KmsKey {
    let state = match key.state {
        NamedKeyState::Enabled => KmsKeyState::Enabled,
        NamedKeyState::Disabled => KmsKeyState::Disabled,
        NamedKeyState::PendingDeletion(at) => KmsKeyState::PendingDeletion(at),
    };
    let versions = u32::try_from(key.versions.iter().count()).unwrap_or(u32::MAX);
    KmsKey { id: id.clone(), state, created: Some(key.created), versions }
}
