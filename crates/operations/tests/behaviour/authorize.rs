//! Who may do what. Each table names every action, so that a new one does not compile, or fails, until it is decided.

use model::{BucketName, Principal};
use operations::{
    AuthorizeError, BucketEncryption, CannedAcl, CreateMultipartUpload, Fault, Granted, ListObjects, ReadError,
};
use operations::{ListPartsError, ObjectMetadata, PutObjectError, RequestedEncryption, WriteEncryption};
use policy::Action;

use crate::support::{
    BUCKET, Site, account, body, bucket_name, caller, object_key, owner, put_request, user, with_seed,
};

/// What an action is done to.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    Service,
    Bucket,
    Object,
}

/// Whether everyone may, once a canned `public-read` stands on the bucket or the object.
#[derive(Clone, Copy, PartialEq)]
enum Public {
    Never,
    WithBucketAcl,
    WithObjectAcl,
}

/// The decision for every action. There is no default: a new action has to be added here.
const fn decision(action: Action) -> (Target, Public) {
    match action {
        Action::ListAllMyBuckets => (Target::Service, Public::Never),
        Action::ListBucket | Action::ListBucketMultipartUploads => (Target::Bucket, Public::WithBucketAcl),
        Action::CreateBucket
        | Action::DeleteBucket
        | Action::GetBucketLocation
        | Action::GetBucketVersioning
        | Action::GetBucketPolicy
        | Action::PutBucketPolicy
        | Action::DeleteBucketPolicy
        | Action::GetBucketPolicyStatus
        | Action::GetBucketAcl
        | Action::PutBucketAcl
        | Action::GetEncryptionConfiguration
        | Action::PutEncryptionConfiguration => (Target::Bucket, Public::Never),
        Action::GetObject => (Target::Object, Public::WithObjectAcl),
        Action::PutObject
        | Action::GetObjectAttributes
        | Action::DeleteObject
        | Action::GetObjectAcl
        | Action::PutObjectAcl
        | Action::UpdateObjectEncryption
        | Action::AbortMultipartUpload
        | Action::ListMultipartUploadParts => (Target::Object, Public::Never),
    }
}

async fn authorize(
    site: &Site,
    principal: &Principal,
    action: Action,
    object: &str,
) -> Result<Granted, AuthorizeError> {
    let (name, caller) = (bucket_name(BUCKET), caller(principal));
    match decision(action).0 {
        Target::Service => site.operations.authorizer.service(&caller, action),
        Target::Bucket => site.operations.authorizer.bucket(&caller, action, &name).await,
        Target::Object => site.operations.authorizer.object(&caller, action, &name, &object_key(object)).await,
    }
}

async fn may(site: &Site, principal: &Principal, action: Action, object: &str) -> bool {
    match authorize(site, principal, action, object).await {
        Ok(granted) => {
            assert_eq!(granted.principal(), principal);
            true
        }
        Err(AuthorizeError::Denied(_) | AuthorizeError::NoSuchKey(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn set_bucket_acl(site: &Site, acl: CannedAcl) {
    let granted = site.bucket_grant(Action::PutBucketAcl).await;
    site.operations.buckets.put_acl(&granted, acl).await.unwrap();
}

async fn set_object_acl(site: &Site, object: &str, acl: CannedAcl) {
    let granted = site.grant(Action::PutObjectAcl, object).await;
    site.operations.objects.put_object_acl(&granted, acl).await.unwrap();
    let granted = site.grant(Action::GetObjectAcl, object).await;
    assert_eq!(site.operations.objects.object_acl(&granted).await.unwrap(), acl);
}

async fn set_policy(site: &Site, text: &str) {
    let granted = site.bucket_grant(Action::PutBucketPolicy).await;
    site.operations.buckets.put_policy(&granted, text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn each_action_is_for_the_owner_and_root_and_for_others_only_as_decided() {
    let site = Site::new().await;
    for object in ["private", "public"] {
        site.put(object, b"bytes", None).await.unwrap();
    }
    set_object_acl(&site, "public", CannedAcl::PublicRead).await;
    for bucket_acl in [CannedAcl::Private, CannedAcl::PublicRead] {
        set_bucket_acl(&site, bucket_acl).await;
        for &action in Action::ALL {
            for object in ["private", "public", "absent"] {
                let (target, public) = decision(action);
                let to_everyone = match public {
                    Public::Never => false,
                    Public::WithBucketAcl => bucket_acl == CannedAcl::PublicRead,
                    Public::WithObjectAcl => object == "public",
                };
                let to_signed = target == Target::Service || action == Action::CreateBucket;
                for (principal, expected) in [
                    (owner(), true),
                    (Principal::Root(account()), true),
                    (user("another"), to_everyone || to_signed),
                    (Principal::Anonymous, to_everyone),
                ] {
                    let allowed = may(&site, &principal, action, object).await;
                    assert_eq!(allowed, expected, "{action} on {object} by {principal:?}, {bucket_acl:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_policy_allows_and_denies_at_once_and_binds_the_owner_too() {
    let site = Site::new().await;
    site.put("object", b"bytes", None).await.unwrap();
    set_object_acl(&site, "object", CannedAcl::PublicRead).await;
    let statement = |effect, action| {
        format!(
            r#"{{"Effect":"{effect}","Principal":"*","Action":"{action}","Resource":["arn:aws:s3:::bucket/*","arn:aws:s3:::bucket"]}}"#
        )
    };
    let policy = |effect, action| format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statement(effect, action));
    let everyone = [owner(), Principal::Root(account()), user("another"), Principal::Anonymous];

    set_policy(&site, &policy("Allow", "s3:PutObject")).await;
    for principal in &everyone {
        assert!(may(&site, principal, Action::PutObject, "object").await, "{principal:?}");
    }
    assert!(!may(&site, &Principal::Anonymous, Action::DeleteObject, "object").await);
    set_policy(&site, &policy("Deny", "s3:GetObject")).await;
    for principal in &everyone {
        assert!(!may(&site, principal, Action::GetObject, "object").await, "{principal:?}");
    }
    let granted = site.bucket_grant(Action::DeleteBucketPolicy).await;
    site.operations.buckets.delete_policy(&granted).await.unwrap();
    assert!(may(&site, &Principal::Anonymous, Action::GetObject, "object").await);
}

#[tokio::test]
async fn only_who_may_list_learns_that_an_object_is_absent() {
    let site = Site::new().await;
    let knows = async |principal: &Principal| {
        authorize(&site, principal, Action::GetObject, "absent").await.is_ok_and(|granted| granted.may_list())
    };
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
    set_policy(&site, policy).await;
    assert!(knows(&owner()).await && knows(&Principal::Root(account())).await);
    assert!(!knows(&user("another")).await && !knows(&Principal::Anonymous).await);
    set_bucket_acl(&site, CannedAcl::PublicRead).await;
    assert!(knows(&user("another")).await && knows(&Principal::Anonymous).await);
}

#[tokio::test]
async fn a_missing_object_is_told_as_such_to_whom_the_bucket_is_public() {
    let site = Site::new().await;
    site.put("private", b"bytes", None).await.unwrap();
    for (bucket_acl, told) in [(CannedAcl::Private, false), (CannedAcl::PublicRead, true)] {
        set_bucket_acl(&site, bucket_acl).await;
        for principal in [user("another"), Principal::Anonymous] {
            let absent = authorize(&site, &principal, Action::GetObject, "absent").await;
            assert_eq!(matches!(absent, Err(AuthorizeError::NoSuchKey(_))), told, "{principal:?}");
            let private = authorize(&site, &principal, Action::GetObject, "private").await;
            assert!(matches!(private, Err(AuthorizeError::Denied(_))));
            let write = authorize(&site, &principal, Action::PutObject, "absent").await;
            assert!(matches!(write, Err(AuthorizeError::Denied(_))));
        }
    }
}

#[tokio::test]
async fn a_right_to_list_one_prefix_tells_of_absent_objects_there_only() {
    let site = Site::new().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket","Condition":{"StringLike":{"s3:prefix":"public/*"}}}]}"#;
    set_policy(&site, policy).await;
    let (authorizer, name) = (&site.operations.authorizer, bucket_name(BUCKET));
    for (object, told) in [("public/absent", true), ("private/absent", false)] {
        let mut caller = caller(&Principal::Anonymous);
        caller.context.set("s3:prefix", "public/absent");
        let absent = authorizer.object(&caller, Action::GetObject, &name, &object_key(object)).await;
        assert_eq!(matches!(absent, Err(AuthorizeError::NoSuchKey(_))), told, "{object}");
        assert_eq!(matches!(absent, Err(AuthorizeError::Denied(_))), !told, "{object}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_told_as_such() {
    let site = Site::new().await;
    let absent: BucketName = bucket_name("absent");
    let authorizer = &site.operations.authorizer;
    let bucket = authorizer.bucket(&caller(&owner()), Action::ListBucket, &absent).await;
    assert!(matches!(bucket, Err(AuthorizeError::NoSuchBucket(_))));
    let object = authorizer.object(&caller(&owner()), Action::GetObject, &absent, &object_key("object")).await;
    assert!(matches!(object, Err(AuthorizeError::NoSuchBucket(_))));
}

/// Whether an operation took the grant: everything but a refusal of the grant itself.
fn took<T, E: std::fmt::Display>(result: &Result<T, E>) -> bool {
    result.as_ref().err().is_none_or(|error| error.to_string() != operations::NotCovered.to_string())
}

/// The actions whose grants an operation on an object takes.
async fn taken_by(site: &Site, granted: &Granted, readable: &Granted) -> Vec<Action> {
    let (objects, uploads) = (&site.operations.objects, &site.operations.uploads);
    let upload = model::UploadId::from_bytes([0; 16]);
    let create = CreateMultipartUpload {
        metadata: ObjectMetadata::default(),
        acl: CannedAcl::Private,
        encryption: WriteEncryption::Server,
        requested: RequestedEncryption::default(),
        checksum: None,
        full_object_checksum: false,
    };
    let list_parts = operations::ListParts { upload, after: None, limit: 1, customer_key: None };
    let completion = crate::multipart::completion(upload, Vec::new(), None);
    let part = operations::UploadPart { upload, number: model::PartNumber::ONE, customer_key: None, body: body(b"") };
    let puts = [
        took(&objects.put_object(granted, put_request(body(b""), None)).await),
        took(&uploads.create(granted, create).await),
        took(&uploads.upload_part(granted, part).await),
        took(&uploads.complete(granted, completion).await),
    ];
    assert!(puts.iter().all(|taken| *taken == puts[0]), "every write takes the same grant");
    let taken = [
        (Action::GetObject, took(&objects.get_object(granted, &with_seed(None)).await)),
        (Action::GetObject, took(&objects.head_object(granted, &with_seed(None)).await)),
        (Action::PutObject, puts[0]),
        (Action::GetObjectAttributes, took(&objects.get_object_attributes(granted, readable, None).await)),
        (Action::GetObjectAcl, took(&objects.object_acl(granted).await)),
        (Action::PutObjectAcl, took(&objects.put_object_acl(granted, CannedAcl::Private).await)),
        (
            Action::UpdateObjectEncryption,
            took(&objects.update_object_encryption(granted, WriteEncryption::Server).await),
        ),
        (Action::AbortMultipartUpload, took(&uploads.abort(granted, upload).await)),
        (Action::ListMultipartUploadParts, took(&uploads.list_parts(granted, &list_parts).await)),
        (Action::DeleteObject, took(&objects.delete_object(granted).await)),
        (Action::ListBucket, took(&objects.list_objects(granted, &ListObjects::default()).await)),
        (Action::ListBucketMultipartUploads, took(&uploads.list(granted, &operations::ListUploads::default()).await)),
        (Action::CreateBucket, took(&site.operations.buckets.create(granted, CannedAcl::Private, "").await)),
        (Action::ListAllMyBuckets, took(&site.operations.buckets.list(granted).await)),
        (Action::PutBucketPolicy, took(&site.operations.buckets.put_policy(granted, b"{}").await)),
        (Action::DeleteBucketPolicy, took(&site.operations.buckets.delete_policy(granted).await)),
        (Action::GetBucketPolicy, took(&site.operations.buckets.policy(granted))),
        (Action::GetBucketPolicyStatus, took(&site.operations.buckets.policy_is_public(granted))),
        (Action::PutBucketAcl, took(&site.operations.buckets.put_acl(granted, CannedAcl::Private).await)),
        (Action::GetEncryptionConfiguration, took(&site.operations.buckets.encryption(granted))),
        (
            Action::PutEncryptionConfiguration,
            took(&site.operations.buckets.put_encryption(granted, BucketEncryption::default()).await),
        ),
        (Action::PutEncryptionConfiguration, took(&site.operations.buckets.delete_encryption(granted).await)),
    ];
    let mut taken: Vec<Action> = taken.into_iter().filter(|(_, taken)| *taken).map(|(action, _)| action).collect();
    taken.dedup();
    taken
}

#[tokio::test]
async fn a_grant_serves_its_own_action_and_no_other() {
    let site = Site::new().await;
    let readable = site.grant(Action::GetObject, "object").await;
    for &action in Action::ALL {
        // Deleting the bucket is tried elsewhere: nothing would be left to try. The others are only facts.
        let only_facts = matches!(
            action,
            Action::DeleteBucket | Action::GetBucketLocation | Action::GetBucketVersioning | Action::GetBucketAcl
        );
        let granted = match action {
            Action::CreateBucket => {
                site.operations.authorizer.new_bucket(&caller(&owner()), &bucket_name("fresh")).unwrap()
            }
            _ => authorize(&site, &owner(), action, "object").await.unwrap(),
        };
        let expected = if only_facts { Vec::new() } else { vec![action] };
        assert_eq!(taken_by(&site, &granted, &readable).await, expected, "{action}");
    }
}

#[tokio::test]
async fn a_refused_grant_changes_nothing() {
    let site = Site::new().await;
    let granted = site.grant(Action::GetObject, "object").await;
    let refused = site.operations.objects.put_object(&granted, put_request(body(b"bytes"), None)).await;
    assert!(matches!(refused, Err(PutObjectError::Fault(Fault::NotCovered(_)))));
    let granted = site.grant(Action::PutObject, "object").await;
    let refused = site.operations.objects.get_object(&granted, &with_seed(None)).await;
    assert!(matches!(refused.err(), Some(ReadError::Fault(Fault::NotCovered(_)))));
    let list = operations::ListParts {
        upload: model::UploadId::from_bytes([0; 16]),
        after: None,
        limit: 1,
        customer_key: None,
    };
    let refused = site.operations.uploads.list_parts(&granted, &list).await;
    assert!(matches!(refused, Err(ListPartsError::Fault(Fault::NotCovered(_)))));
    let refused = site.operations.buckets.delete(&granted).await;
    assert!(matches!(refused, Err(operations::DeleteBucketError::Fault(Fault::NotCovered(_)))));
    site.assert_nothing_is_stored();
}

#[tokio::test]
async fn a_grant_by_the_acl_of_an_object_does_not_reach_a_private_version() {
    let site = Site::new().await;
    site.put("object", b"public", None).await.unwrap();
    set_object_acl(&site, "object", CannedAcl::PublicRead).await;
    let granted = authorize(&site, &Principal::Anonymous, Action::GetObject, "object").await.unwrap();
    site.put("object", b"private", None).await.unwrap();

    let get = operations::GetObject::default();
    let read = site.operations.objects.get_object(&granted, &get).await;
    assert!(matches!(read, Err(ReadError::NotPublic(_))));
    let head = site.operations.objects.head_object(&granted, &get).await;
    assert!(matches!(head, Err(ReadError::NotPublic(_))));
}
