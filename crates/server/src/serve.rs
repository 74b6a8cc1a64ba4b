//! `canopic serve`: from the configuration to the end of the process.

use std::io::{self, Write as _};
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::field;

use crate::config::Config;
use crate::start::{self, Running, StartError};
use crate::welcome::Welcome;

/// Why serving ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It never began.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Signals cannot be received.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Running requests were waited for.
    Gracefully,
    /// A second signal cut them.
    AtOnce,
    /// It was told to stop while it started, and what it waits for may go on in threads.
    BeforeItBegan,
}

/// How long a start may go on that was told to stop: enough to come to its end and show a root pair that it made. A
/// cluster that does not answer is not waited for.
const START_GRACE: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then lets running requests finish; a second signal does not wait for them.
///
/// # Errors
/// [`ServeError`] when the server does not start.
pub async fn serve(config: &Config) -> Result<Ended, ServeError> {
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let mut starting = pin!(start::start(config));
    let (started, is_to_stop) = tokio::select! {
        started = &mut starting => (started, false),
        () = signals.recv() => {
            tracing::info!("told to stop before serving began");
            match tokio::time::timeout(START_GRACE, &mut starting).await {
                Ok(started) => (started, true),
                Err(_) => return Ok(Ended::BeforeItBegan),
            }
        }
    };
    let mut running = started?;
    welcome(config, &mut running);
    let (https, http) = (running.https().map(field::display), running.http().map(field::display));
    tracing::info!(https, http, "serving");

    if !is_to_stop {
        signals.recv().await;
    }
    tracing::info!("stopping: no new connections, running requests may finish");
    tokio::select! {
        () = running.stop() => {
            tracing::info!("stopped");
            Ok(Ended::Gracefully)
        }
        () = signals.recv() => {
            tracing::warn!("stopped at once, by a second signal");
            Ok(Ended::AtOnce)
        }
    }
}

fn welcome(config: &Config, running: &mut Running) {
    let root_pair = running.take_root_pair();
    let welcome = Welcome {
        https: running.https(),
        http: running.http(),
        authority: running.authority(),
        region: config.region.as_str(),
        root_pair: root_pair.as_ref().map(|pair| (pair.id.as_str(), pair.secret.expose())),
    };
    let mut out = io::stdout().lock();
    // Nobody may be listening at standard output; a server does not stop for that.
    if let Err(error) = write!(out, "{welcome}").and_then(|()| out.flush()) {
        tracing::warn!(%error, "cannot write to standard output");
        if root_pair.is_some() {
            tracing::warn!("the root pair was not shown: issue another one with `canopic key issue --root`");
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
