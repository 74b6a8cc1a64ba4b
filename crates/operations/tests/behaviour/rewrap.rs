//! Data keys are wrapped anew while everything goes on: whatever is cut off or comes in between, every object opens, and
//! in the end no retired version is needed.

use envelope::{ContextDigest, KeyId};
use kms::{KeyService as _, KmsWrapRequest};
use model::{EncryptionContext, KmsKeyId, Timestamp};
use operations::{
    CannedAcl, CopyObject, CopySource, HeldBy, KeyCensus, MetadataDirective, Rewrap, Rewrapper, Step, WriteConditions,
    WriteEncryption,
};
use policy::Action;
use storage::faults::{Fault as Injected, Operation};
use storage::{Batch, Metadata as _, Partition, RecordKey, Scope, Table};

use crate::multipart::{PART_LEN_MIN, complete, completion, create, listed, upload_object, upload_part};
use crate::support::{BUCKET, Site, body, owner, pattern, put_request, with_seed};

/// The bodies of some objects: nothing, inline, a blob.
const SIZES: [usize; 3] = [0, 100, 10_000];

fn name(number: usize) -> String {
    format!("object-{number:03}")
}

/// Objects of the server's, and one of a customer's.
async fn filled(site: &Site, count: usize) {
    for number in 0..count {
        site.put(&name(number), &pattern(SIZES[number % 3], number as u64), None).await.unwrap();
    }
    site.put("customer", &pattern(100, 1), Some(7)).await.unwrap();
}

async fn assert_filled(site: &Site, count: usize) {
    for number in 0..count {
        let bytes = site.get(&name(number), None).await.unwrap();
        assert!(bytes == pattern(SIZES[number % 3], number as u64), "{number}");
    }
    assert!(site.get("customer", Some(7)).await.unwrap() == pattern(100, 1));
}

async fn copied(site: &Site, from: &str, to: &str) {
    let from_grant = site.grant(Action::GetObject, from).await;
    let source = CopySource { granted: &from_grant, get: with_seed(None) };
    let copy = CopyObject {
        metadata: MetadataDirective::Copy,
        acl: CannedAcl::Private,
        encryption: WriteEncryption::Server,
        changes_something: false,
        conditions: WriteConditions::default(),
        checksum: None,
    };
    site.operations.objects.copy_object(&site.grant(Action::PutObject, to).await, source, copy).await.unwrap();
}

impl Site {
    fn rewrapper(&self) -> &Rewrapper {
        &self.operations.rewrapper
    }

    async fn census(&self) -> KeyCensus {
        self.rewrapper().census(&|_| ()).await.unwrap()
    }

    /// How many objects and uploads a version of the keyring's key opens.
    async fn held(&self, id: KeyId) -> u64 {
        let count = self.census().await.held_by.get(&HeldBy::Keyring(id)).copied().unwrap_or_default();
        count.objects + count.uploads
    }

    /// Goes on with a rewrap to its end.
    async fn rewrap_to_the_end(&self, mut rewrap: Rewrap) -> Rewrap {
        while self.rewrapper().step(&mut rewrap, &owner(), 10).await.unwrap() != Step::Done {}
        rewrap
    }

    async fn rewrap(&self) -> Rewrap {
        let rewrap = self.rewrapper().begin(0, None).await.unwrap();
        self.rewrap_to_the_end(rewrap).await
    }
}

#[tokio::test]
async fn everything_is_wrapped_anew_and_stays_what_it_is() {
    let site = Site::new().await;
    filled(&site, 30).await;
    let parts = [pattern(PART_LEN_MIN, 1), pattern(5, 2)];
    upload_object(&site, "multipart", &parts, None).await;
    let upload = create(&site, "upload", None).await;
    let part = upload_part(&site, "upload", upload, 1, b"part", None).await.unwrap();
    let before = site.head(&name(2), None).await.unwrap();
    let (old, blobs) = (site.keyring.current(), site.store.blob_count());
    let new = site.keyring.rotate_own().await.unwrap().id;
    site.put("later", b"later", None).await.unwrap();
    assert_eq!((site.held(old).await, site.held(new).await, site.census().await.outdated), (32, 1, 32));

    site.clock.set(1_800_000_000_000);
    let done = site.rewrap().await;
    assert_eq!((done.rewrapped(), done.failed(), done.looked_at()), (32, 0, 34));
    assert_eq!((site.held(old).await, site.held(new).await, site.census().await.outdated), (0, 33, 0));
    assert_eq!(site.rewrapper().under_way().await.unwrap(), None);
    assert_eq!(site.store.blob_count(), blobs, "no byte moves");
    let after = site.head(&name(2), None).await.unwrap();
    assert_eq!((after.version, after.last_modified, after.etag), (before.version, before.last_modified, before.etag));

    assert_filled(&site, 30).await;
    assert!(site.get("multipart", None).await.unwrap() == parts.concat());
    complete(&site, "upload", completion(upload, vec![listed(1, &part.etag)], None)).await.unwrap();
    assert_eq!(site.get("upload", None).await.unwrap(), b"part");
    assert_eq!(site.rewrap().await.rewrapped(), 0, "a second one finds nothing to do");
}

#[tokio::test]
async fn a_step_wraps_no_more_than_it_may_and_the_place_is_kept() {
    let site = Site::new().await;
    filled(&site, 300).await;
    site.keyring.rotate_own().await.unwrap();
    let mut rewrap = site.rewrapper().begin(301, Some(7)).await.unwrap();
    let mut steps = 0;
    loop {
        let before = rewrap.rewrapped();
        let step = site.rewrapper().step(&mut rewrap, &owner(), 7).await.unwrap();
        assert!(rewrap.rewrapped() - before <= 7);
        if step == Step::Done {
            break;
        }
        assert_eq!(step, Step::Rewrapped(u32::try_from(rewrap.rewrapped() - before).unwrap()));
        steps += 1;
        // What a restart finds.
        rewrap = site.rewrapper().under_way().await.unwrap().unwrap();
        assert_eq!((rewrap.rate(), rewrap.total()), (Some(7), 301));
    }
    assert!(steps >= 300 / 7, "{steps}");
    assert_eq!((rewrap.rewrapped(), rewrap.looked_at()), (300, 301), "nothing is looked at twice");
    assert_filled(&site, 300).await;
}

#[tokio::test]
async fn a_crash_between_any_two_commits_loses_nothing_and_the_next_start_goes_on() {
    for fault in [Injected::Unavailable, Injected::LostAnswer, Injected::Full] {
        for passes in 0..20 {
            let site = Site::new().await;
            filled(&site, 9).await;
            let old = site.keyring.current();
            site.keyring.rotate_own().await.unwrap();
            let mut rewrap = site.rewrapper().begin(10, None).await.unwrap();
            site.faults.fail_once(Operation::Commit, passes, fault);
            let cut = loop {
                match site.rewrapper().step(&mut rewrap, &owner(), 1).await {
                    Ok(Step::Done) => break false,
                    Ok(Step::Rewrapped(_)) => {}
                    Err(_) => break true,
                }
            };
            site.faults.heal();
            assert_filled(&site, 9).await;
            drop(rewrap);
            match site.rewrapper().under_way().await.unwrap() {
                Some(rewrap) => drop(site.rewrap_to_the_end(rewrap).await),
                // Only the answer to its end was lost.
                None => assert!(!cut || fault == Injected::LostAnswer),
            }
            assert_filled(&site, 9).await;
            assert_eq!((site.held(old).await, site.census().await.outdated), (0, 0), "{fault:?} after {passes}");
        }
    }
}

#[tokio::test]
async fn beside_puts_deletions_copies_and_uploads_every_object_stays_whole() {
    for seed in 0..100 {
        let site = Site::dawdling(seed).await;
        filled(&site, 6).await;
        let upload = create(&site, "upload", None).await;
        let part = upload_part(&site, "upload", upload, 1, b"part", None).await.unwrap();
        let old = site.keyring.current();
        site.keyring.rotate_own().await.unwrap();
        let rewrap = site.rewrapper().begin(0, None).await.unwrap();
        let clients = async {
            site.put(&name(1), b"another", None).await.unwrap();
            site.delete(&name(2)).await;
            copied(&site, &name(3), "copy").await;
            site.put(&name(4), b"a customer's", Some(3)).await.unwrap();
            complete(&site, "upload", completion(upload, vec![listed(1, &part.etag)], None)).await.unwrap();
            site.put("new", b"new", None).await.unwrap();
        };
        tokio::join!(site.rewrap_to_the_end(rewrap), clients);
        let read = async |object: String, seed| site.get(&object, seed).await.unwrap();
        assert!(read(name(0), None).await == pattern(SIZES[0], 0) && read(name(5), None).await == pattern(SIZES[2], 5));
        assert_eq!(read(name(1), None).await, b"another");
        assert!(site.get(&name(2), None).await.is_err());
        assert!(read("copy".to_owned(), None).await == read(name(3), None).await);
        assert_eq!(read(name(4), Some(3)).await, b"a customer's");
        assert_eq!(read("upload".to_owned(), None).await, b"part");
        assert_eq!(site.held(old).await, 0, "seed {seed}: what was wrapped before the rotation is wrapped anew");
    }
}

#[tokio::test]
async fn readers_beside_a_rewrap_get_every_byte() {
    for seed in 0..50 {
        let site = Site::dawdling(seed).await;
        filled(&site, 6).await;
        site.keyring.rotate_own().await.unwrap();
        let rewrap = site.rewrapper().begin(0, None).await.unwrap();
        tokio::join!(site.rewrap_to_the_end(rewrap), assert_filled(&site, 6));
    }
}

#[tokio::test]
async fn buckets_that_come_and_go_meanwhile_do_not_hinder_it() {
    let site = Site::new().await;
    filled(&site, 3).await;
    for bucket in ["aaa", "zzz"] {
        site.create_bucket(bucket).await;
        let granted = site.grant_in(bucket, Action::PutObject, "object").await;
        site.operations.objects.put_object(&granted, put_request(body(b"bytes"), None)).await.unwrap();
    }
    site.keyring.rotate_own().await.unwrap();
    let mut rewrap = site.rewrapper().begin(0, None).await.unwrap();
    while site.rewrapper().under_way().await.unwrap().unwrap().looked_at() < 2 {
        site.rewrapper().step(&mut rewrap, &owner(), 1).await.unwrap();
    }
    // Half-way through the bucket in the middle, it is emptied and deleted, and made anew.
    for number in 0..3 {
        site.delete(&name(number)).await;
    }
    site.delete("customer").await;
    site.operations.buckets.delete(&site.bucket_grant(Action::DeleteBucket).await).await.unwrap();
    site.create_bucket(BUCKET).await;
    site.put("object", b"new", None).await.unwrap();
    let done = site.rewrap_to_the_end(rewrap).await;
    assert_eq!((done.failed(), site.census().await.outdated), (0, 0));
    assert_eq!(site.get("object", None).await.unwrap(), b"new");
}

#[tokio::test]
async fn records_whose_key_is_not_there_are_counted() {
    let site = Site::new().await;
    let (lost, kept) = (KmsKeyId::parse("lost").unwrap(), KmsKeyId::parse("kept").unwrap());
    for (kms_key, object, bucket_key) in [(&lost, "one", true), (&lost, "two", false), (&kept, "three", true)] {
        let _ = site.keyring.create(kms_key).await;
        let context = ContextDigest::of(&EncryptionContext::default());
        let request = KmsWrapRequest { kms_key: Some(kms_key.clone()), context, bucket_key };
        let put = put_request(body(b"bytes"), None);
        let put = operations::PutObject { encryption: WriteEncryption::Kms(request), ..put };
        site.put_with(object, put).await.unwrap();
    }
    site.put("server", b"bytes", None).await.unwrap();
    let missing = |census: &KeyCensus| {
        let missing: Vec<_> = census.held_by.iter().filter(|(_, count)| count.missing > 0).collect();
        missing.into_iter().map(|(held_by, count)| (held_by.clone(), count.missing)).collect::<Vec<_>>()
    };
    assert_eq!(missing(&site.census().await), []);
    site.keyring.schedule_deletion(&lost, Timestamp::from_millis(1)).await.unwrap();
    assert_eq!(site.keyring.destroy_due(Timestamp::from_millis(2)).await.unwrap(), std::slice::from_ref(&lost));
    let census = site.census().await;
    assert_eq!((missing(&census), census.outdated), (vec![(HeldBy::Kms(lost), 2)], 0));
    assert_eq!(census.total(), 4);
}

#[tokio::test]
async fn objects_of_a_kms_key_are_wrapped_by_its_current_version_unless_it_is_disabled() {
    let site = Site::new().await;
    let kms_key = KmsKeyId::parse("backups").unwrap();
    site.keyring.create(&kms_key).await.unwrap();
    for (object, bucket_key) in [("one", true), ("two", true), ("three", false)] {
        let context = ContextDigest::of(&EncryptionContext::default());
        let request = KmsWrapRequest { kms_key: Some(kms_key.clone()), context, bucket_key };
        let put = put_request(body(object.as_bytes()), None);
        let put = operations::PutObject { encryption: WriteEncryption::Kms(request), ..put };
        site.put_with(object, put).await.unwrap();
    }
    assert_eq!(site.census().await.outdated, 0);
    site.keyring.rotate(&kms_key).await.unwrap();
    assert_eq!(site.census().await.outdated, 3);

    site.keyring.disable(&kms_key).await.unwrap();
    let done = site.rewrap().await;
    assert_eq!((done.rewrapped(), done.failed()), (0, 3), "the key does not serve");
    site.keyring.enable(&kms_key).await.unwrap();
    let done = site.rewrap().await;
    assert_eq!((done.rewrapped(), done.failed(), site.census().await.outdated), (3, 0, 0));
    for object in ["one", "two", "three"] {
        assert_eq!(site.get(object, None).await.unwrap(), object.as_bytes());
    }
}

#[tokio::test]
async fn a_damaged_record_is_passed_over_and_counted() {
    let site = Site::new().await;
    filled(&site, 6).await;
    let (partition, head) =
        (Partition::new(Scope::bucket(site.bucket().await.id), name(2)), RecordKey::new(Table(16), Vec::new()));
    let mut raw = site.store.get(&partition, &head).await.unwrap().unwrap().to_vec();
    raw[40] ^= 1;
    let batch = Batch { put: vec![(head, raw.into())], ..Batch::default() };
    site.store.commit(&partition, batch).await.unwrap();

    site.keyring.rotate_own().await.unwrap();
    let done = site.rewrap().await;
    assert_eq!((done.rewrapped(), done.failed(), done.looked_at()), (5, 1, 7));
    let census = site.census().await;
    assert_eq!((census.unreadable, census.outdated, census.total()), (1, 0, 7));
}

#[tokio::test]
async fn what_was_begun_before_the_rotation_and_ended_behind_the_rewrap_is_told_and_taken_by_the_next() {
    let site = Site::new().await;
    let upload = create(&site, "object", None).await;
    let old = site.keyring.current();
    site.keyring.rotate_own().await.unwrap();
    // The upload begins before and is completed after: its record was wrapped anew in between, so nothing is left.
    let part = upload_part(&site, "object", upload, 1, b"part", None).await.unwrap();
    assert_eq!(site.rewrap().await.rewrapped(), 1);
    complete(&site, "object", completion(upload, vec![listed(1, &part.etag)], None)).await.unwrap();
    assert_eq!((site.held(old).await, site.get("object", None).await.unwrap().as_slice()), (0, &b"part"[..]));
}
