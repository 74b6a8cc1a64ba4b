//! Every operation against a server that counts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use canopic_bench::{Operation, Report, measure};
use support::{Faults, TinyServer, args};

async fn bench(server: &TinyServer, line: &str) -> Report {
    let endpoint = format!("--endpoint http://127.0.0.1:{}", server.port);
    measure(args(&format!("{line} {endpoint} --warmup 0 -c 3"))).await.unwrap()
}

fn operations(report: &Report) -> u64 {
    report.endpoints[0].figures.all.operations
}

#[tokio::test]
async fn put_sends_exactly_the_count_reads_back_and_deletes() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "put --count 20 --size 70001 --verify").await;
    assert_eq!((operations(&report), report.errors()), (20, 0));
    assert_eq!(report.endpoints[0].figures.all.bytes, 20 * 70001);
    // One PUT is the bucket's.
    assert_eq!((server.requests("PUT"), server.requests("GET"), server.requests("DELETE")), (21, 20, 20));
    assert!(server.seen().objects.is_empty());
    assert_eq!(server.seen().unsigned_requests, 0);
}

#[tokio::test]
async fn put_writes_over_as_many_names_as_asked() {
    let server = TinyServer::start(None, Faults::default()).await;
    bench(&server, "put --count 20 --keys 4 --size 0 --keep").await;
    assert_eq!((server.requests("PUT"), server.seen().objects.len()), (21, 4));
}

#[tokio::test]
async fn get_reads_objects_that_were_prepared() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "get --count 30 --keys 5 --size 3MiB --verify").await;
    assert_eq!((operations(&report), report.errors(), report.endpoints[0].figures.all.bytes), (30, 0, 90 << 20));
    assert_eq!((server.requests("PUT"), server.requests("GET"), server.requests("DELETE")), (6, 30, 5));
}

#[tokio::test]
async fn ranges_and_heads_are_checked() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "range --count 50 --keys 2 --size 2MiB --range-size 1000 --verify").await;
    assert_eq!((report.errors(), report.endpoints[0].figures.all.bytes), (0, 50_000));
    let report = bench(&server, "head --count 50 --keys 2 --verify").await;
    assert_eq!((report.errors(), operations(&report)), (0, 50));
    assert_eq!(server.requests("GET"), 50);
}

#[tokio::test]
async fn a_rekey_copies_objects_onto_themselves_and_moves_nothing() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "rekey --count 30 --keys 5 --size 1MiB --sse c").await;
    assert_eq!((operations(&report), report.errors(), report.endpoints[0].figures.all.bytes), (30, 0, 0));
    // One PUT is the bucket's, five are the objects'.
    assert_eq!((server.requests("PUT"), server.requests("DELETE")), (36, 5));
}

#[tokio::test]
async fn what_is_read_is_written_in_parts_when_asked() {
    let server = TinyServer::start(None, Faults::default()).await;
    let line = "range --in-parts --part-size 1MiB --count 20 --keys 2 --size 3MiB --range-size 1000 --verify";
    let report = bench(&server, line).await;
    assert_eq!((report.errors(), report.endpoints[0].figures.all.bytes), (0, 20_000));
    assert_eq!((server.requests("PUT partNumber"), server.requests("GET")), (6, 20));
}

#[tokio::test]
async fn lists_go_page_after_page() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "list --count 40 --keys 25 --page-size 10 --size 1 --verify").await;
    assert_eq!((report.errors(), server.requests("GET list-type")), (0, 40));
}

#[tokio::test]
async fn deletes_delete_what_was_written_for_them() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "delete --count 40 --rounds 2").await;
    assert_eq!((operations(&report), report.errors()), (80, 0));
    assert_eq!((server.requests("PUT"), server.requests("DELETE")), (81, 80));
}

#[tokio::test]
async fn mixed_keeps_kinds_apart_and_cleans_up() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "mixed --count 400 --keys 5 --verify").await;
    assert_eq!((operations(&report), report.errors()), (400, 0));
    let kinds: Vec<Operation> = report.endpoints[0].by_operation.keys().copied().collect();
    assert_eq!(kinds, [Operation::Put, Operation::Get, Operation::Head, Operation::Delete]);
    let gets = report.endpoints[0].by_operation[&Operation::Get].operations;
    assert!((140..220).contains(&gets), "{gets} of 400 are far from 45 %");
    assert!(server.seen().objects.is_empty());
}

#[tokio::test]
async fn multipart_uploads_are_put_together() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "multipart --count 4 --size 2500000 --part-size 1MiB --verify --sse c").await;
    assert_eq!((operations(&report), report.errors()), (4, 0));
    assert_eq!((server.requests("PUT partNumber"), server.requests("POST uploads")), (12, 4));
}

#[tokio::test]
async fn a_run_has_one_customer_key_and_the_next_another() {
    let server = TinyServer::start(None, Faults::default()).await;
    bench(&server, "get --count 10 --keys 2 --sse c --rounds 2").await;
    assert_eq!(server.seen().customer_keys.len(), 1);
    bench(&server, "get --count 1 --keys 2 --sse c").await;
    assert_eq!(server.seen().customer_keys.len(), 2);
    bench(&server, "put --count 3 --sse s3").await;
    assert_eq!(server.seen().server_encryption_headers, 3);
}

#[tokio::test]
async fn bodies_are_signed_only_when_asked() {
    let server = TinyServer::start(None, Faults::default()).await;
    bench(&server, "put --count 2").await;
    assert_eq!(server.seen().payload_hashes.iter().collect::<Vec<_>>(), ["UNSIGNED-PAYLOAD"]);
    server.seen().payload_hashes.clear();
    bench(&server, "put --count 2 --signed-payload").await;
    let hashes = std::mem::take(&mut server.seen().payload_hashes);
    // That of nothing, and those of two bodies.
    assert_eq!(hashes.len(), 3);
    assert!(hashes.contains("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

#[tokio::test]
async fn each_worker_keeps_its_connection_over_rounds() {
    let server = TinyServer::start(None, Faults::default()).await;
    bench(&server, "get --count 60 --keys 6 --rounds 3").await;
    assert_eq!(server.seen().connections, 3);
}

#[tokio::test]
async fn a_time_ends_a_round() {
    let server = TinyServer::start(None, Faults::default()).await;
    let report = bench(&server, "get --duration 300ms --keys 2").await;
    let seconds = report.endpoints[0].figures.seconds;
    assert!((0.3..5.0).contains(&seconds) && operations(&report) > 0, "{seconds}");
}
