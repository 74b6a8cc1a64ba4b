//! The policies of docs/force-encryption.md do what its table says. The page is read, not repeated.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test by panicking")]

use std::collections::HashMap;

use canopic_policy::{Action, Context, Policy, PolicyWarning, Resource, Standing, authorize};
use model::{BucketName, ObjectKey, Principal};

const PAGE: &str = include_str!("../../../docs/force-encryption.md");
const BUCKET: &str = "testfile2";
const OWNER: &str = "arn:aws:iam::111111111111:user/owner";
const SERVER_HEADER: &str = "s3:x-amz-server-side-encryption";
const CUSTOMER_HEADER: &str = "s3:x-amz-server-side-encryption-customer-algorithm";

/// The blocks of JSON by the words behind their fence, as policies of one bucket.
fn policies() -> HashMap<&'static str, Policy> {
    let bucket = BucketName::parse(BUCKET).unwrap();
    let blocks = PAGE.split("```json ").skip(1);
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (json, _) = rest.split_once("\n```").unwrap();
            let document = json.replace("%s", BUCKET);
            (name, Policy::parse(document.as_bytes(), &bucket).unwrap())
        })
        .collect()
}

/// The cells of the table below a heading, its head first and without the line of dashes.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = PAGE.split_once(&format!("## {heading}\n")).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect();
    rows.filter(|row| !row.starts_with("|--")).map(cells).collect()
}

fn request(upload: &str) -> Context {
    match upload {
        "no header" => Context::new(),
        "`AES256` alone" => Context::new().with(SERVER_HEADER, "AES256"),
        "customer headers and `AES256`" => Context::new().with(SERVER_HEADER, "AES256").with(CUSTOMER_HEADER, "AES256"),
        "customer headers alone" => Context::new().with(CUSTOMER_HEADER, "AES256"),
        other => panic!("the table has an upload that this test does not know: {other}"),
    }
}

fn allows(policy: &Policy, who: &Principal, action: Action, context: &Context) -> bool {
    let owner = Principal::from_arn(OWNER).unwrap();
    let object = Resource::Object(BucketName::parse(BUCKET).unwrap(), ObjectKey::parse("test.txt").unwrap());
    let standing = Standing { owner: Some(&owner), policy: Some(policy), acl_allows: false };
    authorize(who, action, object, context, &standing).is_ok()
}

fn owner_and_root() -> [Principal; 2] {
    [OWNER, "arn:aws:iam::111111111111:root"].map(|arn| Principal::from_arn(arn).unwrap())
}

#[test]
fn every_cell_of_the_table_is_what_the_policy_decides() {
    let policies = policies();
    let rows = table("What the policies do");
    let (head, uploads) = rows.split_first().unwrap();
    assert_eq!((head.len() - 1, uploads.len()), (policies.len(), 4));
    for row in uploads {
        let context = request(row[0]);
        for (name, expected) in head.iter().zip(row).skip(1) {
            for who in owner_and_root() {
                let decided =
                    if allows(&policies[name], &who, Action::PutObject, &context) { "allowed" } else { "denied" };
                assert_eq!(decided, *expected, "{}: {name}", row[0]);
            }
        }
    }
}

#[test]
fn reads_and_deletes_are_not_touched() {
    for (name, policy) in policies() {
        for who in owner_and_root() {
            assert!(allows(&policy, &who, Action::GetObject, &Context::new()), "{name}");
            assert!(allows(&policy, &who, Action::DeleteObject, &Context::new()), "{name}");
        }
    }
}

#[test]
fn only_the_version_of_the_guide_is_warned_of() {
    for (name, policy) in policies() {
        let expected = match name {
            "guide" => vec![PolicyWarning::UnknownVersion("2018-05-24".to_owned())],
            _ => Vec::new(),
        };
        assert_eq!(policy.warnings(), expected, "{name}");
    }
}
