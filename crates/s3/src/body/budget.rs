use std::sync::Arc;

use http::StatusCode;
use model::Principal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::Refusal;

/// What all requests together may hold of what must be whole before it can be judged: documents and signed chunks.
///
/// Nobody waits for a share: who waits holds a connection, and a client that is told to slow down knows what to do.
pub(crate) struct Budget {
    all: Arc<Semaphore>,
    anonymous: Arc<Semaphore>,
}

/// A share of the budget, given back when it is dropped.
pub(crate) struct Held {
    _all: OwnedSemaphorePermit,
    _anonymous: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Both in bytes; what anonymous requests hold counts for all.
    pub(crate) fn new(all: usize, anonymous: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), anonymous: Arc::new(Semaphore::new(anonymous)) }
    }

    /// A share of `length` bytes for a principal; who is not settled is anonymous.
    pub(crate) fn hold(&self, length: u64, principal: Option<&Principal>) -> Result<Held, Refusal> {
        let length = u32::try_from(length).map_err(|_| slow_down())?;
        let share = |of: &Arc<Semaphore>| of.clone().try_acquire_many_owned(length).map_err(|_| slow_down());
        let anonymous = match principal {
            None | Some(Principal::Anonymous) => Some(share(&self.anonymous)?),
            Some(_) => None,
        };
        Ok(Held { _all: share(&self.all)?, _anonymous: anonymous })
    }
}

fn slow_down() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_requests_leave_room_for_others() {
        let alice = Principal::from_arn("arn:aws:iam::111122223333:user/alice").unwrap();
        let budget = Budget::new(100, 25);
        let anonymous = budget.hold(25, None).unwrap();
        assert!(budget.hold(1, Some(&Principal::Anonymous)).is_err());
        let proven = budget.hold(75, Some(&alice)).unwrap();
        assert_eq!(budget.hold(1, Some(&alice)).err().unwrap().code, "SlowDown");
        drop(anonymous);
        assert!(budget.hold(26, Some(&alice)).is_err());
        assert!(budget.hold(25, Some(&alice)).is_ok());
        drop(proven);
        assert!(budget.hold(100, Some(&alice)).is_ok());
        assert!(budget.hold(u64::MAX, Some(&alice)).is_err());
    }
}
