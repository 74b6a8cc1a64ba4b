//! A writer that is dropped while its bytes wait for a thread leaves nothing behind.
mod common;

use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::Poll;

use canopic_storage_embedded::EmbeddedStore;
use common::{blob_files, record};
use storage::Blobs as _;
use tokio::task::spawn_blocking;

/// Drops a writer in its first flush, which waits behind another task; the collector may look for its file before it
/// is there.
#[allow(clippy::unwrap_used, reason = "a helper of tests")]
async fn give_up_a_writer(store: &EmbeddedStore, collect_first: bool) {
    let (release, wait) = channel::<()>();
    let busy = spawn_blocking(move || wait.recv());
    let mut writer = store.create(&record("a").0).await.unwrap();
    {
        let mut flush = pin!(writer.append(vec![1; 500_000].into()));
        std::future::poll_fn(|context| {
            assert!(flush.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    drop(writer);
    if collect_first {
        store.collect_garbage().await;
    }
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
    // There is one such thread, so what waited for it is over when this is.
    spawn_blocking(|| ()).await.unwrap();
}

#[test]
fn a_writer_that_is_dropped_before_its_file_is_there_leaves_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = common::open(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        for collect_first in [true, false] {
            give_up_a_writer(&store, collect_first).await;
            store.collect_garbage().await;
            assert_eq!(blob_files(dir.path()), [""; 0]);
        }
    });
}
