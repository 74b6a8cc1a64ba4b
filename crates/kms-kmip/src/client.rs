//! A message and its outcomes: repeated where that is safe, and over within its deadline.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::exchange::{Exchange, Unanswered};
use crate::message::{self, Ask, Outcome};
use crate::settings::KmipSettings;
use crate::ttlv::Malformed;

/// One KMIP server, as one client.
pub(crate) struct Client {
    exchange: Exchange,
    timeout: Duration,
    retries: u32,
}

/// There is no answer, or none that makes sense. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unavailable(pub(crate) String);

/// An answer that was not looked at yet.
pub(crate) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// What became of the things that were asked.
    pub(crate) fn outcomes<'a>(&'a self, asks: &[Ask<'_>]) -> Result<Vec<Outcome<'a>>, Malformed> {
        message::outcomes(&self.0, asks)
    }
}

impl Client {
    pub(crate) fn new(settings: &KmipSettings, tls: Arc<ClientConfig>) -> Self {
        let exchange = Exchange::new(settings.address.clone(), tls);
        Self { exchange, timeout: settings.timeout, retries: settings.retries }
    }

    /// Asks. Messages that may arrive twice are repeated after failures of the connection.
    pub(crate) async fn ask(&self, asks: &[Ask<'_>]) -> Result<Answer, Unavailable> {
        let deadline = Instant::now() + self.timeout;
        let request = message::request(asks);
        let repeatable = asks.iter().all(Ask::is_repeatable);
        let mut pause = PAUSE_FIRST;
        let mut repeats = 0;
        let mut last = String::new();
        loop {
            let Ok(sent) = tokio::time::timeout_at(deadline, self.exchange.send(&request, repeatable)).await else {
                self.exchange.forget_idle();
                let waited = self.timeout.as_millis();
                return Err(self.unavailable(&format!("no answer within {waited} ms{last}")));
            };
            let (text, may) = match sent {
                Ok(answer) => return Ok(Answer(answer)),
                Err(Unanswered::Unreached(text)) => (text, true),
                Err(Unanswered::Lost(text)) => (text, repeatable),
            };
            let pause_now = jittered(pause);
            if !may || repeats >= self.retries || Instant::now() + pause_now >= deadline {
                return Err(self.unavailable(&text));
            }
            tracing::debug!(error = text, "the KMIP server is asked again");
            tokio::time::sleep(pause_now).await;
            (repeats, pause, last) = (repeats + 1, (pause * 2).min(PAUSE_MAX), format!("; before that: {text}"));
        }
    }

    fn unavailable(&self, text: &str) -> Unavailable {
        Unavailable(format!("{}: {text}", self.exchange.address()))
    }
}

/// Between half of a pause and the whole, so that many who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let [random] = envelope::random_bytes::<1>();
    pause / 2 + pause * u32::from(random) / 512
}

const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
