use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use rustls::ProtocolVersion;

use super::body::ReceivedBody;

/// Any error, on its way to the end of a connection.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a request came in.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Whether nobody between could read it: TLS ends here or, as a trusted proxy says, at that proxy.
    pub secure: bool,
    /// The version of TLS between the client and us; none when TLS ends at a proxy, or when there is none.
    pub tls: Option<ProtocolVersion>,
    /// The other end of the socket.
    pub peer: SocketAddr,
}

/// What an answer says about itself for the log; put into the extensions of the response.
#[derive(Clone, Debug, Default)]
pub struct RequestFacts {
    /// The id that the client was told.
    pub request_id: Option<String>,
    /// The operation, such as `PutObject`.
    pub operation: Option<String>,
    /// The principal's ARN.
    pub principal: Option<String>,
    /// The S3 error code.
    pub error_code: Option<String>,
    /// Who holds the key of the object: `SSE-S3` or `SSE-C`.
    pub encryption: Option<&'static str>,
}

/// What answers requests: the S3 gateway, or a test's stand-in.
pub trait Answer: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers a request, whatever it holds.
    fn answer(
        &self,
        request: Request<ReceivedBody>,
        connection: Connection,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}
