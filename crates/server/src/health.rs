//! Two questions that machines ask, without signature, at every listener: is it alive, and should it get requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use operations::Users;

use crate::http_server::json;

/// A store that needs longer for one small record cannot serve.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Knows whether requests can be served.
#[derive(Clone)]
pub(crate) struct Health {
    stopping: Arc<AtomicBool>,
    users: Users,
}

impl Health {
    /// Asks the store through `users`.
    pub(crate) fn new(users: Users) -> Self {
        Self { stopping: Arc::default(), users }
    }

    /// From now on no new requests are wanted.
    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers `GET /-/health` with `path` behind it; `None` when there is no such question.
    pub(crate) async fn answer(&self, path: &str) -> Option<Response<Full<Bytes>>> {
        match path {
            "/live" => Some(status(StatusCode::OK, "live")),
            "/ready" if self.stopping.load(Ordering::Relaxed) => {
                Some(status(StatusCode::SERVICE_UNAVAILABLE, "stopping"))
            }
            "/ready" if self.store_answers().await => Some(status(StatusCode::OK, "ready")),
            "/ready" => Some(status(StatusCode::SERVICE_UNAVAILABLE, "not ready")),
            _ => None,
        }
    }

    async fn store_answers(&self) -> bool {
        match tokio::time::timeout(STORE_TIMEOUT, self.users.account()).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the store fails");
                false
            }
            Err(_) => {
                tracing::warn!("not ready: the store does not answer");
                false
            }
        }
    }
}

fn status(code: StatusCode, word: &str) -> Response<Full<Bytes>> {
    json(code, format!(r#"{{"status":"{word}"}}"#))
}
