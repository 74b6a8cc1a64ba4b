//! What a connection may take, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use canopic_server::config::Limits;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use support::{Fixture, LIMITS, fixture, get};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(300);

/// Reads until the other end closes, at most ten seconds.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    let _ = read.expect("the server closes the connection");
    bytes
}

#[tokio::test]
async fn a_header_that_never_ends_is_not_waited_for() {
    let fixture = fixture(Limits { header_timeout: SHORT, ..LIMITS }).await;
    let mut stream = TcpStream::connect(fixture.http).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    read_to_end(&mut stream).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_not_waited_for() {
    let limits = Limits { header_timeout: SHORT, handshake_timeout: SHORT, ..LIMITS };
    let fixture = fixture(limits).await;
    for address in [fixture.http, fixture.https] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(read_to_end(&mut stream).await, b"");
    }
}

#[tokio::test]
async fn a_body_that_stops_half_way_is_an_error_of_the_body() {
    let fixture = fixture(Limits { body_timeout: SHORT, ..LIMITS }).await;
    let mut stream = TcpStream::connect(fixture.http).await.unwrap();
    stream.write_all(b"PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    let answer = String::from_utf8(read_to_end(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("stopped sending"), "{answer}");
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_waited_for() {
    let fixture = fixture(Limits { body_timeout: SHORT, ..LIMITS }).await;
    let mut stream = TcpStream::connect(fixture.http).await.unwrap();
    stream.write_all(b"PUT /body HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 8\r\n\r\n").await.unwrap();
    for byte in b"slow-but" {
        tokio::time::sleep(SHORT / 4).await;
        stream.write_all(&[*byte]).await.unwrap();
    }
    let answer = String::from_utf8(read_to_end(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n8"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_dropped() {
    let fixture = fixture(Limits { body_timeout: SHORT, ..LIMITS }).await;
    let mut stream = TcpStream::connect(fixture.http).await.unwrap();
    stream.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT * 5).await;
    let taken = read_to_end(&mut stream).await;
    assert!(taken.len() < 64 << 20, "{}", taken.len());
}

#[tokio::test]
async fn an_answer_on_a_stream_without_window_is_dropped() {
    let fixture = fixture(Limits { body_timeout: SHORT, header_timeout: SHORT, ..LIMITS }).await;
    for path in ["big", "lump"] {
        // Nobody reads the body, so the window of 64 KiB is never opened again.
        let (mut sender, connection) = fixture.http2(65_535).await;
        let request = Request::get(format!("https://localhost/{path}")).body(Full::<Bytes>::default()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(10), connection).await;
        closed.unwrap_or_else(|_| panic!("the server should close: {path}")).unwrap().ok();
        drop(response);
    }
}

#[tokio::test]
async fn an_idle_connection_of_http2_is_told_to_go() {
    let fixture = fixture(Limits { header_timeout: SHORT, ..LIMITS }).await;
    let (mut sender, connection) = fixture.http2(65_535).await;
    let request = Request::get("https://localhost/slow").body(Full::<Bytes>::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "slow");
    tokio::time::timeout(Duration::from_secs(20), connection).await.expect("it is idle").unwrap().unwrap();
}

#[tokio::test]
async fn a_header_beyond_the_bound_is_refused() {
    let fixture = fixture(LIMITS).await;
    let mut stream = TcpStream::connect(fixture.http).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(200 * 1024));
    // The server may stop reading before everything is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));

    let many: String = (0..1000).map(|n| format!("x-{n}: 1\r\n")).collect();
    let mut stream = TcpStream::connect(fixture.http).await.unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with(b"HTTP/1.1 431"));
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_their_turn() {
    let fixture = fixture(Limits { connections_max: 1, ..LIMITS }).await;
    let mut first = fixture.http1().await;
    assert_eq!(first.send_request(get("/")).await.unwrap().status(), 200);
    let mut second = fixture.http1().await;
    let waiting = tokio::spawn(async move { second.send_request(get("/")).await });
    tokio::time::sleep(SHORT).await;
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_stop_lets_running_requests_finish_and_takes_no_new_ones() {
    let fixture = fixture(LIMITS).await;
    let (mut running, mut idle) = (fixture.http1().await, fixture.http1().await);
    assert_eq!(idle.send_request(get("/")).await.unwrap().status(), 200);
    let running = tokio::spawn(async move {
        let response = running.send_request(get("/slow")).await?;
        Ok::<_, hyper::Error>(response.into_body().collect().await?.to_bytes())
    });
    tokio::time::sleep(Duration::from_millis(100)).await;

    let began = Instant::now();
    fixture.server.stop(Duration::from_secs(20)).await;
    assert!(began.elapsed() < Duration::from_secs(10), "it waited for more than the running request");
    assert_eq!(running.await.unwrap().unwrap(), "slow");
    assert!(idle.send_request(get("/")).await.is_err());
    assert!(TcpStream::connect(fixture.http).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_it_may() {
    let fixture = fixture(LIMITS).await;
    let mut stream = TcpStream::connect(fixture.http).await.unwrap();
    stream.write_all(b"PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    fixture.server.stop(SHORT).await;
    assert!(began.elapsed() >= SHORT && began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_that_is_dropped_cuts_what_runs() {
    let Fixture { server, http, .. } = fixture(LIMITS).await;
    let mut stream = TcpStream::connect(http).await.unwrap();
    stream.write_all(b"PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(server);
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    assert!(TcpStream::connect(http).await.is_err());
}
