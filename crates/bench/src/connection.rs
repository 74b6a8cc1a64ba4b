//! One keep-alive HTTP/1.1 connection, plain or TLS, with small buffers.
//!
//! A worker has one connection and one request on it at a time. HTTP/2 is left out: it would let requests share a
//! connection, and then neither the number of clients nor what each waits for is known.

use crate::body::RequestBody;
use crate::endpoint::Endpoint;
use crate::error::Failure;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An open connection.
pub(crate) struct Connection(SendRequest<RequestBody>);

/// What came of sending a request.
pub(crate) enum Sent {
    /// The head of the answer.
    Answered(Response<Incoming>),
    /// The connection had been closed before the request left; here it is again.
    NotSent(Box<Request<RequestBody>>),
}

impl Connection {
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Self, Failure> {
        let stream = TcpStream::connect(endpoint.address).await.map_err(|error| Failure::Connect(error.kind()))?;
        stream.set_nodelay(true).map_err(|error| Failure::Connect(error.kind()))?;
        match &endpoint.tls {
            None => Self::over(stream).await,
            Some(tls) => {
                let connector = TlsConnector::from(tls.config.clone());
                let stream =
                    connector.connect(tls.server_name.clone(), stream).await.map_err(|_| Failure::TlsHandshake)?;
                Self::over(stream).await
            }
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, Failure> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Failure::Connection("no HTTP connection"))?;
        // The task ends with the connection; its error also reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Waits until the last answer is done with; false when the server has closed the connection.
    pub(crate) async fn is_usable(&mut self) -> bool {
        !self.0.is_closed() && self.0.ready().await.is_ok()
    }

    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Sent, Failure> {
        match self.0.try_send_request(request).await {
            Ok(response) => Ok(Sent::Answered(response)),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(Sent::NotSent(Box::new(request))),
                None => Err(Failure::Connection("broke before the answer")),
            },
        }
    }
}

/// Bytes that hyper may hold in each direction: with hundreds of connections the client must stay small.
const BUFFER: usize = 64 << 10;
