use operations::BodyError;
use sha2::{Digest as _, Sha256};

use crate::content_sha256::ContentSha256;
use crate::error;
use crate::refusal::Refusal;

/// What a request claims of its document.
pub(super) struct Claims {
    sha256: Option<[u8; 32]>,
}

impl Claims {
    pub(super) fn of(content: ContentSha256) -> Self {
        let sha256 = if let ContentSha256::Digest(digest) = content { Some(digest) } else { None };
        Self { sha256 }
    }

    /// Checks them on the whole document.
    pub(super) fn check(&self, document: &[u8]) -> Result<(), Refusal> {
        if self.sha256.is_some_and(|claimed| Sha256::digest(document)[..] != claimed) {
            return Err(error::of_body(&BodyError::ContentSha256Mismatch));
        }
        Ok(())
    }
}
