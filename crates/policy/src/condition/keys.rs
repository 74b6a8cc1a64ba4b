//! The condition keys that exist on AWS for S3, and which actions can carry them.
//!
//! A policy may use any of them; one that is not in [`CARRIED`] is missing in every request here. The other lists are
//! those of the service authorization reference ("Actions, resources, and condition keys for Amazon S3") and of the IAM user guide
//! ("AWS global condition context keys").

/// Whether S3 has a condition key of this name.
pub(crate) fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    GLOBAL.contains(&name.as_str())
        || S3.contains(&name.as_str())
        || BOUND.iter().any(|(names, _)| names.contains(&name.as_str()))
        || TAGS.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|tag| !tag.is_empty()))
}

/// The actions, in lower case, that can carry the key; `None` when any can.
pub(crate) fn carriers(name: &str) -> Option<&'static [&'static str]> {
    let name = name.to_ascii_lowercase();
    BOUND.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, actions)| *actions)
}

/// Whether any request here can carry the key. Which it is then, the caller that fills the [`crate::Context`] decides.
pub(crate) fn is_carried(name: &str) -> bool {
    CARRIED.contains(&name.to_ascii_lowercase().as_str())
}

/// What [`crate::Context::describe`] sets, and what the front sets from the request.
const CARRIED: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceip",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "s3:authtype",
    "s3:delimiter",
    "s3:if-match",
    "s3:if-none-match",
    "s3:max-keys",
    "s3:objectcreationoperation",
    "s3:prefix",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
];

/// Keys that only some actions carry. Kept to those where the reference leaves no doubt: refusing a policy that AWS
/// takes is worse than keeping a condition that never meets its key.
const BOUND: &[(&[&str], &[&str])] = &[
    (
        &["s3:prefix", "s3:delimiter", "s3:max-keys"],
        &["s3:listbucket", "s3:listbucketversions", "s3:listbucketmultipartuploads"],
    ),
    (
        &[
            "s3:x-amz-server-side-encryption",
            "s3:x-amz-server-side-encryption-aws-kms-key-id",
            "s3:x-amz-server-side-encryption-customer-algorithm",
        ],
        &["s3:putobject", "s3:replicateobject", "s3:getobject", "s3:getobjectversion", "s3:updateobjectencryption"],
    ),
    (&["s3:x-amz-copy-source", "s3:x-amz-metadata-directive", "s3:if-none-match"], &["s3:putobject"]),
    (&["s3:if-match"], &["s3:putobject", "s3:deleteobject", "s3:deleteobjectversion"]),
    (&["s3:locationconstraint"], &["s3:createbucket", "s3:createaccesspoint"]),
];

const S3: &[&str] = &[
    "s3:accessgrantsinstancearn",
    "s3:accesspointnetworkorigin",
    "s3:accesspointtag",
    "s3:authtype",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:destinationregion",
    "s3:existingjoboperation",
    "s3:existingjobpriority",
    "s3:inventoryaccessibleoptionalfields",
    "s3:isreplicationpauserequest",
    "s3:jobsuspendedcause",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:objectcreationoperation",
    "s3:requestjoboperation",
    "s3:requestjobpriority",
    "s3:requestobjecttagkeys",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-object-ownership",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
];

const GLOBAL: &[&str] = &[
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:currenttime",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:epochtime",
    "aws:federatedprovider",
    "aws:ismcpserviceaction",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
];

const TAGS: &[&str] = &[
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "s3:accesspointtag/",
    "s3:buckettag/",
    "s3:existingobjecttag/",
    "s3:requestobjecttag/",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_whatever_their_case() {
        for name in [
            "s3:x-amz-server-side-encryption",
            "s3:X-Amz-Server-Side-Encryption-Customer-Algorithm",
            "aws:SecureTransport",
            "AWS:sourceip",
            "s3:signatureversion",
            "s3:ExistingObjectTag/security",
        ] {
            assert!(is_known(name), "{name}");
        }
    }

    #[test]
    fn every_carried_key_is_a_known_one() {
        for name in CARRIED {
            assert!(is_known(name), "{name}");
        }
    }

    #[test]
    fn invented_names_are_unknown() {
        for name in ["", "s3:", "s3:x-amz-server-side-encryption-customer-key", "prefix", "aws:RequestTag/", "ec2:Vpc"]
        {
            assert!(!is_known(name), "{name}");
        }
    }
}
