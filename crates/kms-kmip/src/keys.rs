use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use envelope::{Damaged, KeyEncryptionKey, KeyId, random_bytes};
use kms::{KeyService, KeyServiceError, KmsKey, KmsKeyState};
use model::{KmsKeyId, Timestamp};
use rustls::ClientConfig;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::KmipSettings;
use crate::client::{Answer, Client, Unavailable};
use crate::message::{self, ASKS_MAX, Ask, Mark, Outcome, Reason, Refusal, Stage};
use crate::sealed::{SealedKey, bound};
use crate::ttlv::Malformed;
use crate::versions::{self, Version, current, key_of, mark_of, resting};

/// The keys on one KMIP server.
///
/// A deletion is marked and never carried out: the key does nothing from then on, and whoever administers the KMIP server
/// destroys its objects after the date.
pub struct KmipKeys {
    client: Client,
    prefix: String,
    /// Of two changes through one gateway, the second sees what the first did.
    changing: tokio::sync::Mutex<()>,
    /// Which object seals for a key, so that a wrap is one message.
    sealers: Mutex<HashMap<KmsKeyId, (Instant, String)>>,
}

impl KmipKeys {
    /// Nothing is sent before the first call. `tls` says which authorities are believed and which certificate is shown.
    #[must_use]
    pub fn new(settings: &KmipSettings, tls: Arc<ClientConfig>) -> Self {
        Self {
            client: Client::new(settings, tls),
            prefix: settings.prefix.as_str().to_owned(),
            changing: tokio::sync::Mutex::new(()),
            sealers: Mutex::new(HashMap::new()),
        }
    }

    /// The versions of a key; at least one.
    async fn versions(&self, id: &KmsKeyId) -> Result<Vec<Version>, KeyServiceError> {
        let (_, versions) = self.objects(id).await?;
        if versions.is_empty() { Err(KeyServiceError::NotFound(id.clone())) } else { Ok(versions) }
    }

    /// What creations left of a key that broke off half-way, and its versions.
    async fn objects(&self, id: &KmsKeyId) -> Result<(Vec<Version>, Vec<Version>), KeyServiceError> {
        let uids = self.locate(Some(&versions::group(&self.prefix, id))).await?;
        let objects = self.look_at(&uids).await?.into_iter().filter(|version| version.kms_key == *id);
        Ok(objects.partition(|version| version.stage == Stage::New))
    }

    async fn locate(&self, group: Option<&str>) -> Result<Vec<String>, KeyServiceError> {
        let asks = [Ask::Locate { group }];
        let answer = self.client.ask(&asks).await?;
        match only(&answer, &asks)? {
            Ok(payload) => Ok(message::located(payload)?),
            // Some servers say so where others give an empty list.
            Err(Refusal { reason: Reason::ItemNotFound, .. }) => Ok(Vec::new()),
            Err(refusal) => Err(refused(None, refusal)),
        }
    }

    /// Those of these objects that are ours.
    async fn look_at(&self, uids: &[String]) -> Result<Vec<Version>, KeyServiceError> {
        let mut versions = Vec::new();
        let mut rest = uids;
        while !rest.is_empty() {
            let (now, _) = rest.split_at(rest.len().min(ASKS_MAX));
            let asks: Vec<_> = now.iter().map(|uid| Ask::Attributes { uid }).collect();
            let answer = self.client.ask(&asks).await?;
            let outcomes = answer.outcomes(&asks)?;
            rest = &rest[outcomes.len()..];
            for (uid, outcome) in now.iter().zip(outcomes) {
                match outcome {
                    Ok(payload) => {
                        let attributes = message::attributes(payload, &self.prefix)?;
                        versions.extend(Version::of(uid, &attributes, &self.prefix));
                    }
                    // Destroyed meanwhile.
                    Err(Refusal { reason: Reason::ItemNotFound, .. }) => {}
                    Err(refusal) => return Err(refused(None, refusal)),
                }
            }
        }
        Ok(versions)
    }

    /// Creates a version, or finishes creating it.
    async fn create_version(&self, id: &KmsKeyId, number: u32, left: Vec<Version>) -> Result<(), KeyServiceError> {
        let uid = match left.into_iter().find(|version| version.number == number) {
            Some(version) => version.uid,
            None => {
                let (name, group) = (versions::name(&self.prefix, id, number), versions::group(&self.prefix, id));
                let mark = mark_of(KmsKeyState::Enabled);
                let mark = Mark { namespace: &self.prefix, data: &mark };
                let asks = [Ask::Create { name: &name, group: &group, mark }];
                let answer = self.client.ask(&asks).await?;
                message::created(only(&answer, &asks)?.map_err(|refusal| refused(None, refusal))?)?
            }
        };
        let asks = [Ask::Activate { uid: &uid }];
        let answer = self.client.ask(&asks).await?;
        only(&answer, &asks)?.map_err(|refusal| refused(None, refusal))?;
        self.forget_sealer(id);
        Ok(())
    }

    /// Marks all versions of a key.
    async fn set_state(&self, id: &KmsKeyId, state: KmsKeyState) -> Result<KmsKey, KeyServiceError> {
        let _one_at_a_time = self.changing.lock().await;
        let versions = self.versions(id).await?;
        let pending = matches!(key_of(id, &versions).state, KmsKeyState::PendingDeletion(_));
        if pending && state != KmsKeyState::Enabled {
            // It would cancel the deletion, or put it off, in passing.
            return Err(KeyServiceError::PendingDeletion(id.clone()));
        }
        let mark = mark_of(state);
        let mark = Mark { namespace: &self.prefix, data: &mark };
        for some in versions.chunks(ASKS_MAX) {
            let asks: Vec<_> = some.iter().map(|version| Ask::SetMark { uid: &version.uid, mark }).collect();
            let answer = self.client.ask(&asks).await?;
            for outcome in answer.outcomes(&asks)? {
                outcome.map_err(|refusal| refused(Some(id), refusal))?;
            }
        }
        self.forget_sealer(id);
        self.describe(id).await
    }

    /// The object that seals for a key.
    async fn sealer(&self, id: &KmsKeyId) -> Result<String, KeyServiceError> {
        if let Some((since, uid)) = self.sealers.lock().expect("nothing panics while it is held").get(id)
            && since.elapsed() < SEALER_KEPT
        {
            return Ok(uid.clone());
        }
        let versions = self.versions(id).await?;
        resting(id, key_of(id, &versions).state)?;
        let uid = current(&versions).ok_or_else(|| KeyServiceError::Disabled(id.clone()))?.uid.clone();
        let mut sealers = self.sealers.lock().expect("nothing panics while it is held");
        if sealers.len() >= SEALERS_MAX {
            sealers.clear();
        }
        sealers.insert(id.clone(), (Instant::now(), uid.clone()));
        Ok(uid)
    }

    fn forget_sealer(&self, id: &KmsKeyId) {
        self.sealers.lock().expect("nothing panics while it is held").remove(id);
    }

    /// Seals with an object; `None` when it is there no longer, or no longer lets seal.
    async fn seal(
        &self,
        id: &KmsKeyId,
        uid: &str,
        key: &KeyEncryptionKey,
        context: &[u8],
    ) -> Result<Option<Vec<u8>>, KeyServiceError> {
        let (nonce, bound) = (random_bytes(), bound(key.id(), context));
        let asks = [Ask::Attributes { uid }, Ask::Encrypt { uid, nonce: &nonce, bound: &bound, data: key.expose() }];
        let answer = self.client.ask(&asks).await?;
        let mut outcomes = answer.outcomes(&asks)?.into_iter();
        let attributes = match outcomes.next().ok_or(Malformed)? {
            Ok(payload) => message::attributes(payload, &self.prefix)?,
            Err(Refusal { reason: Reason::ItemNotFound, .. }) => return Ok(None),
            Err(refusal) => return Err(refused(Some(id), refusal)),
        };
        let Some(version) = Version::of(uid, &attributes, &self.prefix).filter(Version::is_active) else {
            return Ok(None);
        };
        resting(id, version.state)?;
        let payload = outcomes.next().ok_or(Malformed)?.map_err(|refusal| refused(Some(id), refusal))?;
        let sealed = message::encrypted(payload)?;
        let tag = sealed.tag.ok_or(NO_TAG)?.try_into().map_err(|_| Malformed)?;
        let nonce = sealed.nonce.map_or(Ok(&nonce), TryInto::try_into).map_err(|_| Malformed)?;
        let data = sealed.data.try_into().map_err(|_| Malformed)?;
        Ok(Some(SealedKey { uid, nonce, tag, data }.encode()))
    }

    /// Why an object did not open something, given that the key is enabled. Servers are vague about it, so the object is
    /// asked to open what it seals now: if it does, what it did not open was damaged.
    async fn explain(&self, id: &KmsKeyId, uid: &str, refusal: Refusal) -> KeyServiceError {
        if refusal.reason == Reason::CryptographicFailure {
            return Damaged.into();
        }
        match self.opens_its_own(uid).await {
            Ok(true) => Damaged.into(),
            Ok(false) => refused(Some(id), refusal),
            Err(error) => error,
        }
    }

    async fn opens_its_own(&self, uid: &str) -> Result<bool, KeyServiceError> {
        let (nonce, bound, data) = (random_bytes(), random_bytes::<16>(), random_bytes::<32>());
        let asks = [Ask::Encrypt { uid, nonce: &nonce, bound: &bound, data: &data }];
        let answer = self.client.ask(&asks).await?;
        let Ok(payload) = only(&answer, &asks)? else { return Ok(false) };
        let sealed = message::encrypted(payload)?;
        let tag = sealed.tag.ok_or(NO_TAG)?.try_into().map_err(|_| Malformed)?;
        let nonce = sealed.nonce.map_or(Ok(&nonce), TryInto::try_into).map_err(|_| Malformed)?;
        let asks = [Ask::Decrypt { uid, nonce, bound: &bound, tag, data: sealed.data }];
        let answer = self.client.ask(&asks).await?;
        let Ok(payload) = only(&answer, &asks)? else { return Ok(false) };
        Ok(message::decrypted(payload)? == data)
    }

    /// An error for an object that is not one of this key's.
    async fn not_of(&self, id: &KmsKeyId, uid: &str) -> KeyServiceError {
        match self.describe(id).await {
            Ok(_) => {
                tracing::warn!(kms_key = %id, uid, "the KMIP server has no version of the key under this identifier");
                Damaged.into()
            }
            Err(error) => error,
        }
    }
}

#[async_trait]
impl KeyService for KmipKeys {
    async fn create(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let _one_at_a_time = self.changing.lock().await;
        let (left, versions) = self.objects(id).await?;
        if !versions.is_empty() {
            return Err(KeyServiceError::AlreadyExists(id.clone()));
        }
        self.create_version(id, 1, left).await?;
        self.describe(id).await
    }

    async fn describe(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        Ok(key_of(id, &self.versions(id).await?))
    }

    async fn list(&self) -> Result<Vec<KmsKey>, KeyServiceError> {
        let uids = self.locate(None).await?;
        let mut keys = BTreeMap::<_, Vec<_>>::new();
        for version in self.look_at(&uids).await?.into_iter().filter(|version| version.stage != Stage::New) {
            keys.entry(version.kms_key.clone()).or_default().push(version);
        }
        Ok(keys.iter().map(|(id, versions)| key_of(id, versions)).collect())
    }

    async fn enable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let key = self.set_state(id, KmsKeyState::Enabled).await?;
        if key.state == KmsKeyState::Enabled {
            return Ok(key);
        }
        Err(KeyServiceError::NotSupported(
            "the key was revoked on the KMIP server, and KMIP knows no way back from that",
        ))
    }

    async fn disable(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        self.set_state(id, KmsKeyState::Disabled).await
    }

    async fn schedule_deletion(&self, id: &KmsKeyId, at: Timestamp) -> Result<KmsKey, KeyServiceError> {
        self.set_state(id, KmsKeyState::PendingDeletion(at)).await
    }

    async fn rotate(&self, id: &KmsKeyId) -> Result<KmsKey, KeyServiceError> {
        let _one_at_a_time = self.changing.lock().await;
        let (left, versions) = self.objects(id).await?;
        if versions.is_empty() {
            return Err(KeyServiceError::NotFound(id.clone()));
        }
        let key = key_of(id, &versions);
        resting(id, key.state)?;
        let next =
            key.versions.checked_add(1).ok_or(KeyServiceError::NotSupported("more versions than a key can have"))?;
        self.create_version(id, next, left).await?;
        self.describe(id).await
    }

    async fn wrap(&self, id: &KmsKeyId, key: &KeyEncryptionKey, context: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        let uid = self.sealer(id).await?;
        if let Some(sealed) = self.seal(id, &uid, key, context).await? {
            return Ok(sealed);
        }
        // Destroyed or revoked since it was looked up. Another version may have taken its place.
        self.forget_sealer(id);
        let uid = self.sealer(id).await?;
        self.seal(id, &uid, key, context).await?.ok_or_else(|| KeyServiceError::Disabled(id.clone()))
    }

    async fn unwrap(
        &self,
        id: &KmsKeyId,
        inner: KeyId,
        sealed: &[u8],
        context: &[u8],
    ) -> Result<KeyEncryptionKey, KeyServiceError> {
        let Some(SealedKey { uid, nonce, tag, data }) = SealedKey::decode(sealed) else {
            tracing::warn!(kms_key = %id, "a key that no KMIP server sealed is to be opened: was another KMS in use before?");
            return Err(Damaged.into());
        };
        let bound = bound(inner, context);
        let asks = [Ask::Attributes { uid }, Ask::Decrypt { uid, nonce, bound: &bound, tag, data }];
        let answer = self.client.ask(&asks).await?;
        let mut outcomes = answer.outcomes(&asks)?.into_iter();
        let attributes = match outcomes.next().ok_or(Malformed)? {
            Ok(payload) => message::attributes(payload, &self.prefix)?,
            Err(Refusal { reason: Reason::ItemNotFound, .. }) => return Err(self.not_of(id, uid).await),
            Err(refusal) => return Err(refused(Some(id), refusal)),
        };
        let version = Version::of(uid, &attributes, &self.prefix).filter(|version| version.kms_key == *id);
        let Some(version) = version else { return Err(self.not_of(id, uid).await) };
        resting(id, version.state)?;
        match outcomes.next().ok_or(Malformed)? {
            Ok(payload) => {
                let opened = message::decrypted(payload)?.try_into().map_err(|_| Malformed)?;
                Ok(KeyEncryptionKey::new(inner, Zeroizing::new(opened)))
            }
            // KMIP lets a deactivated key open still, but not every server does.
            Err(_) if !version.is_active() => Err(KeyServiceError::Disabled(id.clone())),
            Err(refusal) => Err(self.explain(id, uid, refusal).await),
        }
    }

    async fn is_current(&self, id: &KmsKeyId, sealed: &[u8]) -> Result<bool, KeyServiceError> {
        let uid = SealedKey::decode(sealed).ok_or(Damaged)?.uid;
        let versions = self.versions(id).await?;
        Ok(current(&versions).is_some_and(|version| version.uid == uid))
    }

    fn sealer<'a>(&self, sealed: &'a [u8]) -> &'a [u8] {
        SealedKey::decode(sealed).map_or(sealed, |sealed| sealed.uid.as_bytes())
    }
}

fn only<'a>(answer: &'a Answer, asks: &[Ask<'_>]) -> Result<Outcome<'a>, Malformed> {
    answer.outcomes(asks)?.pop().ok_or(Malformed)
}

fn refused(id: Option<&KmsKeyId>, refusal: Refusal) -> KeyServiceError {
    let Refusal { reason, message } = refusal;
    match (reason, id) {
        (Reason::ItemNotFound, Some(id)) => KeyServiceError::NotFound(id.clone()),
        (Reason::NotSupported, _) => {
            tracing::warn!(message, "the KMIP server cannot do what Canopic needs");
            KeyServiceError::NotSupported(
                "the KMIP server lacks an operation or attribute that Canopic needs (see the log)",
            )
        }
        (Reason::NotAuthenticated, _) => {
            KeyServiceError::Refused(format!("{message}: the KMIP server does not accept Canopic's client certificate"))
        }
        (Reason::PermissionDenied, _) => {
            KeyServiceError::Refused(format!("{message}: the policy of the KMIP server does not allow it"))
        }
        (Reason::InvalidMessage, _) => {
            KeyServiceError::Refused(format!("{message}: does the KMIP server speak version 1.4?"))
        }
        (Reason::GeneralFailure, _) => KeyServiceError::Unavailable(message),
        (reason, _) => KeyServiceError::Refused(format!("{message} ({reason:?})")),
    }
}

impl From<Unavailable> for KeyServiceError {
    fn from(Unavailable(text): Unavailable) -> Self {
        Self::Unavailable(text)
    }
}

impl From<Malformed> for KeyServiceError {
    fn from(malformed: Malformed) -> Self {
        Self::Unavailable(malformed.to_string())
    }
}

const NO_TAG: KeyServiceError =
    KeyServiceError::NotSupported("the KMIP server seals without a tag; AES-GCM by KMIP 1.4 is needed");
/// For how long an object seals before the server is asked for a newer version, which another gateway may have made.
const SEALER_KEPT: Duration = Duration::from_secs(30);
const SEALERS_MAX: usize = 1024;
