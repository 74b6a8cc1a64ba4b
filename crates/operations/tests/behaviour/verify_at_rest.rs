//! A verification finds every kind of damage and of plaintext, says of nothing else that it is wrong, and says of each
//! object what is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use model::BlobId;
use operations::{
    AtRest, Finding, HeldBy, ObjectVerdict, Problem, Proof, Selection, Throttle, VerifySink, VerifySummary,
};
use storage::faults::{Fault, FaultyStore, Operation};
use storage::memory::MemoryStore;
use storage::{Batch, Blobs, Held, HeldKind, Inventory as _, Metadata, Partition, RecordKey, Scope, Table};

use crate::damage::{Place, blob_bytes, forge, places, write};
use crate::multipart::{PART_LEN_MIN, create, upload_object, upload_part};
use crate::support::{BUCKET, MODES, Site, bucket_name, owner, pattern};

#[derive(Default)]
struct Heard {
    verdicts: Vec<ObjectVerdict>,
    findings: Vec<Finding>,
    objects: u64,
    bytes: u64,
}

impl VerifySink for Heard {
    fn object(&mut self, verdict: &ObjectVerdict) {
        self.verdicts.push(verdict.clone());
    }

    fn finding(&mut self, finding: &Finding) {
        self.findings.push(finding.clone());
    }

    fn progress(&mut self, objects: u64, bytes: u64) {
        self.objects += objects;
        self.bytes += bytes;
    }
}

impl Heard {
    /// The codes of what is wrong, in order and each once.
    fn wrong(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> =
            self.findings.iter().filter(|found| !found.problem.is_note()).map(|found| found.problem.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    fn notes(&self) -> Vec<&'static str> {
        self.findings.iter().filter(|found| found.problem.is_note()).map(|found| found.problem.code()).collect()
    }
}

#[derive(Default)]
struct Counted(AtomicU64);

#[async_trait]
impl Throttle for Counted {
    async fn admit(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }
}

fn at_rest(site: &Site) -> AtRest {
    AtRest {
        metadata: Arc::new(site.store.clone()),
        blobs: Arc::new(site.store.clone()),
        inventory: Some(Arc::new(site.store.clone())),
        keys: site.keys.clone(),
        store_key: site.store_key.clone(),
        principal: owner(),
    }
}

async fn verify(site: &Site, selection: Selection) -> (VerifySummary, Heard) {
    let (mut heard, throttle) = (Heard::default(), Counted::default());
    let summary = at_rest(site).verify(&selection, &throttle, &mut heard).await.unwrap();
    assert_eq!(heard.bytes, throttle.0.load(Ordering::SeqCst), "every byte that is read was admitted");
    assert_eq!(summary.findings, heard.findings.iter().filter(|found| !found.problem.is_note()).count() as u64);
    (summary, heard)
}

async fn verify_all(site: &Site) -> Heard {
    verify(site, Selection::default()).await.1
}

const TEXT: &[u8] = b"Dear diary, this is a plain text that nobody should be able to read on a disk. ";

fn text(length: usize) -> Vec<u8> {
    TEXT.iter().copied().cycle().take(length).collect()
}

/// Objects of each mode in each place, and an upload of each mode with a part.
async fn filled() -> Site {
    let site = Site::new().await;
    for seed in MODES {
        let mode = if seed.is_some() { "customer" } else { "server" };
        for length in [0, 1, 300, 4096, 4097, 65_536, 65_537, 200_000] {
            site.put(&format!("{mode}/{length}"), &text(length), seed).await.unwrap();
        }
        upload_object(&site, &format!("{mode}/parts"), &[text(70_000)], seed).await;
        let upload = create(&site, &format!("{mode}/upload"), seed).await;
        upload_part(&site, &format!("{mode}/upload"), upload, 7, &text(100_000), seed).await.unwrap();
    }
    site
}

async fn record(site: &Site, table: u8, object: &str) -> (Place, Bytes) {
    let is_it =
        |Place(partition, record_key): &Place| partition.name == object.as_bytes() && record_key.table == Table(table);
    places(site).await.into_iter().find(|(place, _)| is_it(place)).unwrap()
}

/// The blob of an object that has one.
async fn blob_of(site: &Site, object: &str) -> BlobId {
    let (_, raw) = record(site, 16, object).await;
    let payload = &raw[..raw.len() - 32];
    BlobId::from_bytes(payload[payload.len() - 16..].try_into().unwrap())
}

#[tokio::test]
async fn a_sound_store_is_clean_and_each_object_is_told() {
    let site = filled().await;
    for (seed, mode) in MODES.into_iter().zip(["server", "customer"]) {
        upload_object(&site, &format!("{mode}/two parts"), &[text(PART_LEN_MIN), text(70_000)], seed).await;
    }
    let (summary, heard) = verify(&site, Selection::default()).await;
    assert_eq!(heard.findings, []);
    assert_eq!((summary.buckets, summary.objects, summary.uploads), (1, 20, 2));
    assert_eq!((summary.findings, summary.notes), (0, 0));
    assert_eq!(summary.held_by[&HeldBy::Customer], 11);
    assert_eq!(summary.proofs[&Proof::Authenticated], 11);
    assert_eq!(summary.proofs[&Proof::LooksSealed], 11);
    assert_eq!(heard.objects, 22);
    for verdict in &heard.verdicts {
        assert!(verdict.is_record_authentic && verdict.findings == 0 && verdict.chunks > 0, "{verdict:?}");
        assert_eq!(verdict.upload.is_some(), verdict.object_key.ends_with("upload"));
        let is_customer = verdict.object_key.starts_with("customer");
        assert_eq!(verdict.proof, if is_customer { Proof::LooksSealed } else { Proof::Authenticated });
        assert_eq!(matches!(verdict.held_by, Some(HeldBy::Keyring(_))), !is_customer);
    }
    let extent = at_rest(&site).measure(&Selection::default()).await.unwrap();
    assert_eq!(extent.objects, 20);
    let uploaded: u64 = heard.verdicts.iter().filter(|verdict| verdict.upload.is_some()).map(|v| v.bytes).sum();
    // The estimate takes parts for one piece, which has fewer chunks.
    assert!(summary.bytes - uploaded - extent.bytes <= 4 * 16, "{summary:?} {extent:?}");
}

#[tokio::test]
async fn a_selection_looks_at_no_more_than_it_says() {
    let site = filled().await;
    site.create_bucket("another").await;
    let (summary, heard) = verify(&site, Selection { prefix: "server/6".into(), ..Selection::default() }).await;
    assert_eq!((summary.buckets, summary.objects, summary.uploads), (2, 2, 0), "{:?}", heard.verdicts);
    let another = Selection { bucket: Some(bucket_name("another")), ..Selection::default() };
    assert_eq!(verify(&site, another).await.0.objects, 0);
    let only = Selection { bucket: Some(bucket_name(BUCKET)), quick: true, ..Selection::default() };
    let (summary, heard) = verify(&site, only).await;
    assert_eq!((summary.objects, heard.bytes), (18, 0), "no body is read");
    assert_eq!(summary.proofs[&Proof::LengthsOnly], 20);
}

#[tokio::test]
async fn the_record_of_a_selected_bucket_is_looked_at_and_that_of_another_is_not() {
    let site = filled().await;
    site.create_bucket("another").await;
    let place = Place(Partition::new(Scope::SYSTEM, "another"), RecordKey::new(Table(1), Vec::new()));
    let value = places(&site).await.into_iter().find(|(found, _)| *found == place).unwrap().1;
    let mut changed = value.to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    write(&site.store, &place, Some(changed.into())).await;
    for (name, findings) in [(BUCKET, 0), ("another", 1)] {
        let selection = Selection { bucket: Some(bucket_name(name)), ..Selection::default() };
        assert_eq!(verify(&site, selection).await.0.findings, findings);
    }
    assert_eq!(verify_all(&site).await.wrong(), ["not-authentic"]);
}

#[tokio::test]
async fn every_changed_record_is_found() {
    let site = filled().await;
    for (place, value) in places(&site).await {
        for at in [0, value.len() / 2, value.len() - 1] {
            let mut flipped = value.to_vec();
            flipped[at] ^= 4;
            write(&site.store, &place, Some(flipped.into())).await;
            let heard = verify_all(&site).await;
            let Place(partition, record_key) = &place;
            let is_inline = record_key.table == Table(18);
            let is_customers = partition.name.starts_with(b"customer");
            // A flipped bit in the ciphertext of a body whose key is elsewhere shows nothing.
            if !(is_inline && is_customers) {
                assert!(!heard.wrong().is_empty(), "byte {at} of {place:?}");
            }
        }
        write(&site.store, &place, Some(value)).await;
    }
    assert_eq!(verify_all(&site).await.findings, []);
}

#[tokio::test]
async fn a_moved_record_is_found() {
    let site = filled().await;
    let ((place, value), (other, _)) =
        (record(&site, 16, "customer/300").await, record(&site, 16, "customer/4096").await);
    write(&site.store, &other, Some(value.clone())).await;
    let wrong = verify_all(&site).await.wrong();
    assert!(wrong.contains(&"not-authentic") && wrong.contains(&"missing") && wrong.contains(&"unnamed-record"));
    // In its place again, but in another bucket.
    let site = filled().await;
    site.create_bucket("another").await;
    let elsewhere = Partition::new(Scope::bucket(bucket_id(&site, "another").await), place.0.name.clone());
    write(&site.store, &Place(elsewhere, place.1), Some(value)).await;
    assert!(verify_all(&site).await.wrong().contains(&"not-authentic"));
}

async fn bucket_id(site: &Site, name: &str) -> model::BucketId {
    let key = RecordKey::new(Table(1), Vec::new());
    let raw = site.store.get(&Partition::new(Scope::SYSTEM, name), &key).await.unwrap().unwrap();
    model::BucketId::from_bytes(raw[1..17].try_into().unwrap())
}

#[tokio::test]
async fn a_flipped_byte_of_a_body_is_found_where_the_server_has_the_key() {
    let site = filled().await;
    for object in ["server/4097", "server/200000"] {
        let blob = blob_of(&site, object).await;
        let sound = blob_bytes(&site.store, blob).await;
        for at in [0, sound.len() / 2, sound.len() - 1] {
            let mut flipped = sound.to_vec();
            flipped[at] ^= 1;
            site.store.overwrite_blob(blob, flipped.into());
            let heard = verify_all(&site).await;
            let first = (at / 65_552) as u64;
            assert_eq!(heard.findings.len(), 1);
            assert_eq!(heard.findings[0].problem, Problem::ChunksNotAuthentic { count: 1, first });
            assert_eq!(heard.findings[0].object_key.as_deref(), Some(object));
        }
        site.store.overwrite_blob(blob, sound);
    }
}

#[tokio::test]
async fn plaintext_under_a_record_is_found_in_every_mode_and_place() {
    for mode in ["server", "customer"] {
        let site = filled().await;
        for object in ["4097", "200000"].map(|length| format!("{mode}/{length}")) {
            let blob = blob_of(&site, &object).await;
            let sound = blob_bytes(&site.store, blob).await;
            // Whole, at the right length, and in its last chunk alone.
            let last = sound.len() / 65_552 * 65_552;
            let in_last = [&sound[..last], &text(sound.len() - last)].concat();
            for (planted, has_length) in [(text(sound.len() - 16), false), (text(sound.len()), true), (in_last, true)] {
                site.store.overwrite_blob(blob, planted.into());
                let wrong = verify_all(&site).await.wrong();
                assert!(wrong.contains(&"looks-like-plaintext"), "{object}: {wrong:?}");
                assert_eq!(wrong.contains(&"length"), !has_length, "{object}: {wrong:?}");
            }
            site.store.overwrite_blob(blob, sound);
        }
        let (place, sound) = record(&site, 18, &format!("{mode}/300")).await;
        write(&site.store, &place, Some(text(sound.len()).into())).await;
        assert_eq!(verify_all(&site).await.wrong(), ["looks-like-plaintext"]);
    }
}

#[tokio::test]
async fn plaintext_in_parts_and_uploads_is_found() {
    for (mode, object, table) in
        [("server", "parts", 17), ("customer", "parts", 17), ("server", "upload", 20), ("customer", "upload", 20)]
    {
        let site = filled().await;
        let (_, raw) = record(&site, table, &format!("{mode}/{object}")).await;
        let id = if table == 17 { &raw[raw.len() - 48..raw.len() - 32] } else { &raw[27..43] };
        let blob = BlobId::from_bytes(id.try_into().unwrap());
        let length = blob_bytes(&site.store, blob).await.len();
        site.store.overwrite_blob(blob, text(length).into());
        let heard = verify_all(&site).await;
        assert_eq!(heard.wrong(), ["looks-like-plaintext"], "{mode}/{object}");
        assert!(heard.findings[0].what.contains("part"), "{:?}", heard.findings);
    }
}

#[tokio::test]
async fn cut_extended_and_missing_bytes_are_found_in_both_modes() {
    for mode in ["server", "customer"] {
        let site = filled().await;
        let object = format!("{mode}/200000");
        let blob = blob_of(&site, &object).await;
        let sound = blob_bytes(&site.store, blob).await;
        for found in [0, 1, 65_552, sound.len() - 1, sound.len() + 1, sound.len() + 70_000] {
            let mut bytes = sound.to_vec();
            bytes.truncate(found);
            bytes.extend_from_slice(&pattern(found - bytes.len(), 3));
            site.store.overwrite_blob(blob, bytes.into());
            let heard = verify_all(&site).await;
            let length = Problem::Length { found: found as u64, expected: sound.len() as u64 };
            assert!(heard.findings.iter().any(|told| told.problem == length), "{found}: {:?}", heard.findings);
        }
        // The blob goes, and its record stays.
        let partition = Partition::new(Scope::bucket(site.bucket().await.id), object.as_bytes());
        site.store.commit(&partition, Batch { unlink: vec![blob], ..Batch::default() }).await.unwrap();
        assert_eq!(verify_all(&site).await.wrong(), ["missing"]);
    }
}

#[tokio::test]
async fn a_body_and_a_list_of_parts_that_are_gone_or_left_over_are_found() {
    let site = filled().await;
    for (table, object) in [(18, "customer/300"), (17, "server/parts")] {
        let (place, value) = record(&site, table, object).await;
        write(&site.store, &place, None).await;
        let heard = verify_all(&site).await;
        assert_eq!(heard.wrong(), ["missing"], "{:?}", heard.findings);
        write(&site.store, &place, Some(value)).await;
        let (head, value) = record(&site, 16, object).await;
        write(&site.store, &head, None).await;
        assert_eq!(verify_all(&site).await.wrong(), ["unnamed-record"]);
        write(&site.store, &head, Some(value)).await;
    }
    // An inline body that no object names may hold anything.
    let (place, _) = record(&site, 18, "customer/300").await;
    let other = Place(place.0, RecordKey::new(Table(18), vec![7; 16]));
    write(&site.store, &other, Some(text(400).into())).await;
    assert_eq!(verify_all(&site).await.wrong(), ["looks-like-plaintext", "unnamed-record"]);
}

#[tokio::test]
async fn a_record_in_a_table_that_nothing_uses_is_found() {
    let site = filled().await;
    let bucket = site.bucket().await.id;
    for (scope, table) in
        [(Scope::SYSTEM, 0), (Scope::SYSTEM, 18), (Scope::bucket(bucket), 5), (Scope::bucket(bucket), 255)]
    {
        let place = Place(Partition::new(scope, "name"), RecordKey::new(Table(table), Vec::new()));
        write(&site.store, &place, Some(text(100).into())).await;
        assert_eq!(verify_all(&site).await.wrong(), ["not-authentic"]);
        write(&site.store, &place, None).await;
    }
}

#[tokio::test]
async fn the_sealed_keyring_of_gateways_is_no_finding_where_it_belongs_and_one_elsewhere() {
    let site = filled().await;
    let sealed = Bytes::from(site.keyring.sealed_under(&envelope::RootKey::generate()));
    let (partition, record_key) = operations::records::keyring_place();
    let places = [
        (Place(partition.clone(), record_key.clone()), sealed.clone(), vec![]),
        (Place(partition.clone(), record_key.clone()), text(100).into(), vec!["not-authentic"]),
        (Place(Partition::new(Scope::SYSTEM, "other"), record_key), sealed.clone(), vec!["not-authentic"]),
        (Place(partition, RecordKey::new(Table(7), vec![1])), sealed, vec!["not-authentic"]),
    ];
    for (place, value, wrong) in places {
        write(&site.store, &place, Some(value)).await;
        assert_eq!(verify_all(&site).await.wrong(), wrong);
        write(&site.store, &place, None).await;
    }
}

async fn stray(store: &MemoryStore, bytes: Vec<u8>) -> BlobId {
    let mut writer = store.create(&Partition::new(Scope::SYSTEM, "name")).await.unwrap();
    writer.append(bytes.into()).await.unwrap();
    writer.finish().await.unwrap()
}

#[tokio::test]
async fn bytes_that_no_record_names_are_notes_when_they_look_sealed_and_findings_when_not() {
    let site = filled().await;
    let sealed = stray(&site.store, pattern(100_000, 5)).await;
    let heard = verify_all(&site).await;
    assert_eq!((heard.wrong(), heard.notes()), (vec![], vec!["unnamed-bytes"]));
    assert!(heard.findings[0].what.contains(&sealed.to_string()));
    stray(&site.store, text(100_000)).await;
    assert_eq!(verify_all(&site).await.wrong(), ["looks-like-plaintext"]);

    // Linked by the backend's own account, but the record that named it is gone.
    let site = filled().await;
    let (head, _) = record(&site, 16, "server/200000").await;
    write(&site.store, &head, None).await;
    let heard = verify_all(&site).await;
    assert_eq!((heard.wrong(), heard.notes()), (vec![], vec!["unnamed-bytes"]));
    let held: Vec<Held> = site.store.held(None, 1000).await.unwrap();
    assert!(held.iter().all(|held| matches!(held.kind, HeldKind::Linked(_))));
}

#[tokio::test]
async fn a_part_whose_upload_is_over_is_a_note() {
    let site = filled().await;
    let (place, _) = record(&site, 19, "customer/upload").await;
    write(&site.store, &place, None).await;
    let heard = verify_all(&site).await;
    assert_eq!((heard.wrong(), heard.notes()), (vec![], vec!["left-part"]));
}

#[tokio::test]
async fn sizes_that_contradict_each_other_are_found_although_their_records_authenticate() {
    let site = filled().await;
    for object in ["server/4097", "customer/parts"] {
        let (place, value) = record(&site, 16, object).await;
        let mut payload = value[..value.len() - 32].to_vec();
        payload[32] ^= 1;
        forge(&site, &place, payload).await;
        assert_eq!(verify_all(&site).await.wrong(), ["size"]);
        write(&site.store, &place, Some(value)).await;
    }
}

#[tokio::test]
async fn a_wrap_that_does_not_open_is_found() {
    let site = filled().await;
    let (place, value) = record(&site, 16, "server/300").await;
    let mut payload = value[..value.len() - 32].to_vec();
    // Layout, version, time, size, ACL, sealed tag, length, and then some way into the wrap.
    payload[1 + 16 + 8 + 8 + 1 + 51 + 4 + 60] ^= 1;
    forge(&site, &place, payload).await;
    let heard = verify_all(&site).await;
    assert_eq!(heard.wrong(), ["wrap-does-not-open"]);
    let verdict = heard.verdicts.iter().find(|verdict| verdict.object_key == "server/300").unwrap();
    assert_eq!((verdict.proof, verdict.findings), (Proof::LooksSealed, 1));
}

#[tokio::test]
async fn a_store_that_fails_somewhere_is_never_called_clean() {
    let site = filled().await;
    let faulty = Arc::new(FaultyStore::new(site.store.clone(), site.faults.clone()));
    let at_rest = AtRest { metadata: faulty.clone(), blobs: faulty, ..at_rest(&site) };
    for call in [Operation::Get, Operation::Scan, Operation::Open, Operation::Read] {
        let mut reached_the_end = false;
        for passes in 0..60 {
            site.faults.fail_once(call, passes, Fault::Unavailable);
            let mut heard = Heard::default();
            let outcome = at_rest.verify(&Selection::default(), &Counted::default(), &mut heard).await;
            site.faults.heal();
            let is_clean = outcome.is_ok_and(|summary| summary.findings == 0);
            // Clean only where so many calls are never made, which is then so for more of them too.
            assert!(is_clean || !reached_the_end, "{call:?} fails at {passes}, and some call before was passed over");
            assert!(!is_clean || passes > 5, "{call:?} fails at {passes}: {:?}", heard.findings);
            // Besides the one call, everything was looked at.
            assert!(heard.wrong().len() <= 2, "{call:?} fails at {passes}: {:?}", heard.findings);
            reached_the_end = is_clean;
        }
    }
}
