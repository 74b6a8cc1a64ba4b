//! The calls on work that goes through the whole store.

use admin_api::{ErrorAnswer, ErrorCode, HeldCount, KeyHolder, KeyUses, KeyringWork, KeyringWorkKind, RewrapKeyring};
use operations::{HeldBy, KeyCensus};

use super::error;
use crate::key_work::{Busy, KeyWork, Progress, Work};

pub(super) fn rewrap(key_work: &KeyWork, call: &RewrapKeyring) -> Result<KeyringWork, ErrorAnswer> {
    if call.per_s == Some(0) {
        return Err(error(ErrorCode::InvalidCall, "per_s is one or more"));
    }
    begin(key_work, Work::Rewrap(call.per_s))
}

pub(super) fn begin(key_work: &KeyWork, work: Work) -> Result<KeyringWork, ErrorAnswer> {
    key_work.begin(work).map(answer).map_err(|busy: Busy| error(ErrorCode::WrongState, &busy.to_string()))
}

pub(super) fn answer(progress: Progress) -> KeyringWork {
    KeyringWork {
        kind: progress.work.map(|work| match work {
            Work::Census => KeyringWorkKind::Count,
            Work::Rewrap(_) => KeyringWorkKind::Rewrap,
            Work::Prune => KeyringWorkKind::Prune,
        }),
        is_running: progress.is_running,
        is_counting: progress.is_counting,
        looked_at: progress.looked_at,
        total: progress.total,
        rewrapped: progress.rewrapped,
        failed: progress.failed,
        error: progress.error,
        uses: progress.census.map(uses),
        pruned: progress.pruned.iter().map(ToString::to_string).collect(),
    }
}

fn uses(census: KeyCensus) -> KeyUses {
    let held = census.held_by.into_iter().map(|(held_by, count)| {
        let (holder, id) = match held_by {
            HeldBy::Keyring(id) => (KeyHolder::Keyring, Some(id.to_string())),
            HeldBy::Kms(id) => (KeyHolder::Kms, Some(id.as_str().to_owned())),
            HeldBy::Customer => (KeyHolder::Customer, None),
        };
        HeldCount { holder, id, objects: count.objects, uploads: count.uploads, missing: count.missing }
    });
    let mut held: Vec<_> = held.collect();
    held.sort_by(|one, other| (one.holder, &one.id).cmp(&(other.holder, &other.id)));
    KeyUses { held, outdated: census.outdated, unreadable: census.unreadable }
}
