use model::{ETag, Timestamp, VersionId};

use crate::encryption::EncryptionMode;
use crate::records::{CannedAcl, ObjectMetadata};

/// What a read tells of an object beside its bytes.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    /// Its version.
    pub version: VersionId,
    /// Its tag.
    pub etag: ETag,
    /// When it was written.
    pub last_modified: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Who holds its key.
    pub encryption: EncryptionMode,
    /// What the client said of it.
    pub metadata: ObjectMetadata,
    /// How many parts it was uploaded in; `None` when it was put in one piece.
    pub parts: Option<u32>,
    /// Its canned ACL.
    pub acl: CannedAcl,
}
