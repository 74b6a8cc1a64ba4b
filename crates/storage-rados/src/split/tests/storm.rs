//! Splits in the midst of everything: writers and readers on several gateways, some of which die, and operations that are
//! lost or late. What each name may hold is known throughout, so that every look and every list can be judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use storage::{Batch, CommitError, Error, Metadata as _, Precondition, RecordKey, Scan, Start, Table};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{BODIES, HEADS, assert_map, connect, name, partition, record, scope, tiny};
use crate::model::{Fault, Gate, Gateway, Kind, Model};
use crate::rados::RadosError;
use crate::store::RadosStore;
use crate::store::tests::collector;

const PARTS: Table = Table(20);
const PARTS_MAX: u32 = 12;
const WRITERS: u32 = 4;
const NAMES: u32 = 240;

/// What is known of a name.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Known {
    /// What it holds, if its last change was answered.
    value: Option<u32>,
    /// What it may hold as well, because nobody knows how a change ended.
    unknown: Option<Option<u32>>,
    is_changing: bool,
    changed: u64,
}

/// The same numbers for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(end)).unwrap()
    }
}

/// Gateways that die and come again, and what all who use them know.
struct Storm {
    model: Model,
    gateways: Mutex<Vec<(Arc<Gateway>, Arc<RadosStore>)>>,
    known: Mutex<(u64, BTreeMap<Vec<u8>, Known>)>,
    late: Gate,
    /// Of how many operations one goes wrong; 0 for none.
    faults: u32,
}

impl Storm {
    async fn begin(seed: u64, faults: u32) -> Arc<Self> {
        let storm = Self {
            model: Model::with_pools(seed),
            gateways: Mutex::default(),
            known: Mutex::default(),
            late: Gate::default(),
            faults,
        };
        for number in 0..3 {
            let gateway = storm.gateway(seed + number).await;
            storm.gateways.lock().unwrap().push(gateway);
        }
        Arc::new(storm)
    }

    async fn gateway(&self, seed: u64) -> (Arc<Gateway>, Arc<RadosStore>) {
        let gateway = self.model.gateway();
        let store = connect(gateway.clone(), &tiny()).await;
        let (mut chance, faults, late) = (Chance(seed), self.faults, self.late.clone());
        gateway.set_hook(move |operation| {
            if faults == 0 || !matches!(operation.kind, Kind::Write | Kind::Read | Kind::Lock) {
                return Fault::None;
            }
            match chance.below(faults * 3) {
                0 => Fault::Fail(RadosError::TimedOut),
                1 => Fault::Lose,
                2 => Fault::Late(late.clone()),
                _ => Fault::None,
            }
        });
        (gateway, store)
    }

    fn pick(&self, number: usize) -> (Arc<Gateway>, Arc<RadosStore>) {
        let gateways = self.gateways.lock().unwrap();
        gateways[number % gateways.len()].clone()
    }

    fn known(&self) -> MutexGuard<'_, (u64, BTreeMap<Vec<u8>, Known>)> {
        self.known.lock().unwrap()
    }

    /// One writer, with names that nobody else changes.
    async fn write(self: Arc<Self>, writer: u32, seed: u64) {
        let mut chance = Chance(seed * 31 + u64::from(writer));
        for step in 0..400_u32 {
            let name = name(chance.below(NAMES / WRITERS) * WRITERS + writer);
            let before = {
                let mut all = self.known();
                all.0 += 1;
                let now = all.0;
                let known = all.1.entry(name.clone()).or_default();
                if known.unknown.is_some() {
                    continue;
                }
                (known.is_changing, known.changed) = (true, now);
                known.value
            };
            let after = (chance.below(4) > 0).then_some(step * 10 + writer);
            let is_refused = chance.below(8) == 0;
            let mut batch = change(before, after);
            if is_refused {
                batch.preconditions.push(Precondition::Unchanged(record(HEADS), Bytes::from_static(b"never")));
            }
            let (gateway, store) = self.pick(usize::try_from(chance.below(3)).unwrap());
            let committed = store.commit(&partition(&name), batch).await;
            let mut all = self.known();
            all.0 += 1;
            let now = all.0;
            let known = all.1.get_mut(&name).unwrap();
            (known.is_changing, known.changed) = (false, now);
            match committed {
                Ok(()) => {
                    assert!(!is_refused);
                    known.value = after;
                }
                Err(CommitError::Conflict(_)) => assert!(is_refused, "{name:?} is what it was: {before:?}"),
                Err(CommitError::Store(Error::Unavailable(_))) if self.faults > 0 || gateway.is_dead() => {
                    known.unknown = (!is_refused).then_some(after);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Lists everything, again and again, and judges it by what was known all the while.
    async fn list(self: Arc<Self>, reader: u32, seed: u64) {
        let mut chance = Chance(seed * 17 + u64::from(reader));
        for _ in 0..30 {
            let (gateway, store) = self.pick(usize::try_from(chance.below(3)).unwrap());
            let table = if chance.below(2) == 0 { HEADS } else { BODIES };
            let begun = self.known().0;
            let limit = usize::try_from(1 + chance.below(40)).unwrap();
            let listed = match list(&store, table, limit).await {
                Ok(listed) => listed,
                Err(error) => {
                    assert!(self.faults > 0 || gateway.is_dead(), "{error}");
                    continue;
                }
            };
            assert!(listed.is_sorted_by(|one, next| one.0 < next.0), "in order and none twice");
            let listed: BTreeMap<_, _> = listed.into_iter().collect();
            for (name, known) in &self.known().1 {
                if !known.is_changing && known.changed <= begun {
                    assert_known(name, known, listed.get(name));
                }
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Kills one gateway after the other and puts new ones in their place.
    async fn kill(self: Arc<Self>, seed: u64) {
        let mut chance = Chance(seed * 13);
        for number in 0..6 {
            for _ in 0..chance.below(400) {
                tokio::task::yield_now().await;
            }
            let next = self.gateway(seed * 7 + number).await;
            let place = usize::try_from(chance.below(3)).unwrap();
            let (gateway, _store) = std::mem::replace(&mut self.gateways.lock().unwrap()[place], next);
            gateway.kill();
        }
    }

    /// When all is over: everything is as it must be, and nothing is left behind.
    async fn end(&self) {
        for (gateway, _) in &*self.gateways.lock().unwrap() {
            gateway.clear_faults();
        }
        self.late.open();
        sleep(Duration::from_secs(60)).await;
        // A gateway that has not met them counts what it writes to, and helps what was left.
        let store = connect(self.model.gateway(), &tiny()).await;
        for number in 0..NAMES {
            let extra = RecordKey::new(Table(25), *b"extra");
            let batch = Batch { put: vec![(extra, Bytes::from_static(b"1"))], ..Batch::default() };
            store.commit(&partition(&name(number)), batch).await.unwrap();
        }
        sleep(Duration::from_secs(60)).await;
        let known = self.known().1.clone();
        for table in [HEADS, BODIES] {
            let listed: BTreeMap<_, _> = list(&store, table, 50).await.unwrap().into_iter().collect();
            for (name, known) in &known {
                assert_known(name, known, listed.get(name));
                let got = store.get(&partition(name), &record(table)).await.unwrap();
                assert_eq!(got.as_ref(), listed.get(name));
                assert_parts(&store, name, got).await;
            }
        }
        collector(&store, &tiny()).round().await;
        let ranges = assert_map(&store, &self.model, 0).await;
        assert!(ranges >= 8, "{ranges}");
        let pool = store.index().maps().pools(scope()).unwrap().index;
        // What four gateways may have put without counting, at most.
        let most = 24 + 4 * 24 / 4 + usize::try_from(PARTS_MAX).unwrap();
        for object in self.model.objects(pool).into_iter().filter(|object| object.starts_with("range.")) {
            let entries = self.model.omap(pool, &object).len();
            assert!(entries <= most, "{object}: {entries}");
        }
    }
}

fn change(before: Option<u32>, after: Option<u32>) -> Batch {
    let part = |number: u32| RecordKey::new(PARTS, number.to_be_bytes());
    let is = match before {
        None => Precondition::Absent(record(HEADS)),
        Some(before) => Precondition::Unchanged(record(HEADS), value(before)),
    };
    let mut batch = Batch { preconditions: vec![is], ..Batch::default() };
    let parts = after.map_or(0, parts);
    batch.delete.extend((parts..PARTS_MAX).map(part));
    match after {
        None => batch.delete.extend([record(HEADS), record(BODIES)]),
        Some(after) => {
            batch.put.extend([(record(HEADS), value(after)), (record(BODIES), value(after))]);
            batch.put.extend((0..parts).map(|number| (part(number), value(after))));
        }
    }
    batch
}

/// Most names have none, and a few have more than fit into one look.
const fn parts(value: u32) -> u32 {
    if value.is_multiple_of(7) { value % (PARTS_MAX + 1) } else { 0 }
}

fn value(value: u32) -> Bytes {
    Bytes::from(value.to_string())
}

fn assert_known(name: &[u8], known: &Known, found: Option<&Bytes>) {
    let may_be = |one: &Option<u32>| one.map(value).as_ref() == found;
    assert!(may_be(&known.value) || known.unknown.as_ref().is_some_and(may_be), "{name:?}: {found:?}, not {known:?}");
}

/// All records of a name are of the same change.
async fn assert_parts(store: &RadosStore, name: &[u8], head: Option<Bytes>) {
    let start = Start::AtPartition(name.to_vec());
    let end = Some([name, b"\0"].concat());
    let found = store.scan(Scan { scope: scope(), table: PARTS, start, end, limit: 100 }).await.unwrap();
    let wanted = head.as_ref().map_or(0, |head| parts(std::str::from_utf8(head).unwrap().parse().unwrap()));
    assert_eq!(found.len(), usize::try_from(wanted).unwrap(), "{name:?}");
    assert!(found.iter().all(|entry| Some(&entry.value) == head.as_ref() && entry.partition == name));
}

async fn list(store: &RadosStore, table: Table, limit: usize) -> Result<Vec<(Vec<u8>, Bytes)>, Error> {
    let (mut all, mut start) = (Vec::new(), Start::AtPartition(Vec::new()));
    loop {
        let page = store.scan(Scan { scope: scope(), table, start, end: None, limit }).await?;
        let ended = page.len() < limit;
        all.extend(page.into_iter().map(|entry| (entry.partition, entry.value)));
        match all.last() {
            Some((name, _)) if !ended => start = Start::AfterPartition(name.clone()),
            _ => return Ok(all),
        }
    }
}

async fn storm(seed: u64, faults: u32, kills: bool) {
    let storm = Storm::begin(seed, faults).await;
    let mut tasks = JoinSet::new();
    (0..WRITERS).for_each(|writer| drop(tasks.spawn(Arc::clone(&storm).write(writer, seed))));
    (0..2).for_each(|reader| drop(tasks.spawn(Arc::clone(&storm).list(reader, seed))));
    if kills {
        tasks.spawn(Arc::clone(&storm).kill(seed));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    storm.end().await;
}

#[tokio::test(start_paused = true)]
async fn gateways_that_die_at_any_time_cost_nobody_else_anything() {
    for seed in 1..=6 {
        storm(seed, 0, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn lost_and_late_operations_anywhere_leave_every_name_as_one_change_made_it() {
    for seed in 1..=6 {
        storm(seed, 100, seed % 2 == 0).await;
    }
}
