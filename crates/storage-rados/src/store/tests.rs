//! The store on the model of RADOS.

use std::sync::Arc;
use std::time::Duration;

use storage::conformance::{records, scans, scopes};

use super::RadosStore;
use crate::config::Config;
use crate::model::Model;

/// A store on a cluster of its own that forgets garbage soon.
pub(crate) async fn fresh() -> Arc<RadosStore> {
    on(&Model::with_pools(1)).await
}

/// One more gateway of a cluster.
pub(crate) async fn on(model: &Model) -> Arc<RadosStore> {
    let config = Config {
        grace: Duration::from_millis(300),
        collect_every: Duration::from_millis(100),
        ..Config::new("unused", "canopic-data", "canopic-index")
    };
    Arc::new(RadosStore::on(model.gateway(), &config).await.unwrap())
}

#[tokio::test]
async fn records_are_kept_as_the_port_promises() {
    records::a_put_record_is_read_back(&*fresh().await).await;
    records::records_of_other_tables_partitions_and_scopes_stay_apart(&*fresh().await).await;
    records::a_batch_happens_whole_or_not_at_all(&*fresh().await).await;
    records::preconditions_hold_for_exactly_the_value(&*fresh().await).await;
    records::a_batch_without_changes_still_checks(&*fresh().await).await;
    records::one_of_many_concurrent_creations_wins(fresh().await).await;
    records::concurrent_increments_are_all_counted(fresh().await).await;
    scans::every_start_and_end_finds_what_the_order_says(&*fresh().await).await;
    scans::pages_of_any_length_walk_the_whole_scope(&*fresh().await).await;
    scans::a_thousand_records_come_in_one_page(&*fresh().await).await;
    scopes::only_an_empty_scope_is_retired(&*fresh().await).await;
    scopes::a_retired_scope_takes_deletes_but_no_puts(&*fresh().await).await;
    scopes::a_racing_put_wins_or_is_told_that_the_scope_is_retired(fresh().await).await;
}
