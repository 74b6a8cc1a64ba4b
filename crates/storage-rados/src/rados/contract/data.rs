//! The bytes of an object.

use bytes::Bytes;
use futures::future::try_join_all;

use super::Site;
use crate::rados::{RadosError, ReadAnswer, ReadStep, WriteStep};

pub(crate) async fn bytes_are_read_back_as_far_as_the_object_goes(site: Site) {
    site.write("a", vec![WriteStep::Write(2, Bytes::from_static(b"cdef"))]).await.unwrap();
    for (offset, length, wanted) in [
        (0, 100, &b"\0\0cdef"[..]),
        (0, 3, b"\0\0c"),
        (3, 2, b"de"),
        (5, 100, b"f"),
        (6, 1, b""),
        (u64::from(u32::MAX), 1, b""),
        (2, 0, b""),
    ] {
        assert_eq!(site.bytes("a", offset, length).await, wanted, "{offset} {length}");
    }
    // Several steps of one operation, each with its own answer.
    let steps = vec![
        ReadStep::Read { offset: 2, length: 2 },
        ReadStep::Read { offset: 0, length: 0 },
        ReadStep::Read { offset: 4, length: 9 },
    ];
    let answers = site.rados.read(site.pool, "a", steps).await.unwrap();
    assert_eq!(answers, [&b"cd"[..], b"", b"ef"].map(|bytes| ReadAnswer::Bytes(Bytes::from_static(bytes))));
    for length in [0, 1] {
        let missing = site.read("missing", ReadStep::Read { offset: 0, length }).await;
        assert_eq!(missing, Err(RadosError::NotFound));
    }
    // What is read can be changed in place, as nobody else has it.
    assert!(site.bytes("a", 0, 6).await.try_into_mut().is_ok());
}

pub(crate) async fn the_size_and_the_time_of_the_last_change_are_told(site: Site) {
    let stat = async |site: &Site| match site.read("a", ReadStep::Stat).await.unwrap() {
        ReadAnswer::Stat { size, modified } => (size, modified),
        other => panic!("{other:?}"),
    };
    site.write("a", vec![WriteStep::CreateExclusive]).await.unwrap();
    let (size, created) = stat(&site).await;
    assert_eq!(size, 0);
    site.write("a", vec![WriteStep::Write(0, Bytes::from(vec![1; 70_000]))]).await.unwrap();
    let (size, modified) = stat(&site).await;
    assert_eq!(size, 70_000);
    assert!(created > 1_600_000_000 && modified >= created, "{created} {modified}");
}

pub(crate) async fn an_erasure_coded_pool_takes_bytes_at_its_alignment(site: Site) {
    let Some(pool) = site.ec_pool else { return };
    let alignment = site.rados.alignment(pool).await.unwrap().expect("such pools have one");
    let write = |offset, len: u64| {
        let bytes = Bytes::from(vec![7; usize::try_from(len).unwrap()]);
        site.rados.write(pool, "a", vec![WriteStep::Write(offset, bytes)])
    };
    assert_eq!(write(alignment, alignment).await, Err(RadosError::Unsupported));
    write(0, 2 * alignment).await.unwrap();
    assert_eq!(write(0, alignment).await, Err(RadosError::Unsupported));
    assert_eq!(write(3 * alignment, alignment).await, Err(RadosError::Unsupported));
    // The last one may be shorter, and nothing follows it.
    write(2 * alignment, 10).await.unwrap();
    assert_eq!(write(2 * alignment + 10, alignment).await, Err(RadosError::Unsupported));
    let stat = site.rados.read(pool, "a", vec![ReadStep::Stat]).await.unwrap();
    assert!(matches!(stat[..], [ReadAnswer::Stat { size, .. }] if size == 2 * alignment + 10), "{stat:?}");
}

pub(crate) async fn sixty_four_mebibytes_are_written_at_once(site: Site) {
    let name = |number: u8| format!("stripe-{number}");
    let write = |number: u8| {
        let (site, object) = (&site, name(number));
        async move { site.write(&object, vec![WriteStep::Write(0, Bytes::from(vec![number; 4 << 20]))]).await }
    };
    try_join_all((0..16).map(write)).await.unwrap();
    let read = |number: u8| {
        let (site, object) = (&site, name(number));
        async move {
            let bytes = site.bytes(&object, 0, 4 << 20).await;
            assert!(bytes.len() == 4 << 20 && bytes.iter().all(|byte| *byte == number));
            Ok::<_, RadosError>(())
        }
    };
    try_join_all((0..16).map(read)).await.unwrap();
}
