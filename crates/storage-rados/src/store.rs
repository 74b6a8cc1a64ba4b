use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;
use storage::{
    Batch, Beside, BlobReader, BlobWriter, Blobs, CommitError, Entry, Error, Leases, Metadata, NoSuchPlacement,
    Partition, Precondition, RecordKey, RetireError, Scan, Scope, Table,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::blobs::BlobStore;
use crate::collector::Collector;
use crate::config::Config;
use crate::connect_error::ConnectError;
use crate::growth::{self, Growth};
use crate::index::Index;
use crate::lanes::Lanes;
use crate::leases::RadosLeases;
use crate::librados::{Librados, SessionEnd};
use crate::links::Links;
use crate::map::{Maps, no_answer};
use crate::names::{self, OmapTable, ROOT_OBJECT};
use crate::placements::Placements;
use crate::presence;
use crate::rados::{Rados, ReadAnswer, ReadStep};
use crate::retire::Retirement;
use crate::root;
use crate::system_cache::{BELIEVED_FOR, Looked, SystemCache};

/// Records and blobs of many gateways in the pools of a Ceph cluster.
///
/// It needs a tokio runtime, also when it is dropped. What it does in the background ends with it.
pub struct RadosStore {
    rados: Arc<dyn Rados>,
    placements: Arc<Placements>,
    index: Arc<Index>,
    system: Arc<SystemCache>,
    blobs: Arc<BlobStore>,
    links: Links,
    leases: RadosLeases,
    config: Config,
    // Its tasks end when it is dropped.
    _background: JoinSet<()>,
}

impl RadosStore {
    /// Opens the store in the pools that are configured; one that is empty becomes a store. Beside it comes what is to be
    /// dropped after it.
    ///
    /// # Errors
    /// [`ConnectError`] says what stands in the way.
    pub async fn connect(config: &Config) -> Result<(Self, SessionEnd), ConnectError> {
        let rados = Librados::connect(config).await?;
        let session_end = rados.session_end();
        Ok((Self::on(Arc::new(rados), config).await?, session_end))
    }

    /// The store on a cluster that answers.
    pub(crate) async fn on(rados: Arc<dyn Rados>, config: &Config) -> Result<Self, ConnectError> {
        let placements = Arc::new(root::open(rados.as_ref(), config).await?);
        let maps = Arc::new(Maps::new(rados.clone(), placements.clone()));
        let (growth, counting) = Growth::new(config.split_at);
        let lanes = Lanes::new(rados.clone(), maps.clone(), growth.clone());
        let index = Arc::new(Index::new(rados.clone(), maps, lanes, config.deadline));
        let system = Arc::new(SystemCache::default());
        let mut background = JoinSet::new();
        background.spawn(presence::keep(rados.clone(), placements.root().index, system.clone()));
        background.spawn(growth::keep(rados.clone(), growth, counting));
        let blobs = Arc::new(BlobStore::new(rados.clone(), index.clone(), &placements, config));
        let links = Links::new(index.clone(), blobs.clone());
        let leases = RadosLeases::new(rados.clone(), placements.root().index);
        if config.collects {
            background.spawn(Collector::new(rados.clone(), index.clone(), &placements, config).run());
        }
        let config = config.clone();
        Ok(Self { rados, placements, index, system, blobs, links, leases, config, _background: background })
    }

    #[cfg(test)]
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    #[cfg(test)]
    pub(crate) fn rados(&self) -> &dyn Rados {
        self.rados.as_ref()
    }

    /// Tells every gateway that records of the system scope changed, so that the change counts everywhere when this
    /// returns.
    async fn tell(&self, name: &[u8]) {
        self.system.forget(name);
        let told = Instant::now();
        let (pool, payload) = (self.placements.root().index, Bytes::copy_from_slice(name));
        if let Err(error) = self.rados.notify(pool, ROOT_OBJECT, payload, BELIEVED_FOR).await {
            // Whoever was not told believes what it knows for no longer than this.
            tracing::debug!(%error, "not every gateway could be told of a change");
            sleep(BELIEVED_FOR.saturating_sub(told.elapsed())).await;
        }
        self.system.forget(name);
    }
}

#[async_trait]
impl Metadata for RadosStore {
    async fn get(&self, partition: &Partition, key: &RecordKey) -> Result<Option<Bytes>, Error> {
        let omap_key = names::record(partition, key);
        if partition.scope != Scope::SYSTEM {
            return value_of(self.index.get(partition, vec![omap_key.clone()]).await?.remove(&omap_key));
        }
        match self.system.look(&partition.name, &omap_key) {
            Looked::Found(value) => Ok(Some(value)),
            Looked::Ask(asking) => {
                let found = self.index.get(partition, vec![omap_key.clone()]).await?.remove(&omap_key);
                let value = value_of(found)?;
                if let Some(value) = &value {
                    self.system.keep(&partition.name, &omap_key, &asking, value);
                }
                Ok(value)
            }
        }
    }

    async fn get_with(
        &self,
        partition: &Partition,
        key: &RecordKey,
        beside: Table,
    ) -> Result<(Option<Bytes>, Option<Beside>), Error> {
        let (omap_key, table) = (names::record(partition, key), OmapTable::records(beside));
        let steps = vec![
            ReadStep::OmapGet(vec![omap_key]),
            ReadStep::OmapScan {
                after: table.before(&partition.name),
                prefix: table.within(&partition.name),
                limit: 1,
            },
        ];
        let mut answers = self.index.read(partition, steps).await?.into_iter();
        let mut next = || match answers.next() {
            None => Ok(None),
            Some(ReadAnswer::Omap { entries, .. }) => Ok(entries.into_iter().next()),
            Some(_) => Err(no_answer()),
        };
        let (record, first) = (next()?, next()?);
        let beside = match first {
            None => None,
            Some((omap_key, value)) => {
                let parsed = table.parse(&omap_key).zip(names::open_value(&value));
                let ((_, suffix), value) = parsed.ok_or_else(damaged_entry)?;
                Some(Beside { suffix, value })
            }
        };
        Ok((value_of(record.map(|(_, value)| value))?, beside))
    }

    async fn commit(&self, partition: &Partition, batch: Batch) -> Result<(), CommitError> {
        let committed = self.links.commit(partition, &batch).await;
        if partition.scope == Scope::SYSTEM {
            match &committed {
                // That something is missing is never believed, so that nobody has to be told of what is new.
                Ok(()) if is_creation(&batch) => {}
                Ok(()) => self.tell(&partition.name).await,
                Err(_) => self.system.forget(&partition.name),
            }
        }
        committed
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, Error> {
        self.index.scan(&scan).await
    }

    async fn retire(&self, scope: Scope, tables: &[Table]) -> Result<(), RetireError> {
        let until = Instant::now() + self.config.deadline;
        Retirement { rados: self.rados.as_ref(), index: &self.index, scope, tables, until }.run().await
    }

    fn scope_at(&self, placement: Option<&str>, random: [u8; 16]) -> Result<[u8; 16], NoSuchPlacement> {
        self.placements.mint(placement, random).ok_or(NoSuchPlacement)
    }

    fn inline_len_max(&self) -> usize {
        self.config.inline_len_max
    }
}

#[async_trait]
impl Blobs for RadosStore {
    async fn create(&self, partition: &Partition) -> Result<Box<dyn BlobWriter>, Error> {
        Ok(Box::new(self.blobs.create(partition).await?))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, Error> {
        Ok(Box::new(self.blobs.open(id).await?))
    }

    async fn open_for(&self, id: BlobId, span: Range<u64>) -> Result<Box<dyn BlobReader>, Error> {
        Ok(Box::new(self.blobs.open_for(id, span).await?))
    }
}

#[async_trait]
impl Leases for RadosStore {
    async fn hold(&self, name: &str, time: Duration) -> Result<bool, Error> {
        self.leases.hold(name, time).await
    }

    async fn release(&self, name: &str) -> Result<(), Error> {
        self.leases.release(name).await
    }
}

/// Whether all that a batch does is to put what was not there.
fn is_creation(batch: &Batch) -> bool {
    let was_absent =
        |key| batch.preconditions.iter().any(|one| matches!(one, Precondition::Absent(absent) if absent == key));
    batch.delete.is_empty() && batch.put.iter().all(|(key, _)| was_absent(key))
}

fn value_of(found: Option<Bytes>) -> Result<Option<Bytes>, Error> {
    found.map(|value| names::open_value(&value).ok_or_else(damaged_entry)).transpose()
}

fn damaged_entry() -> Error {
    Error::Damaged("an entry of an index object".into())
}

#[cfg(test)]
pub(crate) mod tests;
