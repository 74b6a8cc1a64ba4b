use std::sync::Arc;

use operations::{
    AuthorizeError, CannedAcl, CreateBucketError, Created, DeleteBucketError, GetPolicyError, PolicyError,
    PutObjectError,
};
use policy::Action;
use storage::faults::Faults;
use storage::memory::MemoryStore;
use storage::{Metadata, Partition, Scope, Table};

use crate::damage::{Place, forge, places};
use crate::multipart::{abort, create, upload_part};
use crate::support::{BUCKET, MODES, Site, body, bucket_name, caller, owner, pattern, put_request, user};

async fn delete(site: &Site) -> Result<(), DeleteBucketError> {
    let granted = site.bucket_grant(Action::DeleteBucket).await;
    site.operations.buckets.delete(&granted).await
}

#[tokio::test]
async fn a_bucket_created_again_by_its_owner_stays_as_it_is() {
    let site = Site::new().await;
    let before = site.bucket().await;
    site.clock.set(1_800_000_000_000);
    assert_eq!(site.create_bucket(BUCKET).await, Created::Already);
    let after = site.bucket().await;
    assert_eq!((before.id, before.created), (after.id, after.created));
}

#[tokio::test]
async fn a_bucket_of_someone_else_cannot_be_created() {
    let site = Site::new().await;
    let granted = site.operations.authorizer.new_bucket(&caller(&user("another")), &bucket_name(BUCKET)).unwrap();
    let refused = site.operations.buckets.create(&granted, CannedAcl::PublicRead, "").await;
    assert!(matches!(refused, Err(CreateBucketError::Exists(_))));
    assert_eq!((site.bucket().await.owner.clone(), site.bucket().await.acl), (owner(), CannedAcl::Private));
}

#[tokio::test]
async fn a_location_names_a_placement_behind_its_colon_and_one_that_is_unknown_makes_no_bucket() {
    let store = MemoryStore::with_placements(&["cou"]);
    let ports = (Arc::new(store.clone()), Arc::new(store.clone()));
    let site = Site::over(store, Faults::default(), ports.0, ports.1).await;
    let create = async |name: &str, location: &str| {
        let granted = site.operations.authorizer.new_bucket(&caller(&owner()), &bucket_name(name)).unwrap();
        site.operations.buckets.create(&granted, CannedAcl::Private, location).await
    };
    for (index, location) in ["", "EU", "EU:", ":", ":cou", "default:cou"].into_iter().enumerate() {
        assert_eq!(create(&format!("bucket-{index}"), location).await.unwrap(), Created::New, "{location}");
    }
    for location in [":brno", "EU:brno", ":Cou", ":cou:cou"] {
        let refused = create("fresh", location).await;
        assert!(matches!(refused, Err(CreateBucketError::Location(_))), "{location}");
        let (caller, name) = (caller(&owner()), bucket_name("fresh"));
        let found = site.operations.authorizer.bucket(&caller, Action::ListBucket, &name).await;
        assert!(matches!(found, Err(AuthorizeError::NoSuchBucket(_))), "{location}");
    }
}

#[tokio::test]
async fn each_owner_lists_the_own_buckets_by_name() {
    let site = Site::new().await;
    for name in ["zebra", "apple"] {
        site.create_bucket(name).await;
    }
    let another = caller(&user("another"));
    let granted = site.operations.authorizer.new_bucket(&another, &bucket_name("mine")).unwrap();
    site.operations.buckets.create(&granted, CannedAcl::Private, "somewhere").await.unwrap();
    for (caller, expected) in [(caller(&owner()), vec!["apple", BUCKET, "zebra"]), (another, vec!["mine"])] {
        let granted = site.operations.authorizer.service(&caller, Action::ListAllMyBuckets).unwrap();
        let buckets = site.operations.buckets.list(&granted).await.unwrap();
        assert_eq!(buckets.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_bucket_with_an_object_is_not_deleted_and_goes_on_working() {
    let site = Site::new().await;
    for seed in MODES {
        site.put("object", b"bytes", seed).await.unwrap();
        assert!(matches!(delete(&site).await, Err(DeleteBucketError::NotEmpty(_))));
        site.put("object", b"other", seed).await.unwrap();
        assert_eq!(site.get("object", seed).await.unwrap(), b"other");
    }
    site.delete("object").await;
    delete(&site).await.unwrap();
    assert_eq!(site.store.record_count(), 0);
    let gone = site.operations.authorizer.bucket(&caller(&owner()), Action::ListBucket, &bucket_name(BUCKET)).await;
    assert!(matches!(gone, Err(AuthorizeError::NoSuchBucket(_))));
}

#[tokio::test]
async fn deleting_a_bucket_ends_its_uploads() {
    let site = Site::new().await;
    for object in ["a", "b", "c"] {
        for seed in MODES {
            let upload = create(&site, object, seed).await;
            for number in 1..4 {
                upload_part(&site, object, upload, number, &pattern(9_000, 1), seed).await.unwrap();
            }
        }
    }
    assert_eq!(site.store.blob_count(), 18);
    delete(&site).await.unwrap();
    assert_eq!((site.store.record_count(), site.store.blob_count()), (0, 0));
}

#[tokio::test]
async fn more_uploads_than_a_page_holds_end_with_their_bucket() {
    let site = Site::new().await;
    for _ in 0..1_001 {
        create(&site, "object", None).await;
    }
    let upload = create(&site, "object", None).await;
    for number in 1..=1_001 {
        upload_part(&site, "object", upload, number, b"part", None).await.unwrap();
    }
    let short = create(&site, "object", None).await;
    abort(&site, "object", short).await.unwrap();
    delete(&site).await.unwrap();
    assert_eq!((site.store.record_count(), site.store.blob_count()), (0, 0));
}

#[tokio::test]
async fn a_deletion_that_a_crash_cut_short_is_finished_by_the_next_creation() {
    let site = Site::new().await;
    let upload = create(&site, "object", None).await;
    upload_part(&site, "object", upload, 1, b"part", None).await.unwrap();
    let before = site.bucket().await;
    site.store.retire(Scope::bucket(before.id), &[Table(16)]).await.unwrap();

    let late = site.put("object", b"late", None).await;
    assert!(matches!(late, Err(PutObjectError::NoSuchBucket(_))));
    assert_eq!(site.create_bucket(BUCKET).await, Created::New);
    assert_ne!(site.bucket().await.id, before.id);
    site.assert_nothing_is_stored();
    site.put("object", b"bytes", None).await.unwrap();
    assert_eq!(site.get("object", None).await.unwrap(), b"bytes");
}

#[tokio::test]
async fn a_deletion_that_a_crash_cut_short_can_be_asked_for_again() {
    let site = Site::new().await;
    let upload = create(&site, "object", None).await;
    upload_part(&site, "object", upload, 1, b"part", None).await.unwrap();
    site.store.retire(Scope::bucket(site.bucket().await.id), &[Table(16)]).await.unwrap();
    delete(&site).await.unwrap();
    assert_eq!((site.store.record_count(), site.store.blob_count()), (0, 0));
}

#[tokio::test]
async fn a_grant_of_an_earlier_life_of_a_bucket_does_nothing_to_the_next() {
    let site = Site::new().await;
    let stale_put = site.grant(Action::PutObject, "object").await;
    let stale_acl = site.bucket_grant(Action::PutBucketAcl).await;
    let stale_delete = site.bucket_grant(Action::DeleteBucket).await;
    delete(&site).await.unwrap();
    site.create_bucket(BUCKET).await;
    let put = site.operations.objects.put_object(&stale_put, put_request(body(b"bytes"), None)).await;
    assert!(matches!(put, Err(PutObjectError::NoSuchBucket(_))));
    assert!(site.operations.buckets.put_acl(&stale_acl, CannedAcl::PublicRead).await.is_err());
    assert!(matches!(site.operations.buckets.delete(&stale_delete).await, Err(DeleteBucketError::NoSuchBucket(_))));
    assert_eq!(site.bucket().await.acl, CannedAcl::Private);
    site.put("object", b"bytes", None).await.unwrap();
}

#[tokio::test]
async fn a_policy_is_kept_as_it_was_put_and_a_malformed_one_changes_nothing() {
    let site = Site::new().await;
    let buckets = &site.operations.buckets;
    let get = async || {
        let granted = site.bucket_grant(Action::GetBucketPolicy).await;
        buckets.policy(&granted).map(<[u8]>::to_vec)
    };
    assert!(matches!(get().await, Err(GetPolicyError::NoPolicy(_))));
    let text = br#"{ "Version":"2018-05-24", "Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
    let granted = site.bucket_grant(Action::PutBucketPolicy).await;
    buckets.put_policy(&granted, text).await.unwrap();
    let malformed = buckets.put_policy(&granted, b"{").await;
    assert!(matches!(malformed, Err(PolicyError::Malformed(_))));
    assert_eq!(get().await.unwrap(), text);
    let granted = site.bucket_grant(Action::GetBucketPolicyStatus).await;
    assert!(buckets.policy_is_public(&granted).unwrap());
    let granted = site.bucket_grant(Action::DeleteBucketPolicy).await;
    buckets.delete_policy(&granted).await.unwrap();
    buckets.delete_policy(&granted).await.unwrap();
    assert!(matches!(get().await, Err(GetPolicyError::NoPolicy(_))));
}

#[tokio::test]
async fn a_bucket_s_leftovers_go_in_one_commit_for_each_object_key_and_page() {
    let (site, counts) = Site::counting().await;
    for object in ["a", "b"] {
        let upload = create(&site, object, None).await;
        for number in 1..=20 {
            upload_part(&site, object, upload, number, b"part", None).await.unwrap();
        }
    }
    counts.take_commits();
    delete(&site).await.unwrap();
    assert_eq!(counts.take_commits(), 2 + 2 + 1, "uploads, parts, the bucket");
    assert_eq!((site.store.record_count(), site.store.blob_count()), (0, 0));
}

#[tokio::test]
async fn nobody_has_more_buckets_than_allowed() {
    let site = Site::new().await;
    let (place, value) = places(&site).await.remove(0);
    assert_eq!(place.0.scope, Scope::SYSTEM);
    // As if the owner had created them.
    for number in 1..10_000 {
        let partition = Partition::new(Scope::SYSTEM, format!("bucket-{number}"));
        let payload = value[..value.len() - envelope::RECORD_TAG_LEN].to_vec();
        forge(&site, &Place(partition, place.1.clone()), payload).await;
    }
    let create = async |principal: &model::Principal, name: &str| {
        let granted = site.operations.authorizer.new_bucket(&caller(principal), &bucket_name(name)).unwrap();
        site.operations.buckets.create(&granted, CannedAcl::Private, "").await
    };
    let refused = create(&owner(), "one-more").await;
    assert!(matches!(refused, Err(CreateBucketError::TooMany(_))));
    assert_eq!(create(&owner(), BUCKET).await.unwrap(), Created::Already);
    assert_eq!(create(&user("another"), "one-more").await.unwrap(), Created::New);
    delete(&site).await.unwrap();
    assert_eq!(create(&owner(), BUCKET).await.unwrap(), Created::New);
}
