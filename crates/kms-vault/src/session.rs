//! The token: got once for all callers, renewed before it expires, got anew when Vault takes it no longer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::wire::Lease;

/// A token and what is known of its life.
pub(crate) struct Session {
    token: Arc<Zeroizing<String>>,
    since: Instant,
    renew_at: Option<Instant>,
    expires: Option<Instant>,
    /// What was granted at the sign-in: a renewal that grants less than half of it nears the end of what can be renewed.
    granted: Duration,
    renewable: bool,
}

/// What is to be done before a token is used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Renewal,
    SignIn,
}

impl Session {
    /// A session that begins now.
    pub(crate) fn new(token: Zeroizing<String>, lease: &Lease) -> Self {
        let now = Instant::now();
        let mut session = Self {
            token: Arc::new(token),
            since: now,
            renew_at: None,
            expires: None,
            granted: Duration::from_secs(lease.seconds),
            renewable: lease.renewable,
        };
        session.set_times(now, lease.seconds);
        session
    }

    pub(crate) fn token(&self) -> Arc<Zeroizing<String>> {
        Arc::clone(&self.token)
    }

    /// When something will be due, if ever.
    pub(crate) const fn due_at(&self) -> Option<Instant> {
        self.renew_at
    }

    pub(crate) fn due(&self) -> Due {
        let now = Instant::now();
        if self.renew_at.is_none_or(|at| now < at) {
            Due::Nothing
        } else if self.renewable && self.expires.is_some_and(|at| now < at) {
            Due::Renewal
        } else {
            Due::SignIn
        }
    }

    /// Takes in what a renewal granted; false when it nears its end and a new token is needed soon.
    pub(crate) fn renewed(&mut self, lease: &Lease) -> bool {
        self.set_times(Instant::now(), lease.seconds);
        Duration::from_secs(lease.seconds) >= self.granted / 2
    }

    /// Goes on with the token although it could not be renewed just now; false when it has expired.
    pub(crate) fn put_off(&mut self) -> bool {
        let now = Instant::now();
        self.renew_at = Some(now + PUT_OFF);
        self.expires.is_none_or(|at| now < at)
    }

    /// Whether a refusal may come from the token having died: one that was just got has not.
    pub(crate) fn may_have_died(&self) -> bool {
        self.since.elapsed() >= FRESH
    }

    fn set_times(&mut self, now: Instant, seconds: u64) {
        // Longer than a process runs; and sums of instants stay far from their end.
        let life = Duration::from_secs(seconds.min(LIFE_MAX_S));
        let expires = (seconds > 0).then(|| now + life);
        self.expires = expires;
        self.renew_at = expires.map(|_| now + life * 2 / 3);
    }
}

/// A token this young is not suspected of having died, so that a wrong policy does not make a sign-in of every call.
const FRESH: Duration = Duration::from_secs(1);
/// Until the next try of a renewal that Vault did not answer.
const PUT_OFF: Duration = Duration::from_secs(1);
const LIFE_MAX_S: u64 = 10 * 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(seconds: u64, renewable: bool) -> Session {
        Session::new(Zeroizing::new("t".to_owned()), &Lease { token: None, seconds, renewable })
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_at_two_thirds_of_its_life_and_not_after_its_end() {
        let session = session(30, true);
        assert_eq!(session.due(), Due::Nothing);
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(session.due(), Due::Renewal);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(session.due(), Due::SignIn);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_cannot_be_renewed_is_replaced_in_time() {
        let session = session(30, false);
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(session.due(), Due::SignIn);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_end_needs_nothing() {
        let session = session(0, false);
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        assert_eq!(session.due(), Due::Nothing);
        assert!(session.due_at().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_grants_little_asks_for_a_new_token() {
        let mut session = session(60, true);
        let lease = |seconds| Lease { token: None, seconds, renewable: true };
        assert!(session.renewed(&lease(60)));
        assert!(!session.renewed(&lease(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_absurdly_long_lease_does_not_overflow() {
        assert_eq!(session(u64::MAX, true).due(), Due::Nothing);
    }
}
