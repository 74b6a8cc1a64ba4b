//! One object and what the steps of an operation do to it.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use tokio::time::Instant;

use super::PoolKind;
use crate::rados::{RadosError, ReadAnswer, ReadStep, WriteStep};

#[derive(Clone, Default)]
pub(super) struct Object {
    pub(super) xattrs: BTreeMap<String, Bytes>,
    pub(super) omap: BTreeMap<Vec<u8>, Bytes>,
    pub(super) data: Vec<u8>,
    /// By name: who holds it, and until when.
    pub(super) locks: BTreeMap<&'static str, (Locker, Instant)>,
    /// In seconds since 1970.
    pub(super) modified: u64,
}

/// Whom a lock belongs to: a process and what it calls itself there.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Locker {
    pub(super) gateway: u64,
    pub(super) cookie: String,
}

/// What a write makes of an object, `None` standing for none before and after. Nothing happens when a step fails.
///
/// # Panics
/// When the operation is one that RADOS would not do as it reads: checks behind changes, or a removal beside them.
pub(super) fn write(
    kind: PoolKind,
    before: Option<&Object>,
    steps: &[WriteStep],
    now: u64,
) -> Result<Option<Object>, RadosError> {
    let checks = steps.iter().take_while(|step| is_check(step)).count();
    let (checks, changes) = steps.split_at(checks);
    assert!(!changes.iter().any(is_check), "checks come before changes: RADOS checks what was there before");
    assert!(!changes.contains(&WriteStep::Remove) || changes.len() == 1, "a removal stands alone, or behind checks");
    for step in checks {
        check_write(kind, before, step)?;
    }
    if changes.is_empty() && !checks.contains(&WriteStep::CreateExclusive) {
        return Ok(before.cloned());
    }
    if changes == [WriteStep::Remove] {
        return if before.is_some() { Ok(None) } else { Err(RadosError::NotFound) };
    }
    let mut after = before.cloned().unwrap_or_default();
    after.modified = now;
    for step in changes {
        change(kind, &mut after, step)?;
    }
    Ok(Some(after))
}

fn is_check(step: &WriteStep) -> bool {
    match step {
        WriteStep::AssertExists
        | WriteStep::CreateExclusive
        | WriteStep::CompareXattr(..)
        | WriteStep::CompareOmap(..) => true,
        WriteStep::SetXattr(..)
        | WriteStep::SetOmap(_)
        | WriteStep::RemoveOmap(_)
        | WriteStep::RemoveOmapRange(..)
        | WriteStep::Write(..)
        | WriteStep::Remove => false,
    }
}

fn check_write(kind: PoolKind, object: Option<&Object>, step: &WriteStep) -> Result<(), RadosError> {
    match step {
        WriteStep::AssertExists => object.map(drop).ok_or(RadosError::NotFound),
        WriteStep::CreateExclusive if object.is_some() => Err(RadosError::Exists),
        WriteStep::CompareXattr(name, wanted) => compare_xattr(object, name, wanted),
        WriteStep::CompareOmap(..) if kind != PoolKind::Replicated => Err(RadosError::Unsupported),
        WriteStep::CompareOmap(omap_key, wanted) => {
            let object = object.ok_or(RadosError::NotFound)?;
            let found = object.omap.get(omap_key).map_or(&b""[..], |value| value);
            if found == wanted { Ok(()) } else { Err(RadosError::Mismatch) }
        }
        _ => Ok(()),
    }
}

fn compare_xattr(object: Option<&Object>, name: &str, wanted: &Bytes) -> Result<(), RadosError> {
    let object = object.ok_or(RadosError::NotFound)?;
    let found = object.xattrs.get(name).map_or(&b""[..], |value| value);
    if found == wanted { Ok(()) } else { Err(RadosError::Mismatch) }
}

fn change(kind: PoolKind, object: &mut Object, step: &WriteStep) -> Result<(), RadosError> {
    match step {
        WriteStep::SetXattr(name, value) => {
            object.xattrs.insert((*name).to_owned(), value.clone());
        }
        WriteStep::SetOmap(_) | WriteStep::RemoveOmap(_) | WriteStep::RemoveOmapRange(..)
            if kind != PoolKind::Replicated =>
        {
            return Err(RadosError::Unsupported);
        }
        WriteStep::SetOmap(entries) => object.omap.extend(entries.iter().cloned()),
        WriteStep::RemoveOmap(omap_keys) => {
            for omap_key in omap_keys {
                object.omap.remove(omap_key);
            }
        }
        WriteStep::RemoveOmapRange(from, to) => {
            object.omap.retain(|omap_key, _| omap_key < from || omap_key >= to);
        }
        WriteStep::Write(offset, bytes) => write_bytes(kind, &mut object.data, *offset, bytes)?,
        WriteStep::AssertExists
        | WriteStep::CreateExclusive
        | WriteStep::CompareXattr(..)
        | WriteStep::CompareOmap(..)
        | WriteStep::Remove => unreachable!("these were taken out"),
    }
    Ok(())
}

fn write_bytes(kind: PoolKind, data: &mut Vec<u8>, offset: u64, bytes: &[u8]) -> Result<(), RadosError> {
    let offset = usize::try_from(offset).expect("tests write little");
    if let PoolKind::ErasureCoded { alignment } = kind
        && (offset != data.len() || !(offset as u64).is_multiple_of(alignment))
    {
        return Err(RadosError::Unsupported);
    }
    let end = offset + bytes.len();
    data.resize(data.len().max(end), 0);
    data[offset..end].copy_from_slice(bytes);
    Ok(())
}

/// What the steps of a read see.
pub(super) fn read(kind: PoolKind, object: Option<&Object>, steps: &[ReadStep]) -> Result<Vec<ReadAnswer>, RadosError> {
    let object = object.ok_or(RadosError::NotFound)?;
    let mut answers = Vec::new();
    for step in steps {
        answers.push(match step {
            ReadStep::CompareXattr(name, wanted) => {
                compare_xattr(Some(object), name, wanted)?;
                continue;
            }
            ReadStep::Xattrs => {
                ReadAnswer::Xattrs(object.xattrs.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            ReadStep::OmapGet(_) | ReadStep::OmapScan { .. } if kind != PoolKind::Replicated => {
                return Err(RadosError::Unsupported);
            }
            ReadStep::OmapGet(omap_keys) => omap_get(object, omap_keys),
            ReadStep::OmapScan { after, prefix, limit } => omap_scan(object, after, prefix, *limit)?,
            ReadStep::Read { offset, length } => {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX).min(object.data.len());
                let to = from.saturating_add(*length).min(object.data.len());
                ReadAnswer::Bytes(Bytes::copy_from_slice(&object.data[from..to]))
            }
            ReadStep::Stat => ReadAnswer::Stat { size: object.data.len() as u64, modified: object.modified },
        });
    }
    Ok(answers)
}

fn omap_get(object: &Object, omap_keys: &[Vec<u8>]) -> ReadAnswer {
    let mut entries: Vec<_> = omap_keys
        .iter()
        .filter_map(|omap_key| object.omap.get_key_value(omap_key))
        .map(|(omap_key, value)| (omap_key.clone(), value.clone()))
        .collect();
    entries.sort_unstable();
    entries.dedup();
    ReadAnswer::Omap { entries, more: false }
}

fn omap_scan(object: &Object, after: &[u8], prefix: &[u8], limit: usize) -> Result<ReadAnswer, RadosError> {
    if after.contains(&0) || prefix.contains(&0) {
        return Err(RadosError::Other(EINVAL));
    }
    assert!(limit <= 1000, "RADOS gives no more at a time");
    let start = if prefix > after { Bound::Included(prefix) } else { Bound::Excluded(after) };
    let mut found = object
        .omap
        .range::<[u8], _>((start, Bound::Unbounded))
        .take_while(|(omap_key, _)| omap_key.starts_with(prefix))
        .map(|(omap_key, value)| (omap_key.clone(), value.clone()));
    let entries = found.by_ref().take(limit).collect();
    Ok(ReadAnswer::Omap { entries, more: found.next().is_some() })
}

const EINVAL: i32 = 22;
