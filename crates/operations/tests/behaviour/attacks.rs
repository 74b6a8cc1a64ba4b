//! What somebody at the disk can do to an object, each attack by its name, in each mode and for each kind of body.
//!
//! Two attackers are told apart. One can write anything to the store and has no key: everything is found, but that an
//! old state was put back where it stood. The other has the store key besides, and so forges the frames of records:
//! what the data key protects stays protected.

mod attacked;

use bytes::Bytes;
use envelope::RECORD_TAG_LEN;
use operations::{CannedAcl, CopyObject, CopySource, MetadataDirective, WriteConditions, WriteEncryption};
use policy::Action;
use storage::{RecordKey, Scope, Table};

use crate::damage::{Place, places};
use crate::support::{customer_key, owner, with_seed};
use attacked::{Attacked, BODY, CHUNK, HEAD, Kind, LIST, MODES, Mode, Read, SEALED_CHUNK, every_case, resize, wrap_in};

/// The bytes of an object that was put with this seed.
fn bytes(kind: Kind, seed: u64) -> Read {
    Read::Bytes(kind.parts(seed).concat())
}

#[tokio::test]
async fn the_wrong_key_opens_nothing_and_only_a_customer_is_told_so() {
    for (mode, kind) in every_case() {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, kind, 1).await;
        let other = attacked.with_another_keyring();
        if mode == Mode::SseC {
            assert_eq!(attacked.read_with("object", Some(2)).await, Read::WrongKey, "{kind:?}");
            assert!(other.read("object", mode).await == bytes(kind, 1), "a customer's object needs no keyring");
        } else {
            assert_eq!(other.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}");
        }
        assert!(attacked.read("object", mode).await == bytes(kind, 1));
    }
}

#[tokio::test]
async fn a_swapped_object_is_found() {
    for (mode, kind) in every_case() {
        let attacked = Attacked::new().await;
        attacked.put("first", mode, kind, 1).await;
        attacked.put("other", mode, kind, 2).await;
        let (first, other) = (attacked.records("first").await, attacked.records("other").await);
        // Every record of the one in the partition of the other, as it is and with a frame that is true there.
        for forges in [false, true] {
            for (from, into) in [(&first, "other"), (&other, "first")] {
                attacked.put_back(into, &[]).await;
                for (Place(partition, record_key), value) in from {
                    let place = Place(storage::Partition::new(partition.scope, into), record_key.clone());
                    if forges && record_key.table != Table(BODY) {
                        attacked.forge(&place, value[..value.len() - RECORD_TAG_LEN].to_vec()).await;
                    } else {
                        attacked.write(&place, value.clone()).await;
                    }
                }
            }
            for object in ["first", "other"] {
                let read = attacked.read(object, mode).await;
                assert!(read.is_refused(), "{mode:?} {kind:?}, forged: {forges}");
                assert!(forges || read == Read::Fault, "damage is never the client's fault");
            }
            attacked.put_back("first", &first).await;
            attacked.put_back("other", &other).await;
            assert!(attacked.read("first", mode).await == bytes(kind, 1));
        }
        // Their bytes alone.
        let (first, other) = (attacked.blobs("first", kind).await, attacked.blobs("other", kind).await);
        for (first, other) in first.into_iter().zip(other) {
            let (first_bytes, other_bytes) = (attacked.blob(first).await, attacked.blob(other).await);
            attacked.overwrite(first, other_bytes);
            attacked.overwrite(other, first_bytes);
            for object in ["first", "other"] {
                assert_eq!(attacked.read(object, mode).await, Read::Fault, "{mode:?} {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_swapped_version_is_found() {
    for (mode, kind) in every_case() {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, kind, 1).await;
        let old = attacked.records("object").await;
        let old_bytes = match attacked.blobs("object", kind).await.first() {
            Some(id) => attacked.blob(*id).await,
            None => Vec::new(),
        };
        attacked.put("object", mode, kind, 2).await;
        let new = attacked.records("object").await;
        // The old list or the old inline body under the version that is current, then the old bytes in its blob.
        let of_version = |records: &[(Place, Bytes)]| {
            records.iter().find(|(Place(_, record_key), _)| record_key.table != Table(HEAD)).cloned()
        };
        if let (Some((_, old_value)), Some((place, _))) = (of_version(&old), of_version(&new)) {
            attacked.write(&place, old_value.clone()).await;
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}");
            if place.1.table == Table(LIST) {
                attacked.forge(&place, old_value[..old_value.len() - RECORD_TAG_LEN].to_vec()).await;
                assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}, forged");
            }
        }
        attacked.put_back("object", &new).await;
        if let Some(id) = attacked.blobs("object", kind).await.first() {
            attacked.overwrite(*id, old_bytes);
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}");
        }
        // The old head beside what belongs to the new version.
        let (place, value) = old.iter().find(|(Place(_, record_key), _)| record_key.table == Table(HEAD)).unwrap();
        attacked.write(place, value.clone()).await;
        assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}");
    }
}

#[tokio::test]
async fn swapped_and_reordered_parts_are_found() {
    for mode in MODES {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, Kind::Parts, 1).await;
        attacked.put("other", mode, Kind::Parts, 1).await;
        let ids = attacked.blobs("object", Kind::Parts).await;
        let (one, two) = (attacked.blob(ids[0]).await, attacked.blob(ids[1]).await);
        let elsewhere = attacked.blob(attacked.blobs("other", Kind::Parts).await[0]).await;
        for (first, second) in [(&two, &one), (&one, &one), (&two, &two), (&elsewhere, &two)] {
            attacked.overwrite(ids[0], first.clone());
            attacked.overwrite(ids[1], second.clone());
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?}");
        }
        attacked.overwrite(ids[0], one);
        attacked.overwrite(ids[1], two);

        // The list, with a frame that is true: salts and blobs change places, with the tag of the list and without.
        let (place, list) = attacked.record("object", LIST).await;
        for keeps_tag in [true, false] {
            let mut forged = list.clone();
            let (first, second) = (entry(0), entry(1));
            for at in 2..26 {
                forged.swap(first + at, second + at);
            }
            let blobs = forged.len() - 32;
            forged[blobs..].rotate_left(16);
            attacked.forge(&place, if keeps_tag { forged } else { without_tag(&forged) }).await;
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?}, with its tag: {keeps_tag}");
        }
        attacked.forge(&place, list).await;
        assert!(attacked.read("object", mode).await == bytes(Kind::Parts, 1));
    }
}

#[tokio::test]
async fn reordered_chunks_are_found() {
    for mode in MODES {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, Kind::Blob, 1).await;
        let id = attacked.blobs("object", Kind::Blob).await[0];
        let whole = attacked.blob(id).await;
        for order in [[1, 0, 2], [0, 2, 1], [2, 1, 0], [0, 0, 2], [0, 1, 1], [2, 2, 2]] {
            let chunks = order.map(|chunk| &whole[chunk * SEALED_CHUNK..(chunk + 1) * SEALED_CHUNK]);
            attacked.overwrite(id, chunks.concat());
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?}, {order:?}");
        }
    }
}

#[tokio::test]
async fn a_truncated_object_is_found() {
    for (mode, kind) in every_case().filter(|(_, kind)| *kind != Kind::Parts) {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, kind, 1).await;
        let (place, head) = attacked.record("object", HEAD).await;
        let whole = kind.parts(1).concat().len();
        let sealed_whole = attacked.body("object", kind).await;
        for length in [0, 1, whole / 3, 2 * whole / 3, whole - 1] {
            let sealed = length + 16 * length.div_ceil(CHUNK).max(1);
            attacked.change_body("object", kind, |bytes| bytes.truncate(sealed)).await;
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}, {length} bytes");
            // A forger makes the object and its part as long as what is left.
            let mut forged = head.clone();
            resize(&mut forged, kind, length as u64);
            attacked.forge(&place, forged).await;
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}, {length} bytes, forged");
            attacked.forge(&place, head.clone()).await;
            attacked.change_body("object", kind, |bytes| bytes.clone_from(&sealed_whole)).await;
            assert!(attacked.read("object", mode).await == bytes(kind, 1));
        }
    }
}

#[tokio::test]
async fn an_extended_object_is_found() {
    for (mode, kind) in every_case().filter(|(_, kind)| *kind != Kind::Parts) {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, kind, 1).await;
        let (place, head) = attacked.record("object", HEAD).await;
        let whole = kind.parts(1).concat().len();
        attacked.change_body("object", kind, |bytes| bytes.extend_from_within(..300)).await;
        // What stands behind the end is never looked at.
        let read = attacked.read("object", mode).await;
        assert!(read == Read::Fault || read == bytes(kind, 1), "{mode:?} {kind:?}");
        for more in [1, 284, 300] {
            let mut forged = head.clone();
            resize(&mut forged, kind, (whole + more) as u64);
            attacked.forge(&place, forged).await;
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} {kind:?}, {more} bytes");
        }
    }
}

/// What is not found, as docs/threat-model.md says: a state of the same place that was true once.
#[tokio::test]
async fn an_old_state_replayed_as_a_whole_is_not_found() {
    for mode in MODES {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, Kind::Inline, 1).await;
        let old = attacked.records("object").await;
        attacked.put("object", mode, Kind::Inline, 2).await;
        attacked.put_back("object", &old).await;
        assert!(attacked.read("object", mode).await == bytes(Kind::Inline, 1), "{mode:?}: an overwritten object");
        attacked.site.delete("object").await;
        assert_eq!(attacked.read("object", mode).await, Read::Nothing);
        attacked.put_back("object", &old).await;
        assert!(attacked.read("object", mode).await == bytes(Kind::Inline, 1), "{mode:?}: a deleted object");
        attacked.put_back("object", &[]).await;
        assert_eq!(attacked.read("object", mode).await, Read::Nothing, "{mode:?}: a removed record");
    }
}

/// The same of what says who may do what.
#[tokio::test]
async fn a_replayed_access_control_list_and_a_replayed_token_are_not_found() {
    let attacked = Attacked::new().await;
    let (site, users) = (&attacked.site, &attacked.site.operations.users);
    let set = async |acl| {
        let granted = site.bucket_grant(Action::PutBucketAcl).await;
        site.operations.buckets.put_acl(&granted, acl).await.unwrap();
    };
    let issued = users.issue_token(&owner(), None).await.unwrap();
    set(CannedAcl::PublicRead).await;
    let of_system = |(Place(partition, _), _): &(Place, Bytes)| partition.scope == Scope::SYSTEM;
    let old: Vec<_> = places(site).await.into_iter().filter(of_system).collect();
    set(CannedAcl::Private).await;
    users.revoke(&issued.id).await.unwrap();
    assert_eq!((site.bucket().await.acl, users.token(&issued.token).await.unwrap()), (CannedAcl::Private, None));
    for (place, value) in old {
        attacked.write(&place, value).await;
    }
    let replayed = (site.bucket().await.acl, users.token(&issued.token).await.unwrap());
    assert_eq!(replayed, (CannedAcl::PublicRead, Some(owner())));
}

/// Replacing a customer key replaces a wrap: who kept the old record and knows the old key has the bytes for good.
#[tokio::test]
async fn a_replayed_wrap_opens_under_the_key_of_its_time_and_under_no_other() {
    for kind in [Kind::Inline, Kind::Blob, Kind::Parts] {
        let attacked = Attacked::new().await;
        attacked.put("object", Mode::SseC, kind, 1).await;
        let old = attacked.records("object").await;
        let (source, target) = (
            attacked.site.grant(Action::GetObject, "object").await,
            attacked.site.grant(Action::PutObject, "object").await,
        );
        let copy = CopyObject {
            metadata: MetadataDirective::Copy,
            acl: CannedAcl::Private,
            encryption: WriteEncryption::Customer(customer_key(2)),
            changes_something: true,
            conditions: WriteConditions::default(),
            checksum: None,
        };
        let source = CopySource { granted: &source, get: with_seed(Some(1)) };
        attacked.site.operations.objects.copy_object(&target, source, copy).await.unwrap();
        assert_eq!(attacked.read_with("object", Some(1)).await, Read::WrongKey);
        assert!(attacked.read_with("object", Some(2)).await == bytes(kind, 1));

        attacked.put_back("object", &old).await;
        assert_eq!(attacked.read_with("object", Some(2)).await, Read::WrongKey, "{kind:?}");
        assert!(attacked.read_with("object", Some(1)).await == bytes(kind, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_wrap_moved_to_another_object_is_found_even_in_a_true_frame() {
    for (mode, kind) in every_case() {
        let attacked = Attacked::new().await;
        attacked.put("first", mode, kind, 1).await;
        attacked.put("other", mode, kind, 1).await;
        let (_, first) = attacked.record("first", HEAD).await;
        let (place, other) = attacked.record("other", HEAD).await;
        assert_eq!(wrap_in(&first), wrap_in(&other));
        let mut moved = other.clone();
        moved[wrap_in(&first)].copy_from_slice(&first[wrap_in(&first)]);
        let mut framed = moved.clone();
        framed.extend_from_slice(&[0; RECORD_TAG_LEN]);
        attacked.write(&place, framed.into()).await;
        assert_eq!(attacked.read("other", mode).await, Read::Fault, "{mode:?} {kind:?}");
        attacked.forge(&place, moved).await;
        assert!(attacked.read("other", mode).await.is_refused(), "{mode:?} {kind:?}, forged");
        // The whole head but the place of the body, with what the KMS sealed.
        attacked.forge(&place, first).await;
        assert!(attacked.read("other", mode).await.is_refused(), "{mode:?} {kind:?}, forged");
    }
}

#[tokio::test]
async fn a_record_moved_to_another_place_is_found() {
    for mode in MODES {
        let attacked = Attacked::new().await;
        // The one of a single small part, the other inline.
        attacked.upload("object", mode, &Kind::Inline.parts(1), mode.seed()).await;
        attacked.put("inline", mode, Kind::Inline, 1).await;
        attacked.site.create_bucket("another").await;
        let scope = Scope::bucket(attacked.site.bucket().await.id);
        let records: Vec<_> = [attacked.records("object").await, attacked.records("inline").await].concat();
        for (place, value) in &records {
            let framed: Vec<_> = records.iter().filter(|(other, _)| other.1.table != Table(BODY)).collect();
            for (other, moved) in framed.into_iter().filter(|(other, _)| other != place) {
                attacked.write(place, moved.clone()).await;
                for object in ["object", "inline"] {
                    let read = attacked.read(object, mode).await;
                    let is_its_own = place.0.name == object.as_bytes();
                    assert!(is_its_own || read == bytes(Kind::Inline, 1), "{mode:?}: {other:?} in {place:?}");
                    assert!(!is_its_own || read == Read::Fault, "{mode:?}: {other:?} in {place:?}");
                }
                attacked.write(place, value.clone()).await;
            }
        }
        // A name that nobody put there.
        let (_, head) = &records[0];
        let ghost = Place(storage::Partition::new(scope, "ghost"), RecordKey::new(Table(HEAD), Vec::new()));
        attacked.write(&ghost, head.clone()).await;
        assert_eq!(attacked.read("ghost", mode).await, Read::Fault, "{mode:?}");
    }
}

/// A list without a tag is what a completion without the customer key leaves. Whoever can forge frames can make one of
/// any list, and then leave whole parts out; the parts themselves stay what they are.
#[tokio::test]
async fn a_stripped_manifest_tag_is_found_unless_the_frame_is_forged_and_then_parts_can_be_left_out() {
    for mode in MODES {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, Kind::Parts, 1).await;
        let parts = Kind::Parts.parts(1);
        let ((list_place, list), (head_place, head)) =
            (attacked.record("object", LIST).await, attacked.record("object", HEAD).await);
        let stripped = without_tag(&list);
        let tag = attacked.records("object").await;
        let (_, old) = tag.iter().find(|(place, _)| *place == list_place).unwrap();
        let unframed = [&stripped[..], &old[old.len() - RECORD_TAG_LEN..]].concat();
        attacked.write(&list_place, unframed.into()).await;
        assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?}");

        attacked.forge(&list_place, stripped.clone()).await;
        assert!(attacked.read("object", mode).await == bytes(Kind::Parts, 1), "{mode:?}: every part is there");
        let mut short_head = head.clone();
        short_head[25..33].copy_from_slice(&(parts[0].len() as u64).to_be_bytes());
        attacked.forge(&head_place, short_head).await;
        for left in [0, 1] {
            attacked.forge(&list_place, list_of_one(&stripped, left, &[0])).await;
            assert!(attacked.read("object", mode).await == Read::Bytes(parts[left].clone()), "{mode:?}: part {left}");
            // With the tag of the whole list it is found.
            let tag = [&[1], &list[list.len() - 64..list.len() - 32]].concat();
            attacked.forge(&list_place, list_of_one(&stripped, left, &tag)).await;
            assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?}: part {left} under the old tag");
        }
    }
}

#[tokio::test]
async fn a_downgrade_of_the_holder_byte_is_found_even_in_a_true_frame() {
    for (mode, kind) in every_case().filter(|(_, kind)| *kind != Kind::Parts) {
        let attacked = Attacked::new().await;
        attacked.put("object", mode, kind, 1).await;
        let (place, head) = attacked.record("object", HEAD).await;
        let records = attacked.records("object").await;
        let (_, framed) = records.iter().find(|(other, _)| *other == place).unwrap();
        let wrap = wrap_in(&head);
        for holder in (0..=4).filter(|holder| *holder != head[wrap.start + 1]) {
            for keeps_id in [true, false] {
                for layout in [1, 2] {
                    let change = |bytes: &mut [u8]| {
                        bytes[0] = layout;
                        bytes[wrap.start + 1] = holder;
                        if !keeps_id {
                            bytes[wrap.start + 2..wrap.start + 18].fill(0);
                        }
                    };
                    let (mut downgraded, mut forged) = (framed.to_vec(), head.clone());
                    change(&mut downgraded);
                    change(&mut forged);
                    attacked.write(&place, downgraded.into()).await;
                    assert_eq!(attacked.read("object", mode).await, Read::Fault, "{mode:?} as {holder}");
                    attacked.forge(&place, forged).await;
                    for seed in [None, Some(1)] {
                        let read = attacked.read_with("object", seed).await;
                        assert!(read.is_refused(), "{mode:?} {kind:?} as {holder}, {seed:?}: {read:?}");
                    }
                }
            }
        }
        attacked.forge(&place, head).await;
        assert!(attacked.read("object", mode).await == bytes(kind, 1));
    }
}

/// Where an entry of a list of parts stands in its record (docs/format.md, "Manifest").
const fn entry(index: usize) -> usize {
    1 + 4 + 3 + 26 * index
}

/// A list of two parts without its tag.
fn without_tag(list: &[u8]) -> Vec<u8> {
    let (manifest, blobs) = list[5..].split_at(4 + 2 * 26 + 32);
    let manifest = [&manifest[..3 + 2 * 26], &[0]].concat();
    let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
    [&list[..1], &length, &manifest, blobs].concat()
}

/// One part of a list of two without its tag, under another proof.
fn list_of_one(stripped: &[u8], left: usize, proof: &[u8]) -> Vec<u8> {
    let kept = &stripped[entry(left)..entry(left + 1)];
    let manifest = [&[1, 0, 1], kept, proof].concat();
    let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
    let blobs = &stripped[stripped.len() - 32..];
    [&stripped[..1], &length, &manifest, &blobs[16 * left..16 * (left + 1)]].concat()
}
