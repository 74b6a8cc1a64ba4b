use model::{ETag, Timestamp};

use crate::error::{NotModified, PreconditionFailed};
use crate::object_info::ObjectInfo;

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagMatch {
    /// `*`
    Any,
    /// One or more tags; those that no object here can have are left out.
    Tags(Vec<ETag>),
}

impl TagMatch {
    fn holds(&self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.contains(etag),
        }
    }
}

/// Conditions of a read (RFC 9110 section 13).
#[derive(Debug, Clone, Default)]
pub struct ReadConditions {
    /// `If-Match`
    pub if_match: Option<TagMatch>,
    /// `If-None-Match`
    pub if_none_match: Option<TagMatch>,
    /// `If-Modified-Since`, whole seconds.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`, whole seconds.
    pub if_unmodified_since: Option<Timestamp>,
}

/// `If-Range`: which object the range of a read is meant for (RFC 9110 section 13.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfRange {
    /// The one with this tag.
    Tag(ETag),
    /// The one written in this very second.
    Date(Timestamp),
    /// None that there can be.
    Nothing,
}

impl IfRange {
    pub(crate) fn is(&self, info: &ObjectInfo) -> bool {
        match self {
            Self::Tag(etag) => *etag == info.etag,
            Self::Date(date) => date.as_secs() == info.last_modified.as_secs(),
            Self::Nothing => false,
        }
    }
}

/// The answer of conditions that say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unmet {
    Failed(PreconditionFailed),
    NotModified(NotModified),
}

impl ReadConditions {
    /// Evaluates in the order of RFC 9110 section 13.2.2: a tag condition makes its date condition moot.
    pub(crate) fn check(&self, etag: &ETag, last_modified: Timestamp) -> Result<(), Unmet> {
        let failed = |condition| Err(Unmet::Failed(PreconditionFailed { condition }));
        let not_modified = || Err(Unmet::NotModified(NotModified { etag: etag.clone(), last_modified }));
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.holds(etag) => return failed("If-Match"),
            (None, Some(date)) if last_modified.as_secs() > date.as_secs() => return failed("If-Unmodified-Since"),
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if tags.holds(etag) => not_modified(),
            (None, Some(date)) if last_modified.as_secs() <= date.as_secs() => not_modified(),
            _ => Ok(()),
        }
    }
}

/// Conditions of a write: on the object that it would replace.
#[derive(Debug, Clone, Default)]
pub struct WriteConditions {
    /// `If-Match`: the current object has one of these tags.
    pub if_match: Option<TagMatch>,
    /// `If-None-Match: *`: there is no object.
    pub if_none_match: bool,
}

/// There is no object for `If-Match` to match.
pub(crate) enum WriteUnmet {
    Failed(PreconditionFailed),
    Absent,
}

impl WriteConditions {
    pub(crate) const fn is_empty(&self) -> bool {
        self.if_match.is_none() && !self.if_none_match
    }

    pub(crate) fn check(&self, current: Option<&ETag>) -> Result<(), WriteUnmet> {
        if self.if_none_match && current.is_some() {
            return Err(WriteUnmet::Failed(PreconditionFailed { condition: "If-None-Match" }));
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(WriteUnmet::Absent),
            (Some(tags), Some(etag)) if !tags.holds(etag) => {
                Err(WriteUnmet::Failed(PreconditionFailed { condition: "If-Match" }))
            }
            _ => Ok(()),
        }
    }
}
