//! Where the tests find a real cluster.

use std::sync::Arc;

use super::{RadosStore, config};
use crate::Config;

/// A store in a namespace of its own, on the cluster that the environment names.
pub(crate) async fn on_a_cluster() -> Arc<RadosStore> {
    Arc::new(RadosStore::connect(&cluster_config()).await.unwrap().0)
}

/// A namespace of its own there, for as many gateways as wanted.
pub(crate) fn cluster_config() -> Config {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let conf = std::env::var("CANOPIC_TEST_CEPH_CONF").expect("CANOPIC_TEST_CEPH_CONF names a ceph.conf");
    let pools = Config::new(
        conf,
        &variable("CANOPIC_TEST_CEPH_POOL_DATA", "canopic-data"),
        &variable("CANOPIC_TEST_CEPH_POOL_INDEX", "canopic-index"),
    );
    Config {
        user: variable("CANOPIC_TEST_CEPH_USER", "client.admin"),
        namespace: format!("canopic-test-{}", hex::encode(crate::random::random::<6>())),
        conf: pools.conf,
        default_placement: pools.default_placement,
        ..config()
    }
}
