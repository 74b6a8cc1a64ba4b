//! One connection: handshake, HTTP/1.1 or HTTP/2 as ALPN said, until it ends, is told to end, or gets stuck.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::body::Uptake;
use super::service::{Entrance, Service};
use super::wiped_reads::WipedReads;
use crate::config::Limits;

/// Bytes of a request's header. S3 allows 8 KiB of header and a name of 1,024 bytes, each of which may be escaped.
const HEADER_LEN_MAX: usize = 64 * 1024;
/// Header fields of a request.
const HEADER_COUNT_MAX: usize = 128;
/// Bytes that HTTP/1.1 reads ahead.
const READ_AHEAD_LEN_MAX: usize = 128 * 1024;
/// Requests at a time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Bytes in flight towards us on one HTTP/2 stream, and on all streams of a connection.
const STREAM_WINDOW_LEN: u32 = 512 * 1024;
const CONNECTION_WINDOW_LEN: u32 = 2 * 1024 * 1024;
/// Bytes waiting to be sent on one HTTP/2 stream.
const SEND_LEN_MAX: usize = 256 * 1024;
/// Streams that a client opened and reset, before the connection is closed ("rapid reset").
const RESETS_MAX: usize = 64;
/// Streams that we reset because of the client's errors, before the connection is closed.
const ERROR_RESETS_MAX: usize = 256;

/// What all connections share.
pub(super) struct Connections<A> {
    pub(super) service: Arc<Service<A>>,
    pub(super) limits: Limits,
    /// Finish what runs, then end.
    pub(super) stop: CancellationToken,
    /// End at once.
    pub(super) abort: CancellationToken,
}

impl<A: Answer> Connections<A> {
    /// Serves one connection to its end.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) {
        self.prepare(&stream);
        let uptake = Arc::new(Uptake::new());
        let served = async {
            match tls {
                None => self.serve_http1(stream, peer, Entrance::Plain, uptake).await,
                Some(acceptor) => self.serve_tls(stream, peer, acceptor, uptake).await,
            }
        };
        tokio::select! {
            () = served => {}
            () = self.abort.cancelled() => tracing::debug!(%peer, "connection aborted"),
        }
    }

    fn prepare(&self, stream: &TcpStream) {
        // Without it, a small answer waits for the client's delayed acknowledgement: some 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        // Ends a connection whose client no longer takes what was written, even after the last body is gone.
        let timeout_ms = u32::try_from(self.limits.body_timeout.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = sockopt::set_tcp_user_timeout(stream, timeout_ms) {
            tracing::debug!(%error, "TCP_USER_TIMEOUT");
        }
    }

    async fn serve_tls(&self, stream: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor, uptake: Arc<Uptake>) {
        let stream = WipedReads::new(stream, Arc::clone(&uptake));
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, acceptor.accept(stream));
        let handshake = tokio::select! {
            handshake = handshake => handshake,
            () = self.stop.cancelled() => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let session = stream.get_ref().1;
                let entrance = Entrance::Tls(session.protocol_version());
                if session.alpn_protocol() == Some(b"h2") {
                    self.serve_http2(stream, peer, entrance, uptake).await;
                } else {
                    self.serve_http1(stream, peer, entrance, uptake).await;
                }
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn serve_http1<S>(&self, stream: S, peer: SocketAddr, entrance: Entrance, uptake: Arc<Uptake>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_buf_size(READ_AHEAD_LEN_MAX)
            .max_header_size(HEADER_LEN_MAX)
            .max_headers(HEADER_COUNT_MAX);
        let stream = WipedReads::new(stream, Arc::clone(&uptake));
        let (service, of_service) = (Arc::clone(&self.service), Arc::clone(&uptake));
        let service =
            service_fn(move |request| Arc::clone(&service).serve(request, peer, entrance, Arc::clone(&of_service)));
        self.drive(builder.serve_connection(TokioIo::new(stream), service), peer, &uptake, None).await;
    }

    async fn serve_http2<S>(&self, stream: S, peer: SocketAddr, entrance: Entrance, uptake: Arc<Uptake>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_LEN)
            .initial_connection_window_size(CONNECTION_WINDOW_LEN)
            .max_send_buf_size(SEND_LEN_MAX)
            // Otherwise the headers of old requests, customer keys too, stay for as long as the connection does.
            .header_table_size(0)
            .max_header_list_size(u32::try_from(HEADER_LEN_MAX).expect("a constant of 64 KiB"))
            .max_pending_accept_reset_streams(RESETS_MAX)
            .max_local_error_reset_streams(ERROR_RESETS_MAX)
            .keep_alive_interval(self.limits.header_timeout)
            .keep_alive_timeout(self.limits.header_timeout);
        let stream = WipedReads::new(stream, Arc::clone(&uptake));
        let (service, of_service) = (Arc::clone(&self.service), Arc::clone(&uptake));
        let service =
            service_fn(move |request| Arc::clone(&service).serve(request, peer, entrance, Arc::clone(&of_service)));
        // HTTP/1.1 has this in the time limit on the next header.
        let idle = Some(self.limits.header_timeout);
        self.drive(builder.serve_connection(TokioIo::new(stream), service), peer, &uptake, idle).await;
    }

    /// Drives a connection to its end. One that is idle for longer than `idle` is told to go, and if it does not
    /// (answers that are complete here may lie in windows that the client never opens), it is dropped.
    async fn drive<C>(&self, connection: C, peer: SocketAddr, uptake: &Uptake, idle: Option<Duration>)
    where
        C: GracefulConnection<Error: std::fmt::Display>,
    {
        let mut connection = pin!(connection);
        let look_every = self.limits.body_timeout.min(self.limits.header_timeout) / 4;
        let mut looks = tokio::time::interval(look_every.max(Duration::from_millis(10)));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "connection ended early");
                    }
                    return;
                }
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = looks.tick() => {
                    let is_left = idle.is_some_and(|idle| uptake.is_idle(idle + self.limits.body_timeout));
                    if uptake.is_stuck(self.limits.body_timeout) || is_left {
                        tracing::debug!(%peer, "the client takes nothing, connection closed");
                        return;
                    }
                    if !stopping && idle.is_some_and(|idle| uptake.is_idle(idle)) {
                        stopping = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}
