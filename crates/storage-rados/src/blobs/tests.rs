//! Blobs on the model of RADOS.

use std::sync::Arc;
use std::time::Duration;

use storage::conformance;

use crate::config::Config;
use crate::model::{Model, PoolKind};
use crate::store::RadosStore;
use crate::store::tests::{config, fresh};

/// A cluster whose data pool is erasure-coded.
pub(crate) fn erasure_coded(seed: u64) -> Model {
    let model = Model::new(seed);
    model.create_pool("canopic-data", PoolKind::ErasureCoded { alignment: 12_288 });
    model.create_pool("canopic-index", PoolKind::Replicated);
    model
}

/// Stripes so short that small blobs have several.
pub(crate) fn short_stripes() -> Config {
    Config { stripe_len: 64 << 10, ..config() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_does_what_the_ports_promise() {
    conformance::run_all(fresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_on_an_erasure_coded_pool_and_with_short_stripes() {
    conformance::run_all(async || {
        let config = short_stripes();
        Arc::new(RadosStore::on(erasure_coded(7).gateway(), &config).await.unwrap())
    })
    .await;
}
