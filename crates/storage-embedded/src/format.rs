//! The format version of a data directory, checked before anything is read.
use bytes::Bytes;

use crate::data_dir::DataDir;
use crate::engine::{Engine, EngineError, Write};
use crate::error::OpenError;
use crate::keys;

/// The format that this version writes, and the only one that it reads.
const VERSION: u8 = 1;

/// Opens the engine and checks the format; a new data directory gets the current one.
pub(crate) fn open_engine(dir: &DataDir, cache_bytes: usize) -> Result<Engine, OpenError> {
    let failed = |source: EngineError| OpenError::Records { dir: dir.root().to_owned(), source: source.into() };
    let engine = Engine::open(&dir.records(), cache_bytes).map_err(failed)?;
    match engine.get(keys::FORMAT).map_err(failed)? {
        Some(found) if found.as_ref() == [VERSION] => Ok(engine),
        Some(found) => Err(OpenError::UnknownFormat {
            dir: dir.root().to_owned(),
            found: found.first().map_or_else(|| "unknown".into(), u8::to_string),
            known: VERSION,
        }),
        // Every blob would be taken for an orphan and deleted.
        None if dir.holds_blobs() => Err(OpenError::RecordsMissing(dir.root().to_owned())),
        None => {
            engine.apply(&[Write::Put(keys::FORMAT.to_vec(), Bytes::from_static(&[VERSION]))]).map_err(failed)?;
            Ok(engine)
        }
    }
}
