//! The omap of an object.

use bytes::Bytes;

use super::{Site, entry, set};
use crate::rados::{RadosError, ReadAnswer, ReadStep, WriteStep};

pub(crate) async fn omap_keys_hold_any_byte_and_come_in_order(site: Site) {
    let mut wanted: Vec<_> = (0..=255_u8).map(|byte| (vec![b'k', byte, b'z'], Bytes::from(vec![byte; 3]))).collect();
    wanted.push((vec![0], Bytes::from_static(b"\0")));
    wanted.push((vec![255; 300], Bytes::new()));
    site.write("a", vec![WriteStep::SetOmap(wanted.clone())]).await.unwrap();
    wanted.sort_unstable();
    assert_eq!(site.entries("a").await, wanted);

    let omap_keys = wanted.iter().map(|(omap_key, _)| omap_key.clone()).collect();
    let answer = site.read("a", ReadStep::OmapGet(omap_keys)).await.unwrap();
    assert_eq!(answer, ReadAnswer::Omap { entries: wanted.clone(), more: false });

    let compare = wanted.iter().map(|(omap_key, value)| WriteStep::CompareOmap(omap_key.clone(), value.clone()));
    let remove = wanted.iter().map(|(omap_key, _)| omap_key.clone()).collect();
    site.write("a", compare.chain([WriteStep::RemoveOmap(remove)]).collect()).await.unwrap();
    assert_eq!(site.entries("a").await, []);
}

pub(crate) async fn a_missing_omap_key_compares_as_empty(site: Site) {
    site.write("a", vec![set("empty", ""), set("full", "v")]).await.unwrap();
    let compare = |omap_key: &str, value| {
        vec![WriteStep::CompareOmap(omap_key.into(), Bytes::from_static(value)), set("done", "")]
    };
    for (omap_key, value, outcome) in [
        ("missing", &b""[..], Ok(())),
        ("empty", b"", Ok(())),
        ("full", b"v", Ok(())),
        ("missing", b"v", Err(RadosError::Mismatch)),
        ("empty", b"\0", Err(RadosError::Mismatch)),
        ("full", b"", Err(RadosError::Mismatch)),
        ("full", b"v\0", Err(RadosError::Mismatch)),
    ] {
        assert_eq!(site.write("a", compare(omap_key, value)).await, outcome, "{omap_key} {value:?}");
    }
}

pub(crate) async fn comparisons_see_what_was_there_before(site: Site) {
    site.write("a", vec![set("k", "1")]).await.unwrap();
    let compare = WriteStep::CompareOmap(b"k".to_vec(), Bytes::from_static(b"1"));
    let steps = vec![compare, set("k", "2"), set("k", "3"), WriteStep::RemoveOmap(vec![b"l".to_vec()])];
    site.write("a", steps).await.unwrap();
    assert_eq!(site.entries("a").await, [entry("k", "3")]);
    // The later step counts, whichever it is.
    site.write("a", vec![WriteStep::RemoveOmap(vec![b"k".to_vec()]), set("k", "4")]).await.unwrap();
    assert_eq!(site.entries("a").await, [entry("k", "4")]);
    site.write("a", vec![set("k", "5"), WriteStep::RemoveOmap(vec![b"k".to_vec()])]).await.unwrap();
    assert_eq!(site.entries("a").await, []);
}

pub(crate) async fn a_scan_keeps_to_its_prefix_and_says_whether_there_is_more(site: Site) {
    let all: Vec<_> = ["a", "b", "b1", "b2", "b3", "b\u{7f}", "c"].iter().map(|key| entry(key, key)).collect();
    site.write("a", vec![WriteStep::SetOmap(all.clone())]).await.unwrap();
    for (after, prefix, limit, range, more) in [
        ("", "", 1000, 0..7, false),
        ("", "", 7, 0..7, false),
        ("", "", 6, 0..6, true),
        ("", "b", 1000, 1..6, false),
        ("", "b", 5, 1..6, false),
        ("", "b", 4, 1..5, true),
        ("b", "b", 2, 2..4, true),
        ("b2", "b", 2, 4..6, false),
        ("b2", "b", 1, 4..5, true),
        ("a0", "b", 1, 1..2, true),
        ("c", "b", 3, 0..0, false),
        ("b3", "", 1, 5..6, true),
        ("c", "", 1, 0..0, false),
        ("", "d", 1, 0..0, false),
    ] {
        let found = site.scan("a", after.as_bytes(), prefix.as_bytes(), limit).await;
        assert_eq!(found, (all[range].to_vec(), more), "{after} {prefix} {limit}");
    }
}

/// OSDs bound the bytes of an answer as well.
pub(crate) async fn a_scan_of_large_values_says_whether_there_is_more(site: Site) {
    let value = Bytes::from(vec![7; 16 << 10]);
    for first in (0..1000).step_by(100) {
        let entries = (first..first + 100).map(|number| (format!("{number:04}").into_bytes(), value.clone()));
        site.write("a", vec![WriteStep::SetOmap(entries.collect())]).await.unwrap();
    }
    let (mut after, mut count) = (Vec::new(), 0);
    loop {
        let (page, more) = site.scan("a", &after, b"", 1000).await;
        count += page.len();
        assert!(!more || !page.is_empty());
        assert!(page.iter().all(|(_, found)| *found == value));
        match page.last() {
            Some((last, _)) if more => after = last.clone(),
            _ => break,
        }
    }
    assert_eq!(count, 1000);
}

pub(crate) async fn a_place_with_a_zero_byte_is_refused(site: Site) {
    site.write("a", vec![set("k", "v")]).await.unwrap();
    for (after, prefix) in [(&b"a\0"[..], &b""[..]), (b"", b"\0")] {
        let scan = ReadStep::OmapScan { after: after.to_vec(), prefix: prefix.to_vec(), limit: 1 };
        assert_eq!(site.read("a", scan).await, Err(RadosError::Other(22)));
    }
}

pub(crate) async fn asking_for_omap_keys_gives_those_that_exist(site: Site) {
    site.write("a", vec![set("a", "1"), set("c", ""), set("d", "4")]).await.unwrap();
    let ask = |omap_keys: &[&str]| ReadStep::OmapGet(omap_keys.iter().map(|key| key.as_bytes().to_vec()).collect());
    let steps = vec![ask(&["d", "b", "c", "d"]), ask(&[]), ask(&["b"]), ReadStep::Xattrs];
    let answers = site.rados.read(site.pool, "a", steps).await.unwrap();
    let omap = |entries| ReadAnswer::Omap { entries, more: false };
    let wanted = [omap(vec![entry("c", ""), entry("d", "4")]), omap(vec![]), omap(vec![]), ReadAnswer::Xattrs(vec![])];
    assert_eq!(answers, wanted);
    assert_eq!(site.read("missing", ask(&["a"])).await, Err(RadosError::NotFound));
    // More than a page.
    let many: Vec<_> = (0..1500).map(|number| entry(format!("{number:05}"), "v")).collect();
    site.write("many", vec![WriteStep::SetOmap(many.clone())]).await.unwrap();
    let omap_keys = many.iter().map(|(omap_key, _)| omap_key.clone()).collect();
    assert_eq!(site.read("many", ReadStep::OmapGet(omap_keys)).await.unwrap(), omap(many));
}

pub(crate) async fn a_range_is_removed_half_open(site: Site) {
    let all: Vec<_> = ["a", "b", "b\0", "c", "d"].iter().map(|key| entry(key, "")).collect();
    site.write("a", vec![WriteStep::SetOmap(all)]).await.unwrap();
    site.write("a", vec![WriteStep::RemoveOmapRange(b"b\0".to_vec(), b"d".to_vec())]).await.unwrap();
    assert_eq!(site.entries("a").await, [entry("a", ""), entry("b", ""), entry("d", "")]);
    site.write("a", vec![WriteStep::RemoveOmapRange(b"b".to_vec(), b"b".to_vec())]).await.unwrap();
    site.write("a", vec![WriteStep::RemoveOmapRange(b"".to_vec(), b"b".to_vec())]).await.unwrap();
    assert_eq!(site.entries("a").await, [entry("b", ""), entry("d", "")]);
}

pub(crate) async fn an_erasure_coded_pool_has_no_omap(site: Site) {
    let Some(pool) = site.ec_pool else { return };
    assert_eq!(site.rados.write(pool, "a", vec![set("k", "v")]).await, Err(RadosError::Unsupported));
    let steps = vec![WriteStep::CreateExclusive, WriteStep::SetXattr("x", Bytes::from_static(b"v"))];
    site.rados.write(pool, "a", steps).await.unwrap();
    for step in [
        set("k", "v"),
        WriteStep::RemoveOmap(vec![b"k".to_vec()]),
        WriteStep::RemoveOmapRange(b"a".to_vec(), b"z".to_vec()),
    ] {
        assert_eq!(site.rados.write(pool, "a", vec![step]).await, Err(RadosError::Unsupported));
    }
}
