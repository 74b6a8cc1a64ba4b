use std::fmt;

use model::Principal;

use crate::{Action, Resource};

/// The answer no. Its text is public and worded like AWS's (S3 user guide, "Troubleshoot access denied errors").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    principal: Principal,
    action: Action,
    resource: Resource,
    reason: DenialReason,
}

/// Why the answer is no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialReason {
    /// A Deny statement of the bucket policy is about this request.
    ExplicitDeny {
        /// The statement's name; for the log, not for the client.
        sid: Option<String>,
    },
    /// It cannot be told whether a Deny statement is about this request.
    Unevaluable {
        /// The statement's name; for the log, not for the client.
        sid: Option<String>,
    },
    /// Nothing allows it.
    NoAllow,
    /// The action is not one for this kind of resource, or the policy is another bucket's: a mistake of the caller.
    Inapplicable,
}

impl Denied {
    pub(crate) fn new(principal: Principal, action: Action, resource: Resource, reason: DenialReason) -> Self {
        Self(Box::new(Details { principal, action, resource, reason }))
    }

    /// Who may not.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// What may not be done.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.0.action
    }

    /// What it may not be done to.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.0.resource
    }

    /// Why not.
    #[must_use]
    pub const fn reason(&self) -> &DenialReason {
        &self.0.reason
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { principal, action, resource, reason } = &*self.0;
        let user = principal.arn();
        let user = user.as_deref().unwrap_or("anonymous");
        write!(f, "User: {user} is not authorized to perform: {action} on resource: \"{resource}\" ")?;
        match reason {
            DenialReason::ExplicitDeny { .. } | DenialReason::Unevaluable { .. } => {
                f.write_str("with an explicit deny in a resource-based policy")
            }
            DenialReason::NoAllow | DenialReason::Inapplicable => {
                write!(f, "because no resource-based policy allows the {action} action")
            }
        }
    }
}

impl std::error::Error for Denied {}
