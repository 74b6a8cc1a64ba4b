//! A keyring that several processes keep in one place.
//!
//! Each has its keys in memory and writes changes down on the condition that nobody else wrote since: so no change of one
//! overwrites another's, and whoever comes second takes the first one's in and makes its own on top of it. What others
//! did is taken in by [`LocalKeyring::refresh`], which is to be called often, and which is called here as soon as a key
//! is asked for that is unknown.
//!
//! Who cannot learn what others did goes on opening with the keys it has. It does not wrap with them for long: others may
//! have retired them meanwhile, found that nothing names them any more, and taken them away.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use envelope::{KeyId, KeyVersions, KeyringKeys, OpenKeyringError};

use super::changes::READ_ONLY;
use super::{Kept, LocalKeyring, Shared, State};
use crate::{Clock, KeyServiceError};

/// What a keyring knows of its being shared.
pub(super) struct Sharing {
    clock: Arc<dyn Clock>,
    /// Held by the one that looks what others did, so that many who want to know ask once: the number of the last look
    /// that succeeded.
    looking: tokio::sync::Mutex<u64>,
    /// How many looks were begun.
    begun: AtomicU64,
    taken: AtomicU64,
    /// When somebody last looked, and when it was last known what others did: in milliseconds, by the clock.
    tried: AtomicU64,
    known: AtomicU64,
}

impl Sharing {
    /// For a keyring that was read just now.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.now().as_millis();
        Self {
            clock,
            looking: tokio::sync::Mutex::default(),
            begun: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            tried: AtomicU64::new(now),
            known: AtomicU64::new(now),
        }
    }

    /// The versions that an operation of some process may yet write a wrap by. Nobody knows of the operations of all, but
    /// none goes on for longer than [`IN_FLIGHT_MAX`] and links what it wrote.
    pub(super) fn may_be_in_flight(&self, versions: &KeyVersions, id: KeyId) -> bool {
        // At the latest when the next newer version was made whose time is known.
        let mut replaced_by = None;
        for version in versions.iter().take_while(|version| version.key.id() != id) {
            replaced_by = version.created.or(replaced_by);
        }
        // Otherwise it is current, or nobody knows since when it is not.
        replaced_by.is_none_or(|at| self.since(at.as_millis()) < IN_FLIGHT_MAX)
    }

    fn since(&self, millis: u64) -> Duration {
        Duration::from_millis(self.clock.now().as_millis().saturating_sub(millis))
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
        let begun_before = sharing.begun.load(Ordering::SeqCst);
        let mut last_good = sharing.looking.lock().await;
        if *last_good > begun_before {
            return Ok(());
        }
        let this = sharing.begun.fetch_add(1, Ordering::SeqCst) + 1;
        sharing.tried.store(sharing.clock.now().as_millis(), Ordering::Relaxed);
        let look = |shared: &Shared| {
            let mut kept = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
            shared.take_latest(kept.as_mut().ok_or(READ_ONLY)?)
        };
        self.blocking(look).await?;
        *last_good = this;
        Ok(())
    }

    /// To be awaited before something is wrapped: what is current here is so for the others too, or was until lately.
    ///
    /// # Errors
    /// [`KeyServiceError::Unavailable`] when nobody could find out for half an hour what other processes made of the
    /// keyring.
    pub(crate) async fn ensure_known(&self) -> Result<(), KeyServiceError> {
        let Some(sharing) = self.shared.sharing.get() else { return Ok(()) };
        if sharing.since(sharing.tried.load(Ordering::Relaxed)) >= TRIED_BEFORE {
            // Whether it succeeded stands in the next line.
            let _ = self.refresh().await;
        }
        if sharing.since(sharing.known.load(Ordering::Relaxed)) < KNOWN_BEFORE {
            return Ok(());
        }
        let told = "for too long it is not known here what other gateways did to the keyring: nothing is wrapped by it";
        Err(KeyServiceError::Unavailable(told.to_owned()))
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

    /// Whether this is the version of the keyring's own key that wraps. Many records may name one that is unknown, so what
    /// others made is looked at now and then only.
    pub(crate) async fn is_current_version(&self, id: KeyId) -> Result<bool, KeyServiceError> {
        if let Some(sharing) = self.shared.sharing.get()
            && !self.has(id)
            && sharing.since(sharing.tried.load(Ordering::Relaxed)) >= LOOKED_BEFORE
        {
            self.refresh().await?;
        }
        if self.has(id) { Ok(id == self.current()) } else { Err(KeyServiceError::UnknownKey(id)) }
    }

    /// Whether other processes may change the keyring too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared.sharing.get().is_some()
    }
}

impl Shared {
    pub(super) fn take_latest(&self, kept: &mut Kept) -> Result<(), KeyServiceError> {
        let unavailable = |text: String| KeyServiceError::Unavailable(text);
        let known = self.sharing.get().map(|sharing| (sharing, sharing.clock.now().as_millis()));
        let latest = kept.keeper.file.latest().map_err(|error| unavailable(error.to_string()))?;
        if let Some(sealed) = latest {
            let opened = open(kept, &sealed);
            let (keys, by_next) =
                opened.map_err(|error| unavailable(format!("the keyring of all gateways: {error}")))?;
            if !keys.has_store_key_of(&self.state().keys) {
                return Err(unavailable("the keyring in the store belongs to another installation".to_owned()));
            }
            kept.keeper.file.take(&sealed);
            // The reseal whose outcome was unknown has happened, or has not and cannot any more.
            if let Some(next) = kept.next_root_key.take().filter(|_| by_next) {
                kept.keeper.root_key = next;
            }
            self.show(&kept.keeper, keys);
            if let Some(sharing) = self.sharing.get() {
                sharing.taken.fetch_add(1, Ordering::Release);
            }
        }
        if let Some((sharing, at)) = known {
            sharing.known.store(at, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The keys, and whether it was the next root key that opened them.
fn open(kept: &Kept, sealed: &[u8]) -> Result<(KeyringKeys, bool), OpenKeyringError> {
    match (kept.keeper.root_key.open_keyring(sealed), &kept.next_root_key) {
        (Err(OpenKeyringError::WrongRootKey { .. }), Some(next)) => Ok((next.open_keyring(sealed)?, true)),
        (opened, _) => Ok((opened?, false)),
    }
}

/// A store forgets after a day what was begun and not linked. Half an hour is for [`KNOWN_BEFORE`], the other half for
/// clocks that differ.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(25 * 3600);
/// For so long it is believed what was known of the keyring.
const KNOWN_BEFORE: Duration = Duration::from_secs(1800);
/// Between two looks for versions that records name and nobody may have made.
const LOOKED_BEFORE: Duration = Duration::from_secs(1);
/// Who wraps looks by itself when nobody looked for so long.
const TRIED_BEFORE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
