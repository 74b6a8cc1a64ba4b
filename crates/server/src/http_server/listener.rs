//! Waits for connections, no more of them than allowed, and lets them finish at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Answer;
use super::connection::Connections;
use super::service::Service;
use crate::config::Limits;

/// How long accepting rests after the system refused, for want of files or memory.
const REST: Duration = Duration::from_millis(50);

/// What is spoken at a listener.
pub enum Scheme {
    /// HTTP over TLS.
    Https(Arc<rustls::ServerConfig>),
    /// Plain HTTP.
    Http,
}

/// Listeners and their connections.
pub struct HttpServer<A> {
    connections: Arc<Connections<A>>,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl<A: Answer> HttpServer<A> {
    /// A server without listeners yet.
    pub fn new(service: Service<A>, limits: Limits) -> Self {
        let connections_max = usize::try_from(limits.connections_max).unwrap_or(usize::MAX);
        Self {
            connections: Arc::new(Connections {
                service: Arc::new(service),
                limits,
                stop: CancellationToken::new(),
                abort: CancellationToken::new(),
            }),
            permits: Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS))),
            tasks: TaskTracker::new(),
        }
    }

    /// Begins to accept at a listener.
    pub fn listen(&self, listener: TcpListener, scheme: Scheme) {
        let acceptor = match scheme {
            Scheme::Https(config) => Some(TlsAcceptor::from(config)),
            Scheme::Http => None,
        };
        let (connections, permits) = (Arc::clone(&self.connections), Arc::clone(&self.permits));
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            let stop = connections.stop.clone();
            tokio::select! {
                () = accept(listener, acceptor, connections, permits, tasks) => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Accepts no more, lets what runs finish for at most `grace`, then cuts the rest.
    pub async fn stop(&self, grace: Duration) {
        self.connections.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "connections are cut, they did not finish in time");
            self.connections.abort.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Cuts what still runs.
impl<A> Drop for HttpServer<A> {
    fn drop(&mut self) {
        self.connections.stop.cancel();
        self.connections.abort.cancel();
    }
}

async fn accept<A: Answer>(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    connections: Arc<Connections<A>>,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
) {
    loop {
        let (stream, peer) = accept_one(&listener).await;
        // Whoever comes when there is no permit waits in the system's queue and costs nothing, but for one.
        let permit = Arc::clone(&permits).acquire_owned().await.expect("the semaphore is never closed");
        let (connections, acceptor) = (Arc::clone(&connections), acceptor.clone());
        tasks.spawn(async move {
            connections.serve(stream, peer, acceptor).await;
            drop(permit);
        });
    }
}

async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
