//! What every request goes through: a line for the log, limits on its body, and then whatever answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::ProtocolVersion;

use super::answer::{Answer, Connection};
use super::body::{ReceivedBody, SentBody, Turn, Uptake};
use super::request_log::RequestLog;
use super::stack;
use crate::config::Network;

/// Which of the server's doors a request came through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entrance {
    /// TLS ends here. The version is known once the handshake is done.
    Tls(Option<ProtocolVersion>),
    /// Plain HTTP.
    Plain,
}

/// Serves requests of every connection.
pub struct Service<A> {
    answer: A,
    trusted_proxies: Vec<Network>,
    body_timeout: Duration,
}

impl<A: Answer> Service<A> {
    /// A service in front of `answer`.
    pub fn new(answer: A, trusted_proxies: Vec<Network>, body_timeout: Duration) -> Self {
        Self { answer, trusted_proxies, body_timeout }
    }

    pub(super) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        entrance: Entrance,
        uptake: Arc<Uptake>,
    ) -> Result<Response<SentBody<A::Body>>, Infallible> {
        let connection = self.connection(&request, peer, entrance);
        let may_bring_customer_key = stack::may_bring_customer_key(request.headers());
        let turn = Turn::begin(Arc::clone(&uptake));
        if may_bring_customer_key {
            uptake.saw_customer_key();
        }
        let mut log = RequestLog::begin(&request, connection);
        let key_may_come_with = may_bring_customer_key.then(|| log.received());
        let request = request.map(|body| ReceivedBody::new(body, log.received(), self.body_timeout));
        let mut response = stack::without_trace(self.answer.answer(request, connection), key_may_come_with).await;
        log.answered(&mut response);
        Ok(response.map(|body| SentBody::new(body, log, turn)))
    }

    fn connection<B>(&self, request: &Request<B>, peer: SocketAddr, entrance: Entrance) -> Connection {
        match entrance {
            // A proxy's own connection says nothing of the client's.
            Entrance::Tls(version) => {
                Connection { secure: true, tls: version.filter(|_| !self.is_trusted_proxy(peer)), peer }
            }
            Entrance::Plain => Connection { secure: self.trusted_proxy_says_https(request, peer), tls: None, peer },
        }
    }

    fn is_trusted_proxy(&self, peer: SocketAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer.ip()))
    }

    fn trusted_proxy_says_https<B>(&self, request: &Request<B>, peer: SocketAddr) -> bool {
        if !self.is_trusted_proxy(peer) {
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
    }

    fn service() -> Service<Nothing> {
        let proxies = List::<Network>::parse("10.0.0.0/8").unwrap().0;
        Service::new(Nothing, proxies, Duration::from_secs(1))
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
    fn the_version_of_tls_is_the_clients_own_or_unknown() {
        let request = Request::builder().header("x-forwarded-proto", "https").body(()).unwrap();
        let of = |peer: &str, entrance| {
            let connection = service().connection(&request, peer.parse().unwrap(), entrance);
            (connection.secure, connection.tls)
        };
        let version = Some(ProtocolVersion::TLSv1_3);
        assert_eq!(of("192.0.2.1:5", Entrance::Tls(version)), (true, version));
        assert_eq!(of("10.1.2.3:5", Entrance::Tls(version)), (true, None));
        assert_eq!(of("10.1.2.3:5", Entrance::Plain), (true, None));
        assert_eq!(of("192.0.2.1:5", Entrance::Plain), (false, None));
    }

    #[test]
    fn the_last_word_about_the_scheme_counts() {
        assert!(says_https("10.1.2.3:5", &["http", "https"]));
        assert!(!says_https("10.1.2.3:5", &["https", "http"]));
        assert!(!says_https("10.1.2.3:5", &["https, http"]));
        assert!(!says_https("10.1.2.3:5", &["https://x"]));
    }
}
