use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use envelope::{Damaged, KeyEncryptionKey, KeyId};
use http::Method;
use kms::{KeyService, KeyServiceError, KmsKey, KmsKeyState};
use model::{KmsKeyId, Timestamp};
use rustls::ClientConfig;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::VaultSettings;
use crate::client::{Call, CallError, Client};
use crate::key_name::{id_of, transit_name};
use crate::wire::{self, Encrypted, Senseless};

/// The Transit engine of one Vault or OpenBao.
///
/// Disabling is OpenBao's soft deletion. HashiCorp Vault has nothing like it, and says so
/// ([`KeyServiceError::NotSupported`]). Neither has a deletion at a later time.
pub struct VaultTransit {
    client: Client,
    mount: String,
    /// Transit does not tell a key that it made from one that was there. Of two who create a key through one gateway, one
    /// is told that it exists.
    creating: Mutex<()>,
}

impl VaultTransit {
    /// Nothing is sent before the first call. `tls` says which authorities are believed.
    #[must_use]
    pub fn new(settings: Arc<VaultSettings>, tls: Arc<ClientConfig>) -> Self {
        let mount = settings.mount.as_str().to_owned();
        Self { client: Client::new(settings, tls), mount, creating: Mutex::new(()) }
    }

    /// Renews the token in time, for as long as it is polled. Without it a token is renewed when it is needed, and one
    /// that was given expires in a gateway that idles.
    pub async fn keep_signed_in(&self) {
        loop {
            let due = self.client.session_due_at().await;
            let wait = due.map_or(LOOK_EVERY, |at| at.saturating_duration_since(Instant::now()));
            tokio::time::sleep(wait.clamp(Duration::from_secs(1), LOOK_EVERY)).await;
            if due.is_some()
                && let Err(error) = self.client.see_to_session().await
            {
                tracing::warn!(?error, "the token for vault cannot be renewed");
            }
        }
    }

    /// The body of the answer. A rotation that arrives twice makes two versions; everything else may arrive twice.
    async fn ask(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let repeatable = !path.ends_with("/rotate");
        let call = Call { method, path: format!("{}/{path}", self.mount), body, repeatable };
        self.client.call(&call).await.map(|answer| answer.body)
    }

    /// Why a use of a key was refused: the key may not be there, or be disabled, which the answer says in many words.
    async fn explain(&self, id: &KmsKeyId, error: CallError) -> KeyServiceError {
        if !matches!(error, CallError::Rejected(_) | CallError::Forbidden(_) | CallError::NoSuchPath(_)) {
            return told(id, error);
        }
        match self.describe(id).await {
            Ok(KmsKey { state: KmsKeyState::Disabled, .. }) => KeyServiceError::Disabled(id.clone()),
            Err(missing @ KeyServiceError::NotFound(_)) => missing,
            // Perhaps we may use keys and not read about them. What was said first is then all that is known.
            _ => told(id, error),
        }
    }
}

#[async_trait]
impl KeyService for VaultTransit {
    async fn create(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let _one_at_a_time = self.creating.lock().await;
        match self.describe(id).await {
            Ok(_) => return Err(KeyServiceError::AlreadyExists(id.clone())),
            Err(KeyServiceError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let body = Bytes::from_static(br#"{"type":"aes256-gcm96"}"#);
        let created = self.ask(Method::POST, &format!("keys/{}", transit_name(id)), Some(body)).await;
        created.map_err(|error| told(id, error))?;
        self.describe(id).await
    }

    async fn describe(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let answer = self.ask(Method::GET, &format!("keys/{}", transit_name(id)), None).await;
        wire::key(&answer.map_err(|error| told(id, error))?, id).map_err(|Senseless| senseless())
    }

    async fn list(&self) -> Result<Vec<KmsKey>, KeyServiceError> {
        let names = match self.ask(Method::GET, "keys?list=true", None).await {
            Ok(answer) => wire::names(&answer).map_err(|Senseless| senseless())?,
            Err(CallError::Missing) => Vec::new(),
            Err(error) => return Err(refused(error)),
        };
        let mut ids: Vec<_> = names.iter().filter_map(|name| id_of(name)).collect();
        ids.sort();
        let mut keys = Vec::with_capacity(ids.len());
        for id in &ids {
            match self.describe(id).await {
                Ok(key) => keys.push(key),
                // Deleted since the list was made.
                Err(KeyServiceError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    async fn enable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let key = self.describe(id).await?;
        if key.state == KmsKeyState::Enabled {
            return Ok(key);
        }
        let restored = self.ask(Method::POST, &format!("keys/{}/soft-delete-restore", transit_name(id)), None).await;
        restored.map_err(|error| told(id, error))?;
        self.describe(id).await
    }

    async fn disable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let key = self.describe(id).await?;
        if key.state != KmsKeyState::Enabled {
            return Ok(key);
        }
        match self.ask(Method::DELETE, &format!("keys/{}/soft-delete", transit_name(id)), None).await {
            Ok(_) => {}
            Err(CallError::NoSuchPath(_) | CallError::Missing) => return Err(CANNOT_DISABLE),
            Err(error) => return Err(told(id, error)),
        }
        let key = self.describe(id).await?;
        if key.state == KmsKeyState::Enabled { Err(CANNOT_DISABLE) } else { Ok(key) }
    }

    async fn schedule_deletion(&self, id: &KmsKeyId, _: Timestamp) -> Result<KmsKey, KeyServiceError> {
        self.describe(id).await?;
        Err(KeyServiceError::NotSupported(
            "Transit has no deletion at a later time; disable the key, or let an administrator of Vault delete it",
        ))
    }

    async fn rotate(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        // Transit would make a key that is not there.
        if self.describe(id).await?.state == KmsKeyState::Disabled {
            return Err(KeyServiceError::Disabled(id.clone()));
        }
        let rotated = self.ask(Method::POST, &format!("keys/{}/rotate", transit_name(id)), None).await;
        rotated.map_err(|error| told(id, error))?;
        self.describe(id).await
    }

    async fn wrap(&self, id: &KmsKeyId, key: &KeyEncryptionKey, context: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        let body = wire::encrypt(key, context);
        match self.ask(Method::POST, &format!("encrypt/{}", transit_name(id)), Some(body)).await {
            Ok(answer) => match wire::encrypted(&answer).map_err(|Senseless| senseless())? {
                Encrypted::Bound(sealed) => Ok(sealed),
                Encrypted::Unbound => Err(KeyServiceError::NotSupported(
                    "this Vault does not know associated data; Vault 1.13 or any OpenBao is needed",
                )),
            },
            Err(error) => Err(self.explain(id, error).await),
        }
    }

    async fn unwrap(
        &self,
        id: &KmsKeyId,
        inner: KeyId,
        sealed: &[u8],
        context: &[u8],
    ) -> Result<KeyEncryptionKey, KeyServiceError> {
        let Some(ciphertext) = wire::ciphertext_of(sealed) else {
            tracing::warn!(kms_key = %id, "a key that Transit did not seal is to be opened: was another KMS in use before?");
            return Err(Damaged.into());
        };
        let body = wire::decrypt(ciphertext, inner, context);
        let path = format!("decrypt/{}", transit_name(id));
        match self.ask(Method::POST, &path, Some(body)).await {
            Ok(answer) => wire::decrypted(&answer, inner).map_err(|Senseless| senseless()),
            Err(CallError::Rejected(text)) if is_damage(&text) => Err(Damaged.into()),
            Err(error) => Err(self.explain(id, error).await),
        }
    }

    async fn is_current(&self, id: &KmsKeyId, sealed: &[u8]) -> Result<bool, KeyServiceError> {
        let version = wire::ciphertext_of(sealed).and_then(wire::version_of).ok_or(Damaged)?;
        Ok(self.describe(id).await?.versions == version)
    }

    fn sealer<'a>(&self, sealed: &'a [u8]) -> &'a [u8] {
        let body = wire::ciphertext_of(sealed).and_then(|text| text.rfind(':'));
        body.map_or(sealed, |at| &sealed[..at])
    }
}

/// How Transit says that a ciphertext is not what it made, or not for this associated data.
fn is_damage(text: &str) -> bool {
    text.contains("message authentication failed") || text.contains("invalid ciphertext")
}

fn told(id: &KmsKeyId, error: CallError) -> KeyServiceError {
    match error {
        CallError::Missing => KeyServiceError::NotFound(id.clone()),
        error => refused(error),
    }
}

fn refused(error: CallError) -> KeyServiceError {
    match error {
        CallError::Missing => KeyServiceError::Refused("Vault does not have what was asked for".to_owned()),
        CallError::Forbidden(text) => {
            KeyServiceError::Refused(format!("{text}: the policy of Canopic's token in Vault does not allow it"))
        }
        CallError::Rejected(text) | CallError::NoSuchPath(text) => KeyServiceError::Refused(text),
        CallError::SignIn(text) => KeyServiceError::Refused(format!("signing in failed: {text}")),
        CallError::Unavailable(text) => KeyServiceError::Unavailable(text),
    }
}

fn senseless() -> KeyServiceError {
    KeyServiceError::Unavailable("the answer makes no sense: is this a Vault?".to_owned())
}

const CANNOT_DISABLE: KeyServiceError = KeyServiceError::NotSupported(
    "the Transit engine of HashiCorp Vault cannot disable a key (OpenBao can); take the key out of Canopic's policy in Vault",
);
/// How often to look whether there is a token to renew.
const LOOK_EVERY: Duration = Duration::from_secs(60);
