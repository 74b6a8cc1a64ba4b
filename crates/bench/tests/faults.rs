//! Servers that do wrong: every fault is an error in the report, by name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use canopic_bench::{BenchError, Report, measure, run};
use std::process::ExitCode;
use support::{Faults, TinyServer, args};

async fn bench(faults: Faults, line: &str) -> (Report, TinyServer) {
    let server = TinyServer::start(None, faults).await;
    let line = format!("{line} --endpoint http://127.0.0.1:{} --warmup 0 -c 2", server.port);
    (measure(args(&line)).await.unwrap(), server)
}

fn only_error(report: &Report) -> (&str, u64) {
    let errors = &report.endpoints[0].errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.first_key_value().map(|(failure, count)| (failure.as_str(), *count)).unwrap()
}

#[tokio::test]
async fn a_flipped_byte_is_found_when_verifying_and_only_then() {
    let faults = Faults { flips_a_byte: true, ..Faults::default() };
    let (report, _) = bench(faults, "get --count 7 --keys 2 --verify").await;
    assert_eq!(only_error(&report), ("get: mismatch: other bytes than were written", 7));
    assert_eq!(report.endpoints[0].figures.all.operations, 0);
    let (report, _) = bench(faults, "get --count 7 --keys 2").await;
    assert_eq!(report.errors(), 0);
    let (report, _) = bench(faults, "put --count 7 --verify").await;
    assert_eq!(only_error(&report), ("get: mismatch: other bytes than were written", 7));
}

#[tokio::test]
async fn errors_are_counted_by_status_and_code_and_end_the_round_when_many() {
    let faults = Faults { refuses_reads: true, ..Faults::default() };
    let (report, _) = bench(faults, "get --count 1000 --keys 2 --max-errors 10").await;
    let (failure, count) = only_error(&report);
    // Each of the two workers may have one more request under way.
    assert!(failure == "get: 404 NoSuchKey" && (10..=11).contains(&count), "{failure} {count}");
}

#[tokio::test]
async fn a_completion_that_fails_behind_a_200_is_an_error_and_the_upload_is_aborted() {
    let faults = Faults { fails_completion_behind_200: true, ..Faults::default() };
    let (report, server) = bench(faults, "multipart --count 3 --size 10000 --part-size 4k").await;
    assert_eq!(only_error(&report), ("multipart: 200 InternalError", 3));
    assert!(server.seen().uploads.is_empty());
}

#[tokio::test]
async fn a_missing_key_in_a_list_is_found() {
    let faults = Faults { forgets_a_key_in_lists: true, ..Faults::default() };
    let (report, _) = bench(faults, "list --count 3 --keys 9 --verify").await;
    assert_eq!(only_error(&report), ("list: mismatch: another key than is due", 3));
}

#[tokio::test]
async fn a_server_that_closes_connections_costs_connections_but_no_errors() {
    let faults = Faults { closes_every_connection: true, ..Faults::default() };
    let (report, server) = bench(faults, "get --count 20 --keys 2").await;
    assert_eq!(report.errors(), 0);
    assert!(server.seen().connections > 20);
}

#[tokio::test]
async fn errors_make_the_command_fail() {
    let code = |faults| async move {
        let server = TinyServer::start(None, faults).await;
        let line = format!("get --count 3 --keys 2 --json --warmup 0 --endpoint http://127.0.0.1:{}", server.port);
        run(args(&line)).await.unwrap()
    };
    assert_eq!(code(Faults::default()).await, ExitCode::SUCCESS);
    assert_eq!(code(Faults { refuses_reads: true, ..Faults::default() }).await, ExitCode::FAILURE);
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_an_error_before_anything_is_measured() {
    let refused = measure(args("get --endpoint http://127.0.0.1:1 --count 1")).await;
    let Err(BenchError::Preparation { failure, .. }) = refused else { panic!("it must not be measured") };
    assert_eq!(failure, "connect: connection refused");
}

#[tokio::test]
async fn a_server_that_never_answers_ends_in_a_timeout() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let refused = measure(args(&format!("get --endpoint http://127.0.0.1:{port} --timeout 200ms"))).await;
    let Err(BenchError::Preparation { failure, .. }) = refused else { panic!("it must not be measured") };
    assert_eq!(failure, "timeout");
}
