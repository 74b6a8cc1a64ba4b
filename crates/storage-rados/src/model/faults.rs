//! What can go wrong with an operation, at the will of a test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::rados::{PoolId, RadosError, WriteStep};

/// What becomes of an operation.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It goes as it should.
    None,
    /// It fails and has no effect.
    Fail(RadosError),
    /// It happens, and the gateway never hears: [`RadosError::TimedOut`].
    Lose,
    /// The gateway is told [`RadosError::TimedOut`] now; it happens when the gate opens.
    Late(Gate),
    /// It waits for the gate, happens then, and is answered as it went.
    Hold(Gate),
    /// The gateway dies before it is sent. This and all later operations of the gateway fail.
    Die,
    /// It happens, and the gateway dies before it hears.
    DieAfter,
}

/// Holds operations until it is opened. Clones are the same gate.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    state: Arc<Mutex<GateState>>,
}

#[derive(Default)]
struct GateState {
    is_open: bool,
    held: Vec<Box<dyn FnOnce() + Send>>,
}

impl Gate {
    /// How many operations wait.
    pub(crate) fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// Lets all operations happen that wait, in their order, before it returns; later ones pass.
    pub(crate) fn open(&self) {
        let held = {
            let mut state = self.lock();
            state.is_open = true;
            std::mem::take(&mut state.held)
        };
        held.into_iter().for_each(|effect| effect());
    }

    /// Runs `effect` when the gate is open.
    pub(super) fn pass(&self, effect: impl FnOnce() + Send + 'static) {
        {
            let mut state = self.lock();
            if !state.is_open {
                state.held.push(Box::new(effect));
                return;
            }
        }
        effect();
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an operation is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Write,
    Read,
    List,
    Lock,
    Unlock,
    Watch,
    Notify,
}

/// An operation that a gateway is about to send.
pub(crate) struct Operation<'a> {
    /// How many the gateway sent before it.
    pub(crate) number: u64,
    /// How many of its kind.
    pub(crate) number_of_kind: u64,
    pub(crate) kind: Kind,
    pub(crate) pool: PoolId,
    /// Empty for a listing.
    pub(crate) object: &'a str,
    /// Of a write.
    pub(crate) steps: &'a [WriteStep],
}

type Hook = Box<dyn FnMut(&Operation<'_>) -> Fault + Send>;

/// What a gateway counts, and what will go wrong with it.
#[derive(Default)]
pub(super) struct Faults {
    operations: u64,
    by_kind: BTreeMap<Kind, u64>,
    planned: BTreeMap<u64, Fault>,
    hook: Option<Hook>,
    is_dead: bool,
}

impl Faults {
    pub(super) fn plan(&mut self, number: u64, fault: Fault) {
        self.planned.insert(number, fault);
    }

    pub(super) fn set_hook(&mut self, hook: Hook) {
        self.hook = Some(hook);
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
        self.hook = None;
    }

    pub(super) const fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or(0)
    }

    pub(super) const fn is_dead(&self) -> bool {
        self.is_dead
    }

    pub(super) const fn die(&mut self) {
        self.is_dead = true;
    }

    /// Counts an operation and says what becomes of it.
    pub(super) fn next(&mut self, kind: Kind, pool: PoolId, object: &str, steps: &[WriteStep]) -> Fault {
        if self.is_dead {
            return Fault::Die;
        }
        let of_kind = self.by_kind.entry(kind).or_default();
        let operation = Operation { number: self.operations, number_of_kind: *of_kind, kind, pool, object, steps };
        *of_kind += 1;
        self.operations += 1;
        if let Some(fault) = self.planned.remove(&operation.number) {
            return fault;
        }
        self.hook.as_mut().map_or(Fault::None, |hook| hook(&operation))
    }
}
