//! The line that every request leaves. One test alone in its process: the log is global.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use canopic_server::config::{LogLevels, Value as _};
use http_body_util::BodyExt as _;
use support::{LIMITS, fixture, get};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_tells_what_happened_and_no_value_of_a_query_or_header() {
    let captured = Captured::default();
    let writer = captured.clone();
    let levels = LogLevels::parse("trace").unwrap();
    let subscriber = canopic_server::logging::subscriber(&levels, true, move || writer.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let fixture = fixture(LIMITS).await;
    let mut sender = fixture.http1().await;
    let mut request = get("/slow?X-Amz-Signature=hush-query&prefix=hush-prefix&hush-name");
    let headers = request.headers_mut();
    headers.insert("authorization", "hush-authorization".parse().unwrap());
    headers.insert("x-amz-server-side-encryption-customer-key", "hush-key".parse().unwrap());
    let response = sender.send_request(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    // The server drops the body a moment after the client has all of it.
    let line = wait_for_line(&captured).await;

    assert_eq!(line["path"], "/slow");
    assert_eq!(line["parameters"], "? X-Amz-Signature prefix");
    assert_eq!(line["status"], 200);
    assert_eq!(line["outcome"], "complete");
    assert_eq!(line["bytes_out"], 4);
    assert_eq!(line["secure"], false);
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("hush"), "{log}");
}

async fn wait_for_line(captured: &Captured) -> serde_json::Value {
    for _ in 0..100 {
        let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        if let Some(line) = lines.into_iter().find(|line| line["target"] == "canopic::request") {
            return line;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no line was written");
}
