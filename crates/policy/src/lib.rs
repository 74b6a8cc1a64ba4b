//! Bucket policies: parsed as AWS parses them, evaluated by a pure function to a [`Permit`] or a [`Denied`].
//!
//! [`authorize`] is the only place that decides and the only source of a [`Permit`]; an operation that takes one cannot
//! be reached around the check. Whatever cannot be evaluated is denied: an unknown condition operator is refused when
//! the policy is put, and a value that cannot be computed for a request (a policy variable without a value, a number
//! that is none) makes a Deny statement bind and an Allow statement void.
//!
//! Left out: identity policies, roles, session policies and public access blocks; storing policies; finding out which
//! condition keys a request carries (the caller fills a [`Context`]).

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

mod action;
mod authorize;
mod automaton;
mod condition;
mod context;
mod denied;
mod document;
mod malformed;
mod parse;
mod pattern;
mod policy;
mod principal;
mod public;
mod resource;
mod verdict;

pub use action::Action;
pub use authorize::{Permit, Standing, authorize};
pub use context::Context;
pub use denied::{DenialReason, Denied};
pub use malformed::MalformedPolicy;
pub use policy::{Policy, PolicyWarning};
pub use resource::Resource;
