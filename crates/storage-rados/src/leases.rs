//! Leases are RADOS locks: they expire by the clock of the OSD.

use std::sync::Arc;
use std::time::Duration;

use storage::Error;

use crate::rados::{PoolId, Rados};
use crate::random::random;

/// The leases of this process.
pub(crate) struct RadosLeases {
    rados: Arc<dyn Rados>,
    pool: PoolId,
    /// Names this process.
    cookie: String,
}

impl RadosLeases {
    /// With locks in this pool.
    pub(crate) fn new(rados: Arc<dyn Rados>, pool: PoolId) -> Self {
        Self { rados, pool, cookie: hex::encode(random::<8>()) }
    }

    /// See [`storage::Leases::hold`].
    ///
    /// # Errors
    /// When RADOS fails.
    pub(crate) async fn hold(&self, name: &str, time: Duration) -> Result<bool, Error> {
        Ok(self.rados.lock(self.pool, &object(name), LOCK, &self.cookie, time).await?)
    }

    /// See [`storage::Leases::release`].
    ///
    /// # Errors
    /// When RADOS fails.
    pub(crate) async fn release(&self, name: &str) -> Result<(), Error> {
        Ok(self.rados.unlock(self.pool, &object(name), LOCK, &self.cookie).await?)
    }
}

fn object(name: &str) -> String {
    format!("lease.{name}")
}

const LOCK: &str = "lease";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_held_by_one_process_until_it_ends() {
        let model = Model::with_pools(1);
        let gateway = model.gateway();
        let pool = gateway.pool("canopic-index").await.unwrap();
        let (one, two) = (RadosLeases::new(gateway, pool), RadosLeases::new(model.gateway(), pool));
        let time = Duration::from_secs(10);
        assert!(one.hold("lifecycle", time).await.unwrap());
        assert!(one.hold("lifecycle", time).await.unwrap(), "it is kept");
        assert!(!two.hold("lifecycle", time).await.unwrap());
        assert!(two.hold("rewrap", time).await.unwrap(), "another one");
        two.release("lifecycle").await.unwrap();
        assert!(!two.hold("lifecycle", time).await.unwrap(), "only its holder gives it back");
        one.release("lifecycle").await.unwrap();
        assert!(two.hold("lifecycle", time).await.unwrap());
        tokio::time::advance(time).await;
        assert!(one.hold("lifecycle", time).await.unwrap(), "it ends by itself");
    }
}
