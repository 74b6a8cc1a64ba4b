//! `inline DIR [SECONDS]`: what a body costs beside its record, and what in a file of its own.
//!
//! 16 tasks put fresh objects (a record of 600 B and a body), then get them, through the embedded store.
mod usage;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::{Batch, Blobs, Metadata, Partition, RecordKey, Scope, Table};
use storage_embedded::{Config, EmbeddedStore};
use usage::Usage;

const TASKS: u64 = 16;
const RECORDS: Table = Table(1);
const BODIES: Table = Table(2);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, rest @ ..] = arguments.as_slice() else {
        println!("usage: inline DIR [SECONDS]");
        return;
    };
    let seconds = rest.first().map_or(4, |text| text.parse().expect("a number of seconds"));
    println!("| body | where | PUT/s | CPU ms | KiB written | GET/s | CPU ms |\n|--:|---|--:|--:|--:|--:|--:|");
    for kib in [4, 8, 16, 32, 64, 128] {
        for inline in [true, false] {
            let dir = Path::new(dir).join(format!("{kib}-{inline}"));
            measure(&dir, kib, inline, Duration::from_secs(seconds)).await;
            std::fs::remove_dir_all(&dir).expect("the folder is ours");
        }
    }
}

async fn measure(dir: &Path, kib: usize, inline: bool, duration: Duration) {
    let store = Arc::new(EmbeddedStore::open(dir, &Config::default()).expect("the store opens"));
    let body = Bytes::from(vec![0x5a; kib * 1024]);
    let next = Arc::new(AtomicU64::new(0));
    let before = Usage::now();
    let puts = all(duration, |_| {
        let (store, body, next) = (Arc::clone(&store), body.clone(), Arc::clone(&next));
        async move { put(&store, next.fetch_add(1, Ordering::Relaxed), body, inline).await }
    })
    .await;
    let put_cost = Usage::now().since(&before);
    let stored = next.load(Ordering::Relaxed) - TASKS;
    let before = Usage::now();
    let gets = all(duration, |number| {
        let (store, length) = (Arc::clone(&store), body.len());
        async move { get(&store, number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % stored, length, inline).await }
    })
    .await;
    let get_cost = Usage::now().since(&before);
    println!(
        "| {kib} KiB | {} | {:.0} | {:.3} | {:.0} | {:.0} | {:.3} |",
        if inline { "inline" } else { "file" },
        puts as f64 / duration.as_secs_f64(),
        put_cost.cpu_ms / puts as f64,
        put_cost.written as f64 / 1024.0 / puts as f64,
        gets as f64 / duration.as_secs_f64(),
        get_cost.cpu_ms / gets as f64,
    );
}

/// Runs `call` with counting numbers in every task until the time is over; how often it ran.
async fn all<F: Future<Output = ()> + Send>(duration: Duration, call: impl Fn(u64) -> F) -> u64 {
    let until = Instant::now() + duration;
    let counted = AtomicU64::new(0);
    let task = async || {
        while Instant::now() < until {
            call(counted.fetch_add(1, Ordering::Relaxed)).await;
        }
    };
    // All tasks on one thread at a time is what the store must stand: its own threads do the work.
    let mut tasks: Vec<_> = (0..TASKS).map(|_| Box::pin(task())).collect();
    std::future::poll_fn(|context| {
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if tasks.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    counted.load(Ordering::Relaxed)
}

fn place(number: u64) -> Partition {
    Partition::new(Scope::SYSTEM, format!("{:016x}/photo", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

async fn put(store: &EmbeddedStore, number: u64, body: Bytes, inline: bool) {
    let partition = place(number);
    let mut batch = Batch { put: vec![(RecordKey::new(RECORDS, "v"), Bytes::from(vec![1; 600]))], ..Batch::default() };
    if inline {
        batch.put.push((RecordKey::new(BODIES, "v"), body));
    } else {
        let mut writer = store.create(&partition).await.expect("a blob is begun");
        writer.append(body).await.expect("bytes are taken");
        let id = writer.finish().await.expect("the blob is finished");
        batch.put[0].1 = Bytes::from([&id.as_bytes()[..], &[1; 584]].concat());
        batch.link.push(id);
    }
    store.commit(&partition, batch).await.expect("the batch is committed");
}

async fn get(store: &EmbeddedStore, number: u64, length: usize, inline: bool) {
    let partition = place(number);
    let record = store.get(&partition, &RecordKey::new(RECORDS, "v")).await.expect("the record is read");
    let record = record.expect("it was put");
    let body = if inline {
        store.get(&partition, &RecordKey::new(BODIES, "v")).await.expect("the body is read").expect("it was put")
    } else {
        let id = model::BlobId::from_bytes(record[..16].try_into().expect("sixteen bytes"));
        store.open(id).await.expect("the blob is opened").read(0, length).await.expect("the body is read")
    };
    assert_eq!(body.len(), length);
}
