//! Signed requests, each tried as often as it takes.
//!
//! A call is sent anew when it failed on the way (no connection, a broken or stalled one) or when the server says that
//! it could not (5xx, 429, `RequestTimeout`), after a wait that doubles each time and is never the same for two clients.
//! Every request body lies in memory, so every request can be repeated.

mod attempt;

pub(crate) use attempt::{Answer, Trouble};

use crate::address::Address;
use crate::body::{Meter, Progress, UploadBody};
use crate::connection::Connection;
use crate::credentials::KeyPair;
use crate::customer_key::{Headers, random};
use crate::endpoint::Endpoint;
use crate::error::{ClientError, Refusal};
use crate::sign::{Credentials, Signer};
use crate::xml::Element;
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

/// A client of one endpoint. Clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    /// Absent for requests of nobody in particular.
    signer: Option<Mutex<Signer>>,
    session_token: Option<Zeroizing<String>>,
    region: String,
    patience: Patience,
    /// Connections that wait for a request, with the authority that they lead to.
    idle: Mutex<Vec<(String, Connection<UploadBody>)>>,
}

/// How long a client goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts at one request, at least 1.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles up to ten seconds.
    pub first_wait: Duration,
    /// Without a byte for so long, an attempt is given up.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 8, first_wait: Duration::from_millis(200), stall: Duration::from_secs(60) }
    }
}

/// One request.
pub(crate) struct Call<'a> {
    pub method: Method,
    /// An empty key is the bucket itself.
    pub address: &'a Address,
    /// Names and values, neither of them encoded yet.
    pub query: Vec<(&'static str, Cow<'a, str>)>,
    /// Signed.
    pub headers: Headers<'a>,
    pub body: Bytes,
    pub progress: Option<Arc<dyn Progress>>,
    /// The server works long before it answers.
    pub slow: bool,
}

/// What is left when all attempts are over.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The server's word.
    Refused(Refusal),
    /// No word, or one that might have changed.
    Unavailable { attempts: u32, last: String },
}

/// A small answer, read to its end.
#[derive(Debug)]
pub(crate) struct Document {
    pub headers: HeaderMap,
    pub text: Vec<u8>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, address: &'a Address) -> Self {
        let (query, headers, body) = (Vec::new(), Vec::new(), Bytes::new());
        Self { method, address, query, headers, body, progress: None, slow: false }
    }
}

impl Client {
    /// A client that signs with `pair`, or not at all.
    ///
    /// # Errors
    /// [`ClientError::TokenInTheClear`].
    pub fn new(
        endpoint: Endpoint,
        pair: Option<KeyPair>,
        region: &str,
        patience: Patience,
    ) -> Result<Self, ClientError> {
        // A token is sent as it is; whoever reads it has all that it may.
        if pair.as_ref().is_some_and(|pair| pair.secret_key.is_empty()) && !endpoint.keeps_secrets() {
            return Err(ClientError::TokenInTheClear);
        }
        let (signer, session_token) = match pair {
            None => (None, None),
            Some(pair) => {
                let credentials = Credentials {
                    access_key_id: pair.access_key_id,
                    secret_key: pair.secret_key,
                    region: region.to_owned(),
                };
                (Some(Mutex::new(Signer::new(Arc::new(credentials)))), pair.session_token)
            }
        };
        let region = region.to_owned();
        Ok(Self(Arc::new(Inner { endpoint, signer, session_token, region, patience, idle: Mutex::default() })))
    }

    /// Where it goes.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(crate) fn region(&self) -> &str {
        &self.0.region
    }

    /// Sends until an answer of success begins; its body is still to be read.
    pub(crate) async fn open(&self, call: &Call<'_>) -> Result<Answer, Failed> {
        self.persist(call, async |answer| Ok(answer)).await
    }

    /// Sends until an answer of success is there as a whole. A refusal that hides behind a 200 is one (AWS:
    /// `CompleteMultipartUpload`, `CopyObject`).
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Document, Failed> {
        self.persist(call, async |answer: Answer| {
            let (headers, text) = answer.into_text().await?;
            match Element::parse(&text).filter(|root| root.name() == "Error") {
                Some(root) => Err(Trouble::Refused(Refusal::hidden(&root), None)),
                None => Ok(Document { headers, text }),
            }
        })
        .await
    }

    async fn persist<T>(
        &self,
        call: &Call<'_>,
        finish: impl AsyncFn(Answer) -> Result<T, Trouble>,
    ) -> Result<T, Failed> {
        let at_500 = ATTEMPTS_AT_500.min(self.0.patience.attempts);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let meter = Meter::new(call.progress.clone());
            let tried = match self.attempt(call, &meter).await {
                Ok(answer) => finish(answer).await,
                Err(trouble) => Err(trouble),
            };
            let trouble = match tried {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            meter.take_back();
            let wait = match &trouble {
                Trouble::Unsendable(_) => return Err(unavailable(attempts, &trouble)),
                Trouble::Connection(error) if error.is_lasting() => return Err(unavailable(attempts, &trouble)),
                Trouble::Refused(refusal, _) if !may_change(refusal) => return Err(Failed::Refused(refusal.clone())),
                // Not every 500 passes: behind some is a damaged object.
                Trouble::Refused(refusal, _) if refusal.status == 500 && attempts >= at_500 => {
                    return Err(Failed::Refused(refusal.clone()));
                }
                Trouble::Refused(_, wait) => wait.unwrap_or_default(),
                Trouble::Connection(_) | Trouble::Stalled(_) | Trouble::TooLong => Duration::ZERO,
            };
            if attempts >= self.0.patience.attempts {
                return Err(unavailable(attempts, &trouble));
            }
            tokio::time::sleep(wait.max(self.backoff(attempts))).await;
        }
    }

    /// The wait behind the attempt of this number.
    pub(crate) fn backoff(&self, attempts: u32) -> Duration {
        let doubled = self.0.patience.first_wait.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let mut dice = [128];
        // Without randomness all clients wait the same time, which is no reason to fail.
        let _ = random(&mut dice);
        doubled.min(LONGEST_WAIT).mul_f64(0.5 + f64::from(dice[0]) / 512.0)
    }
}

impl Refusal {
    /// Of an error document behind a status of success.
    fn hidden(root: &Element) -> Self {
        let mut refusal = Self::of_document(200, root);
        refusal.status = match refusal.code.as_str() {
            "InternalError" => 500,
            "SlowDown" | "ServiceUnavailable" => 503,
            _ => 400,
        };
        refusal
    }

    /// Of an error document.
    pub(crate) fn of_document(status: u16, root: &Element) -> Self {
        let clean = |name, longest: usize| {
            let text = root.text_of(name).unwrap_or_default();
            text.chars().filter(|c| !c.is_control()).take(longest).collect()
        };
        Self { status, code: clean("Code", 64), message: clean("Message", 300) }
    }
}

/// Whether the same request may fare better later.
fn may_change(refusal: &Refusal) -> bool {
    matches!(refusal.status, 429 | 500 | 502 | 503 | 504)
        || matches!(refusal.code.as_str(), "RequestTimeout" | "SlowDown" | "OperationAborted")
}

fn unavailable(attempts: u32, trouble: &Trouble) -> Failed {
    Failed::Unavailable { attempts, last: trouble.to_string() }
}

const ATTEMPTS_AT_500: u32 = 4;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Addressing, Trust};

    #[test]
    fn a_token_goes_nowhere_in_the_clear() {
        let client = |url: &str, secret: &str| {
            let endpoint = Endpoint::new(url, &Trust::System, Addressing::Path).unwrap();
            let secret_key = Zeroizing::new(secret.to_owned());
            let pair = KeyPair { access_key_id: Zeroizing::new("id".to_owned()), secret_key, session_token: None };
            Client::new(endpoint, Some(pair), "us-east-1", Patience::default())
        };
        assert!(matches!(client("http://store.example.org:9000", ""), Err(ClientError::TokenInTheClear)));
        for (url, secret) in [("http://store.example.org:9000", "secret"), ("http://127.0.0.1:9000", "")] {
            assert!(client(url, secret).is_ok(), "{url}");
        }
    }
}
