//! What the fuzz target of this crate does with text that nobody wrote (fuzz/README.md). A test at the end feeds it with
//! the corpus that fuzzing has found.

use model::{AccountId, BucketName, ObjectKey, Principal, UserName};

use crate::{Action, Context, Policy, Resource, Standing, authorize};

/// Documents of bucket policies: whether it is one. If so, it is evaluated for several requests.
///
/// # Panics
/// When a decision depends on anything but its inputs, or breaks what no policy can change: owners reach their own
/// policy, an action is done to its own kind of resource, a permit is for what was asked.
#[must_use]
pub fn policy(data: &[u8]) -> bool {
    let bucket = BucketName::parse("bucket").expect("a name of a bucket");
    let Ok(policy) = Policy::parse(data, &bucket) else { return false };
    let again = Policy::parse(data, &bucket).expect("it was parsed before");
    assert_eq!((policy.is_public(), policy.warnings()), (again.is_public(), again.warnings()));
    assert_eq!(policy.bucket(), &bucket);
    for principal in principals() {
        for resource in resources(&bucket) {
            for context in contexts() {
                for action in ACTIONS {
                    judge(&policy, &principal, action, &resource, &context);
                }
            }
        }
    }
    true
}

fn judge(policy: &Policy, principal: &Principal, action: Action, resource: &Resource, context: &Context) {
    let [root, owner, ..] = principals();
    let standing = Standing { owner: Some(&owner), policy: Some(policy), acl_allows: false };
    let decide = |standing| authorize(principal, action, resource.clone(), context, standing);
    let (first, second) = (decide(&standing), decide(&standing));
    assert_eq!(first.is_ok(), second.is_ok(), "two answers to one question");
    assert!(first.is_err() || action.applies_to(resource), "done to another kind of resource");
    let on_policy = matches!(action, Action::GetBucketPolicy | Action::PutBucketPolicy);
    if on_policy && action.applies_to(resource) && (*principal == owner || *principal == root) {
        assert!(first.is_ok(), "the policy locks its owner out");
    }
    if let Ok(permit) = first {
        assert_eq!((permit.principal(), permit.action(), permit.resource()), (principal, action, resource));
    }
}

fn principals() -> [Principal; 4] {
    let account = AccountId::parse("111122223333").expect("twelve digits");
    let user = |name| Principal::User(account.clone(), UserName::parse(name).expect("a name of a user"));
    [Principal::Root(account.clone()), user("owner"), user("alice"), Principal::Anonymous]
}

fn resources(bucket: &BucketName) -> [Resource; 3] {
    let object = ObjectKey::parse("a/b.txt").expect("a name of an object");
    [Resource::Service, Resource::Bucket(bucket.clone()), Resource::Object(bucket.clone(), object)]
}

fn contexts() -> [Context; 2] {
    let full = Context::new()
        .with("aws:SecureTransport", "true")
        .with("aws:SourceIp", "192.0.2.7")
        .with("aws:CurrentTime", "2026-11-25T02:03:04Z")
        .with("aws:EpochTime", "1795572184")
        .with("s3:x-amz-server-side-encryption", "AES256")
        .with("s3:prefix", "a/")
        .with("s3:max-keys", "1000")
        .with("s3:signatureversion", "AWS4-HMAC-SHA256");
    [Context::new(), full]
}

const ACTIONS: [Action; 5] =
    [Action::GetObject, Action::PutObject, Action::ListBucket, Action::GetBucketPolicy, Action::PutBucketPolicy];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_of_fuzzing_breaks_no_promise_and_is_not_refused_as_a_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/policy");
        let mut policies = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Shown when the input breaks something.
            println!("{}", path.display());
            policies += usize::from(policy(&fs::read(path).unwrap()));
        }
        assert!(policies > 10, "{policies}");
    }
}
