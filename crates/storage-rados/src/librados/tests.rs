//! librados keeps the contract on a real cluster.

use std::sync::Arc;

use super::Librados;
use crate::config::Config;
use crate::rados::Rados as _;
use crate::rados::contract::{Site, contract};

fn config() -> Config {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let conf = std::env::var("CANOPIC_TEST_CEPH_CONF").expect("CANOPIC_TEST_CEPH_CONF names a ceph.conf");
    Config {
        user: variable("CANOPIC_TEST_CEPH_USER", "client.admin"),
        namespace: format!("canopic-test-{}", hex::encode(crate::random::random::<6>())),
        ..Config::new(conf, "unused", &variable("CANOPIC_TEST_CEPH_POOL_INDEX", "canopic-index"))
    }
}

async fn site() -> Site {
    let config = config();
    let (rados, other) = (Librados::connect(&config).await.unwrap(), Librados::connect(&config).await.unwrap());
    let pool = rados.pool(&config.default_placement.index_pool).await.unwrap();
    let ec_pool = match std::env::var("CANOPIC_TEST_CEPH_POOL_EC") {
        Ok(name) => Some(rados.pool(&name).await.unwrap()),
        Err(_) => None,
    };
    Site { rados: Arc::new(rados), other: Arc::new(other), pool, ec_pool }
}

contract!(
    site(),
    [tokio::test(flavor = "multi_thread", worker_threads = 2), ignore = "needs a Ceph cluster: ./check --ceph"]
);
