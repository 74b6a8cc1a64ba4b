//! The administrator's first access key pair.

use operations::{IssuedAccessKey, Users};

use crate::config::FixedRootPair;

/// The store failed while the root pair was looked for or made.
#[derive(Debug, thiserror::Error)]
#[error("the root pair cannot be kept: {0}")]
pub struct RootPairError(String);

/// Sees to it that the administrator has a pair: the one that the operator fixed or, if there is none at all, a fresh
/// one, which is returned to be shown.
pub(crate) async fn ensure(
    users: &Users,
    fixed: Option<&FixedRootPair>,
) -> Result<Option<IssuedAccessKey>, RootPairError> {
    let failed = |error: operations::Fault| RootPairError(error.to_string());
    let root = users.root().await.map_err(failed)?;
    let existing = users.list_access_keys(Some(&root)).await.map_err(failed)?;
    match fixed {
        Some(fixed) => {
            users.put_access_key(&fixed.access_key_id, &fixed.secret, &root, None).await.map_err(failed)?;
            // They may be wanted; but an operator who changes the pair may think that the old one ended with it.
            for other in existing.iter().filter(|other| other.id != fixed.access_key_id.as_str()) {
                tracing::warn!(
                    id = other.id,
                    "the administrator has another access key: revoke it if it is an old one"
                );
            }
            Ok(None)
        }
        None if existing.is_empty() => users.issue_access_key(&root, None).await.map(Some).map_err(failed),
        None => Ok(None),
    }
}
