//! Blobs on the model of RADOS, and on a cluster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::BlobId;
use storage::{Blobs, Error, Partition, Scope, conformance};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::model::{Fault, Gateway, Kind, Model, PoolKind};
use crate::rados::{PoolId, RadosError};
use crate::store::RadosStore;
use crate::store::tests::real::on_a_cluster;
use crate::store::tests::{config, fresh};

/// A cluster whose data pool is erasure-coded.
fn erasure_coded(seed: u64) -> Model {
    let model = Model::new(seed);
    model.create_pool("canopic-data", PoolKind::ErasureCoded { alignment: 12_288 });
    model.create_pool("canopic-index", PoolKind::Replicated);
    model
}

/// Stripes so short that small blobs have several, and no collector.
fn short_stripes() -> Config {
    Config { stripe_len: 64 << 10, collects: false, deadline: Duration::from_secs(5), ..config() }
}

async fn on(gateway: &Arc<Gateway>) -> RadosStore {
    RadosStore::on(gateway.clone(), &short_stripes()).await.unwrap()
}

fn partition() -> Partition {
    Partition::new(Scope::SYSTEM, *b"name")
}

fn content(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}

async fn written(store: &RadosStore, bytes: &Bytes, piece: usize) -> Result<BlobId, Error> {
    let mut writer = store.create(&partition()).await?;
    for start in (0..bytes.len()).step_by(piece) {
        writer.append(bytes.slice(start..bytes.len().min(start + piece))).await?;
    }
    writer.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_does_what_the_ports_promise() {
    conformance::run_all(fresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_on_an_erasure_coded_pool_with_short_stripes() {
    conformance::run_all(async || {
        let config = Config { collects: true, ..short_stripes() };
        Arc::new(RadosStore::on(erasure_coded(7).gateway(), &config).await.unwrap())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Ceph cluster: ./check --ceph"]
async fn the_store_does_what_the_ports_promise_on_a_cluster() {
    conformance::run_all(on_a_cluster).await;
}

#[tokio::test(start_paused = true)]
async fn blobs_of_many_stripes_are_read_in_the_order_of_their_bytes() {
    for model in [Model::with_pools(3), erasure_coded(4)] {
        let store = on(&model.gateway()).await;
        for (length, piece) in [(65_536, 1000), (1_000_000, 70_000), (3_000_000, 3_000_000), (2 * 196_608, 10_000)] {
            let bytes = content(length);
            let id = written(&store, &bytes, piece).await.unwrap();
            for span in [0..length, length / 3..length, length / 2..length / 2 + 1, length - 1..length] {
                let reader = store.open_for(id, span.start as u64..span.end as u64).await.unwrap();
                let mut at = span.start;
                while at < span.end {
                    let next = span.end.min(at + 262_208);
                    assert_eq!(reader.read(at as u64, next - at).await.unwrap(), bytes.slice(at..next));
                    at = next;
                }
                assert_eq!(reader.read(0, 3).await.unwrap(), bytes.slice(..3), "what was not announced");
                let behind = reader.read(length as u64 - 1, 2).await;
                assert!(matches!(behind, Err(Error::BlobTooShort(short)) if short == id), "{behind:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_blob_takes_an_intent_and_one_write_and_is_read_by_one_read() {
    let model = Model::with_pools(3);
    let gateway = model.gateway();
    let config = Config { stripe_len: 4 << 20, ..short_stripes() };
    let store = RadosStore::on(gateway.clone(), &config).await.unwrap();
    written(&store, &content(10), 10).await.unwrap();
    let before = gateway.count(Kind::Write);
    let id = written(&store, &content(300_000), 65_552).await.unwrap();
    assert_eq!(gateway.count(Kind::Write) - before, 2);
    let before = gateway.count(Kind::Read);
    let reader = store.open_for(id, 0..300_000).await.unwrap();
    let (first, second) = (reader.read(0, 262_208).await.unwrap(), reader.read(262_208, 37_792).await.unwrap());
    assert_eq!(gateway.count(Kind::Read) - before, 1);
    assert!(first.try_into_mut().is_ok() && second.try_into_mut().is_ok(), "nobody shares them");
}

#[tokio::test(start_paused = true)]
async fn a_span_that_the_blob_does_not_reach_is_too_short_and_a_missing_blob_is_missing() {
    let model = Model::with_pools(3);
    let store = on(&model.gateway()).await;
    let id = written(&store, &content(100_000), 100_000).await.unwrap();
    for (span, length) in [(0..u64::MAX, 200_000), (99_999..200_000, 2), (1 << 40..1 << 41, 1)] {
        let reader = store.open_for(id, span.clone()).await.unwrap();
        let read = reader.read(span.start, length).await;
        assert!(matches!(read, Err(Error::BlobTooShort(short)) if short == id), "{span:?} {read:?}");
    }
    let mut unknown = *id.as_bytes();
    unknown[15] ^= 1;
    let mut without_stripes = *id.as_bytes();
    without_stripes[4..6].copy_from_slice(&[0, 0]);
    for bytes in [unknown, without_stripes, [0; 16], [0xff; 16]] {
        let id = BlobId::from_bytes(bytes);
        for span in [0..0, 0..1, 1 << 30..1 << 31] {
            let opened = store.open_for(id, span).await.map(drop);
            assert!(matches!(opened, Err(Error::NoSuchBlob(missing)) if missing == id), "{opened:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_writer_removes_its_bytes_itself() {
    for model in [Model::with_pools(3), erasure_coded(4)] {
        let store = on(&model.gateway()).await;
        for length in [0, 10, 1_000_000] {
            let mut writer = store.create(&partition()).await.unwrap();
            writer.append(content(length)).await.unwrap();
            assert_eq!(model.objects(DATA).is_empty(), length < 1_000_000);
            drop(writer);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(model.objects(DATA), Vec::<String>::new());
            let index = model.objects(INDEX).into_iter().find(|object| object.starts_with("range.")).unwrap();
            assert!(model.omap(INDEX, &index).is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_is_waited_for_until_the_deadline() {
    for model in [Model::with_pools(3), erasure_coded(4)] {
        let store = on(&model.gateway()).await;
        model.set_full(DATA, true);
        let begun = Instant::now();
        let refused = written(&store, &content(1_000_000), 50_000).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(6));
        let makes_room = async {
            sleep(Duration::from_secs(2)).await;
            model.set_full(DATA, false);
        };
        let bytes = content(1_000_000);
        let (id, ()) = tokio::join!(written(&store, &bytes, 50_000), makes_room);
        let reader = store.open(id.unwrap()).await.unwrap();
        assert_eq!(reader.read(0, 1_000_000).await.unwrap(), bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_failed_once_cannot_be_finished() {
    let model = Model::with_pools(3);
    let gateway = model.gateway();
    let store = on(&gateway).await;
    for failing in [0, 1, 2, 9] {
        let mut write = 0;
        gateway.set_hook(move |operation| {
            write += u64::from(operation.pool == DATA && operation.kind == Kind::Write);
            if write == failing + 1 { Fault::Fail(RadosError::TimedOut) } else { Fault::None }
        });
        let mut writer = store.create(&partition()).await.unwrap();
        for _ in 0..20 {
            // Whoever goes on after an error all the same gets nothing finished.
            let _ = writer.append(content(65_536)).await;
        }
        let id = writer.id();
        let refused = writer.finish().await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        gateway.clear_faults();
        sleep(Duration::from_secs(1)).await;
        let batch = storage::Batch { link: vec![id], ..storage::Batch::default() };
        assert!(storage::Metadata::commit(&store, &partition(), batch).await.is_err());
    }
    crate::collector::tests::collect_all(&model).await;
    assert_eq!(model.objects(DATA), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_writer_whose_intent_was_collected_fails() {
    let model = Model::with_pools(3);
    let hasty = Config { unlinked_age_max: Duration::from_millis(400), ..short_stripes() };
    let store = RadosStore::on(model.gateway(), &hasty).await.unwrap();
    let mut writer = store.create(&partition()).await.unwrap();
    writer.append(content(100_000)).await.unwrap();
    crate::collector::tests::collect_all(&model).await;
    sleep(Duration::from_millis(200)).await;
    let refused = async {
        writer.append(content(100_000)).await?;
        writer.finish().await
    };
    let refused = refused.await;
    assert!(matches!(refused, Err(Error::NoSuchBlob(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_upload_renews_its_intent() {
    let model = Model::with_pools(3);
    let hasty = Config { unlinked_age_max: Duration::from_millis(400), ..short_stripes() };
    let gateway = model.gateway();
    let store = RadosStore::on(gateway.clone(), &hasty).await.unwrap();
    let mut writer = store.create(&partition()).await.unwrap();
    writer.append(content(100_000)).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    writer.append(content(100_000)).await.unwrap();
    let id = writer.finish().await.unwrap();
    let batch = storage::Batch { link: vec![id], ..storage::Batch::default() };
    storage::Metadata::commit(&store, &partition(), batch).await.unwrap();
}

const DATA: PoolId = PoolId(1);
const INDEX: PoolId = PoolId(2);
