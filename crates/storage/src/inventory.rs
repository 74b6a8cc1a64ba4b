use async_trait::async_trait;
use model::BlobId;

use crate::error::Error;

/// An ability that not every backend has: to say what it holds, whatever records say of it.
///
/// It is for whoever looks for bytes that no record names: what a crash left, and what somebody put there.
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// What is held besides records and the backend's own structures, one page.
    ///
    /// Pages come in an order that does not change while nothing else does; `after` is the name of the last thing of
    /// the page before. At most `limit` things; fewer come back only at the end. What comes and goes during the walk
    /// may be missed.
    ///
    /// # Errors
    /// When the backend fails.
    async fn held(&self, after: Option<&str>, limit: usize) -> Result<Vec<Held>, Error>;
}

/// One thing that a backend holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Where it is, for people: in files, the path below the store's directory.
    pub name: String,
    /// Its bytes.
    pub length: u64,
    /// What the backend takes it for.
    pub kind: HeldKind,
}

/// What a backend takes a thing for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeldKind {
    /// A blob that a batch linked.
    Linked(BlobId),
    /// A blob that waits for its deletion.
    Garbage(BlobId),
    /// A blob that no batch has linked: one that is being written, or that a crash left.
    Unlinked(BlobId),
    /// Nothing that the backend ever made.
    Stranger,
}
