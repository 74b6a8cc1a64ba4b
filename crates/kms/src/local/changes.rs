//! What changes the keyring.

use std::sync::{Arc, PoisonError};

use envelope::{KeyId, KeyVersion, KeyringKeys, RootKey};
use model::Timestamp;

use super::{Keeper, Kept, KeyringVersion, LocalKeyring, Shared, State};
use crate::{KeyServiceError, KeyringFileError};

/// Why versions of the keyring's key are not taken away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PruneError {
    /// There is no such version.
    #[error("the keyring has no key {0}")]
    Unknown(KeyId),
    /// It wraps new data keys.
    #[error("the key {0} is the current one")]
    Current(KeyId),
    /// It was current since the server started, so an operation that has not ended may yet write a wrap by it.
    #[error("the key {0} was still in use when the server started: restart the server, then prune")]
    InFlight(KeyId),
    /// It was current within the last day, so an operation of another gateway may yet write a wrap by it.
    #[error("the key {0} was in use within the last day, and another gateway may yet write by it: prune tomorrow")]
    RetiredLately(KeyId),
    /// The keyring could not be changed.
    #[error(transparent)]
    Keyring(#[from] KeyServiceError),
}

impl LocalKeyring {
    /// Starts a new version of the keyring's own key. It wraps from now on; older versions go on unwrapping.
    ///
    /// # Errors
    /// What keeps the keyring from changing.
    pub async fn rotate_own(&self) -> Result<KeyringVersion, KeyServiceError> {
        self.change(|keys, now| {
            let version = KeyVersion::generate(Some(now));
            let told = KeyringVersion {
                id: version.key.id(),
                created: version.created,
                is_current: true,
                may_be_in_flight: true,
            };
            Ok((keys.rotated(version).map_err(full)?, told))
        })
        .await
    }

    /// Takes versions of the keyring's own key away for ever. The caller knows that no record names them.
    ///
    /// # Errors
    /// [`PruneError`]; then none is taken away.
    pub async fn prune(&self, ids: &[KeyId]) -> Result<(), PruneError> {
        let versions = self.versions();
        for id in ids {
            match versions.iter().find(|version| version.id == *id) {
                None => return Err(PruneError::Unknown(*id)),
                Some(version) if version.is_current => return Err(PruneError::Current(*id)),
                Some(version) if version.may_be_in_flight && self.is_shared() => {
                    return Err(PruneError::RetiredLately(*id));
                }
                Some(version) if version.may_be_in_flight => return Err(PruneError::InFlight(*id)),
                // What is retired is never current again.
                Some(_) => {}
            }
        }
        let ids = ids.to_vec();
        Ok(self.change(move |keys, _| Ok((keys.without_retired(&ids), ()))).await?)
    }

    /// Seals the keyring file under another root key. From then on the old one does not open it. When that fails, the file
    /// is written in its old form again; should that fail too, either root key may be the one that opens it, and this
    /// keyring finds out when others share its place.
    ///
    /// # Errors
    /// What keeps the keyring from changing.
    pub async fn reseal(&self, root_key: RootKey) -> Result<(), KeyServiceError> {
        self.blocking(move |shared| {
            let mut kept = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept.as_mut().ok_or(READ_ONLY)?;
            for _ in 0..ATTEMPTS {
                shared.take_latest(kept)?;
                if kept.keeper.root_key.id() == root_key.id() {
                    // Also what an attempt whose outcome was unknown has done.
                    return Ok(());
                }
                let keys = shared.state().keys.share();
                match write_down(&kept.keeper, &root_key, &keys) {
                    Ok(()) => {
                        (kept.keeper.root_key, kept.next_root_key) = (root_key, None);
                        shared.show(&kept.keeper, keys);
                        return Ok(());
                    }
                    Err(KeyringFileError::Overtaken) => {}
                    Err(error) => {
                        kept.next_root_key = Some(root_key);
                        write_old_form(kept, &keys);
                        return Err(unavailable(&error));
                    }
                }
            }
            Err(unavailable(&KeyringFileError::Overtaken))
        })
        .await
    }

    /// Makes new keys out of the old, writes them down and lets everybody see them. Where others change the keyring too,
    /// `change` is called again with what they made of it.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl Fn(&KeyringKeys, Timestamp) -> Result<(KeyringKeys, T), KeyServiceError> + Send + 'static,
    ) -> Result<T, KeyServiceError> {
        self.blocking(move |shared| {
            let mut kept = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept.as_mut().ok_or(READ_ONLY)?;
            for _ in 0..ATTEMPTS {
                shared.take_latest(kept)?;
                let (keys, told) = change(&shared.state().keys, kept.keeper.clock.now())?;
                match write_down(&kept.keeper, &kept.keeper.root_key, &keys) {
                    Ok(()) => {
                        kept.next_root_key = None;
                        shared.show(&kept.keeper, keys);
                        return Ok(told);
                    }
                    Err(KeyringFileError::Overtaken) => {}
                    Err(error) => return Err(unavailable(&error)),
                }
            }
            Err(unavailable(&KeyringFileError::Overtaken))
        })
        .await
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, KeyServiceError> + Send + 'static,
    ) -> Result<T, KeyServiceError> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.unwrap_or_else(|_| Err(KeyServiceError::Unavailable("a change of the keyring was interrupted".to_owned())))
    }
}

impl Shared {
    pub(super) fn show(&self, keeper: &Keeper, keys: KeyringKeys) {
        let mut wrapped_here = self.state().wrapped_here.clone();
        let current = keys.versions().current().key.id();
        if !wrapped_here.contains(&current) {
            wrapped_here.push(current);
        }
        let state = Arc::new(State { keys, sealed_by: keeper.root_key.id(), wrapped_here });
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

fn write_down(keeper: &Keeper, root_key: &RootKey, keys: &KeyringKeys) -> Result<(), KeyringFileError> {
    keeper.file.replace(&root_key.seal_keyring(keys))
}

/// After a reseal that failed: the new form may be what the next start finds, and the old root key would not open it.
/// Once the old form is written, the new one cannot come any more.
fn write_old_form(kept: &mut Kept, keys: &KeyringKeys) {
    match write_down(&kept.keeper, &kept.keeper.root_key, keys) {
        Ok(()) => kept.next_root_key = None,
        Err(error) => tracing::error!(
            target: "canopic::keys", %error,
            "the keyring may be sealed under the new root key or the old one: keep both until a start has shown which \
             of them it needs",
        ),
    }
}

fn unavailable(error: &KeyringFileError) -> KeyServiceError {
    KeyServiceError::Unavailable(error.to_string())
}

pub(super) fn full(error: envelope::KeyringFull) -> KeyServiceError {
    KeyServiceError::Refused(error.to_string())
}

pub(super) const READ_ONLY: KeyServiceError = KeyServiceError::NotSupported("the keyring was opened for reading");
/// How often others may come first.
const ATTEMPTS: u32 = 20;
