//! Users, access keys and tokens: who can prove to be whom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use envelope::{SecretSealer, StoreKey};
use identity::{AccessKeyId, SecretAccessKey, Token, TokenDigest};
use model::{AccountId, Principal, Timestamp, UserName};
use storage::{Batch, CommitError, Entry, Partition, Scope, Table};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::error::{Fault, TooMuchContention};
use crate::records::{
    AccessKeyRecord, InstallationRecord, Records, TokenRecord, UserRecord, as_read, sole, system, tables,
};

/// A user, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// The name.
    pub name: UserName,
    /// The account it belongs to.
    pub account: AccountId,
    /// When it was created.
    pub created: Timestamp,
}

/// What an access key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKeyKind {
    /// An id with a secret that signs.
    Pair,
    /// One string that is id and secret at once.
    Token,
}

/// An access key, as lists show it: nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyInfo {
    /// Names it for revocation: the access key id, or for a token the first half of its digest in hexadecimal.
    pub id: String,
    /// What it is.
    pub kind: AccessKeyKind,
    /// Whose it is.
    pub principal: Principal,
    /// When it was issued.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expires: Option<Timestamp>,
}

/// A fresh pair; the secret is shown this once.
pub struct IssuedAccessKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: SecretAccessKey,
}

/// A fresh token; it is shown this once.
pub struct IssuedToken {
    /// Names it for revocation.
    pub id: String,
    /// The token.
    pub token: Token,
}

/// Why a call about users failed.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The name is taken.
    #[error("the user {0} exists already")]
    UserExists(UserName),
    /// There is no such user.
    #[error("there is no user {0}")]
    NoSuchUser(UserName),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// No access key or token has this id.
    #[error("there is no access key or token {0}")]
    NoSuchAccessKey(String),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Keeps users and what proves them. Secrets stand sealed, tokens only as digests.
#[derive(Clone)]
pub struct Users {
    records: Records,
    sealer: Arc<SecretSealer>,
    clock: Arc<dyn Clock>,
    opened: Arc<Mutex<HashMap<String, OpenedAccessKey>>>,
}

/// An access key record whose secret has been opened. Each use compares the record's bytes with those in the store.
struct OpenedAccessKey {
    raw: Bytes,
    secret: Arc<SecretAccessKey>,
    principal: Principal,
    expires: Option<Timestamp>,
}

impl Users {
    pub(crate) fn new(records: Records, store_key: &StoreKey, clock: Arc<dyn Clock>) -> Self {
        Self { records, sealer: Arc::new(store_key.secret_sealer()), clock, opened: Arc::default() }
    }

    /// The account of this installation, created on first use.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn account(&self) -> Result<AccountId, Fault> {
        let (partition, record_key) = (system(b""), sole(tables::INSTALLATION));
        for _ in 0..ATTEMPTS {
            if let Some(stored) = self.records.get(&partition, &record_key).await? {
                return Ok(InstallationRecord::decode(stored.payload())?.account);
            }
            let record = InstallationRecord { account: random_account(), created: self.clock.now() };
            match self.insert(&partition, tables::INSTALLATION, record.encode()).await {
                Ok(()) => return Ok(record.account),
                Err(InsertError::Exists) => {}
                Err(InsertError::Fault(error)) => return Err(error),
            }
        }
        Err(TooMuchContention.into())
    }

    /// The administrator.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn root(&self) -> Result<Principal, Fault> {
        Ok(Principal::Root(self.account().await?))
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`UsersError::UserExists`] when the name is taken.
    pub async fn create_user(&self, name: &UserName) -> Result<UserInfo, UsersError> {
        let created = self.clock.now();
        let partition = system(name.as_str().as_bytes());
        match self.insert(&partition, tables::USERS, UserRecord { created }.encode()).await {
            Ok(()) => Ok(UserInfo { name: name.clone(), account: self.account().await?, created }),
            Err(InsertError::Exists) => Err(UsersError::UserExists(name.clone())),
            Err(InsertError::Fault(error)) => Err(error.into()),
        }
    }

    /// All users, by name.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn list_users(&self) -> Result<Vec<UserInfo>, Fault> {
        let account = self.account().await?;
        let mut users = Vec::new();
        for entry in self.all(tables::USERS).await? {
            let record = UserRecord::decode(self.records.open_entry(Scope::SYSTEM, tables::USERS, &entry)?)?;
            users.push(UserInfo { name: user_name(&entry)?, account: account.clone(), created: record.created });
        }
        Ok(users)
    }

    /// The principal of an existing user.
    ///
    /// # Errors
    /// [`UsersError::NoSuchUser`].
    pub async fn principal(&self, name: &UserName) -> Result<Principal, UsersError> {
        let stored = self.records.get(&system(name.as_str().as_bytes()), &sole(tables::USERS)).await?;
        if stored.is_none() {
            return Err(UsersError::NoSuchUser(name.clone()));
        }
        Ok(Principal::User(self.account().await?, name.clone()))
    }

    /// Issues a fresh pair to a principal.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn issue_access_key(
        &self,
        principal: &Principal,
        expires: Option<Timestamp>,
    ) -> Result<IssuedAccessKey, Fault> {
        let id = AccessKeyId::generate(&envelope::random_bytes());
        let secret = SecretAccessKey::generate(&Zeroizing::new(envelope::random_bytes()));
        self.put_access_key(&id, &secret, principal, expires).await?;
        Ok(IssuedAccessKey { id, secret })
    }

    /// Writes a pair that the operator fixed, replacing one of the same id.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn put_access_key(
        &self,
        id: &AccessKeyId,
        secret: &SecretAccessKey,
        principal: &Principal,
        expires: Option<Timestamp>,
    ) -> Result<(), Fault> {
        let record = AccessKeyRecord {
            principal: principal.clone(),
            created: self.clock.now(),
            expires,
            sealed_secret: self.sealer.seal(id.as_str().as_bytes(), secret.expose().as_bytes()),
        };
        let partition = system(id.as_str().as_bytes());
        let put = self.records.put(&partition, sole(tables::ACCESS_KEYS), record.encode());
        let batch = Batch { put: vec![put], ..Batch::default() };
        self.records.metadata().commit(&partition, batch).await.map_err(commit_fault)
    }

    /// Issues a fresh token to a principal.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn issue_token(&self, principal: &Principal, expires: Option<Timestamp>) -> Result<IssuedToken, Fault> {
        let token = Token::generate(&Zeroizing::new(envelope::random_bytes()));
        let digest = token.digest();
        let record = TokenRecord {
            digest: *digest.as_bytes(),
            principal: principal.clone(),
            created: self.clock.now(),
            expires,
        };
        match self.insert(&system(&digest.lookup_id()), tables::TOKENS, record.encode()).await {
            Ok(()) => Ok(IssuedToken { id: hex::encode(digest.lookup_id()), token }),
            Err(InsertError::Exists) => Err(TooMuchContention.into()),
            Err(InsertError::Fault(error)) => Err(error),
        }
    }

    /// The secret and the principal of a live access key.
    ///
    /// # Errors
    /// When our side fails; an unknown or expired one is `None`.
    pub async fn access_key(&self, id: &str) -> Result<Option<(Arc<SecretAccessKey>, Principal)>, Fault> {
        // Whatever a request presents comes here; the store takes names of a bounded length only.
        if AccessKeyId::parse(id).is_err() {
            return Ok(None);
        }
        let partition = system(id.as_bytes());
        let record_key = sole(tables::ACCESS_KEYS);
        let Some(raw) = self.records.get_raw(&partition, &record_key).await? else { return Ok(None) };
        let now = self.clock.now();
        if let Some(opened) = self.lock().get(id)
            && opened.raw == raw
        {
            let live = identity::is_live(opened.expires, now);
            return Ok(live.then(|| (opened.secret.clone(), opened.principal.clone())));
        }
        let stored = self.records.check(&partition, &record_key, raw.clone())?;
        let record = AccessKeyRecord::decode(stored.payload())?;
        let secret = self.sealer.open(id.as_bytes(), &record.sealed_secret)?;
        let damaged = crate::error::StoredDataDamaged("the secret of an access key");
        let secret = std::str::from_utf8(&secret).ok().and_then(|text| SecretAccessKey::parse(text).ok());
        let secret = Arc::new(secret.ok_or(damaged)?);
        let opened = OpenedAccessKey {
            raw,
            secret: secret.clone(),
            principal: record.principal.clone(),
            expires: record.expires,
        };
        self.remember(id, opened);
        Ok(identity::is_live(record.expires, now).then_some((secret, record.principal)))
    }

    /// The principal of a live token.
    ///
    /// # Errors
    /// When our side fails; an unknown or expired one is `None`.
    pub async fn token(&self, token: &Token) -> Result<Option<Principal>, Fault> {
        let partition = system(&token.digest().lookup_id());
        let stored = self.records.get(&partition, &sole(tables::TOKENS)).await?;
        let Some(stored) = stored else { return Ok(None) };
        let record = TokenRecord::decode(stored.payload())?;
        let is_it = TokenDigest::from_bytes(record.digest).verify(token);
        Ok((is_it && identity::is_live(record.expires, self.clock.now())).then_some(record.principal))
    }

    /// All access keys and tokens, or those of one principal.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn list_access_keys(&self, of: Option<&Principal>) -> Result<Vec<AccessKeyInfo>, Fault> {
        let mut found = Vec::new();
        for entry in self.all(tables::ACCESS_KEYS).await? {
            let payload = self.records.open_entry(Scope::SYSTEM, tables::ACCESS_KEYS, &entry)?;
            let record = AccessKeyRecord::decode(payload)?;
            found.push(AccessKeyInfo {
                id: String::from_utf8_lossy(&entry.partition).into_owned(),
                kind: AccessKeyKind::Pair,
                principal: record.principal,
                created: record.created,
                expires: record.expires,
            });
        }
        for entry in self.all(tables::TOKENS).await? {
            let payload = self.records.open_entry(Scope::SYSTEM, tables::TOKENS, &entry)?;
            let record = TokenRecord::decode(payload)?;
            found.push(AccessKeyInfo {
                id: hex::encode(&entry.partition),
                kind: AccessKeyKind::Token,
                principal: record.principal,
                created: record.created,
                expires: record.expires,
            });
        }
        found.retain(|access_key| of.is_none_or(|principal| access_key.principal == *principal));
        Ok(found)
    }

    /// Ends an access key or a token, at once.
    ///
    /// # Errors
    /// [`RevokeError::NoSuchAccessKey`] when nothing has this id.
    pub async fn revoke(&self, id: &str) -> Result<(), RevokeError> {
        // The id of a token is one by its form too.
        if AccessKeyId::parse(id).is_err() {
            return Err(RevokeError::NoSuchAccessKey(id.to_owned()));
        }
        self.lock().remove(id);
        let token_name = hex::decode(id).ok().filter(|name| name.len() == 16);
        let places = [Some((id.as_bytes().to_vec(), tables::ACCESS_KEYS)), token_name.map(|n| (n, tables::TOKENS))];
        for (name, table) in places.into_iter().flatten() {
            let (partition, record_key) = (system(&name), sole(table));
            let Some(stored) = self.records.get(&partition, &record_key).await? else { continue };
            let batch = Batch {
                preconditions: vec![as_read(record_key.clone(), Some(&stored))],
                delete: vec![record_key],
                ..Batch::default()
            };
            self.records.metadata().commit(&partition, batch).await.map_err(commit_fault)?;
            return Ok(());
        }
        Err(RevokeError::NoSuchAccessKey(id.to_owned()))
    }

    async fn insert(&self, partition: &Partition, table: Table, payload: Vec<u8>) -> Result<(), InsertError> {
        let record_key = sole(table);
        let batch = Batch {
            preconditions: vec![as_read(record_key.clone(), None)],
            put: vec![self.records.put(partition, record_key, payload)],
            ..Batch::default()
        };
        self.records.metadata().commit(partition, batch).await.map_err(|error| match error {
            CommitError::Conflict(_) => InsertError::Exists,
            error => InsertError::Fault(commit_fault(error)),
        })
    }

    async fn all(&self, table: Table) -> Result<Vec<Entry>, Fault> {
        let mut found = Vec::new();
        let mut pages = self.records.pages(Scope::SYSTEM, table);
        while let Some(entries) = pages.next().await? {
            found.extend(entries);
        }
        Ok(found)
    }

    fn remember(&self, id: &str, opened_key: OpenedAccessKey) {
        let mut opened = self.lock();
        if opened.len() >= OPENED_MAX {
            opened.clear();
        }
        opened.insert(id.to_owned(), opened_key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, OpenedAccessKey>> {
        // Nothing can panic while it is held, and a stale entry is found by its bytes anyway.
        self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

enum InsertError {
    Exists,
    Fault(Fault),
}

fn commit_fault(error: CommitError) -> Fault {
    match error {
        CommitError::Store(error) => error.into(),
        CommitError::Conflict(_) | CommitError::Retired(_) => TooMuchContention.into(),
    }
}

fn random_account() -> AccountId {
    let number = u64::from_be_bytes(envelope::random_bytes()) % 900_000_000_000 + 100_000_000_000;
    AccountId::parse(&number.to_string()).expect("twelve digits by construction")
}

fn user_name(entry: &Entry) -> Result<UserName, Fault> {
    let name = std::str::from_utf8(&entry.partition).ok().and_then(|name| UserName::parse(name).ok());
    Ok(name.ok_or(crate::error::StoredDataDamaged("the name of a user"))?)
}

const ATTEMPTS: u32 = 8;
/// More live access keys than this are opened anew now and then.
const OPENED_MAX: usize = 10_000;
