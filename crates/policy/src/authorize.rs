use model::Principal;

use crate::denied::{DenialReason, Denied};
use crate::policy::{Effect, Request};
use crate::verdict::Verdict;
use crate::{Action, Context, Policy, Resource};

/// What speaks for or against a principal at the bucket concerned, apart from the request itself.
#[derive(Clone, Copy, Default, Debug)]
pub struct Standing<'a> {
    /// The bucket's owner; none for the service, or for a bucket that is yet to be created.
    pub owner: Option<&'a Principal>,
    /// The bucket's policy.
    pub policy: Option<&'a Policy>,
    /// Whether a canned access control list grants this action to this principal.
    pub acl_allows: bool,
}

/// Proof that [`authorize`] allowed one principal one action on one resource.
///
/// It cannot be made elsewhere, and not be copied: one check, one operation.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    principal: Principal,
    action: Action,
    resource: Resource,
}

impl Permit {
    /// Who may.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What may be done.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// What it may be done to.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }
}

/// Decides whether `principal` may do `action` to `resource`.
///
/// In this order: the bucket's owner and root may always read, set and delete the bucket policy, so that no policy
/// locks everybody out for good; a Deny statement of the policy binds everybody else and everything else, owner and
/// root too; root may do everything; an owner everything to the own bucket and what is in it; every signed principal
/// may create buckets and list the own ones; then an Allow statement of the policy or the access control list
/// decides; and otherwise the answer is no.
///
/// # Errors
/// [`Denied`] with the reason, when the answer is no or cannot be found out.
pub fn authorize(
    principal: &Principal,
    action: Action,
    resource: Resource,
    context: &Context,
    standing: &Standing<'_>,
) -> Result<Permit, Denied> {
    match decide(principal, action, &resource, context, standing) {
        Ok(()) => Ok(Permit { principal: principal.clone(), action, resource }),
        Err(reason) => Err(Denied::new(principal.clone(), action, resource, reason)),
    }
}

fn decide(
    principal: &Principal,
    action: Action,
    resource: &Resource,
    context: &Context,
    standing: &Standing<'_>,
) -> Result<(), DenialReason> {
    if !action.applies_to(resource) {
        return Err(DenialReason::Inapplicable);
    }
    let signed = *principal != Principal::Anonymous;
    let is_root = matches!(principal, Principal::Root(_));
    let is_owner = signed && standing.owner == Some(principal);
    let on_policy = matches!(action, Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy);
    if on_policy && (is_owner || is_root) {
        return Ok(());
    }
    let policy_allows = match standing.policy {
        None => false,
        Some(policy) => consult(policy, principal, action, resource, context)?,
    };
    let unconditional = matches!(action, Action::CreateBucket | Action::ListAllMyBuckets);
    if is_root || is_owner || (signed && unconditional) || policy_allows || standing.acl_allows {
        return Ok(());
    }
    Err(DenialReason::NoAllow)
}

/// Whether the policy allows, when it does not deny.
fn consult(
    policy: &Policy,
    principal: &Principal,
    action: Action,
    resource: &Resource,
    context: &Context,
) -> Result<bool, DenialReason> {
    // A caller that brings another bucket's policy would decide by the wrong rules.
    if resource.bucket() != Some(&policy.bucket) {
        return Err(DenialReason::Inapplicable);
    }
    let mut context = context.clone();
    context.describe(principal);
    let action = action.as_str().to_ascii_lowercase();
    let request = Request { principal, action, arn: resource.arn(), context };
    let mut allows = false;
    let mut unknown = None;
    for statement in &policy.statements {
        let verdict = statement.concerns(&request);
        match (statement.effect, verdict) {
            (Effect::Deny, Verdict::Yes) => return Err(DenialReason::ExplicitDeny { sid: statement.sid.clone() }),
            (Effect::Deny, Verdict::Unknown) => {
                unknown.get_or_insert_with(|| DenialReason::Unevaluable { sid: statement.sid.clone() });
            }
            (Effect::Allow, Verdict::Yes) => allows = true,
            (Effect::Allow, Verdict::Unknown) | (_, Verdict::No) => {}
        }
    }
    unknown.map_or(Ok(allows), Err)
}

#[cfg(test)]
mod tests;
