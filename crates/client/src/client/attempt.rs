//! One attempt at a request: sign, connect, send, and read the answer.

use super::{Call, Client};
use crate::address::{encoded, encoded_path};
use crate::body::{Meter, UploadBody};
use crate::connection::{Connection, ConnectionError, Sent};
use crate::endpoint::Route;
use crate::error::Refusal;
use crate::sign::{SignedParts, now, stamp};
use crate::xml::Element;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// An answer of success, as far as its head.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    client: Client,
    /// Given back when the body was read to its end; what breaks or is dropped closes it.
    connection: Option<(String, Connection<UploadBody>)>,
}

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("nothing came for {} s", .0.as_secs())]
    Stalled(Duration),
    /// With the time that the server asks to wait.
    #[error("{0}")]
    Refused(Refusal, Option<Duration>),
    #[error("an answer longer than any of S3")]
    TooLong,
    #[error("{0} cannot be sent by HTTP")]
    Unsendable(&'static str),
}

impl Client {
    pub(super) async fn attempt(&self, call: &Call<'_>, meter: &Arc<Meter>) -> Result<Answer, Trouble> {
        let route = self.0.endpoint.route(&call.address.bucket);
        let request = self.signed(call, &route, meter)?;
        let stall = if call.slow { self.0.patience.stall.max(SLOW_STALL) } else { self.0.patience.stall };
        let (connection, response) = self.exchange(request, &route, meter, stall).await?;
        let (head, body) = response.into_parts();
        let connection = Some((route.location.authority, connection));
        let answer = Answer { status: head.status, headers: head.headers, body, client: self.clone(), connection };
        if answer.status.is_success() { Ok(answer) } else { Err(answer.into_refusal(call.body.is_empty()).await) }
    }

    async fn exchange(
        &self,
        request: Request<UploadBody>,
        route: &Route,
        meter: &Meter,
        stall: Duration,
    ) -> Result<(Connection<UploadBody>, Response<Incoming>), Trouble> {
        let mut request = request;
        if let Some(mut connection) = self.idle_connection(&route.location.authority).await {
            match watched(connection.send(request), meter, stall).await? {
                Sent::Answered(response) => return Ok((connection, response)),
                // The server closed an idle connection just now, which is no failure; on a fresh one it would be.
                Sent::NotSent(unsent) => request = *unsent,
            }
        }
        let address = (route.location.host.as_str(), route.location.port);
        let tls = self.0.endpoint.tls_target(&route.location);
        let opened = timeout(CONNECT_TIME, Connection::open(address, tls.as_ref())).await;
        let mut connection = opened.map_err(|_| Trouble::Stalled(CONNECT_TIME))??;
        match watched(connection.send(request), meter, stall).await? {
            Sent::Answered(response) => Ok((connection, response)),
            Sent::NotSent(_) => Err(ConnectionError::Broken("closed before the request").into()),
        }
    }

    async fn idle_connection(&self, authority: &str) -> Option<Connection<UploadBody>> {
        loop {
            let mut connection = {
                let mut idle = self.0.idle.lock().expect("nothing panics while it is held");
                let at = idle.iter().rposition(|(known, _)| known == authority)?;
                idle.swap_remove(at).1
            };
            // A server that keeps a connection half-open must not hold us up.
            if timeout(Duration::from_secs(1), connection.is_usable()).await == Ok(true) {
                return Some(connection);
            }
        }
    }

    fn give_back(&self, authority: String, connection: Connection<UploadBody>) {
        let mut idle = self.0.idle.lock().expect("nothing panics while it is held");
        if idle.len() < IDLE_MAX {
            idle.push((authority, connection));
        }
    }

    fn signed(&self, call: &Call<'_>, route: &Route, meter: &Arc<Meter>) -> Result<Request<UploadBody>, Trouble> {
        let path = format!("{}{}", route.path, encoded_path(&call.address.key));
        let query = query_of(call);
        let stamp = stamp(now());
        // TLS keeps the body whole. In the clear only the signature does.
        let payload_hash: Cow<'_, str> = if self.0.endpoint.is_secure() {
            "UNSIGNED-PAYLOAD".into()
        } else {
            hex::encode(Sha256::digest(&call.body)).into()
        };
        let mut headers = call.headers.clone();
        headers.push(("host", route.location.authority.as_str().into()));
        headers.push(("x-amz-content-sha256", payload_hash.clone()));
        headers.push(("x-amz-date", stamp.as_str().into()));
        if let Some(token) = &self.0.session_token {
            headers.push(("x-amz-security-token", token.as_str().into()));
        }
        headers.sort_unstable_by_key(|(name, _)| *name);
        let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(&call.method).uri(target);
        for (name, value) in &headers {
            request = request.header(*name, sensitive(value)?);
        }
        if let Some(signer) = &self.0.signer {
            let parts = SignedParts {
                method: call.method.as_str(),
                path: &path,
                query: &query,
                headers: &headers,
                payload_hash: &payload_hash,
            };
            let mut signer = signer.lock().expect("nothing panics while it is held");
            request = request.header(AUTHORIZATION, sensitive(&signer.authorization(&parts, &stamp))?);
        }
        if call.method == Method::PUT || call.method == Method::POST {
            request = request.header(CONTENT_LENGTH, call.body.len());
        }
        request = request.header(USER_AGENT, concat!("canopic/", env!("CARGO_PKG_VERSION")));
        request.body(UploadBody::new(call.body.clone(), meter.clone())).map_err(|_| Trouble::Unsendable("a name"))
    }
}

impl Answer {
    /// The next bytes of the body; none when it is over.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        let stall = self.client.0.patience.stall;
        loop {
            let frame = timeout(stall, self.body.frame()).await.map_err(|_| Trouble::Stalled(stall))?;
            match frame {
                None => {
                    if let Some((authority, connection)) = self.connection.take() {
                        self.client.give_back(authority, connection);
                    }
                    return Ok(None);
                }
                Some(Err(_)) => return Err(ConnectionError::Broken("broke in the body").into()),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// All of a small answer.
    pub(super) async fn into_text(mut self) -> Result<(HeaderMap, Vec<u8>), Trouble> {
        let mut text = Vec::new();
        while let Some(bytes) = self.next().await? {
            if text.len() + bytes.len() > LONGEST_TEXT {
                return Err(Trouble::TooLong);
            }
            text.extend_from_slice(&bytes);
        }
        Ok((self.headers, text))
    }

    /// The server's words of failure. A refused upload may still be under way, so its connection is not used again.
    async fn into_refusal(mut self, may_reuse: bool) -> Trouble {
        if !may_reuse {
            self.connection = None;
        }
        let status = self.status.as_u16();
        let wait = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let wait = wait.map(|seconds: u64| Duration::from_secs(seconds.min(RETRY_AFTER_MAX)));
        // What cannot be read says no less than what says nothing.
        let text = self.into_text().await.map(|(_, text)| text).unwrap_or_default();
        let refusal = match Element::parse(&text) {
            Some(root) if root.name() == "Error" => Refusal::of_document(status, &root),
            _ => Refusal { status, code: String::new(), message: String::new() },
        };
        Trouble::Refused(refusal, wait)
    }
}

/// Waits for an answer as long as bytes go out, and then for the time of patience.
async fn watched<T>(
    sending: impl Future<Output = Result<T, ConnectionError>>,
    meter: &Meter,
    stall: Duration,
) -> Result<T, Trouble> {
    tokio::pin!(sending);
    loop {
        let before = meter.sent();
        match timeout(stall, &mut sending).await {
            Ok(sent) => return Ok(sent?),
            Err(_) if meter.sent() > before => {}
            Err(_) => return Err(Trouble::Stalled(stall)),
        }
    }
}

/// Canonical: sorted and encoded, each parameter with an equals sign.
fn query_of(call: &Call<'_>) -> String {
    let mut pairs: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// Marked so that nothing on the way prints it: the signature, and with SSE-C the customer key.
fn sensitive(value: &str) -> Result<HeaderValue, Trouble> {
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Trouble::Unsendable("a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

const CONNECT_TIME: Duration = Duration::from_secs(15);
/// Completing an upload and copying are answered when the work is done.
const SLOW_STALL: Duration = Duration::from_secs(15 * 60);
const RETRY_AFTER_MAX: u64 = 30;
/// A page of 1,000 keys of the longest kind, all of it encoded, is about 4 MiB.
const LONGEST_TEXT: usize = 16 << 20;
const IDLE_MAX: usize = 64;
