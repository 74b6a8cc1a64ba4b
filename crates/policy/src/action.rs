use std::fmt;

use crate::Resource;

/// The kinds of resource that actions are done to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Level {
    /// The service, an account, an access point or a job: nothing that a bucket policy can name.
    Elsewhere,
    Bucket,
    Object,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident => $level:ident,)*) => {
        /// What a principal wants to do; the name is the one that policies use.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// `s3:PutObject` and the like.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("s3:", stringify!($name)),)*
                }
            }

            pub(crate) const fn level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level,)*
                }
            }
        }
    };
}

actions! {
    /// List the buckets that one owns.
    ListAllMyBuckets => Elsewhere,
    /// Create a bucket.
    CreateBucket => Bucket,
    /// Delete an empty bucket.
    DeleteBucket => Bucket,
    /// List objects; also `HeadBucket`.
    ListBucket => Bucket,
    /// Ask for a bucket's region.
    GetBucketLocation => Bucket,
    /// Ask whether the bucket keeps versions.
    GetBucketVersioning => Bucket,
    /// List multipart uploads in progress.
    ListBucketMultipartUploads => Bucket,
    /// Read the bucket policy.
    GetBucketPolicy => Bucket,
    /// Set the bucket policy.
    PutBucketPolicy => Bucket,
    /// Remove the bucket policy.
    DeleteBucketPolicy => Bucket,
    /// Ask whether the bucket policy makes the bucket public.
    GetBucketPolicyStatus => Bucket,
    /// Read the bucket's access control list.
    GetBucketAcl => Bucket,
    /// Set the bucket's access control list.
    PutBucketAcl => Bucket,
    /// Read the bucket's default encryption.
    GetEncryptionConfiguration => Bucket,
    /// Set or remove the bucket's default encryption.
    PutEncryptionConfiguration => Bucket,
    /// Read an object or its metadata, or copy from it.
    GetObject => Object,
    /// Read the sizes, checksums and parts of an object; `GetObject` is needed besides.
    GetObjectAttributes => Object,
    /// Write an object: put, copy to, form post, and every step of a multipart upload.
    PutObject => Object,
    /// Delete an object.
    DeleteObject => Object,
    /// Read an object's access control list.
    GetObjectAcl => Object,
    /// Set an object's access control list.
    PutObjectAcl => Object,
    /// Give an object to another server-held key.
    UpdateObjectEncryption => Object,
    /// Abort a multipart upload.
    AbortMultipartUpload => Object,
    /// List the parts of a multipart upload.
    ListMultipartUploadParts => Object,
}

impl Action {
    /// Whether the action can be done to this kind of resource at all.
    #[must_use]
    pub const fn applies_to(self, resource: &Resource) -> bool {
        matches!(
            (self.level(), resource),
            (Level::Elsewhere, Resource::Service)
                | (Level::Bucket, Resource::Bucket(_))
                | (Level::Object, Resource::Object(..))
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The actions that a policy may name, in lower case: those of the service authorization reference, whether or not
/// anything here performs them. A statement about one that we lack is kept, and simply never meets a request.
pub(crate) fn known() -> impl Iterator<Item = (&'static str, Level)> {
    let tagged = |names: &'static [&'static str], level| names.iter().map(move |name| (*name, level));
    tagged(ELSEWHERE, Level::Elsewhere).chain(tagged(BUCKET, Level::Bucket)).chain(tagged(OBJECT, Level::Object))
}

const OBJECT: &[&str] = &[
    "s3:abortmultipartupload",
    "s3:bypassgovernanceretention",
    "s3:deleteobject",
    "s3:deleteobjecttagging",
    "s3:deleteobjectversion",
    "s3:deleteobjectversiontagging",
    "s3:getobject",
    "s3:getobjectacl",
    "s3:getobjectattributes",
    "s3:getobjectlegalhold",
    "s3:getobjectretention",
    "s3:getobjecttagging",
    "s3:getobjecttorrent",
    "s3:getobjectversion",
    "s3:getobjectversionacl",
    "s3:getobjectversionattributes",
    "s3:getobjectversionforreplication",
    "s3:getobjectversiontagging",
    "s3:getobjectversiontorrent",
    "s3:initiatereplication",
    "s3:listmultipartuploadparts",
    "s3:objectowneroverridetobucketowner",
    "s3:putobject",
    "s3:putobjectacl",
    "s3:putobjectlegalhold",
    "s3:putobjectretention",
    "s3:putobjecttagging",
    "s3:putobjectversionacl",
    "s3:putobjectversiontagging",
    "s3:replicatedelete",
    "s3:replicateobject",
    "s3:replicatetags",
    "s3:restoreobject",
    "s3:updateobjectencryption",
];

const BUCKET: &[&str] = &[
    "s3:createbucket",
    "s3:createbucketmetadatatableconfiguration",
    "s3:deletebucket",
    "s3:deletebucketmetadatatableconfiguration",
    "s3:deletebucketownershipcontrols",
    "s3:deletebucketpolicy",
    "s3:deletebucketpublicaccessblock",
    "s3:deletebuckettagging",
    "s3:deletebucketwebsite",
    "s3:getaccelerateconfiguration",
    "s3:getanalyticsconfiguration",
    "s3:getbucketabac",
    "s3:getbucketacl",
    "s3:getbucketcors",
    "s3:getbucketlocation",
    "s3:getbucketlogging",
    "s3:getbucketmetadatatableconfiguration",
    "s3:getbucketnotification",
    "s3:getbucketobjectlockconfiguration",
    "s3:getbucketownershipcontrols",
    "s3:getbucketpolicy",
    "s3:getbucketpolicystatus",
    "s3:getbucketpublicaccessblock",
    "s3:getbucketrequestpayment",
    "s3:getbuckettagging",
    "s3:getbucketversioning",
    "s3:getbucketwebsite",
    "s3:getencryptionconfiguration",
    "s3:getintelligenttieringconfiguration",
    "s3:getinventoryconfiguration",
    "s3:getlifecycleconfiguration",
    "s3:getmetricsconfiguration",
    "s3:getreplicationconfiguration",
    "s3:listbucket",
    "s3:listbucketmultipartuploads",
    "s3:listbucketversions",
    "s3:listtagsforresource",
    "s3:putaccelerateconfiguration",
    "s3:putanalyticsconfiguration",
    "s3:putbucketabac",
    "s3:putbucketacl",
    "s3:putbucketcors",
    "s3:putbucketlogging",
    "s3:putbucketnotification",
    "s3:putbucketobjectlockconfiguration",
    "s3:putbucketownershipcontrols",
    "s3:putbucketpolicy",
    "s3:putbucketpublicaccessblock",
    "s3:putbucketrequestpayment",
    "s3:putbuckettagging",
    "s3:putbucketversioning",
    "s3:putbucketwebsite",
    "s3:putencryptionconfiguration",
    "s3:putintelligenttieringconfiguration",
    "s3:putinventoryconfiguration",
    "s3:putlifecycleconfiguration",
    "s3:putmetricsconfiguration",
    "s3:putreplicationconfiguration",
    "s3:tagresource",
    "s3:untagresource",
    "s3:updatebucketmetadatainventorytableconfiguration",
    "s3:updatebucketmetadatajournaltableconfiguration",
];

const ELSEWHERE: &[&str] = &[
    "s3:createaccesspoint",
    "s3:createjob",
    "s3:createmultiregionaccesspoint",
    "s3:deleteaccesspoint",
    "s3:deleteaccesspointpolicy",
    "s3:describejob",
    "s3:getaccesspoint",
    "s3:getaccesspointpolicy",
    "s3:getaccountpublicaccessblock",
    "s3:listaccesspoints",
    "s3:listallmybuckets",
    "s3:listjobs",
    "s3:putaccesspointpolicy",
    "s3:putaccountpublicaccessblock",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_known_at_the_same_level() {
        for action in Action::ALL {
            let name = action.as_str().to_ascii_lowercase();
            assert!(known().any(|known| known == (name.as_str(), action.level())), "{action}");
        }
    }

    #[test]
    fn known_names_are_lower_case_and_unique() {
        let mut names: Vec<_> = known().map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| name.starts_with("s3:") && *name == name.to_ascii_lowercase()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
