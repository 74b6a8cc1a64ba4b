//! Group commit: one lane for each index object, with one operation in flight. What comes meanwhile waits and goes together.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::Error;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::change::Change;
use crate::error::too_late;
use crate::growth::Growth;
use crate::map::{Maps, Range, no_answer};
use crate::names::{self, OmapTable};
use crate::rados::{Rados, RadosError, ReadAnswer, ReadStep, WriteStep};
use crate::retire;
use crate::split;
use crate::status::{EPOCH, RangeStatus, STATUS, ScopeState, encode_epoch, range_facts};

/// How a change ended in its lane.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done,
    /// Places in [`Change::compare`] that did not hold.
    Conflict(Vec<usize>),
    Retired,
    /// The range is not what it was: look for it anew.
    Moved,
    /// There is no room; the change did not happen.
    Full,
    Failed(Error),
}

/// All lanes of a gateway.
#[derive(Clone)]
pub(crate) struct Lanes {
    shared: Arc<Shared>,
}

struct Shared {
    rados: Arc<dyn Rados>,
    maps: Arc<Maps>,
    growth: Arc<Growth>,
    /// By the name of the index object; there is an entry as long as a task drives the lane.
    waiting: Mutex<HashMap<String, VecDeque<Waiting>>>,
}

struct Waiting {
    range: Arc<Range>,
    name: Vec<u8>,
    change: Arc<Change>,
    until: Instant,
    answer: oneshot::Sender<Outcome>,
}

impl Waiting {
    fn answer(self, outcome: Outcome) {
        // Whoever asked may have gone; what happened has happened.
        let _ = self.answer.send(outcome);
    }
}

impl Lanes {
    pub(crate) fn new(rados: Arc<dyn Rados>, maps: Arc<Maps>, growth: Arc<Growth>) -> Self {
        Self { shared: Arc::new(Shared { rados, maps, growth, waiting: Mutex::default() }) }
    }

    /// Makes a change in a range that covers the partition `name`. It goes on when the caller is dropped.
    pub(crate) async fn run(&self, range: Arc<Range>, name: Vec<u8>, change: Arc<Change>, until: Instant) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let object = range.object().to_owned();
        let is_first = {
            let mut waiting = self.shared.lock();
            let is_first = !waiting.contains_key(&object);
            waiting.entry(object.clone()).or_default().push_back(Waiting { range, name, change, until, answer });
            is_first
        };
        if is_first {
            tokio::spawn(Arc::clone(&self.shared).drive(object));
        }
        answered.await.unwrap_or_else(|_| Outcome::Failed(Error::Unavailable("a lane of changes broke".into())))
    }
}

impl Shared {
    async fn drive(self: Arc<Self>, object: String) {
        // Should this task end before its time, whoever waits is told and the next change begins a new lane.
        let mut lane = Lane { shared: &self, object, is_closed: false };
        while let Some(group) = lane.next_group() {
            self.settle(group).await;
        }
    }

    /// Makes the changes of a group, one way or another.
    async fn settle(&self, mut group: Vec<Waiting>) {
        let started = Instant::now();
        while !group.is_empty() {
            group = answer_late(group);
            let Some(first) = group.first() else { break };
            let range = Arc::clone(&first.range);
            let status = range.status();
            group = match status {
                RangeStatus::Open | RangeStatus::Splitting(_) => self.commit(&range, &status, group).await,
                RangeStatus::Frozen(_) | RangeStatus::Flipped(_) => {
                    sleep(FROZEN_WAIT).await;
                    if started.elapsed() >= HELP_AFTER
                        && let Err(error) = split::help(self.rados.as_ref(), &range).await
                    {
                        tracing::warn!(%error, object = range.object(), "a split that was left cannot be finished");
                    }
                    self.diagnose(&range, &status, group).await
                }
                RangeStatus::Closed { token } => match self.refuse_retired(&range, token, group, started).await {
                    (group, true) => self.commit(&range, &status, group).await,
                    (group, false) => self.diagnose(&range, &status, group).await,
                },
            };
        }
    }

    /// One operation for all of them. What comes back has to be tried again.
    async fn commit(&self, range: &Arc<Range>, status: &RangeStatus, group: Vec<Waiting>) -> Vec<Waiting> {
        if group.iter().all(|member| member.change.only_checks()) {
            return self.diagnose(range, status, group).await;
        }
        match self.rados.write(range.pools.index, range.object(), steps(range, status, &group)).await {
            Ok(()) => {
                let entries = group.iter().map(|member| member.change.set.len()).sum();
                if entries > 0 {
                    self.growth.note(range, entries, group.iter().map(|member| member.change.set_len()).sum());
                }
                group.into_iter().for_each(|member| member.answer(Outcome::Done));
                Vec::new()
            }
            Err(RadosError::Mismatch | RadosError::NotFound) => self.diagnose(range, status, group).await,
            Err(RadosError::Full) => self.one_by_one(range, status, group).await,
            Err(error) => {
                for member in group {
                    member.answer(Outcome::Failed(error.clone().into()));
                }
                Vec::new()
            }
        }
    }

    /// For want of room all were refused, though some may need none.
    async fn one_by_one(&self, range: &Arc<Range>, status: &RangeStatus, group: Vec<Waiting>) -> Vec<Waiting> {
        if group.len() == 1 {
            group.into_iter().for_each(|member| member.answer(Outcome::Full));
            return Vec::new();
        }
        let mut again = Vec::new();
        for member in group {
            again.extend(Box::pin(self.commit(range, status, vec![member])).await);
        }
        again
    }

    /// Finds out why a group failed: the range moved, its status changed, or some members' demands do not hold. Answers
    /// those who can be answered. Changes that only check are settled here as well.
    async fn diagnose(&self, range: &Arc<Range>, status: &RangeStatus, group: Vec<Waiting>) -> Vec<Waiting> {
        let omap_keys = group.iter().flat_map(|member| member.change.compare.iter().map(|(key, _)| key.clone()));
        let steps = vec![ReadStep::Xattrs, ReadStep::OmapGet(omap_keys.collect())];
        let answers = match self.rados.read(range.pools.index, range.object(), steps).await {
            Ok(answers) => answers,
            Err(RadosError::NotFound) => return moved(group),
            Err(error) => return failed(group, &error.into()),
        };
        let mut answers = answers.into_iter();
        let (Some(ReadAnswer::Xattrs(xattrs)), Some(ReadAnswer::Omap { entries, .. })) =
            (answers.next(), answers.next())
        else {
            return failed(group, &no_answer());
        };
        match range_facts(&xattrs) {
            None => return failed(group, &Error::Damaged("an index object without an epoch or a status".into())),
            Some((epoch, _)) if epoch != range.epoch => return moved(group),
            Some((_, other)) if other != *status => {
                range.learn_status(other);
                return group;
            }
            Some(_) => {}
        }
        let entries: HashMap<_, _> = entries.into_iter().collect();
        let mut again = Vec::new();
        for member in group {
            let broken: Vec<usize> = (member.change.compare.iter().enumerate())
                .filter(|(_, (omap_key, wanted))| entries.get(omap_key).map_or(&b""[..], |value| value) != wanted)
                .map(|(place, _)| place)
                .collect();
            match (broken.is_empty(), member.change.only_checks()) {
                (false, _) => member.answer(Outcome::Conflict(broken)),
                (true, true) => member.answer(Outcome::Done),
                (true, false) => again.push(member),
            }
        }
        again
    }

    /// Answers those who may not put because the scope is retired. Whether the others may go on: not while somebody is
    /// closing the scope, and not when the range has to be opened again first.
    async fn refuse_retired(
        &self,
        range: &Arc<Range>,
        token: u64,
        group: Vec<Waiting>,
        started: Instant,
    ) -> (Vec<Waiting>, bool) {
        if group.iter().all(|member| !member.change.puts) {
            return (group, true);
        }
        match self.maps.state(range.scope).await {
            Ok(Some(ScopeState::Retired { .. })) => {
                let (putting, deleting): (Vec<_>, Vec<_>) = group.into_iter().partition(|member| member.change.puts);
                putting.into_iter().for_each(|member| member.answer(Outcome::Retired));
                (deleting, true)
            }
            Ok(_) => {
                sleep(CLOSED_WAIT).await;
                let waited_enough = started.elapsed() >= HELP_AFTER;
                match retire::reopen(self.rados.as_ref(), &self.maps, range, token, waited_enough).await {
                    Ok(()) => (group, false),
                    Err(error) => (failed(group, &error), false),
                }
            }
            Err(error) => (failed(group, &error), false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue of one index object while a task drives it.
struct Lane<'a> {
    shared: &'a Shared,
    object: String,
    /// Once it is, the name may belong to the next lane.
    is_closed: bool,
}

impl Lane<'_> {
    /// Those who go together: of one epoch and of different partitions, so that none depends on another. `None` when
    /// nobody waits; the lane is closed then.
    fn next_group(&mut self) -> Option<Vec<Waiting>> {
        let mut lanes = self.shared.lock();
        let queue = lanes.get_mut(&self.object)?;
        let Some(first) = queue.pop_front() else {
            lanes.remove(&self.object);
            self.is_closed = true;
            return None;
        };
        let (epoch, mut bytes) = (first.range.epoch, first.change.set_len());
        let mut names = HashSet::from([first.name.clone()]);
        let mut group = vec![first];
        let mut at = 0;
        while group.len() < GROUP_MAX && at < queue.len() {
            let candidate = &queue[at];
            let fits = bytes + candidate.change.set_len() <= GROUP_BYTES;
            // Also one that has to wait keeps later ones of its partition behind it.
            if candidate.range.epoch == epoch && names.insert(candidate.name.clone()) && fits {
                bytes += candidate.change.set_len();
                group.extend(queue.remove(at));
            } else {
                at += 1;
            }
        }
        Some(group)
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        if !self.is_closed {
            self.shared.lock().remove(&self.object);
        }
    }
}

fn steps(range: &Range, status: &RangeStatus, group: &[Waiting]) -> Vec<WriteStep> {
    let mut steps = vec![
        WriteStep::AssertExists,
        WriteStep::CompareXattr(EPOCH, encode_epoch(range.epoch)),
        WriteStep::CompareXattr(STATUS, status.encode()),
    ];
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for member in group {
        let compare = member.change.compare.iter().cloned();
        steps.extend(compare.map(|(omap_key, wanted)| WriteStep::CompareOmap(omap_key, wanted)));
        set.extend(member.change.set.iter().cloned());
        remove.extend(member.change.remove.iter().cloned());
        if let RangeStatus::Splitting(split) = status
            && member.name >= split.middle
            && !member.change.only_checks()
        {
            set.push((OmapTable::dirty().omap_key(&member.name, b""), names::value(b"")));
        }
    }
    if !remove.is_empty() {
        steps.push(WriteStep::RemoveOmap(remove));
    }
    if !set.is_empty() {
        steps.push(WriteStep::SetOmap(set));
    }
    steps
}

fn answer_late(group: Vec<Waiting>) -> Vec<Waiting> {
    let now = Instant::now();
    let (late, group): (Vec<_>, Vec<_>) = group.into_iter().partition(|member| member.until <= now);
    late.into_iter()
        .for_each(|member| member.answer(Outcome::Failed(too_late("an index object could not be changed"))));
    group
}

fn moved(group: Vec<Waiting>) -> Vec<Waiting> {
    group.into_iter().for_each(|member| member.answer(Outcome::Moved));
    Vec::new()
}

fn failed(group: Vec<Waiting>, error: &Error) -> Vec<Waiting> {
    let text = error.to_string();
    let again = |error: &Error| match error {
        Error::Damaged(_) => Error::Damaged(text.clone()),
        _ => Error::Unavailable(text.clone()),
    };
    group.into_iter().for_each(|member| member.answer(Outcome::Failed(again(error))));
    Vec::new()
}

/// Changes that go together at most, and their bytes.
const GROUP_MAX: usize = 64;
const GROUP_BYTES: usize = 1 << 20;
/// Between two looks at a frozen range.
const FROZEN_WAIT: Duration = Duration::from_millis(5);
/// Between two looks at a scope that somebody is closing.
const CLOSED_WAIT: Duration = Duration::from_millis(10);
/// When somebody is suspected to have left a range frozen or closed.
const HELP_AFTER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
