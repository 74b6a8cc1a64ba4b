//! One keep-alive HTTP/1.1 connection, plain or TLS, with small buffers and one request on it at a time.
//!
//! HTTP/2 is left out: it would let requests share a connection, and then neither the number of clients nor what each
//! waits for is known.

use crate::tls::TlsTarget;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::TlsConnector;

/// An open connection, for requests with bodies of type `B`.
pub struct Connection<B>(SendRequest<B>);

/// Why there is no connection, or none any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// No TLS session; with the words of the TLS library. Most likely the certificate does not fit.
    #[error("no TLS session: {0}")]
    TlsHandshake(String),
    /// The connection broke, and what it was doing.
    #[error("the connection {0}")]
    Broken(&'static str),
}

impl ConnectionError {
    /// Whether the next attempt would end in the same way: the certificate is not one to trust.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            // The words of rustls for everything that is wrong with a certificate.
            Self::TlsHandshake(why) => why.contains("invalid peer certificate"),
            Self::Connect(_) | Self::Broken(_) => false,
        }
    }
}

/// What came of sending a request.
pub enum Sent<B> {
    /// The head of the answer.
    Answered(Response<Incoming>),
    /// The connection had been closed before the request left; here it is again.
    NotSent(Box<Request<B>>),
}

impl<B> Connection<B>
where
    B: Body<Error = Infallible> + Send + Unpin + 'static,
    B::Data: Send,
{
    /// Connects to the first of the addresses that answers, with TLS if there is a target for it.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn open(address: impl ToSocketAddrs, tls: Option<&TlsTarget>) -> Result<Self, ConnectionError> {
        let refuse = |error: io::Error| ConnectionError::Connect(error.kind());
        let stream = TcpStream::connect(address).await.map_err(refuse)?;
        stream.set_nodelay(true).map_err(refuse)?;
        match tls {
            None => Self::over(stream).await,
            Some(tls) => {
                let connector = TlsConnector::from(tls.config.clone());
                let stream = connector
                    .connect(tls.server_name.clone(), stream)
                    .await
                    .map_err(|error| ConnectionError::TlsHandshake(error.to_string()))?;
                Self::over(stream).await
            }
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, ConnectionError> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| ConnectionError::Broken("is none of HTTP"))?;
        // The task ends with the connection; its error also reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Waits until the last answer is done with; false when the server has closed the connection.
    pub async fn is_usable(&mut self) -> bool {
        !self.0.is_closed() && self.0.ready().await.is_ok()
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// [`ConnectionError::Broken`] when the request was under way and no answer came.
    pub async fn send(&mut self, request: Request<B>) -> Result<Sent<B>, ConnectionError> {
        match self.0.try_send_request(request).await {
            Ok(response) => Ok(Sent::Answered(response)),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(Sent::NotSent(Box::new(request))),
                None => Err(ConnectionError::Broken("broke before the answer")),
            },
        }
    }
}

/// Bytes that hyper may hold in each direction: with hundreds of connections the client must stay small.
const BUFFER: usize = 64 << 10;
