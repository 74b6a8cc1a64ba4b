//! The keyring in the server's memory, at rest in a file that the root key seals.
//!
//! Readers take a snapshot of the keys and never wait: SSE-S3 wraps and unwraps without any I/O. Changes come one after
//! the other, on a thread that may block. Each makes new keys out of the old, has them written down, and only then lets
//! readers see them; so a key that wraps is always a key that a restart finds again. Who gives up waiting for a change
//! does not stop it half-way. The place of the keyring may be shared with other processes: see [`sharing`].

mod changes;
mod named;
mod sharing;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use envelope::{
    Damaged, DataKey, KeyHolder, KeyId, KeyringKeys, ObjectIdentity, OpenKeyringError, RootKey, RootKeyId, StoreKey,
    WrappedDataKey,
};
use model::Timestamp;

use crate::{Clock, KeyServiceError, KeyringFile};

pub use changes::PruneError;
use sharing::Sharing;

/// A keyring: the store key, the versions of the keyring's own key, and the named keys of a local KMS. As a
/// [`crate::KeyService`] it serves the latter.
pub struct LocalKeyring {
    shared: Arc<Shared>,
}

/// What a keyring needs to change: without it, it is for reading.
pub struct Keeper {
    /// Seals the file. It stays in memory, beside all that it protects.
    pub root_key: RootKey,
    /// Where the keyring is kept.
    pub file: Arc<dyn KeyringFile>,
    /// When keys are made and when they are to be destroyed.
    pub clock: Arc<dyn Clock>,
}

/// A version of the keyring's own key, without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyringVersion {
    /// Its name, which stands in every wrap that it made.
    pub id: KeyId,
    /// When it was made, where the keyring tells.
    pub created: Option<Timestamp>,
    /// Whether it wraps new data keys.
    pub is_current: bool,
    /// Whether an operation that runs now may still write a wrap by it: it was current since the server started, or where
    /// other processes share the keyring, within the last day.
    pub may_be_in_flight: bool,
}

struct Shared {
    state: RwLock<Arc<State>>,
    /// Held from the beginning to the end of a change, and by nobody who only reads.
    kept: Mutex<Option<Kept>>,
    /// Set where other processes keep the keyring too.
    sharing: OnceLock<Sharing>,
}

struct Kept {
    keeper: Keeper,
    /// That of a reseal whose outcome is unknown.
    next_root_key: Option<RootKey>,
}

/// One state of the keyring; it never changes.
struct State {
    keys: KeyringKeys,
    sealed_by: RootKeyId,
    /// The versions of its own key that wrapped since the keyring was opened.
    wrapped_here: Vec<KeyId>,
}

impl LocalKeyring {
    /// Fresh keys, and the sealed file to keep: without it everything stored under them is lost.
    #[must_use]
    pub fn create(root_key: &RootKey) -> (Self, Vec<u8>) {
        Self::sealed(root_key, KeyringKeys::generate())
    }

    /// Fresh keys that say when they were made, and the sealed file to keep.
    #[must_use]
    pub fn create_at(root_key: &RootKey, now: Timestamp) -> (Self, Vec<u8>) {
        Self::sealed(root_key, KeyringKeys::generate_at(Some(now)))
    }

    /// Opens a sealed file.
    ///
    /// # Errors
    /// [`OpenKeyringError`]; a file under another root key is told apart from a damaged one.
    pub fn open(root_key: &RootKey, sealed_file: &[u8]) -> Result<Self, OpenKeyringError> {
        Ok(Self::new(root_key.id(), root_key.open_keyring(sealed_file)?))
    }

    /// Lets the keyring change. Until then, what would change it is [`KeyServiceError::NotSupported`].
    #[must_use]
    pub fn kept_by(self, keeper: Keeper) -> Self {
        if keeper.file.is_shared() {
            self.shared.sharing.get_or_init(|| Sharing::new(Arc::clone(&keeper.clock)));
        }
        let kept = Kept { keeper, next_root_key: None };
        *self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        self
    }

    /// The key that authenticates records and seals the server's own secrets.
    #[must_use]
    pub fn store_key(&self) -> Arc<StoreKey> {
        Arc::clone(&self.state().keys.store_key)
    }

    /// The root key that the file is sealed by.
    #[must_use]
    pub fn root_key_id(&self) -> RootKeyId {
        self.state().sealed_by
    }

    /// The versions of the keyring's own key, the current one first.
    #[must_use]
    pub fn versions(&self) -> Vec<KeyringVersion> {
        let state = self.state();
        let current = state.keys.versions().current().key.id();
        let may_be_in_flight = |id| match self.shared.sharing.get() {
            Some(sharing) => sharing.may_be_in_flight(state.keys.versions(), id),
            None => state.wrapped_here.contains(&id),
        };
        let versions = state.keys.versions().iter().map(|version| KeyringVersion {
            id: version.key.id(),
            created: version.created,
            is_current: version.key.id() == current,
            may_be_in_flight: may_be_in_flight(version.key.id()),
        });
        versions.collect()
    }

    /// The version that wraps new data keys.
    #[must_use]
    pub fn current(&self) -> KeyId {
        self.state().keys.versions().current().key.id()
    }

    /// Whether there is such a version.
    #[must_use]
    pub fn has(&self, id: KeyId) -> bool {
        self.state().keys.versions().find(id).is_some()
    }

    /// Wraps a data key for an object, with the key that is current here. Where others share the keyring,
    /// [`crate::DataKeys`] sees to it that this is not out of date.
    #[must_use]
    pub fn wrap(&self, data_key: &DataKey, identity: &ObjectIdentity<'_>) -> WrappedDataKey {
        self.state().keys.versions().current().key.wrap(data_key, identity)
    }

    /// Unwraps what [`Self::wrap`] made, with the key that it names, current or not.
    ///
    /// # Errors
    /// [`KeyServiceError::UnknownKey`], [`KeyServiceError::Damaged`].
    pub fn unwrap(&self, wrapped: &WrappedDataKey, identity: &ObjectIdentity<'_>) -> Result<DataKey, KeyServiceError> {
        let KeyHolder::Keyring(id) = wrapped.holder() else {
            return Err(Damaged.into());
        };
        let state = self.state();
        let key = state.keys.versions().find(id).ok_or(KeyServiceError::UnknownKey(id))?;
        // The wrap names this very key, so one that does not commit to it was changed.
        Ok(key.unwrap(wrapped, identity).map_err(|_| Damaged)?)
    }

    /// All keys, sealed under another root key: for a backup. The keyring itself stays as it is.
    #[must_use]
    pub fn sealed_under(&self, root_key: &RootKey) -> Vec<u8> {
        root_key.seal_keyring(&self.state().keys)
    }

    /// Whether both hold the same keys, with the same names, states and times.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.state().keys.same_as(&other.state().keys)
    }

    fn sealed(root_key: &RootKey, keys: KeyringKeys) -> (Self, Vec<u8>) {
        let sealed_file = root_key.seal_keyring(&keys);
        (Self::new(root_key.id(), keys), sealed_file)
    }

    fn new(sealed_by: RootKeyId, keys: KeyringKeys) -> Self {
        let wrapped_here = vec![keys.versions().current().key.id()];
        let state = RwLock::new(Arc::new(State { keys, sealed_by, wrapped_here }));
        Self { shared: Arc::new(Shared { state, kept: Mutex::new(None), sharing: OnceLock::new() }) }
    }

    fn state(&self) -> Arc<State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> Arc<State> {
        // A state is whole whatever happened to the thread that put it there.
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
