//! A device that fails a sync: the kernel calls the pages clean, the device may have none of them.
use std::sync::atomic::AtomicBool;

use super::*;

impl Disk {
    fn persist(&mut self, sector: u64) {
        let start = sector as usize * SECTOR;
        let end = self.content.len().min(start + SECTOR);
        if start < end {
            self.synced[start..end].copy_from_slice(&self.content[start..end]);
        }
    }

    /// Writes what is dirty, as a kernel does; when it fails, every other sector never arrives, and no later sync writes
    /// it again.
    fn write_back(&mut self, fails: bool) {
        self.synced.resize(self.content.len(), 0);
        for (index, sector) in std::mem::take(&mut self.unsynced).into_keys().enumerate() {
            if !fails || index % 2 == 0 {
                self.persist(sector);
            }
        }
    }
}

/// The kernel over a disk whose next sync may fail.
#[derive(Debug, Clone, Default)]
struct Kernel {
    disk: DiskFile,
    sync_fails: Arc<AtomicBool>,
}

impl Kernel {
    /// An engine over it. `evicts`: whether the kernel forgets clean pages before the file is opened.
    fn engine(&self, evicts: bool) -> Engine {
        self.disk.0.lock().unwrap().calls_left = u64::MAX;
        let kernel = self.clone();
        let open = move || {
            if evicts {
                let mut disk = kernel.disk.0.lock().unwrap();
                assert!(disk.unsynced.is_empty(), "the engine left pages on their way");
                disk.content = disk.synced.clone();
            }
            Tree::open(kernel.clone(), 1 << 20)
        };
        Engine::over(Box::new(open)).unwrap()
    }
}

impl StorageBackend for Kernel {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let fails = self.sync_fails.swap(false, Ordering::Relaxed);
        self.disk.0.lock().unwrap().write_back(fails);
        if fails { Err(io::Error::other("the device failed")) } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}

/// Some transactions that are answered, and one whose sync fails: the states before and after it.
fn fail_a_sync(kernel: &Kernel, engine: &Engine, random: &mut Random) -> [BTreeMap<Vec<u8>, Bytes>; 2] {
    let mut answered = BTreeMap::new();
    for _ in 0..8 {
        let writes = random.writes(&mut answered);
        engine.apply_surely(&writes).unwrap();
    }
    let mut under_way = answered.clone();
    let writes = random.writes(&mut under_way);
    kernel.sync_fails.store(true, Ordering::Relaxed);
    let outcome = engine.apply_surely(&writes);
    assert!(!kernel.sync_fails.load(Ordering::Relaxed), "the fault never hit the transaction");
    assert!(outcome.is_err(), "acknowledged, and the device may not have it");
    [answered, under_way]
}

#[test]
fn what_a_failed_sync_may_have_lost_is_never_acknowledged() {
    let mut random = Random(5);
    for evicts in [false, true].repeat(20) {
        let kernel = Kernel::default();
        fail_a_sync(&kernel, &kernel.engine(evicts), &mut random);
    }
}

#[test]
fn after_a_failed_sync_the_store_goes_on_with_what_the_device_has() {
    let mut random = Random(7);
    for _ in 0..40 {
        let kernel = Kernel::default();
        let engine = kernel.engine(true);
        let states = fail_a_sync(&kernel, &engine, &mut random);
        assert!(states.contains(&content(&engine)), "neither the old state nor the new");
        engine.apply_surely(&put("later")).unwrap();
        let found = content(&engine);
        drop(engine);
        kernel.disk.0.lock().unwrap().lose_power(&mut random);
        assert_eq!(content(&kernel.engine(true)), found);
    }
}

#[test]
fn a_failed_sync_is_forgotten_once_the_engine_was_opened_again() {
    let kernel = Kernel::default();
    let engine = kernel.engine(true);
    kernel.sync_fails.store(true, Ordering::Relaxed);
    assert!(engine.apply_surely(&put("lost")).is_err());
    assert!(!engine.sync_failed());
    engine.apply_surely(&put("new")).unwrap();
    assert_eq!(engine.get(b"one").unwrap().unwrap(), "new");
}
