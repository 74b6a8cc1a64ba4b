//! The watch through which this gateway learns what others change in the system scope.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::names::ROOT_OBJECT;
use crate::rados::{PoolId, Rados};
use crate::system_cache::SystemCache;

/// Keeps a watch on the root object, and lets the cache keep records only while it stands. Never returns.
pub(crate) async fn keep(rados: Arc<dyn Rados>, pool: PoolId, cache: Arc<SystemCache>) {
    loop {
        match rados.watch(pool, ROOT_OBJECT, cache.clone()).await {
            Ok(watch) => {
                cache.set_watched(true);
                while cache.is_watched() && watch.is_sound() {
                    sleep(LOOK_EVERY).await;
                }
                cache.set_watched(false);
                tracing::warn!("the cluster no longer tells of changes: every request reads its records until it does");
            }
            Err(error) => tracing::warn!(%error, "the cluster cannot tell of changes yet"),
        }
        sleep(TRY_AGAIN_AFTER).await;
    }
}

/// Between two looks whether the watch stands.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
