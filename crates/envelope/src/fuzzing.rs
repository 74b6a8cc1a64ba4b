//! What the fuzz targets do with bytes that nobody wrote (fuzz/README.md). A test at the end feeds the same functions
//! with the corpus that fuzzing has found, so that it holds on every machine.
//!
//! Each function panics when a promise of this crate is broken, and only then. What they take for sealed was sealed
//! under fixed keys and salts, so that exactly one input opens: any other one that does is a forgery.

use std::sync::Arc;

use model::{BucketId, ByteRange, EncryptionContext, KmsKeyId, ObjectKey, PartNumber, Timestamp, VersionId};
use zeroize::Zeroizing;

use crate::keys::KeyBytes;
use crate::primitives::sha256;
use crate::wrap::{Binding, wrap};
use crate::*;

/// Stored wraps: they decode to what encodes them, and open for their holder and their object alone.
///
/// # Panics
/// When a wrap that was never made opens, or the one that was made does not.
pub fn wrapped_data_key(data: &[u8]) {
    let is_genuine = genuine_wraps().iter().any(|genuine| genuine == data);
    let Ok(wrapped) = WrappedDataKey::decode(data) else {
        assert!(!is_genuine, "a wrap of ours does not decode");
        return;
    };
    assert_eq!(wrapped.encode(), data, "two encodings of one wrap");
    for (object, is_its_own) in [(OBJECT, true), ("another", false)] {
        let opens = with_identity(object, |identity| unlocks(wrapped.clone(), identity));
        assert_eq!(opens, is_genuine && is_its_own, "opened for {object}");
    }
}

/// A sealed part and its entry, changed by the steps that `data` spells: whatever range of it opens is what was sealed
/// there, under the entry that was made.
///
/// # Panics
/// When other bytes open, or the end of a part is moved.
pub fn chunk_stream(data: &[u8]) {
    let mut steps = Steps(data);
    let length = PART_LENGTHS[steps.below(PART_LENGTHS.len())];
    let object = UnlockedObject::new(data_key());
    let (entry, plaintext, mut sealed) = sealed_part(length);
    let (start, end) = (steps.below(length + 2) as u64, steps.below(length + 2) as u64);
    let range = ByteRange { start: start.min(end), end: start.max(end) };
    let mut claimed = entry.clone();
    while !steps.0.is_empty() {
        steps.change(&mut claimed, &mut sealed);
    }

    let needed = sealed_range(range, claimed.length);
    assert!(needed.bytes.start <= needed.bytes.end && needed.bytes.end <= sealed_len(claimed.length));
    let (Ok(from), Ok(to)) = (usize::try_from(needed.bytes.start), usize::try_from(needed.bytes.end)) else { return };
    let Some(chunks) = sealed.get_mut(from..to) else { return };
    let opener = object.part_opener(&claimed);
    let mut at = needed.first_chunk as usize * CHUNK_LEN;
    for (index, chunk) in (needed.first_chunk..).zip(chunks.chunks_mut(SEALED_CHUNK_LEN)) {
        let Ok(opened) = opener.open_chunk(index, chunk) else { return };
        assert_eq!(Some(&*opened), plaintext.get(at..at + opened.len()), "other bytes open at {at}");
        assert_eq!((claimed.number, claimed.salt), (entry.number, entry.salt), "opened under another entry");
        at += opened.len();
        assert!(at as u64 != claimed.length || claimed.length == entry.length, "the end was moved");
    }
}

/// Stored lists of parts: they decode to what encodes them, and their tag proves the list that it was made for.
///
/// # Panics
/// When two encodings mean the same, or a tag proves a list that it was not made for.
pub fn manifest(data: &[u8]) {
    let is_genuine = data == genuine_manifest();
    let Ok(manifest) = Manifest::decode(data) else {
        assert!(!is_genuine, "a list of ours does not decode");
        return;
    };
    assert_eq!(manifest.encode(), data, "two encodings of one list");
    assert!(manifest.total_len() <= u64::from(PartNumber::MAX) * PART_LEN_MAX);
    let has_tag = data.len() > 4 + 26 * manifest.entries().len();
    let verifies = UnlockedObject::new(data_key()).verify_manifest(&manifest).is_ok();
    assert_eq!(verifies, is_genuine || !has_tag);
}

/// Framed records: bytes are true in the place that they were written to, and nowhere else.
///
/// # Panics
/// When a record that was never written is believed, or one is in another place.
pub fn record_frame(data: &[u8]) {
    let authenticator = store_key().authenticator();
    assert_eq!(authenticator.check(&PLACE, data).is_ok(), data == genuine_record());
    // The same bytes, cut in two ways into partition, suffix and payload.
    let mut steps = Steps(data);
    let cuts = [(); 4].map(|()| steps.below(data.len() + 1));
    let cut = |one: usize, other: usize| {
        let (partition, rest) = data.split_at(one.min(other));
        let (suffix, payload) = rest.split_at(one.abs_diff(other));
        (RecordPlace { partition, suffix, ..PLACE }, payload)
    };
    let ((here, payload), (there, _)) = (cut(cuts[0], cuts[1]), cut(cuts[2], cuts[3]));
    let record = authenticator.protect(&here, payload.to_vec());
    assert_eq!(authenticator.check(&here, &record), Ok(payload));
    assert_eq!(authenticator.check(&there, &record).is_ok(), here == there);
}

/// Keyring files, with and without a checksum that fits, what is sealed in them, and the text of root key files.
///
/// # Panics
/// When a file opens that was never written, or a text is taken for a root key that it does not spell.
pub fn keyring(data: &[u8]) {
    let genuine = genuine_keyring();
    assert_eq!(root_key().open_keyring(data).is_ok(), data == genuine);
    let summed = [data, &sha256(data)].concat();
    assert_eq!(root_key().open_keyring(&summed).is_ok(), summed == genuine);
    if let Ok(keys) = KeyringKeys::decode(data) {
        assert_eq!(keys.encode().as_slice(), data, "two encodings of one keyring");
        assert!(keys.versions().find(keys.versions().current().key.id()).is_some());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(root_key) = RootKey::from_file_text(text) {
        assert_eq!(root_key.to_file_text().trim(), text.trim(), "two texts of one root key");
    }
}

/// Sealed secrets, metadata and digests, which have no layout of their own, and a sealed key, of which `data` says the
/// bits to change.
///
/// # Panics
/// When one opens that was never sealed.
pub fn sealed_values(data: &[u8]) {
    let [secret, metadata, digest] = genuine_values();
    assert_eq!(store_key().secret_sealer().open(CONTEXT, data).is_ok(), data == secret);
    assert_eq!(UnlockedObject::new(data_key()).open_metadata(data).is_ok(), data == metadata);
    if let Ok(sealed) = data.try_into() {
        assert_eq!(store_key().digest_sealer(&SCOPE).open(&SALT, sealed).is_ok(), data == digest);
    }
    let (sealer, inner) = (key_encryption_key(), KeyEncryptionKey::generate());
    let mut sealed = sealer.seal_key(&inner, CONTEXT);
    let fits = data.len() <= sealed.len();
    sealed.resize(sealed.len().max(data.len()), 0);
    sealed.iter_mut().zip(data).for_each(|(byte, mask)| *byte ^= mask);
    let is_unchanged = fits && data.iter().all(|mask| *mask == 0);
    assert_eq!(sealer.open_key(inner.id(), &sealed, CONTEXT).is_ok(), is_unchanged);
    assert!(sealer.open_key(inner.id(), data, CONTEXT).is_err());
}

/// Inputs to begin with, by the name of their target: everything that opens, so that what is behind a tag is reached.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds: Vec<_> = genuine_wraps().into_iter().map(|wrap| ("wrapped_data_key", wrap)).collect();
    seeds.extend([("manifest", genuine_manifest()), ("record_frame", genuine_record())]);
    seeds.extend([("keyring", genuine_keyring()), ("keyring", keyring_keys().encode().to_vec())]);
    seeds.push(("keyring", root_key().to_file_text().as_bytes().to_vec()));
    seeds.extend(genuine_values().map(|value| ("sealed_values", value)));
    let whole = |index: u8| vec![0, 0, 0, index, 0, 0, 0, 0, 0, 2, 0, 6];
    seeds.extend((0..6).map(|index| ("chunk_stream", whole(index))));
    seeds
}

/// The numbers that an input spells, zero behind its end.
struct Steps<'a>(&'a [u8]);

impl Steps<'_> {
    fn below(&mut self, end: usize) -> usize {
        let (taken, rest) = self.0.split_at(self.0.len().min(4));
        self.0 = rest;
        taken.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) % end
    }

    /// One thing that somebody with the disk may do.
    fn change(&mut self, entry: &mut PartEntry, sealed: &mut Vec<u8>) {
        let step = self.0[0];
        self.0 = &self.0[1..];
        let (one, other) = (self.below(1 << 20), self.below(1 << 20));
        let chunks = sealed.len() / SEALED_CHUNK_LEN;
        match step % 8 {
            0 if !sealed.is_empty() => {
                let at = one % sealed.len();
                sealed[at] ^= 1 << (other % 8);
            }
            1 => sealed.truncate(one),
            2 => sealed.resize(sealed.len() + one % 70_000, u8::try_from(other % 256).unwrap_or_default()),
            3 if chunks > 0 => {
                let (from, to) = (one % chunks * SEALED_CHUNK_LEN, other % chunks * SEALED_CHUNK_LEN);
                let chunk = sealed[from..from + SEALED_CHUNK_LEN].to_vec();
                sealed.copy_within(to..to + SEALED_CHUNK_LEN, from);
                sealed[to..to + SEALED_CHUNK_LEN].copy_from_slice(&chunk);
            }
            4 if chunks > 0 => {
                let from = one % chunks * SEALED_CHUNK_LEN;
                drop(sealed.drain(from..from + SEALED_CHUNK_LEN));
            }
            5 => entry.length = (one as u64) << (other % 64),
            6 => entry.number = PartNumber::new(one.try_into().unwrap_or_default()).unwrap_or(PartNumber::ONE),
            7 => entry.salt[one % 16] ^= 1 << (other % 8),
            _ => {}
        }
    }
}

fn unlocks(wrapped: WrappedDataKey, identity: &ObjectIdentity<'_>) -> bool {
    match wrapped.holder() {
        KeyHolder::Customer => LockedObject::new(wrapped).unlock_with_customer_key(&customer_key(), identity).is_ok(),
        KeyHolder::Keyring(_) => key_encryption_key().unwrap(&wrapped, identity).is_ok(),
        KeyHolder::Kms(_) => key_encryption_key().unwrap_for_kms(&wrapped, identity, context()).is_ok(),
    }
}

fn genuine_wraps() -> [Vec<u8>; 3] {
    let id = key_encryption_key().id();
    let key_bytes = [&customer_key().0, &key_encryption_key().bytes, &key_encryption_key().bytes];
    let holders = [KeyHolder::Customer, KeyHolder::Keyring(id), KeyHolder::Kms(id)];
    let contexts = [None, None, Some(context())];
    with_identity(OBJECT, |identity| {
        [0, 1, 2].map(|at| {
            let binding = Binding { holder: holders[at], identity, context: contexts[at] };
            wrap(key_bytes[at], binding, [5; 32], &data_key()).encode()
        })
    })
}

fn genuine_manifest() -> Vec<u8> {
    let entry =
        |number, length| PartEntry { number: PartNumber::new(number).expect("a number of a part"), length, salt: SALT };
    let entries = vec![entry(1, 5 << 20), entry(2, 0), entry(10_000, PART_LEN_MAX)];
    let tag = UnlockedObject::new(data_key()).manifest_tag(&entries);
    Manifest::new(entries, Some(tag)).expect("numbers rise").encode()
}

fn genuine_record() -> Vec<u8> {
    store_key().authenticator().protect(&PLACE, b"payload".to_vec())
}

fn keyring_keys() -> KeyringKeys {
    let version = |id: u8, created| KeyVersion {
        key: KeyEncryptionKey::new(KeyId::from_bytes([id; 16]), Zeroizing::new([id; 32])),
        created: Some(Timestamp::from_millis(created)),
    };
    let named = |id: u8, state| NamedKey {
        state,
        created: Timestamp::from_millis(1),
        versions: KeyVersions::first(version(id, 2)),
    };
    let name = |text| KmsKeyId::parse(text).expect("a name of a key");
    KeyringKeys::new(Arc::new(store_key()), version(3, 4), vec![version(9, 3)])
        .with_named(name("aws/s3"), named(10, NamedKeyState::Enabled))
        .and_then(|keys| keys.with_named(name("b"), named(11, NamedKeyState::Disabled)))
        .and_then(|keys| {
            keys.with_named(name("c"), named(12, NamedKeyState::PendingDeletion(Timestamp::from_millis(5))))
        })
        .expect("a few keys")
}

fn genuine_keyring() -> Vec<u8> {
    root_key().seal_keyring_salted([5; 32], &keyring_keys())
}

fn genuine_values() -> [Vec<u8>; 3] {
    [
        store_key().secret_sealer().seal_salted([5; 32], CONTEXT, b"secret"),
        UnlockedObject::new(data_key()).seal_metadata_salted(SALT, b"metadata"),
        store_key().digest_sealer(&SCOPE).seal(&SALT, *b"sixteen bytes...").to_vec(),
    ]
}

fn sealed_part(length: usize) -> (PartEntry, Vec<u8>, Vec<u8>) {
    let plaintext: Vec<u8> = (0..length).map(|at| (at >> 8 ^ at).to_le_bytes()[0]).collect();
    let mut sealer = PartSealer::new(&data_key().0, PartNumber::ONE, SALT);
    let mut sealed = Vec::with_capacity(length + 4 * TAG_LEN);
    let mut chunks: Vec<Vec<u8>> = plaintext.chunks(CHUNK_LEN).map(<[u8]>::to_vec).collect();
    let mut last = chunks.pop().unwrap_or_default();
    for mut chunk in chunks {
        sealer.seal_chunk(&mut chunk).expect("a full chunk");
        sealed.append(&mut chunk);
    }
    let entry = sealer.finish(&mut last).expect("a last chunk");
    sealed.append(&mut last);
    (entry, plaintext, sealed)
}

fn with_identity<T>(object: &str, run: impl FnOnce(&ObjectIdentity<'_>) -> T) -> T {
    let object = ObjectKey::parse(object).expect("a name of an object");
    let (bucket, version) = (BucketId::from_bytes(SCOPE), VersionId::from_bytes(SALT));
    run(&ObjectIdentity { bucket, object: &object, version })
}

fn data_key() -> DataKey {
    DataKey(KeyBytes::copy_of(&[1; 32]))
}

fn customer_key() -> CustomerKey {
    CustomerKey::new(Zeroizing::new([2; 32]))
}

fn key_encryption_key() -> KeyEncryptionKey {
    KeyEncryptionKey::new(KeyId::from_bytes([3; 16]), Zeroizing::new([3; 32]))
}

fn store_key() -> StoreKey {
    StoreKey::new(Zeroizing::new([4; 32]))
}

fn root_key() -> RootKey {
    RootKey::new(Zeroizing::new([5; 32]))
}

fn context() -> ContextDigest {
    ContextDigest::of(&EncryptionContext::default())
}

const OBJECT: &str = "object";
const SCOPE: [u8; 16] = [6; 16];
const SALT: [u8; 16] = [7; 16];
const CONTEXT: &[u8] = b"context";
const PLACE: RecordPlace<'_> = RecordPlace { scope: &SCOPE, partition: b"partition", table: 16, suffix: b"suffix" };
/// Short ones more often than long ones: sealing takes most of a run's time.
const PART_LENGTHS: [usize; 6] = [0, 1, 100, CHUNK_LEN, CHUNK_LEN + 1, 2 * CHUNK_LEN + 7];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    type Target = (&'static str, fn(&[u8]));

    #[test]
    fn the_corpus_of_fuzzing_breaks_no_promise_and_holds_what_really_opens() {
        let targets: [Target; 6] = [
            ("wrapped_data_key", wrapped_data_key),
            ("chunk_stream", chunk_stream),
            ("manifest", manifest),
            ("record_frame", record_frame),
            ("keyring", keyring),
            ("sealed_values", sealed_values),
        ];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let mut inputs = Vec::new();
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // Shown when the input breaks something.
                println!("{}", path.display());
                inputs.push(fs::read(path).unwrap());
                target(inputs.last().unwrap());
            }
            let missing = seeds().into_iter().filter(|(target, _)| *target == name).find(|(_, s)| !inputs.contains(s));
            assert!(missing.is_none(), "`cargo run --example seeds` in fuzz/ writes what the corpus of {name} lacks");
        }
    }
}
