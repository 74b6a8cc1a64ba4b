//! Buckets: their records, their policies, their canned ACLs, their end.

use std::sync::Arc;

use bytes::Bytes;
use model::{BucketId, BucketName, ObjectKey, Principal, Timestamp};
use policy::{Action, MalformedPolicy, Policy};
use storage::{Batch, CommitError, Entry, Partition, Precondition, RetireError, Scope};

use crate::authorize::Granted;
use crate::bucket_encryption::BucketEncryption;
use crate::clock::Clock;
use crate::error::{Fault, NoSuchBucket, NotCovered, TooMuchContention};
use crate::leftovers::purge_uploads;
use crate::records::{BucketRecord, CannedAcl, Records, as_read, sole, system, tables, tell_of_damage};

pub(crate) use crate::bucket_cache::BucketCache;

/// A bucket as the operations see it.
#[derive(Debug)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// The id of this life of it.
    pub id: BucketId,
    /// Whose it is.
    pub owner: Principal,
    /// When it was created.
    pub created: Timestamp,
    /// Its canned ACL.
    pub acl: CannedAcl,
    /// What `LocationConstraint` said at creation; may be empty.
    pub location: String,
    /// Its policy, parsed.
    pub policy: Option<Policy>,
    /// Its policy, as it was put; empty without one.
    pub policy_text: Vec<u8>,
    /// What it says of the encryption of its objects, if anything.
    pub encryption: Option<BucketEncryption>,
}

impl Bucket {
    pub(crate) const fn scope(&self) -> Scope {
        Scope::bucket(self.id)
    }

    pub(crate) fn partition(&self, object: &ObjectKey) -> Partition {
        Partition::new(self.scope(), object.as_bytes())
    }

    pub(crate) fn from_record(name: &BucketName, record: BucketRecord) -> Result<Self, Fault> {
        // A policy that was accepted once and cannot be read now must not become "no policy".
        let policy =
            match record.policy.as_slice() {
                [] => None,
                text => Some(Policy::parse(text, name).map_err(|_| {
                    Fault::from(crate::error::StoredDataDamaged("a bucket policy that no longer parses"))
                })?),
            };
        Ok(Self {
            name: name.clone(),
            id: record.id,
            owner: record.owner,
            created: record.created,
            acl: record.acl,
            location: record.location,
            policy,
            policy_text: record.policy,
            encryption: record.encryption,
        })
    }
}

/// A bucket, as the list of an owner shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBucket {
    /// Its name.
    pub name: BucketName,
    /// When it was created.
    pub created: Timestamp,
}

/// How a creation ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The bucket is new.
    New,
    /// It was the caller's already; nothing changed (AWS does so in us-east-1, and the guide relies on it).
    Already,
}

/// The bucket exists and belongs to someone else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The requested bucket name is not available.")]
pub struct BucketAlreadyExists;

/// The caller has as many buckets as anyone may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("You have attempted to create more buckets than allowed")]
pub struct TooManyBuckets;

/// The place that a creation names does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The specified location-constraint is not valid")]
pub struct InvalidLocationConstraint;

/// Why a bucket was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateBucketError {
    /// See [`BucketAlreadyExists`].
    #[error(transparent)]
    Exists(#[from] BucketAlreadyExists),
    /// See [`TooManyBuckets`].
    #[error(transparent)]
    TooMany(#[from] TooManyBuckets),
    /// See [`InvalidLocationConstraint`].
    #[error(transparent)]
    Location(#[from] InvalidLocationConstraint),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The bucket still holds objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The bucket you tried to delete is not empty")]
pub struct BucketNotEmpty;

/// Why a bucket was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteBucketError {
    /// See [`BucketNotEmpty`].
    #[error(transparent)]
    NotEmpty(#[from] BucketNotEmpty),
    /// See [`NoSuchBucket`].
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The bucket has no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The bucket policy does not exist")]
pub struct NoSuchBucketPolicy;

/// Why a bucket was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeBucketError {
    /// See [`NoSuchBucket`].
    #[error(transparent)]
    NoSuchBucket(#[from] NoSuchBucket),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a policy was not put.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not a policy for this bucket.
    #[error(transparent)]
    Malformed(#[from] MalformedPolicy),
    /// The bucket could not be changed.
    #[error(transparent)]
    Change(#[from] ChangeBucketError),
}

/// Operations on buckets.
#[derive(Clone)]
pub struct Buckets {
    records: Records,
    clock: Arc<dyn Clock>,
}

impl Buckets {
    pub(crate) fn new(records: Records, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock }
    }

    /// Creates the bucket of the grant.
    ///
    /// # Errors
    /// [`CreateBucketError::Exists`] when it belongs to someone else, [`CreateBucketError::TooMany`] when the caller has
    /// 10,000 already (creations at once may go beyond by as many as they are), [`CreateBucketError::Location`] when the
    /// store has no such place.
    pub async fn create(
        &self,
        granted: &Granted,
        acl: CannedAcl,
        location: &str,
    ) -> Result<Created, CreateBucketError> {
        let name = granted.new_bucket(Action::CreateBucket).map_err(Fault::from)?;
        let (partition, record_key) = (system(name.as_str().as_bytes()), sole(tables::BUCKETS));
        for _ in 0..ATTEMPTS {
            let current = self.records.get(&partition, &record_key).await?;
            if let Some(stored) = &current {
                let record = BucketRecord::decode(stored.payload()).map_err(Fault::from)?;
                if record.owner != *granted.principal() {
                    return Err(BucketAlreadyExists.into());
                }
                // A deletion that a crash cut short left the record of a retired scope: finish it, then go on.
                if !self.is_retired(Scope::bucket(record.id)).await? {
                    return Ok(Created::Already);
                }
                purge_uploads(&self.records, Scope::bucket(record.id)).await?;
            } else if self.owned(granted.principal()).await?.len() >= BUCKETS_MAX {
                return Err(TooManyBuckets.into());
            }
            let record = BucketRecord {
                id: self.new_id(location)?,
                owner: granted.principal().clone(),
                created: self.clock.now(),
                acl,
                location: location.to_owned(),
                policy: Vec::new(),
                encryption: None,
            };
            let batch = Batch {
                preconditions: vec![as_read(record_key.clone(), current.as_ref())],
                put: vec![self.records.put(&partition, record_key.clone(), record.encode())],
                ..Batch::default()
            };
            match self.records.metadata().commit(&partition, batch).await {
                Ok(()) => return Ok(Created::New),
                Err(CommitError::Conflict(_)) => {}
                Err(error) => return Err(fault(error).into()),
            }
        }
        Err(Fault::from(TooMuchContention).into())
    }

    /// An id that says to the store where the bucket's records and bytes belong. RGW: "region:placement" in a location
    /// constraint, with the region left out in the guide.
    fn new_id(&self, location: &str) -> Result<BucketId, InvalidLocationConstraint> {
        let placement = location.split_once(':').map(|(_, placement)| placement).filter(|name| !name.is_empty());
        let id = self.records.metadata().scope_at(placement, envelope::random_bytes());
        id.map(BucketId::from_bytes).map_err(|_| InvalidLocationConstraint)
    }

    /// A commit that puts nothing and demands the impossible tells whether the scope still takes records.
    async fn is_retired(&self, scope: Scope) -> Result<bool, Fault> {
        let probe = Partition::new(scope, Vec::new());
        let absent = sole(tables::INSTALLATION);
        let batch = Batch {
            preconditions: vec![Precondition::Unchanged(absent.clone(), Bytes::new())],
            put: vec![(absent, Bytes::new())],
            ..Batch::default()
        };
        match self.records.metadata().commit(&probe, batch).await {
            Err(CommitError::Retired(_)) => Ok(true),
            Err(CommitError::Conflict(_)) | Ok(()) => Ok(false),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Deletes the bucket of the grant: closes its scope, removes its record, then what is left of its uploads.
    ///
    /// # Errors
    /// [`DeleteBucketError::NotEmpty`] when it holds an object.
    pub async fn delete(&self, granted: &Granted) -> Result<(), DeleteBucketError> {
        let bucket = granted.bucket(Action::DeleteBucket).map_err(Fault::from)?;
        match self.records.metadata().retire(bucket.scope(), &[tables::OBJECTS]).await {
            Ok(()) => {}
            Err(RetireError::NotEmpty(_)) => return Err(BucketNotEmpty.into()),
            Err(RetireError::Store(error)) => return Err(Fault::from(error).into()),
        }
        purge_uploads(&self.records, bucket.scope()).await?;
        let (partition, record_key) = (system(bucket.name.as_str().as_bytes()), sole(tables::BUCKETS));
        let current = self.records.get(&partition, &record_key).await?;
        let Some(stored) = current else { return Err(NoSuchBucket(bucket.name.clone()).into()) };
        let record = BucketRecord::decode(stored.payload()).map_err(Fault::from)?;
        if record.id != bucket.id {
            return Err(NoSuchBucket(bucket.name.clone()).into());
        }
        let batch = Batch {
            preconditions: vec![as_read(record_key.clone(), Some(&stored))],
            delete: vec![record_key],
            ..Batch::default()
        };
        match self.records.metadata().commit(&partition, batch).await {
            Ok(()) => Ok(()),
            // Its record was changed meanwhile (an ACL, say). The scope is closed: asking again finishes the work.
            Err(CommitError::Conflict(_)) => Err(Fault::from(TooMuchContention).into()),
            Err(error) => Err(fault(error).into()),
        }
    }

    /// The buckets of the caller, by name. One whose record is damaged is left out: whose it is cannot be known.
    ///
    /// # Errors
    /// When our side fails.
    pub async fn list(&self, granted: &Granted) -> Result<Vec<ListedBucket>, Fault> {
        granted.service(Action::ListAllMyBuckets)?;
        self.owned(granted.principal()).await
    }

    async fn owned(&self, owner: &Principal) -> Result<Vec<ListedBucket>, Fault> {
        let mut owned = Vec::new();
        self.each(|name, record| {
            if record.owner == *owner {
                owned.push(ListedBucket { name, created: record.created });
            }
        })
        .await?;
        Ok(owned)
    }

    /// The scopes of all buckets, for work in the background.
    pub(crate) async fn scopes(&self) -> Result<Vec<Scope>, Fault> {
        let mut scopes = Vec::new();
        self.each(|_, record| scopes.push(Scope::bucket(record.id))).await?;
        Ok(scopes)
    }

    /// Shows every bucket that can be read, and tells the log of the others.
    async fn each(&self, mut show: impl FnMut(BucketName, BucketRecord) + Send) -> Result<(), Fault> {
        let mut pages = self.records.pages(Scope::SYSTEM, tables::BUCKETS);
        while let Some(entries) = pages.next().await? {
            for entry in entries {
                match self.open(&entry) {
                    Ok((name, record)) => show(name, record),
                    Err(error) => tell_of_damage(&system(&entry.partition), &error, "a damaged bucket is passed over"),
                }
            }
        }
        Ok(())
    }

    fn open(&self, entry: &Entry) -> Result<(BucketName, BucketRecord), Fault> {
        let payload = self.records.open_entry(Scope::SYSTEM, tables::BUCKETS, entry)?;
        Ok((bucket_name(&entry.partition)?, BucketRecord::decode(payload)?))
    }

    /// Sets the policy of the bucket and returns it parsed, with its warnings.
    ///
    /// # Errors
    /// [`PolicyError::Malformed`] when it is not a policy for this bucket.
    pub async fn put_policy(&self, granted: &Granted, text: &[u8]) -> Result<Policy, PolicyError> {
        let bucket = granted.bucket(Action::PutBucketPolicy).map_err(Fault::from).map_err(ChangeBucketError::from)?;
        let policy = Policy::parse(text, &bucket.name)?;
        self.change(bucket, |record| record.policy = text.to_vec()).await?;
        Ok(policy)
    }

    /// Removes the policy of the bucket; there need not be one.
    ///
    /// # Errors
    /// [`ChangeBucketError`] when the bucket could not be changed.
    pub async fn delete_policy(&self, granted: &Granted) -> Result<(), ChangeBucketError> {
        let bucket = granted.bucket(Action::DeleteBucketPolicy).map_err(Fault::from)?;
        self.change(bucket, |record| record.policy.clear()).await
    }

    /// The policy of the bucket as it was put.
    ///
    /// # Errors
    /// [`NoSuchBucketPolicy`] without one, or when the grant is for something else.
    pub fn policy<'a>(&self, granted: &'a Granted) -> Result<&'a [u8], GetPolicyError> {
        let bucket = granted.bucket(Action::GetBucketPolicy)?;
        if bucket.policy.is_none() {
            return Err(NoSuchBucketPolicy.into());
        }
        Ok(&bucket.policy_text)
    }

    /// Whether the policy of the bucket lets in everyone.
    ///
    /// # Errors
    /// [`NoSuchBucketPolicy`] without one, or when the grant is for something else.
    pub fn policy_is_public(&self, granted: &Granted) -> Result<bool, GetPolicyError> {
        let bucket = granted.bucket(Action::GetBucketPolicyStatus)?;
        Ok(bucket.policy.as_ref().ok_or(NoSuchBucketPolicy)?.is_public())
    }

    /// Sets the canned ACL of the bucket.
    ///
    /// # Errors
    /// [`ChangeBucketError`] when the bucket could not be changed.
    pub async fn put_acl(&self, granted: &Granted, acl: CannedAcl) -> Result<(), ChangeBucketError> {
        let bucket = granted.bucket(Action::PutBucketAcl).map_err(Fault::from)?;
        self.change(bucket, |record| record.acl = acl).await
    }

    /// What the bucket is, for the calls that only look at it (head, location, ACL).
    ///
    /// # Errors
    /// [`NotCovered`] when the grant is for another action.
    pub fn facts<'a>(&self, granted: &'a Granted, action: Action) -> Result<&'a Bucket, NotCovered> {
        granted.bucket(action).map(Arc::as_ref)
    }

    pub(crate) async fn change(
        &self,
        bucket: &Bucket,
        edit: impl Fn(&mut BucketRecord) + Send + Sync,
    ) -> Result<(), ChangeBucketError> {
        let (partition, record_key) = (system(bucket.name.as_str().as_bytes()), sole(tables::BUCKETS));
        for _ in 0..ATTEMPTS {
            let stored = self.records.get(&partition, &record_key).await?;
            let Some(stored) = stored else { return Err(NoSuchBucket(bucket.name.clone()).into()) };
            let mut record = BucketRecord::decode(stored.payload()).map_err(Fault::from)?;
            if record.id != bucket.id {
                return Err(NoSuchBucket(bucket.name.clone()).into());
            }
            edit(&mut record);
            let batch = Batch {
                preconditions: vec![as_read(record_key.clone(), Some(&stored))],
                put: vec![self.records.put(&partition, record_key.clone(), record.encode())],
                ..Batch::default()
            };
            match self.records.metadata().commit(&partition, batch).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict(_)) => {}
                Err(error) => return Err(fault(error).into()),
            }
        }
        Err(Fault::from(TooMuchContention).into())
    }
}

/// Why a policy cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum GetPolicyError {
    /// See [`NoSuchBucketPolicy`].
    #[error(transparent)]
    NoPolicy(#[from] NoSuchBucketPolicy),
    /// See [`NotCovered`].
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
}

fn bucket_name(partition: &[u8]) -> Result<BucketName, Fault> {
    std::str::from_utf8(partition)
        .ok()
        .and_then(|name| BucketName::parse(name).ok())
        .ok_or(Fault::Damaged(crate::error::StoredDataDamaged("the name of a bucket")))
}

/// A commit to the system scope that failed otherwise than by a conflict; that scope is never retired.
fn fault(error: CommitError) -> Fault {
    match error {
        CommitError::Store(error) => error.into(),
        CommitError::Conflict(_) | CommitError::Retired(_) => TooMuchContention.into(),
    }
}

const ATTEMPTS: u32 = 16;
/// As many as an account of AWS may have by default (AWS: "General purpose bucket quotas").
const BUCKETS_MAX: usize = 10_000;
