//! redb behind the engine's calls: one table, one file.
use std::sync::Arc;

use bytes::Bytes;
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition};

use super::watched::{Health, Watched};
use super::{EngineError, Write, checksum};
use crate::keys;

pub(super) struct Tree {
    database: Database,
    health: Arc<Health>,
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("canopic");

impl Tree {
    pub(super) fn open(file: impl StorageBackend, cache_bytes: usize) -> Result<Self, EngineError> {
        let health = Arc::new(Health::default());
        let file = Watched::new(file, Arc::clone(&health));
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        builder.set_repair_callback(|session| {
            tracing::info!(progress = session.progress(), "the records are checked after a crash");
        });
        let database = builder.create_with_backend(file).map_err(|error| engine_error(error.into()))?;
        // The table must exist before the first reader asks for it.
        let transaction = database.begin_write().map_err(|error| engine_error(error.into()))?;
        transaction.open_table(TABLE).map_err(|error| engine_error(error.into()))?;
        transaction.commit().map_err(|error| engine_error(error.into()))?;
        health.set_in_use(true);
        Ok(Self { database, health })
    }

    /// Whether the device may lack what was written: a sync failed since the file was opened.
    pub(super) fn sync_failed(&self) -> bool {
        self.health.sync_failed()
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let read = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(TABLE)?;
            Ok(table.get_owned(key)?)
        };
        let Some(stored) = read().map_err(engine_error)? else { return Ok(None) };
        Ok(Some(Bytes::copy_from_slice(checksum::open(key, stored.value())?)))
    }

    pub(super) fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, EngineError>,
    ) -> Result<(), EngineError> {
        if from >= to {
            return Ok(());
        }
        let open = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(TABLE)?;
            Ok(table.range_owned::<&[u8]>(from..to)?)
        };
        for entry in open().map_err(engine_error)? {
            let (key, stored) = entry.map_err(|error| engine_error(error.into()))?;
            if !visit(key.value(), checksum::open(key.value(), stored.value())?)? {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) fn apply(&self, writes: &[Write]) -> Result<(), EngineError> {
        let apply = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            let mut table = transaction.open_table(TABLE)?;
            for write in writes {
                match write {
                    Write::Put(key, value) => {
                        table.insert(key.as_slice(), checksum::seal(key, value).as_slice())?;
                    }
                    Write::Delete(key) => {
                        table.remove(key.as_slice())?;
                    }
                }
            }
            drop(table);
            Ok(transaction.commit()?)
        };
        apply().map_err(engine_error)
    }

    /// Stores what the engine otherwise works out again, by reading the whole file, after a crash. It holds until the
    /// next transaction.
    pub(super) fn checkpoint(&self) -> Result<(), EngineError> {
        let checkpoint = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_quick_repair(true);
            // An empty transaction would not be written.
            transaction
                .open_table(TABLE)?
                .insert(keys::CHECKPOINT, checksum::seal(keys::CHECKPOINT, b"").as_slice())?;
            Ok(transaction.commit()?)
        };
        checkpoint().map_err(engine_error)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Closing also reads. Not every caller of a drop catches what unwinds, and an error is enough here.
        self.health.set_in_use(false);
    }
}

fn engine_error(error: redb::Error) -> EngineError {
    match error {
        redb::Error::Io(error) => error.into(),
        redb::Error::Corrupted(text) => EngineError::Damaged(text),
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => EngineError::Unavailable(error.to_string()),
        other => EngineError::Damaged(other.to_string()),
    }
}
