//! The queue of a mailbox: who may put something in, what waits, and whom to wake.
//!
//! All of it is behind one lock, which is held for a push, or for the exchange of a whole chunk.
//! That makes admission, order, drain and wake-up one decision each, at the price of two
//! atomic operations per message; queues without a lock need as many for the push
//! alone, and more for the rest. Nothing of the application runs under the lock.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::Waker;

use super::bound::Bound;
use super::chunks::Chunks;
use super::keyed::{KeyOf, Keyed, Methods};
use super::settle::{settle, Phase, Verdict, Way};
use super::sync::{AtomicUsize, Mutex, MutexGuard, Ordering};

/// What the receiver wants to be woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// For nothing: it is awake, or has been woken.
    Awake,
    /// To be interrupted.
    Handling,
    /// For whatever comes.
    Idle,
}

pub(super) struct State<T> {
    waiting: Chunks<T>,
    /// What waits in place of the chunks, if it has keys.
    pub(super) keyed: Option<Box<Keyed>>,
    pub(super) phase: Phase,
    /// Senders that were admitted and have not put their message in.
    pub(super) inside: u32,
    sleep: Sleep,
    receiver: Option<Waker>,
    /// The most that ever waited.
    pub(super) high_water: usize,
    /// What the receiver took since the queue was made.
    received: u64,
}

/// What a queue with a bound has beside the rest.
struct Limit<T> {
    bound: Bound,
    /// Where items have keys.
    keyed: Option<Methods<T>>,
}

/// Set in the number of taken items while none of them is in hand.
const RESTS: usize = 1 << (usize::BITS - 1);
/// Set beside it while the receiver has something else in hand, which did not wait here.
const OTHER: usize = RESTS >> 1;

/// What a queue reports to those who watch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The items that wait.
    pub(crate) waiting: usize,
    /// The most that ever waited.
    pub(crate) high_water: usize,
    /// The items that were handled to the end.
    pub(crate) handled: u64,
    /// How often the receiver had something in hand that did not wait in the queue.
    pub(crate) others: usize,
    /// Whether the receiver has something in hand.
    pub(crate) is_handling: bool,
}

/// What the receiver has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Empty,
    /// An item of the queue.
    Item,
    /// Something that did not wait in the queue.
    Other,
}

/// A queue of many senders and one receiver.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    /// What the receiver took and has not handled, the item in hand included: 0 while it has none.
    /// Written by the receiver only.
    taken: AtomicUsize,
    /// How often it had something in hand that did not wait here. Written by the receiver only.
    others: AtomicUsize,
    limit: Option<Box<Limit<T>>>,
}

// Nothing of the application runs under the lock, so that no panic leaves the state half changed.
impl<T> UnwindSafe for Queue<T> {}
impl<T> RefUnwindSafe for Queue<T> {}

/// An item that the queue did not take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    /// For want of room; there may be some later.
    Full(T),
    /// For good.
    Closed(T),
    /// Since its key could not be made: the application's code panicked.
    NoKey(T),
}

/// What the receiver found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Items.
    Some,
    /// None, and there will be none.
    Drained,
    /// None, and the receiver is registered to be woken.
    Nothing,
}

impl<T> Queue<T> {
    /// A queue with so much room; `None` for any.
    pub(crate) fn new(bound: Option<Bound>) -> Self {
        Self::made(bound.map(|bound| Limit { bound, keyed: None }), None, Phase::Open)
    }

    /// A queue with so much room, that keeps the latest item of each key in the place of the first
    /// one that waits.
    pub(crate) fn keyed<K: KeyOf<T>>(bound: Bound) -> Self
    where
        T: Send + 'static,
    {
        let limit = Limit { bound, keyed: Some(Methods::new::<K>()) };
        Self::made(Some(limit), Some(Keyed::new::<T, K>()), Phase::OpenKeyed)
    }

    fn made(limit: Option<Limit<T>>, keyed: Option<Box<Keyed>>, phase: Phase) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Chunks::new(),
                keyed,
                phase,
                inside: 0,
                sleep: Sleep::Awake,
                receiver: None,
                high_water: 0,
                received: 0,
            }),
            taken: AtomicUsize::new(0),
            others: AtomicUsize::new(0),
            limit: limit.map(Box::new),
        }
    }

    #[inline]
    pub(super) fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock()
    }

    /// Pushes, lets go of the lock, and only then wakes the receiver.
    // A call would be as much as what it does.
    #[inline(always)]
    fn push(mut state: MutexGuard<'_, State<T>>, item: T) {
        state.waiting.push_back(item);
        if state.sleep == Sleep::Idle {
            Self::wake_unlocked(state);
        }
    }

    /// Wakes the receiver, if it is idle, without the lock.
    pub(super) fn wake_unlocked(mut state: MutexGuard<'_, State<T>>) {
        let receiver = state.wake_idle();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// Puts an item in, as [`settle`] has it; `Some` is one that was given up for want of room,
    /// itself or an older one, to be dropped by the caller. A sender that was
    /// [admitted](Self::enter) leaves.
    ///
    /// # Errors
    /// The item comes back.
    // Into each sender, where the item is made: as a call, it would be written down for it, and
    // moved.
    #[inline(always)]
    pub(crate) fn put(&self, item: T, way: Way) -> Result<Option<T>, Refused<T>> {
        let mut state = match &self.limit {
            None => self.state(),
            Some(limit) => return self.put_limited(limit, item, way),
        };
        if way == Way::Admitted {
            state.inside -= 1;
        }
        if settle(state.phase, way, 0, None) == Verdict::Closed {
            return Err(Refused::Closed(item));
        }
        Self::push(state, item);
        Ok(None)
    }

    /// As [`put`](Self::put), of several items at once, in a queue without a bound: takes each that
    /// is there, up to the first `None`, or none. Returns whether it has.
    #[allow(dead_code, reason = "messages of other nodes come in rows")]
    pub(crate) fn put_row(&self, items: &mut [Option<T>]) -> bool {
        debug_assert!(self.limit.is_none());
        let mut state = self.state();
        if settle(state.phase, Way::ByPolicy, 0, None) == Verdict::Closed {
            return false;
        }
        for item in items.iter_mut().map_while(Option::take) {
            state.waiting.push_back(item);
        }
        if state.sleep == Sleep::Idle {
            Self::wake_unlocked(state);
        }
        true
    }

    fn put_limited(&self, limit: &Limit<T>, item: T, way: Way) -> Result<Option<T>, Refused<T>> {
        let bound = &limit.bound;
        if let Some(keyed) = &limit.keyed {
            return (keyed.put)(self, keyed, bound, item, way);
        }
        let mut state = self.state();
        if way == Way::Admitted {
            state.inside -= 1;
        }
        let waiting = state.waiting.len();
        let limits = Some((bound.capacity, bound.overflow));
        let result = match settle(state.phase, way, waiting, limits) {
            Verdict::Takes => {
                state.high_water = state.high_water.max(waiting + 1);
                Self::push(state, item);
                return Ok(None);
            }
            Verdict::TakesForOldest => {
                let oldest = state.waiting.pop_front();
                Self::push(state, item);
                return Ok(oldest);
            }
            Verdict::DropsIt => Ok(Some(item)),
            Verdict::Full => Err(Refused::Full(item)),
            Verdict::Closed => Err(Refused::Closed(item)),
        };
        drop(state);
        if way == Way::Admitted {
            // A receiver that drains waits for the last to leave, whether it pushed or not.
            self.wake(false);
        }
        result
    }

    /// Whether there is room for an item, or never will be: putting one in is worth a try.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state();
        let Some(bound) = self.bound() else { return true };
        let keyed = state.keyed.as_ref().map_or(0, |keyed| keyed.len);
        state.phase > Phase::Open || state.waiting.len() + keyed < bound.capacity
    }

    /// Admits a sender that has yet to make its item: a drain waits for it. It has to
    /// [`put`](Self::put) it that [way](Way::Admitted), or to [`leave`](Self::leave).
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        let mut state = self.state();
        let open = state.phase <= Phase::Open;
        state.inside += u32::from(open);
        open
    }

    /// Lets a sender go that was admitted and puts nothing in.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.inside -= 1;
        if state.inside == 0 && state.phase == Phase::Draining {
            Self::wake_unlocked(state);
        }
    }

    /// Admits no more messages; those that were admitted are still received.
    pub(crate) fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Takes nothing any more. What waits stays until it is [cleared](Self::clear).
    pub(crate) fn close(&self) {
        self.advance(Phase::Closed);
    }

    fn advance(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = state.phase.max(phase);
        Self::wake_unlocked(state);
        if let Some(bound) = self.bound() {
            bound.no_more_room();
        }
    }

    /// Closes, and drops what waits.
    pub(crate) fn clear(&self) {
        self.close();
        let mut state = self.state();
        let waiting = std::mem::replace(&mut state.waiting, Chunks::new());
        let keyed = state.keyed.as_mut().map(|keyed| keyed.clear());
        let receiver = state.receiver.take();
        drop(state);
        drop((waiting, keyed, receiver));
        self.taken.store(0, Ordering::Relaxed);
    }

    /// Wakes the receiver when it is idle, or, if `interrupt`, also out of its handler.
    pub(crate) fn wake(&self, interrupt: bool) {
        let mut state = self.state();
        let receiver = match state.sleep {
            Sleep::Idle => state.wake_idle(),
            Sleep::Handling if interrupt => {
                state.sleep = Sleep::Awake;
                state.receiver.take()
            }
            _ => None,
        };
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// Registers the receiver to be woken, as deep as it `sleep`s.
    ///
    /// A sender that sets a flag and then wakes is heard by a receiver that sleeps and then looks
    /// at the flag: the lock orders the two, whichever comes first.
    pub(crate) fn sleep(&self, sleep: Sleep, receiver: &Waker) {
        self.state().sleep(sleep, receiver);
    }

    /// Takes the oldest items, or registers the receiver.
    ///
    /// Without a bound that is a whole chunk; with one it is a single item, since all that
    /// waits counts.
    #[inline]
    pub(crate) fn receive(&self, into: &mut VecDeque<T>, receiver: &Waker) -> Found {
        let mut state = self.state();
        if state.waiting.is_empty() {
            if state.phase != Phase::Open {
                return self.receive_other(state, into, receiver);
            }
            self.taken.store(0, Ordering::Relaxed);
            state.sleep(Sleep::Idle, receiver);
            return Found::Nothing;
        }
        match self.bound() {
            None => {
                // A branch is less than a store each time.
                if state.waiting.len() > state.high_water {
                    state.high_water = state.waiting.len();
                }
                state.waiting.swap_front(into);
                state.received += into.len() as u64;
                self.taken.store(into.len(), Ordering::Relaxed);
            }
            Some(bound) => {
                into.extend(state.waiting.pop_front());
                state.received += 1;
                drop(state);
                bound.one_more_room(|| self.len());
            }
        }
        Found::Some
    }

    /// As [`receive`](Self::receive), when the chunks are empty and the phase is a rarer one.
    #[inline(never)]
    fn receive_other(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        into: &mut VecDeque<T>,
        receiver: &Waker,
    ) -> Found {
        if let (Some((methods, bound)), Some(keyed)) = (self.methods(), &state.keyed) {
            if keyed.len > 0 {
                state.received += 1;
                (methods.take)(state, into);
                bound.one_more_room(|| self.len());
                return Found::Some;
            }
        }
        if state.phase > Phase::Open && state.inside == 0 {
            return Found::Drained;
        }
        self.taken.store(0, Ordering::Relaxed);
        state.sleep(Sleep::Idle, receiver);
        Found::Nothing
    }

    /// The receiver has one of the items that it took in hand, of `count` that it has not handled.
    #[inline]
    pub(crate) fn hold(&self, count: usize) {
        self.taken.store(count, Ordering::Relaxed);
    }

    /// The receiver has handled all but `count` of the items that it took, and none in hand.
    #[cold]
    pub(crate) fn rest(&self, count: usize) {
        self.taken.store(count | RESTS, Ordering::Relaxed);
    }

    /// As [`rest`](Self::rest), and the receiver has something in hand that did not wait here.
    #[cold]
    pub(crate) fn hold_other(&self, count: usize) {
        let others = self.others.load(Ordering::Relaxed);
        self.others.store(others.wrapping_add(1), Ordering::Relaxed);
        self.taken.store(count | RESTS | OTHER, Ordering::Relaxed);
    }

    /// What is taken and not in hand, and what is in hand.
    fn taken(&self) -> (usize, Hand) {
        match self.taken.load(Ordering::Relaxed) {
            0 => (0, Hand::Empty),
            taken if taken & RESTS == 0 => (taken - 1, Hand::Item),
            taken if taken & OTHER == 0 => (taken & !RESTS, Hand::Empty),
            taken => (taken & !RESTS & !OTHER, Hand::Other),
        }
    }

    /// How much waits. Exact with a bound; otherwise a message or two may pass meanwhile.
    pub(crate) fn len(&self) -> usize {
        let state = self.state();
        let keyed = state.keyed.as_ref().map_or(0, |keyed| keyed.len);
        state.waiting.len() + keyed + self.taken().0
    }

    /// What those see who watch it. A message or two may pass meanwhile.
    pub(crate) fn seen(&self) -> Seen {
        let state = self.state();
        let keyed = state.keyed.as_ref().map_or(0, |keyed| keyed.len);
        let (taken, hand) = self.taken();
        let unhandled = taken as u64 + u64::from(hand == Hand::Item);
        Seen {
            waiting: state.waiting.len() + keyed + taken,
            high_water: state.high_water,
            handled: state.received.saturating_sub(unhandled),
            others: self.others.load(Ordering::Relaxed),
            is_handling: hand != Hand::Empty,
        }
    }

    /// The most that ever waited: exact with a bound, otherwise at the times when the
    /// receiver took what waited.
    pub(crate) fn high_water(&self) -> usize {
        self.state().high_water
    }

    /// How many items were replaced by a newer one of their key.
    pub(crate) fn replaced(&self) -> u64 {
        self.state().keyed.as_ref().map_or(0, |keyed| keyed.replaced)
    }

    #[inline]
    pub(crate) fn bound(&self) -> Option<&Bound> {
        self.limit.as_deref().map(|limit| &limit.bound)
    }

    /// Whether it keeps the latest item of each key.
    #[allow(dead_code, reason = "the cluster asks")]
    pub(crate) fn is_conflating(&self) -> bool {
        self.methods().is_some()
    }

    fn methods(&self) -> Option<(&Methods<T>, &Bound)> {
        let limit = self.limit.as_deref()?;
        limit.keyed.as_ref().map(|keyed| (keyed, &limit.bound))
    }
}

impl<T> State<T> {
    /// The receiver, if it is idle, to be woken outside of the lock.
    #[inline]
    fn wake_idle(&mut self) -> Option<Waker> {
        if self.sleep != Sleep::Idle {
            return None;
        }
        self.sleep = Sleep::Awake;
        self.receiver.take()
    }

    fn sleep(&mut self, sleep: Sleep, receiver: &Waker) {
        self.sleep = sleep;
        if !self.receiver.as_ref().is_some_and(|it| it.will_wake(receiver)) {
            self.receiver = Some(receiver.clone());
        }
    }
}

impl<T> Refused<T> {
    /// The same for what the item is made of.
    pub(crate) fn map<U>(self, item: impl FnOnce(T) -> U) -> Refused<U> {
        match self {
            Self::Full(it) => Refused::Full(item(it)),
            Self::Closed(it) => Refused::Closed(item(it)),
            Self::NoKey(it) => Refused::NoKey(item(it)),
        }
    }
}
