//! The S3 gateway, as what answers requests, with the server's own routes behind it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use operations::Operations;
use s3::{AdminRequest, Body, Domains, Gateway, GatewayConfig, Handlers, InvalidDomain, RequestSummary, ServerRoutes};

use crate::admin::{AdminApi, Door};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::health::Health;
use crate::http_server::{Answer, Connection, ReceivedBody, RequestFacts};

/// The gateway cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// It does not like a domain.
    #[error(transparent)]
    Domain(#[from] InvalidDomain),
}

/// Answers requests by the S3 protocol.
pub(crate) struct S3Answer {
    gateway: Gateway<Handlers>,
}

impl S3Answer {
    /// A gateway in front of the operations.
    pub(crate) fn new(
        config: &Config,
        operations: Operations,
        health: Health,
        admin: AdminApi,
    ) -> Result<Self, GatewayError> {
        let clock = Arc::new(SystemClock);
        let gateway_config = GatewayConfig {
            domains: Domains::new(config.domains.iter().map(crate::config::Domain::as_str))?,
            credentials: Arc::new(operations.users.clone()),
            region: config.region.as_str().to_owned(),
            routes: Arc::new(OwnRoutes { health, admin }),
            clock: clock.clone(),
        };
        let handlers = Handlers::new(operations, config.region.as_str().to_owned(), clock, config.compatibility);
        Ok(Self { gateway: Gateway::new(handlers, gateway_config) })
    }
}

impl Answer for S3Answer {
    type Body = Body;

    async fn answer(&self, request: Request<ReceivedBody>, connection: Connection) -> Response<Body> {
        let tls = connection.tls.and_then(tls_version);
        let connection = s3::Connection { secure: connection.secure, tls, peer: connection.peer };
        let mut response = self.gateway.call(request.map(Body::http_body), connection).await;
        if let Some(summary) = response.extensions_mut().remove::<RequestSummary>() {
            response.extensions_mut().insert(RequestFacts {
                request_id: Some(summary.request_id),
                operation: summary.operation,
                principal: summary.principal,
                error_code: summary.error,
                encryption: summary.encryption,
            });
        }
        response
    }
}

/// Older versions are not spoken, and a newer one would have no number yet.
fn tls_version(version: rustls::ProtocolVersion) -> Option<s3::TlsVersion> {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => Some(s3::TlsVersion::V1_2),
        rustls::ProtocolVersion::TLSv1_3 => Some(s3::TlsVersion::V1_3),
        _ => None,
    }
}

struct OwnRoutes {
    health: Health,
    admin: AdminApi,
}

#[async_trait]
impl ServerRoutes for OwnRoutes {
    async fn health(&self, path: &str) -> Option<Response<Body>> {
        self.health.answer(path).await.map(|response| response.map(body))
    }

    async fn admin(&self, request: AdminRequest) -> Response<Body> {
        let caller = (Door::Network, &request.principal);
        self.admin.answer(caller, &request.method, &request.path, &request.body).await.map(body)
    }
}

fn body(full: Full<Bytes>) -> Body {
    Body::http_body(full)
}
