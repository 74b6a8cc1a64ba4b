//! Work that one of several gateways does for all.

use std::time::Duration;

use storage::Leases;
use tokio::time::{MissedTickBehavior, interval};

/// How long a lease lasts that is renewed while work goes on: so long work rests after its gateway died.
pub(crate) const LEASE_TIME: Duration = Duration::from_secs(30);

/// Keeps the lease `name` while `work` goes on. When another gateway takes it meanwhile, the work ends where it is, and
/// there is no result: it has to be such that it can be cut off anywhere.
pub(crate) async fn keep_during<T>(leases: &dyn Leases, name: &str, work: impl Future<Output = T>) -> Option<T> {
    let lost = async {
        let mut renewal = interval(LEASE_TIME / 3);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            renewal.tick().await;
            match leases.hold(name, LEASE_TIME).await {
                Ok(true) => {}
                Ok(false) => return,
                // What the work asks the store for fails as well, and it knows best what to make of that.
                Err(error) => tracing::debug!(%error, name, "a lease could not be renewed"),
            }
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = lost => {
            tracing::info!(name, "another gateway goes on with this work");
            None
        }
    }
}
