//! Objects, their xattrs and their names.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::try_join_all;

use super::{Site, set};
use crate::rados::{RadosError, ReadStep, WriteStep};

pub(crate) async fn a_write_happens_whole_or_not_at_all(site: Site) {
    let value = Bytes::from_static(b"1");
    site.write("a", vec![WriteStep::SetXattr("epoch", value.clone()), set("k", "before")]).await.unwrap();
    let steps = vec![
        WriteStep::CompareXattr("epoch", value),
        WriteStep::CompareOmap(b"k".to_vec(), Bytes::from_static(b"other")),
        WriteStep::SetXattr("epoch", Bytes::from_static(b"2")),
        WriteStep::RemoveOmap(vec![b"k".to_vec()]),
        WriteStep::Write(0, Bytes::from_static(b"bytes")),
    ];
    assert_eq!(site.write("a", steps.clone()).await, Err(RadosError::Mismatch));
    assert_eq!(site.xattrs("a").await, [("epoch".to_owned(), Bytes::from_static(b"1"))]);
    assert_eq!(site.entries("a").await, [(b"k".to_vec(), Bytes::from_static(b"before"))]);
    assert_eq!(site.bytes("a", 0, 10).await, b""[..]);

    let mut steps = steps;
    steps[1] = WriteStep::CompareOmap(b"k".to_vec(), Bytes::from_static(b"before"));
    site.write("a", steps).await.unwrap();
    assert_eq!(site.xattrs("a").await, [("epoch".to_owned(), Bytes::from_static(b"2"))]);
    assert_eq!(site.entries("a").await, []);
    assert_eq!(site.bytes("a", 0, 10).await, b"bytes"[..]);
}

pub(crate) async fn a_write_to_a_missing_object_makes_it(site: Site) {
    let steps = [
        WriteStep::SetXattr("x", Bytes::new()),
        set("k", "v"),
        WriteStep::Write(3, Bytes::from_static(b"b")),
        WriteStep::SetOmap(Vec::new()),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let object = format!("made-{number}");
        assert!(!site.exists(&object).await);
        site.write(&object, vec![step]).await.unwrap();
        assert!(site.exists(&object).await, "{number}");
    }
    assert_eq!(site.write("never", vec![WriteStep::AssertExists, set("k", "v")]).await, Err(RadosError::NotFound));
    assert!(!site.exists("never").await);
}

pub(crate) async fn only_the_first_exclusive_creation_succeeds(site: Site) {
    let create = |value| vec![WriteStep::CreateExclusive, set("k", value)];
    site.write("a", create("first")).await.unwrap();
    assert_eq!(site.write("a", create("second")).await, Err(RadosError::Exists));
    assert_eq!(site.entries("a").await, [(b"k".to_vec(), Bytes::from_static(b"first"))]);
    site.write("bare", vec![WriteStep::CreateExclusive]).await.unwrap();
    assert!(site.exists("bare").await);
}

pub(crate) async fn a_missing_object_is_told_from_one_that_is_not_as_demanded(site: Site) {
    let compare_xattr = WriteStep::CompareXattr("epoch", Bytes::from_static(b"1"));
    let compare_omap = WriteStep::CompareOmap(b"k".to_vec(), Bytes::from_static(b"1"));
    let absent = WriteStep::CompareOmap(b"k".to_vec(), Bytes::new());
    for step in [&compare_xattr, &compare_omap, &absent] {
        let written = site.write("missing", vec![step.clone(), set("k", "v")]).await;
        assert_eq!(written, Err(RadosError::NotFound), "{step:?}");
    }
    let read = site.read("missing", ReadStep::Xattrs).await;
    assert_eq!(read, Err(RadosError::NotFound));

    site.write("there", vec![WriteStep::CreateExclusive]).await.unwrap();
    for step in [&compare_xattr, &compare_omap] {
        let written = site.write("there", vec![step.clone(), set("k", "v")]).await;
        assert_eq!(written, Err(RadosError::Mismatch), "{step:?}");
    }
    let steps = vec![ReadStep::CompareXattr("epoch", Bytes::from_static(b"1")), ReadStep::Stat];
    assert_eq!(site.rados.read(site.pool, "there", steps).await, Err(RadosError::Mismatch));
    site.write("there", vec![absent, set("k", "v")]).await.unwrap();
}

pub(crate) async fn an_xattr_is_compared_in_every_byte(site: Site) {
    let every: Bytes = (0..=255_u8).collect();
    site.write("a", vec![WriteStep::SetXattr("x", every.clone())]).await.unwrap();
    assert_eq!(site.xattrs("a").await, [("x".to_owned(), every.clone())]);
    let compare = |value: Bytes| vec![WriteStep::CompareXattr("x", value), set("k", "v")];
    site.write("a", compare(every.clone())).await.unwrap();
    let mut last_differs = every.to_vec();
    last_differs[255] = 0;
    // One is the other's beginning up to a zero byte, which ends text in C.
    for other in [every.slice(..255), every.slice(..1), Bytes::new(), last_differs.into()] {
        assert_eq!(site.write("a", compare(other.clone())).await, Err(RadosError::Mismatch), "{other:?}");
        let steps = vec![ReadStep::CompareXattr("x", other)];
        assert_eq!(site.rados.read(site.pool, "a", steps).await, Err(RadosError::Mismatch));
    }
    // Like an omap key, a missing xattr compares as empty.
    site.write("a", vec![WriteStep::SetXattr("empty", Bytes::new())]).await.unwrap();
    for name in ["empty", "missing"] {
        site.write("a", vec![WriteStep::CompareXattr(name, Bytes::new()), set("k", "w")]).await.unwrap();
        let other = vec![WriteStep::CompareXattr(name, Bytes::from_static(b"\0")), set("k", "x")];
        assert_eq!(site.write("a", other).await, Err(RadosError::Mismatch));
    }
}

pub(crate) async fn a_removal_demands_what_it_is_told_to_demand(site: Site) {
    assert_eq!(site.write("a", vec![WriteStep::Remove]).await, Err(RadosError::NotFound));
    site.write("a", vec![WriteStep::SetXattr("x", Bytes::from_static(b"1"))]).await.unwrap();
    let remove = |value| vec![WriteStep::CompareXattr("x", Bytes::from_static(value)), WriteStep::Remove];
    assert_eq!(site.write("a", remove(b"2")).await, Err(RadosError::Mismatch));
    assert!(site.exists("a").await);
    site.write("a", remove(b"1")).await.unwrap();
    assert!(!site.exists("a").await);
    // What comes after is a new object.
    site.write("a", vec![set("k", "v")]).await.unwrap();
    assert_eq!(site.xattrs("a").await, []);
}

pub(crate) async fn pages_of_a_listing_walk_all_names(site: Site) {
    assert_eq!(site.rados.list(site.pool, None).await, Ok((Vec::new(), None)));
    let wanted: BTreeSet<_> = (0..2_500).map(|number| format!("object-ü-{number}")).collect();
    let names: Vec<_> = wanted.iter().collect();
    for names in names.chunks(100) {
        let made = names.iter().map(|name| site.write(name, vec![WriteStep::CreateExclusive]));
        try_join_all(made).await.unwrap();
    }
    let (mut found, mut after, mut pages, mut came) = (BTreeSet::new(), None, 0, 0);
    loop {
        let (page, next) = site.rados.list(site.pool, after).await.unwrap();
        assert!(page.len() <= 1100, "{}", page.len());
        came += page.len();
        pages += 1;
        found.extend(page);
        match next {
            None => break,
            Some(next) => after = Some(next),
        }
    }
    assert!(found == wanted, "{} of {} names", found.len(), wanted.len());
    // A name can come twice between two pages, not more often.
    assert!(came <= wanted.len() + pages, "{came} in {pages} pages");
    assert!(pages >= 3);
    assert_eq!(site.rados.list(site.pool, Some("nonsense".into())).await, Err(RadosError::Other(22)));
}

pub(crate) async fn names_that_c_cannot_hold_are_refused(site: Site) {
    assert_eq!(site.write("a\0b", vec![set("k", "v")]).await, Err(RadosError::Other(22)));
    assert!(!site.exists("a").await);
}

pub(crate) async fn a_pool_is_found_by_its_name(site: Site) {
    assert_eq!(site.rados.pool("there is no such pool").await, Err(RadosError::NotFound));
    assert_eq!(site.rados.alignment(site.pool).await, Ok(None));
    if let Some(pool) = site.ec_pool {
        assert!(site.rados.alignment(pool).await.unwrap().is_some_and(|alignment| alignment > 0));
    }
}
