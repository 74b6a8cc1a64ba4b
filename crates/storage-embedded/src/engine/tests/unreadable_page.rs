//! A device with sectors that cannot be read.
use std::ops::Range;

use rustix::io::Errno;

use super::*;

/// Where reads fail.
type BadBytes = Arc<Mutex<Range<u64>>>;

#[derive(Debug)]
struct BadSectors {
    file: EngineFile,
    bad: BadBytes,
}

impl StorageBackend for BadSectors {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bad = self.bad.lock().unwrap().clone();
        if offset < bad.end && bad.start < offset + out.len() as u64 {
            return Err(Errno::IO.into());
        }
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }
}

const RECORDS: u64 = 2_000;

/// 32 KiB in the middle of the file.
const BAD: Range<u64> = 1 << 20..(1 << 20) + (32 << 10);

fn key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn value() -> Bytes {
    Bytes::from(vec![7; 1024])
}

/// 2,000 records of 1 KiB, with a cache that holds few of them.
fn filled() -> (tempfile::TempDir, BadBytes, Engine) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("records.redb");
    let bad = BadBytes::default();
    let sectors = Arc::clone(&bad);
    let open = move || {
        let file = BadSectors { file: EngineFile::open(&path)?, bad: Arc::clone(&sectors) };
        Tree::open(file, 64 << 10)
    };
    let engine = Engine::over(Box::new(open)).unwrap();
    for part in 0..20 {
        let numbers = part * RECORDS / 20..(part + 1) * RECORDS / 20;
        engine.apply(&numbers.map(|number| Write::Put(key(number), value())).collect::<Vec<_>>()).unwrap();
    }
    (temp, bad, engine)
}

/// How many records can be read; the others are damaged, and nothing else.
fn readable(engine: &Engine) -> u64 {
    let read = |number| match engine.get(&key(number)) {
        Ok(found) => {
            assert_eq!(found.unwrap(), value());
            1
        }
        Err(EngineError::Damaged(text)) => {
            assert!(text.contains("cannot be read"), "{text}");
            0
        }
        Err(error) => panic!("{error}"),
    };
    (0..RECORDS).map(read).sum()
}

#[test]
fn a_page_that_cannot_be_read_fails_the_calls_that_need_it_and_no_other() {
    let (_temp, bad, engine) = filled();
    *bad.lock().unwrap() = BAD;
    let found = readable(&engine);
    assert!(found > RECORDS / 2 && found < RECORDS, "{found} records can be read");
    assert!(!engine.failed.load(Ordering::Relaxed));
    *bad.lock().unwrap() = 0..0;
    assert_eq!(readable(&engine), RECORDS, "the failure was kept");
}

#[test]
fn a_page_that_cannot_be_read_fails_the_writes_that_need_it_and_no_other() {
    let (_temp, bad, engine) = filled();
    *bad.lock().unwrap() = BAD;
    let write = |number| engine.apply_surely(&[Write::Put(key(number), value())]);
    let outcomes: Vec<_> = (0..RECORDS).step_by(7).map(write).collect();
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert!(failed > 0 && failed < outcomes.len() / 2, "{failed} writes failed");
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(()) | Err(EngineError::Damaged(_))), "{outcome:?}");
    }
    *bad.lock().unwrap() = 0..0;
    assert_eq!(readable(&engine), RECORDS);
    // The engine's own books are in order too.
    engine.care();
    engine.reopen().unwrap();
    assert_eq!(readable(&engine), RECORDS);
}

#[test]
fn an_engine_that_is_being_opened_does_not_pass_over_a_page() {
    let (temp, bad, engine) = filled();
    let killed = temp.path().join("killed.redb");
    std::fs::copy(temp.path().join("records.redb"), &killed).unwrap();
    drop(engine);
    *bad.lock().unwrap() = BAD;
    let open = || Tree::open(BadSectors { file: EngineFile::open(&killed)?, bad: Arc::clone(&bad) }, 64 << 10);
    assert!(matches!(contained(open).map(drop), Err(EngineError::Unavailable(_))));
    *bad.lock().unwrap() = 0..0;
    open().unwrap();
}

#[test]
#[cfg_attr(debug_assertions, ignore = "built for debugging, the engine reads all its pages whenever it is opened")]
fn an_engine_that_was_closed_cleanly_opens_beside_a_page_that_cannot_be_read() {
    let (_temp, bad, engine) = filled();
    *bad.lock().unwrap() = BAD;
    let found = readable(&engine);
    engine.reopen().unwrap();
    assert_eq!(readable(&engine), found);
}
