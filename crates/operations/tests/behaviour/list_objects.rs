//! Pages of objects, compared with a naive reading of AWS's rules (`ListObjectsV2`, "Delimiter", "StartAfter").

use std::collections::BTreeSet;

use model::ETag;
use operations::{ListObjects, ObjectsPage};
use policy::Action;

use crate::support::{MODES, Random, Site};

/// A line of a listing: an object, or a common prefix.
type Line = (String, bool);

async fn list(site: &Site, list: &ListObjects) -> ObjectsPage {
    let granted = site.bucket_grant(Action::ListBucket).await;
    site.operations.objects.list_objects(&granted, list).await.unwrap()
}

/// All pages of `limit`, each continued where the one before ended.
async fn walk(site: &Site, question: &ListObjects) -> Vec<Line> {
    let (mut lines, mut question) = (Vec::new(), question.clone());
    loop {
        let page = list(site, &question).await;
        let objects = page.objects.iter().map(|object| (object.object.clone(), false));
        let mut found: Vec<Line> = objects.chain(page.common_prefixes.iter().map(|p| (p.clone(), true))).collect();
        found.sort();
        assert!(found.len() <= question.limit);
        lines.append(&mut found);
        match page.next {
            None => return lines,
            Some(next) => {
                assert_eq!(Some(&next), lines.last().map(|line| &line.0), "a page continues behind its last line");
                question.after = next;
            }
        }
    }
}

/// What the rules say: filter, roll up, leave out what `after` covers.
fn naive(objects: &BTreeSet<String>, question: &ListObjects) -> Vec<Line> {
    let mut lines = BTreeSet::new();
    for object in objects.iter().filter(|o| o.starts_with(&question.prefix)) {
        let rest = &object[question.prefix.len()..];
        let at = (!question.delimiter.is_empty()).then(|| rest.find(&question.delimiter)).flatten();
        let line = match at {
            None => (object.clone(), false),
            Some(at) => (object[..question.prefix.len() + at + question.delimiter.len()].to_owned(), true),
        };
        // Behind `after`; a common prefix that is `after` itself has been shown already.
        if object.as_bytes() > question.after.as_bytes() && !(line.1 && line.0 == question.after) {
            lines.insert(line);
        }
    }
    lines.into_iter().collect()
}

const ALPHABET: [&str; 8] = ["a", "b", "/", "//", "-", "é", "\u{10ffff}", "\u{1}"];

fn random_text(random: &mut Random, longest: usize) -> String {
    (0..random.below(longest + 1)).map(|_| *random.pick(&ALPHABET)).collect()
}

#[tokio::test]
async fn random_listings_are_what_the_rules_say_in_pages_of_any_size() {
    let mut random = Random::new(11);
    for _ in 0..25 {
        let site = Site::new().await;
        let mut objects = BTreeSet::new();
        for _ in 0..random.below(40) {
            let object = random_text(&mut random, 6);
            if !object.is_empty() {
                site.put(&object, b"", None).await.unwrap();
                objects.insert(object);
            }
        }
        for _ in 0..40 {
            let mut question = ListObjects {
                prefix: random_text(&mut random, 2),
                delimiter: (*random.pick(&["", "/", "//", "a", "-é", "\u{10ffff}", "ab"])).to_owned(),
                after: if random.chance(2) { String::new() } else { random_text(&mut random, 4) },
                limit: 1000,
            };
            let expected = naive(&objects, &question);
            for limit in [1, 2, 3, 7, 1000] {
                question.limit = limit;
                assert_eq!(walk(&site, &question).await, expected, "{question:?} of {objects:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_nothing_is_empty_and_says_that_nothing_follows() {
    let site = Site::new().await;
    site.put("object", b"", None).await.unwrap();
    assert_eq!(list(&site, &ListObjects::default()).await, ObjectsPage::default());
    let elsewhere = ListObjects { prefix: "z".to_owned(), limit: 9, ..ListObjects::default() };
    assert_eq!(list(&site, &elsewhere).await, ObjectsPage::default());
}

#[tokio::test]
async fn a_listing_tells_the_tag_and_size_of_each_object_without_any_customer_key() {
    let site = Site::new().await;
    let mut expected: Vec<(String, ETag, u64)> = Vec::new();
    for seed in MODES {
        for size in [0, 10, 70_000] {
            let object = format!("{seed:?}/{size}");
            let etag = site.put(&object, &vec![1; size], seed).await.unwrap().etag;
            expected.push((object, etag, size as u64));
        }
    }
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let page = list(&site, &ListObjects { limit: 1000, ..ListObjects::default() }).await;
    let got: Vec<_> = page.objects.into_iter().map(|object| (object.object, object.etag, object.size)).collect();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn more_objects_than_any_page_holds_are_all_found() {
    let site = Site::new().await;
    let mut objects = BTreeSet::new();
    for number in 0..2_100 {
        let object = format!("{:02}/{number:05}", number % 3);
        site.put(&object, b"", None).await.unwrap();
        objects.insert(object);
    }
    for (delimiter, limit) in [("", 1000), ("", 5000), ("/", 2), ("/", 1000)] {
        let question = ListObjects { delimiter: delimiter.to_owned(), limit, ..ListObjects::default() };
        assert_eq!(walk(&site, &question).await, naive(&objects, &question));
    }
}
