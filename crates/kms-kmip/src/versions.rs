//! The KMIP objects behind a KMS key. Each version is a symmetric key of its own:
//!
//! | attribute | value |
//! |---|---|
//! | Name | `<prefix>/<KMS key id>/<number of the version>` |
//! | Object Group | `<prefix>/<KMS key id>` |
//! | Application Specific Information | namespace `<prefix>`, data `enabled`, `disabled` or `deletion:<milliseconds since 1970>` |
//!
//! KMIP's own states go one way: what was deactivated is never active again. So whether a key is disabled is written into
//! the third attribute, of every version.

use kms::{KeyServiceError, KmsKey, KmsKeyState};
use model::{KmsKeyId, Timestamp};

use crate::message::{Attributes, Stage};

/// One version of a KMS key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) kms_key: KmsKeyId,
    pub(crate) number: u32,
    pub(crate) uid: String,
    pub(crate) stage: Stage,
    /// What its mark says.
    pub(crate) state: KmsKeyState,
    created: Option<Timestamp>,
}

impl Version {
    /// Reads an object; `None` for one that is not ours and for one that is destroyed.
    pub(crate) fn of(uid: &str, attributes: &Attributes<'_>, prefix: &str) -> Option<Self> {
        if attributes.stage == Stage::Gone {
            return None;
        }
        let (kms_key, number) = attributes.names.iter().find_map(|name| parse_name(name, prefix))?;
        let seconds = attributes.initial_date.and_then(|seconds| u64::try_from(seconds).ok());
        Some(Self {
            kms_key,
            number,
            uid: uid.to_owned(),
            stage: attributes.stage,
            state: attributes.marks.iter().map(|mark| state_of(mark)).fold(KmsKeyState::Enabled, stricter),
            created: seconds.and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis),
        })
    }

    /// Whether the KMIP server lets it seal.
    pub(crate) fn is_active(&self) -> bool {
        self.stage == Stage::Active
    }
}

/// The name of a version's object.
pub(crate) fn name(prefix: &str, id: &KmsKeyId, number: u32) -> String {
    format!("{prefix}/{id}/{number}")
}

/// The group of a key's versions.
pub(crate) fn group(prefix: &str, id: &KmsKeyId) -> String {
    format!("{prefix}/{id}")
}

fn parse_name(name: &str, prefix: &str) -> Option<(KmsKeyId, u32)> {
    let (id, number) = name.strip_prefix(prefix)?.strip_prefix('/')?.rsplit_once('/')?;
    let (id, number) = (KmsKeyId::parse(id).ok()?, number.parse().ok()?);
    (self::name(prefix, &id, number) == name).then_some((id, number))
}

/// What a mark says.
pub(crate) fn mark_of(state: KmsKeyState) -> String {
    match state {
        KmsKeyState::Enabled => "enabled".to_owned(),
        KmsKeyState::Disabled => "disabled".to_owned(),
        KmsKeyState::PendingDeletion(at) => format!("deletion:{}", at.as_millis()),
    }
}

/// A mark that nobody understands forbids.
fn state_of(mark: &str) -> KmsKeyState {
    match mark.split_once(':') {
        None if mark == "enabled" => KmsKeyState::Enabled,
        Some(("deletion", at)) => {
            at.parse().map_or(KmsKeyState::Disabled, |at| KmsKeyState::PendingDeletion(Timestamp::from_millis(at)))
        }
        _ => KmsKeyState::Disabled,
    }
}

fn stricter(one: KmsKeyState, other: KmsKeyState) -> KmsKeyState {
    match (one, other) {
        (KmsKeyState::PendingDeletion(_), _) | (KmsKeyState::Disabled, KmsKeyState::Enabled) => one,
        _ => other,
    }
}

/// The version that seals: the newest active one. Of two with one number, which two gateways made at once, both gateways
/// take the same.
pub(crate) fn current(versions: &[Version]) -> Option<&Version> {
    let active = versions.iter().filter(|version| version.is_active());
    active.max_by(|one, other| one.number.cmp(&other.number).then_with(|| other.uid.cmp(&one.uid)))
}

/// The key that these versions make up; there is at least one. A mark on one of them, left by a change that broke off
/// half-way, counts for the key.
pub(crate) fn key_of(id: &KmsKeyId, versions: &[Version]) -> KmsKey {
    let marked = versions.iter().map(|version| version.state).fold(KmsKeyState::Enabled, stricter);
    let state = match (marked, current(versions)) {
        (KmsKeyState::Enabled, None) => KmsKeyState::Disabled,
        (state, _) => state,
    };
    let newest = versions.iter().map(|version| version.number).max();
    KmsKey {
        id: id.clone(),
        state,
        created: versions.iter().filter_map(|version| version.created).min(),
        versions: newest.unwrap_or(1),
    }
}

/// An error for a key that does nothing now.
pub(crate) fn resting(id: &KmsKeyId, state: KmsKeyState) -> Result<(), KeyServiceError> {
    match state {
        KmsKeyState::Enabled => Ok(()),
        KmsKeyState::Disabled => Err(KeyServiceError::Disabled(id.clone())),
        KmsKeyState::PendingDeletion(_) => Err(KeyServiceError::PendingDeletion(id.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u32, uid: &str, stage: Stage, marks: &[&str]) -> Version {
        let name = format!("canopic/aws/s3/{number}");
        let initial_date = Some(i64::from(number));
        let attributes = Attributes { names: vec![&name], stage, marks: marks.to_vec(), initial_date };
        Version::of(uid, &attributes, "canopic").unwrap()
    }

    #[test]
    fn names_are_ours_or_nobodys() {
        let id = KmsKeyId::default_key();
        assert_eq!(parse_name(&name("canopic", &id, 12), "canopic"), Some((id, 12)));
        for other in ["canopic/k", "canopic/k/x", "canopic/k/01", "canopic2/k/1", "canopic/k/-1", "canopic//1", "k/1"] {
            assert_eq!(parse_name(other, "canopic"), None, "{other}");
        }
        // What would come back as another id.
        assert_eq!(parse_name("canopic/alias/k/1", "canopic"), None);
    }

    #[test]
    fn marks_are_read_as_they_are_written_and_others_forbid() {
        let at = Timestamp::from_millis(7);
        for state in [KmsKeyState::Enabled, KmsKeyState::Disabled, KmsKeyState::PendingDeletion(at)] {
            assert_eq!(state_of(&mark_of(state)), state);
        }
        for mark in ["", "Enabled", "enabled ", "enabled:", "deletion:", "deletion:x"] {
            assert_eq!(state_of(mark), KmsKeyState::Disabled, "{mark}");
        }
    }

    #[test]
    fn the_newest_active_version_seals_and_the_strictest_mark_counts() {
        let versions = [
            version(1, "a", Stage::Active, &["enabled"]),
            version(2, "c", Stage::Active, &[]),
            version(2, "b", Stage::Active, &[]),
        ];
        assert_eq!(current(&versions).unwrap().uid, "b");
        let id = KmsKeyId::default_key();
        let key = key_of(&id, &versions);
        assert_eq!((key.state, key.versions), (KmsKeyState::Enabled, 2));
        assert_eq!(key.created, Some(Timestamp::from_millis(1000)));

        let pending = KmsKeyState::PendingDeletion(Timestamp::from_millis(9));
        let half =
            [version(1, "a", Stage::Active, &["disabled"]), version(2, "b", Stage::Active, &["enabled", "deletion:9"])];
        assert_eq!(key_of(&id, &half).state, pending);
        assert_eq!(key_of(&id, &half[..1]).state, KmsKeyState::Disabled);
        // The KMIP server's administrator revoked all of it.
        assert_eq!(key_of(&id, &[version(1, "a", Stage::Past, &["enabled"])]).state, KmsKeyState::Disabled);
    }
}
