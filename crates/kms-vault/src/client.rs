//! A call to Vault: signed in, repeated where that is safe, and over within its deadline.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use rustls::ClientConfig;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::exchange::{Answer, Exchange, Unanswered};
use crate::session::{Due, Session};
use crate::settings::{SignIn, VaultSettings};
use crate::wire::{self, Lease};

/// One Vault, as one role.
pub(crate) struct Client {
    exchange: Exchange,
    settings: Arc<VaultSettings>,
    session: Mutex<Option<Session>>,
}

/// What is asked.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Behind `/v1/`.
    pub(crate) path: String,
    pub(crate) body: Option<Bytes>,
    /// Whether it may arrive twice.
    pub(crate) repeatable: bool,
}

/// Why a call came to nothing. The texts are for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// 400: the request is wrong for this key.
    Rejected(String),
    /// 403: the policy does not allow it.
    Forbidden(String),
    /// 404 without a word: the thing is not there.
    Missing,
    /// 404 or 405 with a word: the path, the mount or the namespace is not there.
    NoSuchPath(String),
    /// Signing in was refused.
    SignIn(String),
    /// No answer, or none that makes sense, within the deadline.
    Unavailable(String),
}

/// A failure of one attempt.
struct Failure {
    error: CallError,
    repeat: Repeat,
}

enum Repeat {
    Never,
    /// The server has done nothing.
    Always,
    /// Only what may arrive twice.
    IfRepeatable,
}

impl Client {
    pub(crate) fn new(settings: Arc<VaultSettings>, tls: Arc<ClientConfig>) -> Self {
        Self { exchange: Exchange::new(settings.address.clone(), tls), settings, session: Mutex::new(None) }
    }

    /// Makes a call. The answer's status is a success.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        let deadline = Instant::now() + self.settings.timeout;
        let mut pause = PAUSE_FIRST;
        let mut repeats = 0;
        let mut last = None;
        loop {
            let Ok(attempt) = tokio::time::timeout_at(deadline, self.attempt(call)).await else {
                self.exchange.forget_idle();
                return Err(CallError::Unavailable(self.too_late(last)));
            };
            let Failure { error, repeat } = match attempt {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let may = match repeat {
                Repeat::Never => false,
                Repeat::Always => true,
                Repeat::IfRepeatable => call.repeatable,
            };
            if !may || repeats >= self.settings.retries {
                return Err(error);
            }
            let pause_now = jittered(pause);
            if Instant::now() + pause_now >= deadline {
                return Err(error);
            }
            tracing::debug!(?error, path = call.path, "vault is asked again");
            tokio::time::sleep(pause_now).await;
            (repeats, pause, last) = (repeats + 1, (pause * 2).min(PAUSE_MAX), Some(error));
        }
    }

    /// When the session has to be seen to, if ever; `None` as well before the first sign-in.
    pub(crate) async fn session_due_at(&self) -> Option<Instant> {
        self.session.lock().await.as_ref().and_then(Session::due_at)
    }

    /// Signs in or renews, if that is due.
    pub(crate) async fn see_to_session(&self) -> Result<(), CallError> {
        let seen = tokio::time::timeout(self.settings.timeout, self.token()).await;
        let seen = seen.map_err(|_| CallError::Unavailable(self.too_late(None)))?;
        seen.map(drop).map_err(|failure| failure.error)
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Failure> {
        let token = self.token().await?;
        let answer = self.send(&call.method, &call.path, call.body.as_ref(), Some(&token)).await?;
        if answer.status != StatusCode::FORBIDDEN || !self.forget(&token).await {
            return judged(answer);
        }
        // The token may have been revoked, or have expired on the way: once more with a new one. A refused call has done
        // nothing, so this is safe for every call.
        let token = self.token().await?;
        judged(self.send(&call.method, &call.path, call.body.as_ref(), Some(&token)).await?)
    }

    /// Lets go of a token that was refused. False when it is too young to have died: then it is the policy that refuses.
    async fn forget(&self, token: &Arc<Zeroizing<String>>) -> bool {
        let mut session = self.session.lock().await;
        match session.as_ref() {
            // Somebody else got a new one meanwhile.
            Some(current) if !Arc::ptr_eq(&current.token(), token) => true,
            Some(current) if !current.may_have_died() => false,
            _ => {
                *session = None;
                true
            }
        }
    }

    /// A token that is good for now. Whoever needs one while another signs in waits for that.
    async fn token(&self) -> Result<Arc<Zeroizing<String>>, Failure> {
        let mut slot = self.session.lock().await;
        if let Some(session) = slot.as_mut() {
            match session.due() {
                Due::Nothing => return Ok(session.token()),
                Due::Renewal => match self.renew(&session.token()).await {
                    Ok(lease) => {
                        if session.renewed(&lease) || self.is_token_given() {
                            return Ok(session.token());
                        }
                    }
                    Err(failure) if matches!(failure.error, CallError::Unavailable(_)) => {
                        if session.put_off() {
                            return Ok(session.token());
                        }
                    }
                    Err(_) => {}
                },
                Due::SignIn => {}
            }
        }
        let session = self.sign_in().await?;
        Ok(slot.insert(session).token())
    }

    fn is_token_given(&self) -> bool {
        matches!(self.settings.sign_in, SignIn::Token(_))
    }

    async fn renew(&self, token: &Zeroizing<String>) -> Result<Lease, Failure> {
        let body = Bytes::from_static(b"{}");
        let answer = self.send(&Method::POST, "auth/token/renew-self", Some(&body), Some(token)).await?;
        wire::lease(&judged(answer)?.body).map_err(|_| senseless())
    }

    async fn sign_in(&self) -> Result<Session, Failure> {
        let refused = |text| Failure { error: CallError::SignIn(text), repeat: Repeat::Never };
        match &self.settings.sign_in {
            SignIn::Token(token) => {
                let token = token.read().await.map_err(refused)?;
                let answer = self.send(&Method::GET, "auth/token/lookup-self", None, Some(&token)).await?;
                let lease = match judged(answer) {
                    Ok(answer) => wire::looked_up(&answer.body).map_err(|_| senseless())?,
                    // It may be good and yet not be allowed to ask what it is. What it is used for will tell.
                    Err(Failure { error: CallError::Forbidden(_), .. }) => {
                        Lease { token: None, seconds: 0, renewable: false }
                    }
                    Err(failure) => return Err(failure),
                };
                Ok(Session::new(token, &lease))
            }
            SignIn::AppRole { mount, role_id, secret_id } => {
                let role_id = role_id.read().await.map_err(refused)?;
                let secret_id = secret_id.read().await.map_err(refused)?;
                let body = wire::secret_body(&["{\"role_id\":\"", &role_id, "\",\"secret_id\":\"", &secret_id, "\"}"]);
                let path = format!("auth/{}/login", mount.as_str());
                let answer = self.send(&Method::POST, &path, Some(&body), None).await?;
                let answer = judged(answer).map_err(|failure| match failure.error {
                    CallError::Rejected(text) | CallError::Forbidden(text) | CallError::NoSuchPath(text) => {
                        refused(format!("AppRole login at {path}: {text}"))
                    }
                    CallError::Missing => refused(format!("AppRole login: nothing is mounted at {path}")),
                    _ => failure,
                })?;
                let mut lease = wire::lease(&answer.body).map_err(|_| senseless())?;
                let token = lease.token.take().ok_or_else(senseless)?;
                tracing::info!(vault = %self.exchange.address(), lease_s = lease.seconds, "signed in at vault");
                Ok(Session::new(token, &lease))
            }
        }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Bytes>,
        token: Option<&Zeroizing<String>>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header(HOST, self.exchange.address().authority())
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.settings.namespace {
            request = request.header("x-vault-namespace", namespace.as_str());
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token).expect("a secret has printable characters only");
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body.cloned().unwrap_or_default()));
        let request = request.expect("paths and namespaces have plain characters only");
        self.exchange.send(request).await.map_err(|unanswered| match unanswered {
            Unanswered::Unreached(text) => Failure { error: self.unavailable(&text), repeat: Repeat::Always },
            Unanswered::Lost(text) => Failure { error: self.unavailable(&text), repeat: Repeat::IfRepeatable },
        })
    }

    fn unavailable(&self, text: &str) -> CallError {
        CallError::Unavailable(format!("{}: {text}", self.exchange.address()))
    }

    fn too_late(&self, last: Option<CallError>) -> String {
        let last = match last {
            Some(CallError::Unavailable(text)) => format!("; before that: {text}"),
            _ => String::new(),
        };
        format!("{}: no answer within {} ms{last}", self.exchange.address(), self.settings.timeout.as_millis())
    }
}

fn judged(answer: Answer) -> Result<Answer, Failure> {
    let status = answer.status;
    if status.is_success() {
        return Ok(answer);
    }
    let text = wire::complaint(&answer.body);
    let named = |text: String| if text.is_empty() { format!("it answers {status}") } else { text };
    let never = |error| Failure { error, repeat: Repeat::Never };
    Err(match status {
        StatusCode::BAD_REQUEST => never(CallError::Rejected(named(text))),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => never(CallError::Forbidden(named(text))),
        StatusCode::NOT_FOUND if text.is_empty() => never(CallError::Missing),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => never(CallError::NoSuchPath(named(text))),
        // 503 is a sealed Vault among others; another node, or this one after its unsealing, may do better.
        _ => {
            // Two changes of one key met at an OpenBao: the one that came second was not made.
            let lost_a_race = text.contains(TRANSACTION_LOST);
            let text = if text.is_empty() { format!("it answers {status}") } else { format!("{text} ({status})") };
            let untouched =
                lost_a_race || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            let repeat = if untouched { Repeat::Always } else { Repeat::IfRepeatable };
            Failure { error: CallError::Unavailable(text), repeat }
        }
    })
}

fn senseless() -> Failure {
    let error = CallError::Unavailable("the answer makes no sense: is this a Vault?".to_owned());
    Failure { error, repeat: Repeat::Never }
}

/// Between half of a pause and the whole, so that many who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let [random] = envelope::random_bytes::<1>();
    pause / 2 + pause * u32::from(random) / 512
}

/// What an OpenBao says, behind a status of 500, of a change that another one came before.
const TRANSACTION_LOST: &str = "transaction commit failed";

const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
