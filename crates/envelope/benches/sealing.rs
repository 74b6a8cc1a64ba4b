//! What sealing costs: chunks beside the raw cipher of the same library, and the fixed price of one object.
//!
//! `cargo bench -p canopic-envelope`. The chunk benchmarks come in pairs, `raw` and `chunk`; the aim is 90 % of raw.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use canopic_envelope::{
    CHUNK_LEN, CustomerKey, DataKey, ObjectIdentity, PartEntry, RecordPlace, SEALED_CHUNK_LEN, StoreKey,
    UnlockedObject, random_bytes,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use model::{BucketId, ObjectKey, PartNumber, VersionId};
use zeroize::Zeroizing;

const NONCE: [u8; 12] = [7; 12];
/// Chunks that are opened in a row; they fit into the second cache, as a chunk that just came from a socket does.
const CHUNKS_IN_A_ROW: BatchSize = BatchSize::NumIterations(8);

fn raw_key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &random_bytes::<32>()).expect("AES-256 takes 32 bytes"))
}

fn raw_seal(key: &LessSafeKey, chunk: &mut Vec<u8>) {
    let nonce = Nonce::assume_unique_for_key(NONCE);
    key.seal_in_place_append_tag(nonce, Aad::empty(), chunk).expect("64 KiB can be sealed");
}

fn chunk_buffer() -> Vec<u8> {
    let mut buffer = Vec::with_capacity(SEALED_CHUNK_LEN);
    buffer.resize(CHUNK_LEN, 0x5a);
    buffer
}

fn sealing(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal 64 KiB");
    group.throughput(Throughput::Bytes(CHUNK_LEN as u64));
    let (key, mut buffer) = (raw_key(), chunk_buffer());
    group.bench_function("raw", |b| {
        b.iter(|| {
            buffer.truncate(CHUNK_LEN);
            raw_seal(&key, &mut buffer);
        });
    });
    let mut sealer = UnlockedObject::new(DataKey::generate()).part_sealer(PartNumber::ONE);
    group.bench_function("chunk", |b| {
        b.iter(|| {
            buffer.truncate(CHUNK_LEN);
            sealer.seal_chunk(&mut buffer).expect("a whole chunk");
        });
    });
    group.finish();
}

fn opening(c: &mut Criterion) {
    let mut group = c.benchmark_group("open 64 KiB");
    group.throughput(Throughput::Bytes(CHUNK_LEN as u64));
    let (key, mut sealed) = (raw_key(), chunk_buffer());
    raw_seal(&key, &mut sealed);
    group.bench_function("raw", |b| {
        let open = |buffer: &mut Vec<u8>| {
            let nonce = Nonce::assume_unique_for_key(NONCE);
            key.open_in_place(nonce, Aad::empty(), buffer).expect("it was sealed so").len()
        };
        b.iter_batched_ref(|| sealed.clone(), open, CHUNKS_IN_A_ROW);
    });
    let object = UnlockedObject::new(DataKey::generate());
    let mut sealed = chunk_buffer();
    let entry = object.part_sealer(PartNumber::ONE).finish(&mut sealed).expect("a whole chunk");
    let opener = object.part_opener(&entry);
    group.bench_function("chunk", |b| {
        let open = |buffer: &mut Vec<u8>| opener.open_chunk(0, buffer).expect("it was sealed so").len();
        b.iter_batched_ref(|| sealed.clone(), open, CHUNKS_IN_A_ROW);
    });
    group.finish();
}

fn one_object(c: &mut Criterion) {
    let object_key = ObjectKey::parse("photos/2026/cat.jpg").expect("a key");
    let identity = ObjectIdentity {
        bucket: BucketId::from_bytes(random_bytes()),
        object: &object_key,
        version: VersionId::from_bytes(random_bytes()),
    };
    let customer_key = CustomerKey::new(Zeroizing::new(random_bytes()));
    let data_key = DataKey::generate();
    let wrapped = customer_key.wrap(&data_key, &identity);
    let object = UnlockedObject::new(DataKey::generate());
    let entry = PartEntry { number: PartNumber::ONE, length: 4096, salt: random_bytes() };
    let metadata = object.seal_metadata(&[0; 200]);

    let mut group = c.benchmark_group("one object");
    group.bench_function("wrap", |b| b.iter(|| customer_key.wrap(black_box(&data_key), &identity)));
    group.bench_function("unwrap", |b| b.iter(|| customer_key.unwrap(black_box(&wrapped), &identity).is_ok()));
    group.bench_function("begin to seal a part", |b| b.iter(|| object.part_sealer(PartNumber::ONE)));
    group.bench_function("begin to open a part", |b| b.iter(|| object.part_opener(black_box(&entry))));
    group.bench_function("seal metadata", |b| b.iter(|| object.seal_metadata(black_box(&[0; 200]))));
    group.bench_function("open metadata", |b| b.iter(|| object.open_metadata(black_box(&metadata))));
    group.finish();
}

fn records(c: &mut Criterion) {
    let (store_key, scope) = (StoreKey::generate(), random_bytes());
    let authenticator = store_key.authenticator();
    let place = RecordPlace { scope: &scope, partition: b"photos/2026/cat.jpg", table: 16, suffix: b"" };
    let record = authenticator.protect(&place, vec![0; 500]);
    let (sealer, unique) = (store_key.digest_sealer(&scope), random_bytes());
    let sealed = sealer.seal(&unique, [1; 16]);

    let mut group = c.benchmark_group("record of 500 B");
    group.bench_function("protect", |b| {
        b.iter_batched(|| vec![0; 500], |payload| authenticator.protect(&place, payload), BatchSize::SmallInput);
    });
    group.bench_function("check", |b| b.iter(|| authenticator.check(black_box(&place), &record)));
    group.bench_function("open a digest", |b| b.iter(|| sealer.open(black_box(&unique), &sealed)));
    group.finish();
}

criterion_group!(benches, sealing, opening, one_object, records);
criterion_main!(benches);
