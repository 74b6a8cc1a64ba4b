use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use envelope::{KeyId, ObjectIdentity, StoreKey};
use kms::{
    AuditTrail as _, AuditUnavailable, KeyChange, KeyChangeOperation, KeyName, KeyOperation, KeyServiceError, KeyUse,
    Requester,
};
use model::{BucketId, BucketName, KmsKeyId, ObjectKey, Principal, Timestamp, VersionId};

use super::*;

struct Place {
    dir: tempfile::TempDir,
    store_key: StoreKey,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), store_key: StoreKey::generate() }
    }

    fn directory(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    fn open_with(&self, file_len_max: u64, files_max: usize) -> AuditLog {
        let files = AuditFiles { directory: self.directory(), file_len_max, files_max };
        let clock: Clock = Arc::new(|| Timestamp::from_millis(1_700_000_000_000));
        AuditLog::open(files, self.store_key.audit_chain(), WhenUnwritable::Refuse, clock).unwrap()
    }

    fn open(&self) -> AuditLog {
        self.open_with(1 << 20, 8)
    }

    fn verify(&self) -> Report {
        self.expecting(None)
    }

    fn expecting(&self, head: Option<Head>) -> Report {
        verify(&self.directory(), &self.store_key.audit_chain(), head).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        files::numbers(&self.directory()).unwrap().into_iter().map(|n| files::path(&self.directory(), n)).collect()
    }

    fn text(&self) -> String {
        self.files().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

async fn record(log: &AuditLog, object: &str) -> Result<(), AuditUnavailable> {
    let (object, bucket) = (ObjectKey::parse(object).unwrap(), BucketName::parse("bucket").unwrap());
    let (kms_key, principal) = (KmsKeyId::default_key(), Principal::Anonymous);
    let error = KeyServiceError::UnknownKey(KeyId::from_bytes([3; 16]));
    let object = ObjectIdentity {
        bucket: BucketId::from_bytes([1; 16]),
        object: &object,
        version: VersionId::from_bytes([2; 16]),
    };
    let requester = Requester { principal: &principal, bucket: &bucket };
    let by_kms = KeyName::Kms(&kms_key);
    log.record(KeyUse { requester, operation: KeyOperation::Wrap, key: by_kms, object, outcome: Ok(()) }).await?;
    let by_keyring = KeyName::Keyring(KeyId::from_bytes([3; 16]));
    let outcome = Err(&error);
    log.record(KeyUse { requester, operation: KeyOperation::Unwrap, key: by_keyring, object, outcome }).await
}

fn overwrite(path: &Path, bytes: &[u8]) {
    OpenOptions::new().write(true).truncate(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn an_entry_says_who_used_which_key_for_which_object_and_what_came_of_it() {
    let place = Place::new();
    let log = place.open();
    record(&log, "a \"quoted\",\"chain\":\"name\n").await.unwrap();
    let head = log.close().await.unwrap();
    assert_eq!(head.number, 3);
    let text = place.text();
    let entries: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries[1]["time"], "2023-11-14T22:13:20Z");
    assert_eq!(entries[1]["key"], "kms/aws/s3");
    assert_eq!(entries[1]["bucket"], "bucket");
    assert_eq!(entries[1]["object"], "a \"quoted\",\"chain\":\"name\n");
    assert_eq!((&entries[1]["operation"], &entries[1]["outcome"]), (&"wrap".into(), &"ok".into()));
    assert_eq!(entries[2]["key"], "keyring/03030303030303030303030303030303");
    assert_eq!((&entries[2]["operation"], &entries[2]["principal"]), (&"unwrap".into(), &"anonymous".into()));
    assert!(entries[2]["outcome"].as_str().unwrap().contains("no key"));
    let report = place.expecting(Some(head));
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!((report.entries, report.first, report.head), (3, Some(1), Some(head)));
    assert_eq!(head.to_string().parse(), Ok(head));
}

#[tokio::test]
async fn a_log_goes_on_after_a_restart_and_through_its_rotations() {
    let place = Place::new();
    let mut head = None;
    for round in 0..4 {
        let log = place.open_with(1500, 100);
        for _ in 0..10 {
            record(&log, "object").await.unwrap();
        }
        let closed = log.close().await;
        assert!(closed.map(|head| head.number) > head.map(|head: Head| head.number), "round {round}");
        let report = place.verify();
        assert!(report.is_clean(), "round {round}: {:?}", report.problems);
        assert_eq!(report.head.unwrap().number, report.entries);
        assert_eq!(report.head, closed);
        head = closed;
    }
    assert!(place.files().len() > 2);
}

#[tokio::test]
async fn old_files_go_and_the_rest_still_proves_itself() {
    let place = Place::new();
    for _ in 0..6 {
        let log = place.open_with(500, 3);
        for _ in 0..5 {
            record(&log, "object").await.unwrap();
        }
        log.close().await.unwrap();
    }
    assert_eq!(place.files().len(), 3);
    let report = place.verify();
    assert!(report.is_clean(), "{:?}", report.problems);
    assert!(report.first > Some(1));
}

#[tokio::test]
async fn what_is_changed_taken_out_put_in_or_reordered_is_found() {
    let place = Place::new();
    let log = place.open();
    for object in ["a", "b", "c", "d"] {
        record(&log, object).await.unwrap();
    }
    log.close().await.unwrap();
    let path = &place.files()[0];
    let whole = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let without = |at: usize| lines.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| *l).collect::<Vec<_>>();
    let swapped = {
        let mut swapped = lines.clone();
        swapped.swap(3, 4);
        swapped
    };
    let doubled = [&lines[..4], &lines[3..]].concat();
    let mut tampered: Vec<String> = vec![whole.replacen("\"b\"", "\"x\"", 1), whole.replacen("\"n\":4", "\"n\":5", 1)];
    tampered.extend((0..lines.len() - 1).map(|at| without(at).join("\n") + "\n"));
    tampered.extend([swapped.join("\n") + "\n", doubled.join("\n") + "\n", whole.replacen('{', "[", 1)]);
    for (case, text) in tampered.iter().enumerate() {
        overwrite(path, text.as_bytes());
        assert!(!place.verify().is_clean(), "case {case}");
    }
    overwrite(path, whole.as_bytes());
    assert!(place.verify().is_clean());
    let other = StoreKey::generate();
    assert!(!verify(&place.directory(), &other.audit_chain(), None).unwrap().is_clean());
}

#[tokio::test]
async fn an_end_that_is_cut_off_shows_by_the_head_that_was_noted() {
    let place = Place::new();
    let log = place.open();
    record(&log, "object").await.unwrap();
    let head = log.close().await;
    let path = &place.files()[0];
    let whole = std::fs::read_to_string(path).unwrap();
    let cut: String = whole.lines().take(2).map(|line| format!("{line}\n")).collect();
    overwrite(path, cut.as_bytes());
    assert!(place.verify().is_clean(), "the chain alone cannot show it");
    assert_eq!(place.expecting(head).expected_found, Some(false));
    assert!(!place.expecting(head).is_clean());
}

#[tokio::test]
async fn a_line_that_a_crash_tore_is_cut_off_and_told_of() {
    let place = Place::new();
    let log = place.open();
    record(&log, "object").await.unwrap();
    log.close().await.unwrap();
    let whole = place.text();
    for torn in 1..whole.lines().last().unwrap().len() {
        overwrite(&place.files()[0], &whole.as_bytes()[..whole.len() - torn]);
        let log = place.open();
        record(&log, "later").await.unwrap();
        log.close().await.unwrap();
        let report = place.verify();
        assert!(report.is_clean(), "{torn} bytes: {:?}", report.problems);
        assert!(place.text().contains("\"torn\":"), "{torn} bytes");
    }
}

#[tokio::test]
async fn a_file_of_which_nothing_is_left_does_not_break_the_chain() {
    let place = Place::new();
    let log = place.open_with(500, 10);
    record(&log, "object").await.unwrap();
    log.close().await.unwrap();
    let last = place.files().pop().unwrap();
    overwrite(&last, b"{\"n\":");
    let before = place.files().len();
    let log = place.open();
    record(&log, "later").await.unwrap();
    log.close().await.unwrap();
    assert_eq!(place.files().len(), before + 1);
    assert!(place.text().contains("later"));
}

/// A file that takes nothing more stands for a full disk.
#[tokio::test]
async fn while_the_disk_takes_nothing_uses_are_refused_or_counted_as_configured() {
    for when in [WhenUnwritable::Refuse, WhenUnwritable::GoOn] {
        let place = Place::new();
        let files = AuditFiles { directory: place.directory(), file_len_max: 500, files_max: 9 };
        let clock: Clock = Arc::new(|| Timestamp::from_millis(0));
        let log = AuditLog::open(files, place.store_key.audit_chain(), when, clock).unwrap();
        // The next rotation finds no directory.
        let away = place.dir.path().join("away");
        std::fs::rename(place.directory(), &away).unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..40 {
            outcomes.push(record(&log, "object").await);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(outcomes.last().unwrap().is_err(), when == WhenUnwritable::Refuse);
        std::fs::rename(&away, place.directory()).unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(20), async {
            while log.is_unwritable() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })
        .await
        .unwrap();
        record(&log, "later").await.unwrap();
        log.close().await.unwrap();
        let report = place.verify();
        assert!(report.is_clean(), "{:?}", report.problems);
        assert_eq!(report.lost > 0, when == WhenUnwritable::GoOn);
        assert!(place.text().contains("later"));
    }
}

#[tokio::test]
async fn changes_of_keys_have_their_lines_too() {
    let place = Place::new();
    let log = place.open();
    let (kms_key, administrator) = (KmsKeyId::default_key(), Principal::Anonymous);
    let change = |operation, key, outcome| KeyChange { principal: Some(&administrator), operation, key, outcome };
    let error = KeyServiceError::AlreadyExists(kms_key.clone());
    log.record_change(change(KeyChangeOperation::Create, Some(KeyName::Kms(&kms_key)), Err(&error))).await.unwrap();
    log.record_change(change(KeyChangeOperation::Export, None, Ok(()))).await.unwrap();
    let by_itself = KeyChange { principal: None, ..change(KeyChangeOperation::Destroy, None, Ok(())) };
    log.record_change(by_itself).await.unwrap();
    log.close().await.unwrap();
    let text = place.text();
    let told = |at: usize| serde_json::from_str::<serde_json::Value>(text.lines().nth(at).unwrap()).unwrap();
    assert_eq!((&told(1)["operation"], &told(1)["key"]), (&"create".into(), &"kms/aws/s3".into()));
    assert!(told(1)["outcome"].as_str().unwrap().contains("already"));
    assert_eq!((&told(2)["operation"], &told(2)["key"]), (&"export".into(), &"keyring".into()));
    assert_eq!(told(3)["principal"], "server");
    assert!(place.verify().is_clean());
}

#[tokio::test]
async fn an_empty_file_that_a_failed_rotation_left_is_taken() {
    let place = Place::new();
    let log = place.open_with(500, 8);
    std::fs::File::create(files::path(&place.directory(), 2)).unwrap();
    for _ in 0..3 {
        record(&log, "object").await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    log.close().await.unwrap();
    assert!(place.files().len() >= 2);
    assert!(place.verify().is_clean());
}

#[tokio::test]
async fn after_its_end_a_log_takes_nothing() {
    let place = Place::new();
    let log = place.open();
    log.close().await.unwrap();
    assert_eq!(record(&log, "object").await, Err(AuditUnavailable));
    assert_eq!(log.close().await, None);
}
