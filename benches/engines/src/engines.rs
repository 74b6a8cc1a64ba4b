//! The contestants behind the four calls that the store needs.
use std::path::Path;
use std::sync::Mutex;

use redb::ReadableDatabase as _;

/// A record to write.
pub type Record = (Vec<u8>, Vec<u8>);

/// What the store asks of an engine.
pub trait Engine: Send + Sync {
    /// Writes all records atomically and makes them durable.
    fn commit(&self, records: &[Record]) -> Result<(), String>;
    /// One value.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String>;
    /// Up to `limit` records from `from` on.
    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<Record>, String>;
}

/// Opens the engine `name` below `dir`.
pub fn open(name: &str, dir: &Path) -> Result<Box<dyn Engine>, String> {
    std::fs::create_dir_all(dir).map_err(text)?;
    match name {
        "redb" => Redb::open(dir, false).map(|engine| Box::new(engine) as Box<dyn Engine>),
        "redb-quick" => Redb::open(dir, true).map(|engine| Box::new(engine) as Box<dyn Engine>),
        "fjall" => Fjall::open(dir, false).map(|engine| Box::new(engine) as Box<dyn Engine>),
        "fjall-kv" => Fjall::open(dir, true).map(|engine| Box::new(engine) as Box<dyn Engine>),
        "sqlite" => Sqlite::open(dir).map(|engine| Box::new(engine) as Box<dyn Engine>),
        other => Err(format!("unknown engine {other}")),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

struct Redb {
    db: redb::Database,
    quick_repair: bool,
}

const TABLE: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("records");

impl Redb {
    fn open(dir: &Path, quick_repair: bool) -> Result<Self, String> {
        let db = redb::Builder::new().set_cache_size(CACHE_BYTES).create(dir.join("db.redb")).map_err(text)?;
        let write = db.begin_write().map_err(text)?;
        write.open_table(TABLE).map_err(text)?;
        write.commit().map_err(text)?;
        Ok(Self { db, quick_repair })
    }
}

impl Engine for Redb {
    fn commit(&self, records: &[Record]) -> Result<(), String> {
        let mut write = self.db.begin_write().map_err(text)?;
        write.set_quick_repair(self.quick_repair);
        {
            let mut table = write.open_table(TABLE).map_err(text)?;
            for (key, value) in records {
                table.insert(key.as_slice(), value.as_slice()).map_err(text)?;
            }
        }
        write.commit().map_err(text)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let read = self.db.begin_read().map_err(text)?;
        let table = read.open_table(TABLE).map_err(text)?;
        Ok(table.get(key).map_err(text)?.map(|value| value.value().to_vec()))
    }

    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<Record>, String> {
        let read = self.db.begin_read().map_err(text)?;
        let table = read.open_table(TABLE).map_err(text)?;
        let range = table.range(from..).map_err(text)?;
        range
            .take(limit)
            .map(|entry| entry.map(|(k, v)| (k.value().to_vec(), v.value().to_vec())).map_err(text))
            .collect()
    }
}

struct Fjall {
    db: fjall::Database,
    records: fjall::Keyspace,
}

impl Fjall {
    fn open(dir: &Path, separate_values: bool) -> Result<Self, String> {
        let db = fjall::Database::builder(dir.join("fjall"))
            .cache_size(CACHE_BYTES as u64)
            .max_journaling_size(128 << 20)
            .worker_threads(2)
            .open()
            .map_err(text)?;
        let options = || {
            let mut options = fjall::KeyspaceCreateOptions::default().max_memtable_size(16 << 20);
            if separate_values {
                let separation = fjall::KvSeparationOptions::default().separation_threshold(2048);
                options = options.with_kv_separation(Some(separation));
            }
            options
        };
        let records = db.keyspace("records", options).map_err(text)?;
        Ok(Self { db, records })
    }
}

impl Engine for Fjall {
    fn commit(&self, records: &[Record]) -> Result<(), String> {
        let mut batch = self.db.batch().durability(Some(fjall::PersistMode::SyncData));
        for (key, value) in records {
            batch.insert(&self.records, key.as_slice(), value.as_slice());
        }
        batch.commit().map_err(text)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(self.records.get(key).map_err(text)?.map(|value| value.to_vec()))
    }

    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<Record>, String> {
        self.records
            .range(from..)
            .take(limit)
            .map(|guard| guard.into_inner().map(|(k, v)| (k.to_vec(), v.to_vec())).map_err(text))
            .collect()
    }
}

struct Sqlite {
    writer: Mutex<rusqlite::Connection>,
    readers: Mutex<Vec<rusqlite::Connection>>,
    path: std::path::PathBuf,
}

impl Sqlite {
    fn open(dir: &Path) -> Result<Self, String> {
        let path = dir.join("records.sqlite");
        let writer = Self::connect(&path)?;
        writer
            .execute_batch("CREATE TABLE IF NOT EXISTS records (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
            .map_err(text)?;
        Ok(Self { writer: Mutex::new(writer), readers: Mutex::default(), path })
    }

    fn connect(path: &Path) -> Result<rusqlite::Connection, String> {
        let connection = rusqlite::Connection::open(path).map_err(text)?;
        connection
            .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384;")
            .map_err(text)?;
        Ok(connection)
    }

    fn with_reader<T>(&self, read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let pooled = self.readers.lock().unwrap().pop();
        let connection = pooled.map_or_else(|| Self::connect(&self.path), Ok)?;
        let outcome = read(&connection).map_err(text);
        self.readers.lock().unwrap().push(connection);
        outcome
    }
}

impl Engine for Sqlite {
    fn commit(&self, records: &[Record]) -> Result<(), String> {
        let mut writer = self.writer.lock().unwrap();
        let transaction = writer.transaction().map_err(text)?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2)").map_err(text)?;
            for (key, value) in records {
                insert.execute((key, value)).map_err(text)?;
            }
        }
        transaction.commit().map_err(text)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        use rusqlite::OptionalExtension as _;
        self.with_reader(|connection| {
            let mut select = connection.prepare_cached("SELECT v FROM records WHERE k = ?1")?;
            select.query_row((key,), |row| row.get(0)).optional()
        })
    }

    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<Record>, String> {
        self.with_reader(|connection| {
            let mut select = connection.prepare_cached("SELECT k, v FROM records WHERE k >= ?1 ORDER BY k LIMIT ?2")?;
            let rows = select.query_map((from, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }
}

const CACHE_BYTES: usize = 32 << 20;
