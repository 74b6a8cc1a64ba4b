//! Every file below the store's directory, whatever the engine says of it.
//!
//! The order: what stands in the directory itself, what stands among the folders of blobs, then folder by folder, each
//! sorted by name. A folder is read whole for each page of it, which bounds memory by the files of one folder.
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use model::BlobId;
use storage::{Error, Held, HeldKind};

use crate::data_dir::{DataDir, shard_of};
use crate::engine::Engine;
use crate::keys;

/// See [`storage::Inventory::held`].
pub(crate) fn page(engine: &Engine, dir: &DataDir, after: Option<&str>, limit: usize) -> Result<Vec<Held>, Error> {
    let mut page = Vec::new();
    for folder in after.map_or(0, folder_of)..FOLDERS {
        let mut files = match folder {
            ROOT => list(dir.root(), "", &["store.lock", "records.redb", "blobs"]),
            BLOBS => list_blobs(dir),
            _ => list_shard(dir, shard_number(folder)),
        }?;
        files.retain(|file| after.is_none_or(|after| folder_of(after) < folder || file.name.as_str() > after));
        files.sort_by(|one, other| one.name.cmp(&other.name));
        files.truncate(limit - page.len());
        for mut file in files {
            if let HeldKind::Unlinked(id) = file.kind {
                file.kind = kind_of(engine, id)?;
            }
            page.push(file);
        }
        if page.len() == limit {
            break;
        }
    }
    Ok(page)
}

/// The place of a file in the order of folders, by its name.
fn folder_of(name: &str) -> usize {
    let Some(in_blobs) = name.strip_prefix("blobs/") else { return ROOT };
    let shard = in_blobs.split_once('/').and_then(|(folder, _)| shard_named(folder));
    shard.map_or(BLOBS, |shard| BLOBS + 1 + usize::from(shard))
}

fn shard_number(folder: usize) -> u8 {
    u8::try_from(folder - BLOBS - 1).expect("there are 256 folders of blobs")
}

fn shard_named(name: &str) -> Option<u8> {
    let shard = u8::from_str_radix(name, 16).ok()?;
    (format!("{shard:02x}") == name).then_some(shard)
}

/// What stands among the folders of blobs.
fn list_blobs(dir: &DataDir) -> Result<Vec<Held>, Error> {
    let mut strangers = list(&dir.root().join("blobs"), "blobs/", &[])?;
    strangers.retain(|stranger| {
        let name = stranger.name.strip_prefix("blobs/").and_then(|name| name.strip_suffix('/'));
        name.and_then(shard_named).is_none()
    });
    Ok(strangers)
}

/// The files of one folder; those that are named like its blobs are taken for unlinked ones until the engine is asked.
fn list_shard(dir: &DataDir, shard: u8) -> Result<Vec<Held>, Error> {
    let prefix = format!("blobs/{shard:02x}/");
    let mut files = list(&dir.shard(shard), &prefix, &[])?;
    for file in &mut files {
        let name = &file.name[prefix.len()..];
        let id = BlobId::parse(name).ok().filter(|id| shard_of(*id) == shard && id.to_string() == name);
        if let Some(id) = id {
            file.kind = HeldKind::Unlinked(id);
        }
    }
    Ok(files)
}

/// All that stands in a folder but for `known` names. Whatever is no plain file has a mark behind its name, so that it
/// never passes for a blob.
fn list(path: &Path, prefix: &str, known: &[&str]) -> Result<Vec<Held>, Error> {
    let failed = |error: io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if known.iter().any(|known| entry.file_name() == *known) {
            continue;
        }
        // Not followed: a link is a stranger wherever it leads.
        let facts = match entry.path().symlink_metadata() {
            Ok(facts) => facts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let (mark, length) = match facts.file_type() {
            kind if kind.is_file() => ("", facts.len()),
            kind if kind.is_dir() => ("/", 0),
            _ => ("@", 0),
        };
        let name = format!("{prefix}{}{mark}", shown(&entry.file_name()));
        files.push(Held { name, length, kind: HeldKind::Stranger });
    }
    Ok(files)
}

/// A name as text: distinct for distinct names.
fn shown(name: &OsStr) -> String {
    name.to_str().map_or_else(|| name.as_bytes().escape_ascii().to_string(), str::to_owned)
}

fn kind_of(engine: &Engine, id: BlobId) -> Result<HeldKind, Error> {
    if engine.get(&keys::blob(id))?.is_some() {
        return Ok(HeldKind::Linked(id));
    }
    let is_garbage = engine.get(&keys::garbage(id))?.is_some();
    Ok(if is_garbage { HeldKind::Garbage(id) } else { HeldKind::Unlinked(id) })
}

const ROOT: usize = 0;
const BLOBS: usize = 1;
/// The directory itself, the folder of folders, and 256 folders of blobs.
const FOLDERS: usize = BLOBS + 1 + 256;
