//! The one place that asks what time it is. Everything below the server takes time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Timestamp;

/// The time now, by the system's clock.
#[must_use]
pub(crate) fn now() -> Timestamp {
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// [`now`] for those who take a clock as a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl kms::Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

impl operations::Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }
}
