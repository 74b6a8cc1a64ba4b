//! Gateways that die, operations that come late, and what is left of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::BlobId;
use storage::{Batch, Blobs, CommitError, Error, Metadata, Partition, Precondition, RecordKey, Scope, Table};
use tokio::time::sleep;

use crate::blobs::marks::parse_key;
use crate::config::Config;
use crate::model::{Fault, Gate, Gateway, Kind, Model, Operation};
use crate::names::{self, OmapTable};
use crate::rados::{PoolId, Rados as _, WriteStep};
use crate::status::{EPOCH, RangeStatus, STATE, STATUS, ScopeState, Split, encode_epoch};
use crate::store::RadosStore;
use crate::store::tests::{collector, config};

const DATA: PoolId = PoolId(1);
const INDEX: PoolId = PoolId(2);

/// Stripes of 64 KiB, and nothing is collected unless a test says so.
fn quiet() -> Config {
    Config { stripe_len: 64 << 10, collects: false, deadline: Duration::from_secs(5), ..config() }
}

pub(crate) async fn on(gateway: &Arc<Gateway>) -> RadosStore {
    RadosStore::on(gateway.clone(), &quiet()).await.unwrap()
}

/// Has one more gateway collect all that it may, however young.
pub(crate) async fn collect_all(model: &Model) {
    let store = on(&model.gateway()).await;
    let at_once = Config { grace: Duration::ZERO, unlinked_age_max: Duration::ZERO, ..quiet() };
    let at_once = collector(&store, &Config { collect_every: Duration::ZERO, ..at_once });
    at_once.round().await;
    at_once.round().await;
}

fn partition() -> Partition {
    Partition::new(Scope::bucket(model::BucketId::from_bytes([1; 16])), *b"object")
}

fn record() -> RecordKey {
    RecordKey::new(Table(3), *b"")
}

fn content(length: usize, first: u8) -> Bytes {
    (0..length).map(|at| (at % 251) as u8 ^ first).collect()
}

async fn upload(store: &RadosStore, bytes: &Bytes) -> Result<BlobId, Error> {
    let mut writer = store.create(&partition()).await?;
    for start in (0..bytes.len()).step_by(50_000) {
        writer.append(bytes.slice(start..bytes.len().min(start + 50_000))).await?;
    }
    writer.finish().await
}

/// A batch that makes the record name a blob.
fn naming(id: BlobId, before: Option<BlobId>) -> Batch {
    let precondition = match before {
        None => Precondition::Absent(record()),
        Some(before) => Precondition::Unchanged(record(), Bytes::copy_from_slice(before.as_bytes())),
    };
    Batch {
        preconditions: vec![precondition],
        put: vec![(record(), Bytes::copy_from_slice(id.as_bytes()))],
        link: vec![id],
        unlink: before.into_iter().collect(),
        ..Batch::default()
    }
}

/// Uploads, replaces and deletes an object, and drops a writer on the way; ends at the first failure.
async fn live(store: &RadosStore) -> Result<(), CommitError> {
    let first = upload(store, &content(200_000, 1)).await?;
    store.commit(&partition(), naming(first, None)).await?;
    let mut given_up = store.create(&partition()).await?;
    given_up.append(content(300_000, 9)).await?;
    drop(given_up);
    let second = upload(store, &content(10, 2)).await?;
    store.commit(&partition(), naming(second, Some(first))).await?;
    let delete = Batch { delete: vec![record()], unlink: vec![second], ..Batch::default() };
    store.commit(&partition(), delete).await
}

/// What stands beside the records, by table.
fn marks(model: &Model, table: &OmapTable) -> BTreeMap<BlobId, Bytes> {
    let mut found = BTreeMap::new();
    for object in model.objects(INDEX) {
        if names::parse_range_object(&object).is_some() {
            let marks = model.omap(INDEX, &object);
            let marks = marks.into_iter().filter(|(omap_key, _)| omap_key.starts_with(table.prefix()));
            found.extend(marks.map(|(omap_key, value)| (parse_key(table, &omap_key).unwrap().1, value)));
        }
    }
    found
}

fn stripes(model: &Model) -> BTreeMap<BlobId, BTreeSet<u64>> {
    let mut stripes = BTreeMap::<_, BTreeSet<_>>::new();
    for object in model.objects(DATA) {
        let (id, stripe) = names::parse_stripe_object(&object).unwrap();
        stripes.entry(id).or_default().insert(stripe);
    }
    stripes
}

/// After all is collected: the record names the only blob there is, whole, and owns it.
async fn assert_tidy(model: &Model, context: &str) {
    let store = on(&model.gateway()).await;
    let named = store.get(&partition(), &record()).await.unwrap();
    let named: Vec<_> = named.into_iter().map(|id| BlobId::from_bytes(id.as_ref().try_into().unwrap())).collect();
    for id in &named {
        let reader = store.open(*id).await.unwrap();
        let is_first = reader.read(0, 11).await.is_ok();
        let expected = if is_first { content(200_000, 1) } else { content(10, 2) };
        assert_eq!(reader.read(0, expected.len()).await.unwrap(), expected, "{context}");
    }
    assert_eq!(marks(model, &OmapTable::owners()).into_keys().collect::<Vec<_>>(), named, "{context}");
    assert_eq!(stripes(model).into_keys().collect::<Vec<_>>(), named, "{context}");
    for table in [OmapTable::intents(), OmapTable::garbage()] {
        assert_eq!(marks(model, &table), BTreeMap::new(), "{context}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_dies_at_any_operation_leaves_nothing_and_loses_nothing() {
    for fault in [Fault::Die, Fault::DieAfter] {
        for operation in 0.. {
            let model = Model::with_pools(operation + 1);
            let gateway = model.gateway();
            let store = on(&gateway).await;
            gateway.plan(operation, fault.clone());
            let lived = live(&store).await;
            sleep(Duration::from_secs(1)).await;
            let died = gateway.is_dead();
            collect_all(&model).await;
            assert_tidy(&model, &format!("{operation} {lived:?}")).await;
            if !died {
                assert!(operation > 20 && lived.is_ok(), "all operations had their turn: {operation} {lived:?}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_unknown_outcome_leaves_nothing_and_loses_nothing() {
    for is_late in [false, true] {
        for operation in 0..60 {
            let model = Model::with_pools(operation + 1);
            let gateway = model.gateway();
            let store = on(&gateway).await;
            let gate = Gate::default();
            gateway.plan(operation, if is_late { Fault::Late(gate.clone()) } else { Fault::Lose });
            let lived = live(&store).await;
            sleep(Duration::from_secs(1)).await;
            gate.open();
            collect_all(&model).await;
            assert_tidy(&model, &format!("{is_late} {operation} {lived:?}")).await;
        }
    }
}

fn links(operation: &Operation<'_>) -> bool {
    let owns = |(omap_key, _): &(Vec<u8>, Bytes)| omap_key.starts_with(OmapTable::owners().prefix());
    operation.kind == Kind::Write
        && operation.steps.iter().any(|step| matches!(step, WriteStep::SetOmap(entries) if entries.iter().any(owns)))
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_lands_after_its_intent_was_collected_fails() {
    let model = Model::with_pools(1);
    let gateway = model.gateway();
    let store = on(&gateway).await;
    let id = upload(&store, &content(200_000, 1)).await.unwrap();
    let gate = Gate::default();
    let late = gate.clone();
    gateway.set_hook(move |operation| if links(operation) { Fault::Late(late.clone()) } else { Fault::None });
    let committed = store.commit(&partition(), naming(id, None)).await;
    assert!(matches!(committed, Err(CommitError::Store(Error::Unavailable(_)))), "{committed:?}");
    assert_eq!(gate.held(), 1);
    assert_eq!(stripes(&model)[&id].len(), 4, "its gateway cleans nothing up");
    collect_all(&model).await;
    gate.open();
    assert_eq!(store.get(&partition(), &record()).await.unwrap(), None);
    assert_tidy(&model, "").await;
    gateway.clear_faults();
    let again = store.commit(&partition(), naming(id, None)).await;
    assert!(matches!(again, Err(CommitError::Store(Error::NoSuchBlob(gone))) if gone == id), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn young_intents_and_garbage_stay() {
    let model = Model::with_pools(1);
    let store = on(&model.gateway()).await;
    let (first, second) =
        (upload(&store, &content(200_000, 1)).await.unwrap(), upload(&store, &content(10, 2)).await.unwrap());
    store.commit(&partition(), naming(first, None)).await.unwrap();
    let delete = Batch { delete: vec![record()], unlink: vec![first], ..Batch::default() };
    store.commit(&partition(), delete).await.unwrap();
    let patient = Config { grace: Duration::from_secs(3600), collect_every: Duration::ZERO, ..quiet() };
    collector(&store, &patient).round().await;
    assert_eq!(stripes(&model).len(), 2);
    assert!(marks(&model, &OmapTable::intents()).contains_key(&second));
    assert!(marks(&model, &OmapTable::garbage()).contains_key(&first));
    store.open(first).await.expect("a reader elsewhere may want it");
    collect_all(&model).await;
    assert_tidy(&model, "").await;
}

#[tokio::test(start_paused = true)]
async fn a_share_that_somebody_looked_at_lately_is_left_alone() {
    let model = Model::with_pools(1);
    let (one, two) = (model.gateway(), model.gateway());
    let (first, second) = (on(&one).await, on(&two).await);
    upload(&first, &content(10, 2)).await.unwrap();
    let hourly = Config { unlinked_age_max: Duration::ZERO, collect_every: Duration::from_secs(3600), ..quiet() };
    collector(&first, &hourly).round().await;
    assert_eq!(marks(&model, &OmapTable::garbage()).len(), 1);
    let writes = two.count(Kind::Write);
    upload(&first, &content(10, 2)).await.unwrap();
    collector(&second, &hourly).round().await;
    assert_eq!(marks(&model, &OmapTable::intents()).len(), 1, "somebody was here lately");
    assert_eq!(two.count(Kind::Write), writes);
}

#[tokio::test(start_paused = true)]
async fn a_share_that_another_gateway_holds_is_left_alone() {
    let model = Model::with_pools(1);
    let (one, other) = (model.gateway(), model.gateway());
    let store = on(&one).await;
    upload(&store, &content(10, 2)).await.unwrap();
    for share in 0..16 {
        let held = other.lock(INDEX, &format!("share.{share}"), "collect", "other", Duration::from_secs(60)).await;
        assert!(held.unwrap());
    }
    collect_all(&model).await;
    assert_eq!(marks(&model, &OmapTable::intents()).len(), 1);
    sleep(Duration::from_secs(61)).await;
    collect_all(&model).await;
    assert_tidy(&model, "its holder was gone").await;
}

/// A cluster with one gateway and one blob that a record names.
async fn one_linked() -> (Model, Arc<Gateway>, RadosStore, BlobId) {
    let model = Model::with_pools(1);
    let gateway = model.gateway();
    let store = on(&gateway).await;
    let id = upload(&store, &content(200_000, 1)).await.unwrap();
    store.commit(&partition(), naming(id, None)).await.unwrap();
    (model, gateway, store, id)
}

/// What makes an index object one of this epoch and status.
fn facts(epoch: u64, status: &RangeStatus) -> [WriteStep; 2] {
    [WriteStep::SetXattr(EPOCH, encode_epoch(epoch)), WriteStep::SetXattr(STATUS, status.encode())]
}

/// The clock of the model stands in 2023, so that all index objects were changed long ago.
#[tokio::test(start_paused = true)]
async fn an_index_object_that_no_map_names_goes_and_one_that_a_map_names_stays() {
    let (model, gateway, _store, _id) = one_linked().await;
    let [named] = &ranges(&model)[..] else { panic!("one range was begun") };
    let mut steps = vec![WriteStep::CreateExclusive];
    steps.extend(facts(1, &RangeStatus::Open));
    for scope in [partition().scope, Scope::bucket(model::BucketId::from_bytes([2; 16]))] {
        gateway.write(INDEX, &names::range_object(scope, 77), steps.clone()).await.unwrap();
    }
    collect_all(&model).await;
    assert_eq!(ranges(&model), std::slice::from_ref(named));
    assert_tidy(&model, "").await;
}

#[tokio::test(start_paused = true)]
async fn the_other_half_of_a_split_that_somebody_left_is_not_taken_for_unnamed() {
    let (model, gateway, _store, _id) = one_linked().await;
    let [named] = &ranges(&model)[..] else { panic!("one range was begun") };
    let split = Split { token: 5, upper_id: 77, middle: b"z".to_vec() };
    gateway.write(INDEX, named, facts(2, &RangeStatus::Flipped(split)).to_vec()).await.unwrap();
    let (mut steps, upper) = (vec![WriteStep::CreateExclusive], names::range_object(partition().scope, 77));
    steps.extend(facts(1, &RangeStatus::Open));
    gateway.write(INDEX, &upper, steps).await.unwrap();
    collect_all(&model).await;
    assert!(ranges(&model).contains(&upper));
    assert_eq!(model.omap(INDEX, &names::scope_object(partition().scope)).len(), 2, "the split was finished");
    assert_tidy(&model, "").await;
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_was_retired_long_ago_is_removed_when_nothing_is_in_it() {
    let (model, gateway, store, id) = one_linked().await;
    let delete = Batch { delete: vec![record()], unlink: vec![id], ..Batch::default() };
    store.commit(&partition(), delete).await.unwrap();
    store.retire(partition().scope, &[Table(3)]).await.unwrap();
    collect_all(&model).await;
    assert_eq!(ranges(&model).len(), 1, "it was retired just now");
    let long_ago = WriteStep::SetXattr(STATE, ScopeState::Retired { since: 1 }.encode());
    gateway.write(INDEX, &names::scope_object(partition().scope), vec![long_ago]).await.unwrap();
    collect_all(&model).await;
    assert_eq!(ranges(&model), Vec::<String>::new());
    assert!(!model.objects(INDEX).contains(&names::scope_object(partition().scope)));
}

fn ranges(model: &Model) -> Vec<String> {
    model.objects(INDEX).into_iter().filter(|object| names::parse_range_object(object).is_some()).collect()
}

/// The ages are zero here, so that everything that may ever be collected is collected in the midst of its life.
#[tokio::test(start_paused = true)]
async fn whatever_is_collected_when_a_linked_blob_is_whole() {
    let (mut kept, mut refused) = (0, 0);
    // How often the collector comes first depends on the machine: ages are told by the time of day.
    for seed in 1..400 {
        if seed >= 40 && kept > 5 && refused > 5 {
            break;
        }
        let model = Model::with_pools(seed);
        let store = on(&model.gateway()).await;
        let lives = async {
            let mut before = None;
            for round in 0..6 {
                let bytes = if round % 2 == 0 { content(200_000, 1) } else { content(10, 2) };
                let uploaded = upload(&store, &bytes).await;
                let committed = match uploaded {
                    Ok(id) => store.commit(&partition(), naming(id, before)).await.map(|()| id),
                    Err(error) => Err(error.into()),
                };
                match committed {
                    Ok(id) => {
                        kept += 1;
                        before = Some(id);
                    }
                    Err(CommitError::Store(Error::NoSuchBlob(_))) => refused += 1,
                    Err(error) => panic!("neither linked nor refused: {error}"),
                }
                let Some(id) = before else { continue };
                let named = store.get(&partition(), &record()).await.unwrap().unwrap();
                assert_eq!(named, id.as_bytes()[..]);
                let reader = store.open(id).await.unwrap();
                let is_long = reader.read(0, 11).await.is_ok();
                let expected = if is_long { content(200_000, 1) } else { content(10, 2) };
                assert_eq!(reader.read(0, expected.len()).await.unwrap(), expected);
            }
        };
        let collects = async {
            loop {
                collect_all(&model).await;
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = lives => {}
            () = collects => {}
        }
    }
    assert!(kept > 5 && refused > 5, "both happen: {kept} {refused}");
}
