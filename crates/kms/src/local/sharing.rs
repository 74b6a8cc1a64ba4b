//! A keyring that several processes keep in one place.
//!
//! Each has its keys in memory and writes changes down on the condition that nobody else wrote since: so no change of one
//! overwrites another's, and whoever comes second takes the first one's in and makes its own on top of it. What others
//! did is taken in by [`LocalKeyring::refresh`], which is to be called often, and which is called here as soon as a key
//! is asked for that is unknown.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use envelope::{KeyId, KeyVersions};
use model::Timestamp;

use super::changes::READ_ONLY;
use super::{Keeper, LocalKeyring, Shared, State};
use crate::{Clock, KeyServiceError};

/// What a keyring knows of its being shared.
pub(super) struct Sharing {
    clock: Arc<dyn Clock>,
    /// Held by the one that looks what others did, so that many who want to know ask once.
    looking: tokio::sync::Mutex<()>,
    taken: AtomicU64,
}

impl Sharing {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, looking: tokio::sync::Mutex::default(), taken: AtomicU64::new(0) }
    }

    /// The versions that an operation of some process may yet write a wrap by. Nobody knows of the operations of all, but
    /// none goes on for longer than [`IN_FLIGHT_MAX`] and links what it wrote.
    pub(super) fn may_be_in_flight(&self, versions: &KeyVersions, id: KeyId) -> bool {
        let mut replaced_by = None;
        for version in versions.iter() {
            if version.key.id() == id {
                break;
            }
            replaced_by = Some(version.created);
        }
        match replaced_by {
            Some(Some(at)) => self.clock.now() < after(at, IN_FLIGHT_MAX),
            // It is current, or nobody knows since when it is not.
            Some(None) | None => true,
        }
    }
}

impl LocalKeyring {
    /// Takes in what other processes made of the keyring. Without others, and when they did nothing, it does nothing.
    ///
    /// # Errors
    /// [`KeyServiceError::Unavailable`] when the place of the keyring cannot be read, or when what stands there is sealed
    /// by another root key or belongs to another installation. The keyring stays as it is then.
    pub async fn refresh(&self) -> Result<(), KeyServiceError> {
        let Some(sharing) = self.shared.sharing.get() else { return Ok(()) };
        let before = sharing.taken.load(Ordering::Acquire);
        let _looking = sharing.looking.lock().await;
        if sharing.taken.load(Ordering::Acquire) != before {
            return Ok(());
        }
        self.blocking(|shared| {
            let keeper = shared.keeper.lock().unwrap_or_else(PoisonError::into_inner);
            shared.take_latest(keeper.as_ref().ok_or(READ_ONLY)?)
        })
        .await
    }

    /// How often changes of others were taken in. While it stays the same, so do all keys that were not changed here.
    #[must_use]
    pub fn changes_of_others(&self) -> u64 {
        self.shared.sharing.get().map_or(0, |sharing| sharing.taken.load(Ordering::Acquire))
    }

    /// Looks into the keyring; into what others made of it too, when something is unknown.
    pub(super) async fn known<T: Send>(
        &self,
        look: impl Fn(&State) -> Result<T, KeyServiceError> + Send,
    ) -> Result<T, KeyServiceError> {
        match look(&self.state()) {
            Err(KeyServiceError::NotFound(_) | KeyServiceError::UnknownKey(_)) if self.is_shared() => {
                self.refresh().await?;
                look(&self.state())
            }
            looked => looked,
        }
    }

    /// Whether other processes may change the keyring too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared.sharing.get().is_some()
    }
}

impl Shared {
    pub(super) fn take_latest(&self, keeper: &Keeper) -> Result<(), KeyServiceError> {
        let unavailable = |text: String| KeyServiceError::Unavailable(text);
        let latest = keeper.file.latest().map_err(|error| unavailable(error.to_string()))?;
        let Some(sealed) = latest else { return Ok(()) };
        let keys = keeper.root_key.open_keyring(&sealed);
        let keys = keys.map_err(|error| unavailable(format!("the keyring of all gateways: {error}")))?;
        if !keys.has_store_key_of(&self.state().keys) {
            return Err(unavailable("the keyring in the store belongs to another installation".to_owned()));
        }
        keeper.file.take(&sealed);
        self.show(keeper, keys);
        if let Some(sharing) = self.sharing.get() {
            sharing.taken.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

fn after(at: Timestamp, time: Duration) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

/// A store forgets after a day what was begun and not linked; the hour is for clocks that differ.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(25 * 3600);

#[cfg(test)]
mod tests;
