use std::fmt;

use model::{BucketName, Principal};

use crate::automaton::Automaton;
use crate::condition::Condition;
use crate::pattern::Pattern;
use crate::principal::PrincipalSet;
use crate::verdict::Verdict;
use crate::{Context, MalformedPolicy, parse, public};

/// The policy of one bucket.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) bucket: BucketName,
    pub(crate) statements: Vec<Statement>,
    pub(crate) warnings: Vec<PolicyWarning>,
}

/// Something in a policy that is accepted and yet deserves a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyWarning {
    /// `Version` is a date that names no version of the language.
    UnknownVersion(String),
    /// A Deny statement looks at a condition key that S3 has and that no request here carries: it is missing in each.
    NeverCarried {
        /// The condition key, as the policy spells it.
        name: String,
        /// The statement's `Sid`.
        sid: Option<String>,
    },
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVersion(version) => {
                write!(f, "policy version {version} does not exist; it is evaluated as 2012-10-17")
            }
            Self::NeverCarried { name, sid } => {
                let sid = sid.as_deref().unwrap_or("without a Sid");
                write!(f, "the Deny statement {sid} looks at {name}, which no request here carries")
            }
        }
    }
}

impl Policy {
    /// The largest document, in bytes (S3 user guide, "Bucket policies": 20 KB).
    pub const LEN_MAX: usize = 20 * 1024;

    /// Parses the document of `bucket`'s policy. Evaluating is much cheaper than parsing: keep the result.
    ///
    /// `Version` is `2012-10-17` or `2008-10-17`, the latter when absent; any other date is taken as 2012-10-17, with
    /// a [`PolicyWarning`]. Policy variables work in 2012-10-17 only.
    ///
    /// # Errors
    /// [`MalformedPolicy`], with the message for the client.
    pub fn parse(json: &[u8], bucket: &BucketName) -> Result<Self, MalformedPolicy> {
        parse::policy(json, bucket)
    }

    /// What is to be logged when the policy is put.
    #[must_use]
    pub fn warnings(&self) -> &[PolicyWarning] {
        &self.warnings
    }

    /// Whether the policy lets the public in (`GetBucketPolicyStatus`): some Allow statement is for everybody and no
    /// condition bounds it to fixed accounts, networks and the like.
    #[must_use]
    pub fn is_public(&self) -> bool {
        public::is_public(self)
    }

    /// The bucket whose policy it is.
    #[must_use]
    pub const fn bucket(&self) -> &BucketName {
        &self.bucket
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: PrincipalSet,
    pub(crate) actions: ActionSet,
    pub(crate) resources: ResourceSet,
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// The `Action` or `NotAction` element: patterns over lower-case names.
#[derive(Debug, Clone)]
pub(crate) struct ActionSet {
    pub(crate) patterns: Vec<Automaton>,
    pub(crate) negated: bool,
}

/// The `Resource` or `NotResource` element: patterns over whole names.
#[derive(Debug, Clone)]
pub(crate) struct ResourceSet {
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) negated: bool,
}

/// A request, with what all statements need of it.
pub(crate) struct Request<'a> {
    pub(crate) principal: &'a Principal,
    /// The action's name in lower case.
    pub(crate) action: String,
    /// The resource's name.
    pub(crate) arn: String,
    pub(crate) context: Context,
}

impl Statement {
    /// Whether the statement is about this request.
    pub(crate) fn concerns(&self, request: &Request<'_>) -> Verdict {
        if !self.principals.contains(request.principal) || !self.actions.contains(&request.action) {
            return Verdict::No;
        }
        let resource = self.resources.contains(&request.arn, &request.context);
        let conditions = self.conditions.iter().map(|condition| condition.holds(&request.context));
        Verdict::all(std::iter::once(resource).chain(conditions))
    }
}

impl ActionSet {
    /// Whether the action of that lower-case name is in the set.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name)) != self.negated
    }
}

impl ResourceSet {
    fn contains(&self, arn: &str, context: &Context) -> Verdict {
        let any = Verdict::any(self.patterns.iter().map(|pattern| pattern.matches(arn, context)));
        if self.negated { any.negate() } else { any }
    }
}
