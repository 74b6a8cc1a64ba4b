mod bucket_path;
mod own_route;
mod post_form;
mod range;
mod trial;

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_RANGE, CONTENT_TYPE, EXPECT, ORIGIN};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use operations::Clock;
use s3s::config::{S3ConfigProvider, StaticConfigProvider};
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result};

use crate::auth::{self, Claim, Claimed, CredentialStore, Gatekeeper};
use crate::body::{Budget, DocumentKind, Intake, Tap, Verifier};
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::limits::{ADMIN_BODY_LEN_MAX, HELD_FOR_ANONYMOUS_LEN_MAX, HELD_LEN_MAX, s3s_config};
use crate::own::{OwnOperation, OwnOperations};
use crate::refusal::Refusal;
use crate::server_routes::{AdminRequest, ServerRoutes};
use crate::target::{Domains, Names, Target, no_such_path, resolve, settle_host};
use crate::{error, form, hygiene, query, render};
use own_route::OwnRoute;

pub(crate) use range::RangeSetAside;

/// What a gateway is made of, beside the operations.
pub struct GatewayConfig {
    /// Virtual-host domains.
    pub domains: Domains,
    /// Where credentials are looked up.
    pub credentials: Arc<dyn CredentialStore>,
    /// The region that a client is told whose own cannot be one.
    pub region: String,
    /// What answers under `/-/`.
    pub routes: Arc<dyn ServerRoutes>,
    /// The time, for signatures in headers. `s3s` reads the machine's own clock beside it.
    pub clock: Arc<dyn Clock>,
}

/// Answers S3 requests with the operations of `S`.
pub struct Gateway<S> {
    operations: S,
    config: GatewayConfig,
    s3s_config: Arc<dyn S3ConfigProvider>,
    budget: Arc<Budget>,
}

impl<S: S3 + OwnOperations + Clone> Gateway<S> {
    /// A gateway in front of `operations`, which `s3s` calls.
    pub fn new(operations: S, config: GatewayConfig) -> Self {
        let s3s_config = Arc::new(StaticConfigProvider::new(Arc::new(s3s_config())));
        let budget = Arc::new(Budget::new(HELD_LEN_MAX, HELD_FOR_ANONYMOUS_LEN_MAX));
        Self { operations, config, s3s_config, budget }
    }

    /// Answers one request. The answer's extensions hold a [`crate::RequestSummary`] for the log.
    pub async fn call(&self, request: Request<Body>, connection: Connection) -> Response<Body> {
        let exchange = Exchange::new(connection);
        exchange.set_resource(request.uri().path().to_owned());
        let method = request.method().clone();
        let may_be_read = hygiene::check_customer_keys(request.headers(), request.uri(), &connection);
        let served = match may_be_read {
            Err(refusal) => Err(refusal),
            Ok(()) => {
                let announced = request.headers().contains_key(EXPECT);
                let (parts, body) = request.into_parts();
                let (tap, body) = Tap::new(body);
                let served = self.serve(Request::from_parts(parts, body), &exchange).await;
                exchange.let_go();
                // Not needed by the letter of HTTP/2, whose streams end one by one; yet clients lose the answer there
                // too (curl 7.88 does) when the end of the stream meets them while they send.
                if served.is_err() {
                    tap.drain(announced).await;
                }
                served
            }
        };
        let served = served.map_err(|refusal| match (exchange.body_refusal(), exchange.body_fault()) {
            // The body was at fault, whatever others made of it.
            (Some(refusal), _) => refusal.clone(),
            (None, Some(fault)) if refusal.status.is_server_error() => error::of_body(fault),
            _ => refusal,
        });
        let (mut response, code) = match served {
            Ok(response) => (response, None),
            Err(refusal) => (render::refusal(&refusal, &method, &exchange), Some(refusal.code.into_owned())),
        };
        exchange.stamp(response.headers_mut());
        response.extensions_mut().insert(exchange.summary(code));
        response
    }

    async fn serve(&self, request: Request<Body>, exchange: &Arc<Exchange>) -> Result<Response<Body>, Refusal> {
        let (mut parts, body) = request.into_parts();
        let (headers, uri, connection) = (&mut parts.headers, &parts.uri, &exchange.connection);
        settle_host(headers, uri)?;
        hygiene::join_lists(headers);
        hygiene::check(headers)?;
        let (target, resource) = resolve(&self.config.domains, headers, uri)?;
        exchange.set_resource(resource.clone());
        if form::is_form(&parts.method, headers) && matches!(target, Target::Bucket) && uri.query().is_none() {
            return self.post_form(parts, body, &resource, exchange).await;
        }
        let document = match target {
            Target::Health => return self.health(&parts.method, uri).await,
            Target::Admin => check_admin(uri, connection).map(|()| Some(DocumentKind::Admin))?,
            Target::Service | Target::Bucket | Target::Object => {
                check_method(&parts.method, headers)?;
                query::check(&parts.method, target, uri)?;
                query::document(&parts.method, target, uri)
            }
        };
        let now = self.config.clock.now();
        let Claimed { claim, verifier } =
            auth::claim(self.config.credentials.as_ref(), headers, uri, connection, now, &self.config.region).await?;
        if target == Target::Admin && !matches!(verifier, Verifier::HeaderV4) {
            return Err(Refusal::access_denied(
                "The admin API takes requests that an access key pair signed (version 4).",
            ));
        }
        let signed_by_v2 = matches!((&claim, &verifier), (Claim::AccessKey { .. }, Verifier::Nobody));
        let body = Intake { exchange, budget: &self.budget, verifier, document }.prepare(headers, body)?;
        let gatekeeper = Gatekeeper::new(claim, exchange.clone());
        if signed_by_v2
            && target == Target::Bucket
            && !parts.uri.path().ends_with('/')
            && let Some(uri) = bucket_path::signed_with_slash(&parts, &gatekeeper, exchange).await
        {
            parts.uri = uri;
        }
        let gatekeeper = range::set_aside(&mut parts, gatekeeper, exchange).await;
        parts.extensions.insert(exchange.clone());
        let method = parts.method.clone();
        let own = OwnOperation::of(&method, target, &parts.uri);
        let route = own.map(|operation| OwnRoute {
            gatekeeper: gatekeeper.clone(),
            operations: self.operations.clone(),
            operation,
            resource,
        });
        let service = self.service(gatekeeper, target, route);
        // `s3s` has no other failure than an error document that it cannot write.
        let response = service.call(Request::from_parts(parts, body)).await.map_err(|_| Refusal::internal())?;
        settle(response, &method, target, exchange)
    }

    /// `s3s` for one request. Building it costs a few small allocations, and it can hold no secret but this request's.
    fn service(&self, gatekeeper: Gatekeeper, target: Target, own: Option<OwnRoute<S>>) -> S3Service {
        let is_admin = target == Target::Admin;
        let mut builder = S3ServiceBuilder::new(self.operations.clone());
        builder.set_config(self.s3s_config.clone());
        builder.set_host(self.config.domains.clone());
        builder.set_validation(Names { admin: is_admin });
        builder.set_auth(gatekeeper.clone());
        if is_admin {
            builder.set_route(AdminRoute { gatekeeper: gatekeeper.clone(), routes: self.config.routes.clone() });
        } else if let Some(own) = own {
            builder.set_route(own);
        }
        builder.set_access(gatekeeper);
        builder.build()
    }

    async fn health(&self, method: &Method, uri: &Uri) -> Result<Response<Body>, Refusal> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(query::method_not_allowed(method, Target::Health));
        }
        let path = uri.path().strip_prefix("/-/health").ok_or_else(no_such_path)?;
        self.config.routes.health(path).await.ok_or_else(no_such_path)
    }
}

/// An admin request has one spelling of its path, and comes over TLS.
fn check_admin(uri: &Uri, connection: &Connection) -> Result<(), Refusal> {
    if !uri.path().starts_with("/-/admin") {
        return Err(no_such_path());
    }
    if !connection.secure {
        return Err(Refusal::access_denied("The admin API is served over TLS only."));
    }
    Ok(())
}

fn check_method(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if *method == Method::OPTIONS {
        return Err(no_cross_origin_rules(headers));
    }
    // `s3s` takes every one for an upload, and would hold its whole file in memory.
    if form::is_form(method, headers) {
        return Err(Refusal::not_implemented("A form to anything but a bucket, or with a query string,"));
    }
    Ok(())
}

/// What a bucket without a CORS configuration answers to a preflight (AWS: "Troubleshooting CORS").
fn no_cross_origin_rules(headers: &HeaderMap) -> Refusal {
    let bad = |message: &'static str| Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message);
    if !headers.contains_key(ORIGIN) {
        return bad("Insufficient information. Origin request header needed.");
    }
    if !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return bad("Invalid Access-Control-Request-Method: null");
    }
    let message = "CORSResponse: CORS is not enabled for this bucket.";
    Refusal::new(StatusCode::FORBIDDEN, "AccessForbidden", message)
}

/// Turns the errors of `s3s` and of the handlers behind it into refusals; anything else is the answer.
fn settle(
    response: Response<Body>,
    method: &Method,
    target: Target,
    exchange: &Exchange,
) -> Result<Response<Body>, Refusal> {
    let refusal = exchange.take_refusal();
    let status = response.status();
    let is_xml = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == "application/xml");
    let is_error = status.is_client_error() || status.is_server_error() || status == StatusCode::NOT_MODIFIED;
    // The admin API has errors of its own; what `s3s` refused before it is XML. An error of a handler that has headers
    // comes without a content type, for `s3s` puts its headers in place of all others.
    if !is_error || (target == Target::Admin && !is_xml) {
        let (mut parts, body) = response.into_parts();
        let body = if *method == Method::HEAD { Body::empty() } else { body };
        // `s3s` has 200 for every HEAD; the answer to a range is that of the GET (RFC 9110 section 9.3.2).
        if *method == Method::HEAD && parts.headers.contains_key(CONTENT_RANGE) {
            parts.status = StatusCode::PARTIAL_CONTENT;
        }
        return Ok(Response::from_parts(parts, body));
    }
    Err(refusal.filter(|refusal| refusal.status == status).unwrap_or_else(|| {
        let (parts, body) = response.into_parts();
        render::of_s3s(status, parts.headers, &String::from_utf8_lossy(&body.bytes().unwrap_or_default()))
    }))
}

/// The admin API behind `s3s`'s signature check.
struct AdminRoute {
    gatekeeper: Gatekeeper,
    routes: Arc<dyn ServerRoutes>,
}

#[async_trait]
impl S3Route for AdminRoute {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut http::Extensions) -> bool {
        true
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        self.gatekeeper.settle(request.credentials.as_ref()).map(|_| ())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let exchange = Exchange::of(&request.extensions)?;
        exchange.set_operation("Admin");
        let principal = exchange.principal().cloned().ok_or_else(|| Refusal::internal().to_s3_error())?;
        let mut input = request.input;
        let body = input.store_all_limited(ADMIN_BODY_LEN_MAX).await.map_err(|_| {
            let refusal = exchange.body_fault().map(error::of_body);
            exchange.refuse(refusal.unwrap_or_else(|| Refusal::invalid_request("The body is too long or incomplete.")))
        })?;
        let answer = self
            .routes
            .admin(AdminRequest {
                principal,
                method: request.method,
                path: request.uri.path().to_owned(),
                query: request.uri.query().map(str::to_owned),
                body,
            })
            .await;
        let (parts, body) = answer.into_parts();
        let mut response = S3Response::with_headers(body, parts.headers);
        response.status = Some(parts.status);
        Ok(response)
    }
}

#[cfg(test)]
mod tests;
