//! What every request goes through: a line for the log, our own routes, and then whatever answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::answer::{Answer, Connection};
use super::body::{ReceivedBody, SentBody, Uptake};
use super::request_log::RequestLog;
use crate::config::{Domain, Network};
use crate::health::{self, Health};

/// Our own paths begin with this; no bucket can be called `-`.
const OWN_PREFIX: &str = "/-/";

/// Which of the server's doors a request came through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entrance {
    /// TLS ends here.
    Tls,
    /// Plain HTTP.
    Plain,
}

/// Where one of our own paths leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OwnRoute {
    /// Answered here, for anybody.
    Health,
    /// For whatever answers requests: it knows who may.
    Answer,
}

/// Serves requests of every connection.
pub struct Service<A> {
    answer: A,
    health: Health,
    trusted_proxies: Vec<Network>,
    domains: Vec<Domain>,
    body_timeout: Duration,
}

type OutgoingBody<A> = SentBody<Either<Full<Bytes>, <A as Answer>::Body>>;

impl<A: Answer> Service<A> {
    /// A service in front of `answer`.
    pub fn new(
        answer: A,
        health: Health,
        trusted_proxies: Vec<Network>,
        domains: Vec<Domain>,
        body_timeout: Duration,
    ) -> Self {
        Self { answer, health, trusted_proxies, domains, body_timeout }
    }

    pub(super) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        entrance: Entrance,
        uptake: Arc<Uptake>,
    ) -> Result<Response<OutgoingBody<A>>, Infallible> {
        let secure = entrance == Entrance::Tls || self.trusted_proxy_says_https(&request, peer);
        let connection = Connection { secure, peer };
        let mut log = RequestLog::begin(&request, connection);
        let mut response = match self.route(&request) {
            OwnRoute::Health => {
                let answer = health::answer(&self.health, request.method(), request.uri().path(), &self.answer).await;
                answer.map(Either::Left)
            }
            OwnRoute::Answer => {
                let request = request.map(|body| ReceivedBody::new(body, log.received(), self.body_timeout));
                self.answer.answer(request, connection).await.map(Either::Right)
            }
        };
        log.answered(&mut response);
        Ok(response.map(|body| SentBody::new(body, log, uptake)))
    }

    /// Below a domain of ours the first label is a bucket, and then `/-/health` is an object like any other.
    fn route<B>(&self, request: &Request<B>) -> OwnRoute {
        let own = request.uri().path().starts_with(OWN_PREFIX) && !self.is_virtual_host(request);
        if own && request.uri().path().starts_with(health::PREFIX) { OwnRoute::Health } else { OwnRoute::Answer }
    }

    fn is_virtual_host<B>(&self, request: &Request<B>) -> bool {
        let header = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let Some(host) = request.uri().authority().map(http::uri::Authority::as_str).or_else(header) else {
            return false;
        };
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
        self.domains.iter().any(|domain| name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.')))
    }

    fn trusted_proxy_says_https<B>(&self, request: &Request<B>, peer: SocketAddr) -> bool {
        if !self.trusted_proxies.iter().any(|network| network.contains(peer.ip())) {
            return false;
        }
        // A proxy that appends puts its own word last; whatever stands before comes from further away.
        let said = request.headers().get_all("x-forwarded-proto").iter().next_back();
        let said = said.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
        said.is_some_and(|said| said.trim().eq_ignore_ascii_case("https"))
    }
}

/// A small JSON answer.
pub(crate) fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;
    use crate::config::{List, Value as _};

    struct Nothing;

    impl Answer for Nothing {
        type Body = Empty<Bytes>;

        async fn answer(&self, _: Request<ReceivedBody>, _: Connection) -> Response<Empty<Bytes>> {
            Response::default()
        }

        async fn is_ready(&self) -> bool {
            true
        }
    }

    fn service() -> Service<Nothing> {
        let proxies = List::<Network>::parse("10.0.0.0/8").unwrap().0;
        let domains = List::<Domain>::parse("s3.example.org").unwrap().0;
        Service::new(Nothing, Health::default(), proxies, domains, Duration::from_secs(1))
    }

    fn says_https(peer: &str, values: &[&str]) -> bool {
        let mut request = Request::builder();
        for value in values {
            request = request.header("x-forwarded-proto", *value);
        }
        service().trusted_proxy_says_https(&request.body(()).unwrap(), peer.parse().unwrap())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert!(says_https("10.1.2.3:5", &["https"]));
        assert!(says_https("[::ffff:10.1.2.3]:5", &["HTTPS"]));
        assert!(!says_https("192.0.2.1:5", &["https"]));
        assert!(!says_https("10.1.2.3:5", &[]));
    }

    #[test]
    fn the_last_word_about_the_scheme_counts() {
        assert!(says_https("10.1.2.3:5", &["http", "https"]));
        assert!(!says_https("10.1.2.3:5", &["https", "http"]));
        assert!(!says_https("10.1.2.3:5", &["https, http"]));
        assert!(!says_https("10.1.2.3:5", &["https://x"]));
    }

    fn route(host: &str, path: &str) -> OwnRoute {
        service().route(&Request::get(path).header("host", host).body(()).unwrap())
    }

    #[test]
    fn health_is_answered_at_the_server_and_not_in_a_bucket() {
        assert_eq!(route("s3.example.org:9443", "/-/health/live"), OwnRoute::Health);
        assert_eq!(route("localhost", "/-/health/ready"), OwnRoute::Health);
        assert_eq!(route("bucket.S3.example.org", "/-/health/live"), OwnRoute::Answer);
        assert_eq!(route("nots3.example.org", "/-/health/live"), OwnRoute::Health);
        assert_eq!(route("localhost", "/-/admin/v1/users"), OwnRoute::Answer);
        assert_eq!(route("localhost", "/bucket/-/health/live"), OwnRoute::Answer);
    }
}
