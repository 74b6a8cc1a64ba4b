//! Intents that nobody redeemed become garbage, and garbage that no reader can want becomes nothing.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use storage::{Error, Partition, Scope};

use super::share::Share;
use super::{Collector, is_past};
use crate::blobs::blob_id;
use crate::blobs::erase::erase;
use crate::blobs::marks::{Garbage, Intent, parse_key, since};
use crate::change::ChangeError;
use crate::map::no_answer;
use crate::names::OmapTable;
use crate::rados::{PoolId, RadosError, ReadAnswer, ReadStep};

type Entries = Vec<(Vec<u8>, Bytes)>;

impl Collector {
    /// Looks through one index object. What a split has left behind there may be old: every change goes where the map says,
    /// and demands what was seen.
    pub(super) async fn look_through(
        &self,
        pool: PoolId,
        object: &str,
        scope: Scope,
        share: &mut Share<'_>,
    ) -> Result<(), Error> {
        for table in [OmapTable::intents(), OmapTable::garbage()] {
            let mut after = table.before(b"");
            while let Some((entries, more)) = self.page(pool, object, &table, after).await? {
                after = entries.last().map_or_else(|| table.end(), |(omap_key, _)| omap_key.clone());
                let work = entries.into_iter().map(|(omap_key, value)| {
                    let is_intent = table == OmapTable::intents();
                    async move {
                        let done = if is_intent {
                            self.give_up(scope, &omap_key, value).await
                        } else {
                            self.remove(scope, &omap_key, value).await
                        };
                        match done {
                            // Somebody came first.
                            Ok(()) | Err(ChangeError::Conflict(_)) => {}
                            Err(error) => tracing::warn!(?error, "garbage stays for now"),
                        }
                    }
                });
                stream::iter(work).buffer_unordered(AT_ONCE).collect::<()>().await;
                if !more || !share.keep().await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// `None` when the object is gone.
    async fn page(
        &self,
        pool: PoolId,
        object: &str,
        table: &OmapTable,
        after: Vec<u8>,
    ) -> Result<Option<(Entries, bool)>, Error> {
        let scan = ReadStep::OmapScan { after, prefix: table.prefix().to_vec(), limit: PAGE };
        match self.rados.read(pool, object, vec![scan]).await {
            Ok(answers) => match answers.into_iter().next() {
                Some(ReadAnswer::Omap { entries, more }) => Ok(Some((entries, more))),
                _ => Err(no_answer()),
            },
            Err(RadosError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// An intent that is too old becomes garbage.
    async fn give_up(&self, scope: Scope, omap_key: &[u8], value: Bytes) -> Result<(), ChangeError> {
        let parsed = parse_key(&OmapTable::intents(), omap_key).zip(since(&value));
        let ((name, id), begun) = parsed.ok_or_else(|| Error::Damaged("an intent".into()))?;
        if !is_past(begun, self.unlinked_age_max) {
            return Ok(());
        }
        let garbage = Garbage::now(&name, id);
        let change = Intent::found(omap_key.to_vec(), value).give_up(&garbage);
        self.index.change(&Partition::new(scope, name), change).await
    }

    /// Garbage that is too old for any reader: first the bytes go, then the entry.
    async fn remove(&self, scope: Scope, omap_key: &[u8], value: Bytes) -> Result<(), ChangeError> {
        let parsed = parse_key(&OmapTable::garbage(), omap_key).zip(since(&value));
        let ((name, id), became) = parsed.ok_or_else(|| Error::Damaged("an entry of garbage".into()))?;
        if !is_past(became, self.grace) {
            return Ok(());
        }
        let place = blob_id::place(id).filter(|place| self.data_pools.contains(&place.pool));
        let place = place.ok_or_else(|| Error::Damaged("garbage in an unknown pool".into()))?;
        erase(self.rados.as_ref(), place, id, None).await?;
        let forget = Garbage::found(omap_key.to_vec(), value).forget();
        self.index.change(&Partition::new(scope, name), forget).await
    }
}

/// Entries that are read at a time.
const PAGE: usize = 500;
/// Entries that are dealt with at once.
const AT_ONCE: usize = 16;
