//! Two questions that machines ask, without signature, at every listener: is it alive, and should it get requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use crate::http_server::Answer;
use crate::http_server::json;

/// Where the questions are asked.
pub const PREFIX: &str = "/-/health/";

/// Whether the server is on its way out.
#[derive(Clone, Debug, Default)]
pub struct Health {
    stopping: Arc<AtomicBool>,
}

impl Health {
    /// From now on no new requests are wanted.
    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// Answers a request below [`PREFIX`].
pub async fn answer(health: &Health, method: &Method, path: &str, answer: &impl Answer) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return json(StatusCode::METHOD_NOT_ALLOWED, r#"{"error":"use GET"}"#.to_owned());
    }
    match path.strip_prefix(PREFIX) {
        Some("live") => json(StatusCode::OK, r#"{"status":"live"}"#.to_owned()),
        Some("ready") if health.stopping.load(Ordering::Relaxed) => {
            json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"stopping"}"#.to_owned())
        }
        Some("ready") if answer.is_ready().await => json(StatusCode::OK, r#"{"status":"ready"}"#.to_owned()),
        Some("ready") => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not ready"}"#.to_owned()),
        _ => json(StatusCode::NOT_FOUND, r#"{"error":"no such path"}"#.to_owned()),
    }
}
