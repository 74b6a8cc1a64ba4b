use storage::Error;

use crate::librados::LibradosError;

/// Why a store on RADOS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The library, the configuration, the user or the monitors.
    #[error(transparent)]
    Librados(#[from] LibradosError),
    /// A pool is missing, or the user may not see it.
    #[error("the cluster has no pool {0}: make it first (docs/operations-ceph.md says how)")]
    NoSuchPool(String),
    /// Records need an omap.
    #[error(
        "the pool {0} is erasure-coded and cannot keep an index: name a replicated pool as the index pool (an \
         erasure-coded one can keep the data)"
    )]
    IndexPoolErasureCoded(String),
    /// A placement was configured with other pools before.
    #[error(
        "the placement {0} was made with other pools, and its buckets are there: configure those, or choose a new name"
    )]
    OtherPools(String),
    /// A later version wrote it.
    #[error("the store has format {0}, which this version does not know: use the version that made it, or a later one")]
    Format(u8),
    /// The cluster fails.
    #[error(transparent)]
    Store(#[from] Error),
}
