use std::sync::Arc;

use envelope::StoreKey;
use kms::DataKeys;
use storage::{Blobs, Metadata};

use crate::authorize::Authorizer;
use crate::buckets::{BucketCache, Buckets};
use crate::clock::Clock;
use crate::objects::Objects;
use crate::records::Records;
use crate::rewrap::Rewrapper;
use crate::uploads::Uploads;
use crate::users::Users;

/// What the operations stand on.
pub struct Ports {
    /// Keeps records.
    pub metadata: Arc<dyn Metadata>,
    /// Keeps bytes.
    pub blobs: Arc<dyn Blobs>,
    /// Keeps the keys of the server.
    pub keys: DataKeys,
    /// Authenticates records and seals the server's own small secrets.
    pub store_key: Arc<StoreKey>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The parts, ready for use. Whoever needs one takes that one.
#[derive(Clone)]
pub struct Operations {
    /// Decides who may do what.
    pub authorizer: Authorizer,
    /// Buckets.
    pub buckets: Buckets,
    /// Objects.
    pub objects: Objects,
    /// Multipart uploads.
    pub uploads: Uploads,
    /// Users and their access keys.
    pub users: Users,
    /// Wraps data keys anew, in the background.
    pub rewrapper: Rewrapper,
}

impl Operations {
    /// Puts the parts together.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let records = Records::new(ports.metadata, Arc::new(ports.store_key.authenticator()));
        let objects = Objects {
            records: records.clone(),
            blobs: ports.blobs,
            keys: ports.keys,
            store_key: ports.store_key.clone(),
            clock: ports.clock.clone(),
            part_lists: Arc::default(),
        };
        let rewrapper = Rewrapper { records: records.clone(), keys: objects.keys.clone(), clock: ports.clock.clone() };
        Self {
            authorizer: Authorizer::new(records.clone(), Arc::new(BucketCache::default())),
            buckets: Buckets::new(records.clone(), ports.clock.clone()),
            uploads: Uploads::new(objects.clone()),
            objects,
            rewrapper,
            users: Users::new(records, &ports.store_key, ports.clock),
        }
    }
}
