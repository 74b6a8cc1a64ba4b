//! The suite that every backend runs.
use std::sync::Arc;

use canopic_storage_embedded::{Config, EmbeddedStore};
use storage::conformance::{run_all, run_inventory};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_conforms() {
    let temp = tempfile::tempdir().unwrap();
    let stores = std::cell::Cell::new(0);
    let make = async || {
        stores.set(stores.get() + 1);
        let dir = temp.path().join(stores.get().to_string());
        Arc::new(EmbeddedStore::open(dir, &Config::default()).unwrap())
    };
    run_all(make).await;
    run_inventory(make).await;
}
