use std::path::PathBuf;
use std::time::Duration;

/// Where the cluster is and how the store uses it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Ceph's configuration file: monitors, and where the keyring of the user is.
    pub conf: PathBuf,
    /// The cephx user with its type, such as `client.canopic`.
    pub user: String,
    /// The namespace of all objects in all pools.
    pub namespace: String,
    /// How long any operation may wait for the cluster.
    pub deadline: Duration,
    /// Where what names no placement goes; its index pool also holds what concerns all placements.
    pub default_placement: Placement,
    /// Further placements.
    pub placements: Vec<Placement>,
    /// The length of a stripe of a blob in bytes, rounded down to what a pool demands.
    pub stripe_len: u64,
    /// The largest body in bytes that is kept beside its record.
    pub inline_len_max: usize,
    /// When an index object is split.
    pub split_at: SplitAt,
    /// How long the bytes of a blob stay after nothing names it any more: longer than the longest GET.
    pub grace: Duration,
    /// How long a blob may be written, or wait to be linked, before it is garbage.
    pub unlinked_age_max: Duration,
    /// How often garbage is looked for.
    pub collect_every: Duration,
    /// Whether this gateway takes part in that.
    pub collects: bool,
}

/// A pair of pools by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    /// What `LocationConstraint` calls it, without the colon.
    pub name: String,
    /// For blobs: replicated or erasure-coded.
    pub data_pool: String,
    /// For records: replicated.
    pub index_pool: String,
}

/// The size at which an index object is split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SplitAt {
    /// Omap entries.
    pub entries: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

impl Config {
    /// The usual settings for a cluster with two pools.
    #[must_use]
    pub fn new(conf: impl Into<PathBuf>, data_pool: &str, index_pool: &str) -> Self {
        Self {
            conf: conf.into(),
            user: "client.canopic".to_owned(),
            namespace: "canopic".to_owned(),
            deadline: Duration::from_secs(20),
            default_placement: Placement {
                name: "default".to_owned(),
                data_pool: data_pool.to_owned(),
                index_pool: index_pool.to_owned(),
            },
            placements: Vec::new(),
            stripe_len: 4 << 20,
            inline_len_max: 16 << 10,
            split_at: SplitAt { entries: 30_000, bytes: 96 << 20 },
            grace: Duration::from_secs(6 * 3600),
            unlinked_age_max: Duration::from_secs(24 * 3600),
            collect_every: Duration::from_secs(300),
            collects: true,
        }
    }
}
