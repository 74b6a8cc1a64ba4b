use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Response};
use model::Principal;
use s3s::Body;

/// A request to the admin API whose signature has been verified.
pub struct AdminRequest {
    /// Who signed it. Whether that is an administrator is for the receiver to decide.
    pub principal: Principal,
    /// Its method.
    pub method: Method,
    /// Its whole path, which begins with `/-/admin`, still percent-encoded.
    pub path: String,
    /// Its query, still percent-encoded.
    pub query: Option<String>,
    /// Its body, at most 1 MiB.
    pub body: Bytes,
}

/// What the server answers itself, under `/-/`, a name that no bucket can have.
#[async_trait]
pub trait ServerRoutes: Send + Sync + 'static {
    /// `GET` or `HEAD` of `/-/health` and below, by anyone; `path` is what follows `/-/health`. `None` when there is
    /// no such path.
    async fn health(&self, path: &str) -> Option<Response<Body>>;

    /// `/-/admin` and below, signed by an access key pair over TLS.
    async fn admin(&self, request: AdminRequest) -> Response<Body>;
}
