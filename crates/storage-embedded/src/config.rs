use std::time::Duration;

/// How an [`EmbeddedStore`](crate::EmbeddedStore) behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes of the filesystem that are kept free: below it nothing new is taken, so that deletes still have room.
    pub reserve_bytes: u64,
    /// The largest body, in bytes, that is better kept in a record than in a file (docs/decisions/0003).
    pub inline_len_max: usize,
    /// Bytes of records kept in memory; the operating system's page cache comes on top.
    pub cache_bytes: usize,
    /// How long a finished blob waits for the batch that links it, before it is deleted.
    pub unlinked_age_max: Duration,
    /// Whether what no record names is deleted, at the start and later. Without it the store stays as it is found, for
    /// whoever wants to look at it.
    pub collects: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reserve_bytes: 64 << 20,
            inline_len_max: 16 << 10,
            cache_bytes: 16 << 20,
            unlinked_age_max: Duration::from_secs(15 * 60),
            collects: true,
        }
    }
}
