//! A queue that keeps the latest item of each key.
//!
//! It is the [`Queue`] of all actors, with [`Slots`] in place of its chunks. Only the functions in
//! here know the type of the keys; the queue holds pointers to them, which no other queue has.
//! A key is made, hashed and dropped without the lock. Only its `Eq` runs under it, before anything
//! is changed.

use std::any::Any;
use std::collections::hash_map::RandomState;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};
use std::panic::{catch_unwind, AssertUnwindSafe};

use super::bound::Bound;
use super::queue::{Queue, Refused, State};
use super::settle::{settle, Verdict, Way};
use super::slots::Slots;
use super::sync::MutexGuard;

/// Finds the key of an item.
pub(crate) trait KeyOf<T>: 'static {
    type Key: Eq + Hash + Send + 'static;

    /// The key; `None` for an item that none replaces.
    ///
    /// # Panics
    /// When the application's code does.
    fn key(item: &T) -> Option<Self::Key>;
}

/// What waits in a queue with keys.
pub(super) struct Keyed {
    /// The `Slots`; nothing once the queue was cleared.
    slots: Box<dyn Any + Send>,
    pub(super) len: usize,
    pub(super) replaced: u64,
}

/// As [`Queue::put`].
type Put<T> = fn(&Queue<T>, &Methods<T>, &Bound, T, Way) -> Result<Option<T>, Refused<T>>;

/// What a queue with keys does in its own way.
pub(super) struct Methods<T> {
    hasher: RandomState,
    pub(super) put: Put<T>,
    pub(super) take: for<'a> fn(MutexGuard<'a, State<T>>, &mut VecDeque<T>),
}

impl Keyed {
    pub(super) fn new<T: Send + 'static, K: KeyOf<T>>() -> Box<Self> {
        Box::new(Self { slots: Box::new(Slots::<K::Key, T>::new()), len: 0, replaced: 0 })
    }

    /// What waits, to be dropped without the lock. The count of what was replaced stays.
    pub(super) fn clear(&mut self) -> Box<dyn Any + Send> {
        self.len = 0;
        std::mem::replace(&mut self.slots, Box::new(()))
    }

    fn slots<T: 'static, K: KeyOf<T>>(&mut self) -> &mut Slots<K::Key, T> {
        self.slots.downcast_mut().expect("the queue is not cleared, and has one type of keys")
    }
}

impl<T: Send + 'static> Methods<T> {
    pub(super) fn new<K: KeyOf<T>>() -> Self {
        Self { hasher: RandomState::new(), put: put::<T, K>, take: take::<T, K> }
    }
}

/// Puts an item in: in the place of the one that waits under its key, or behind all others.
fn put<T: Send + 'static, K: KeyOf<T>>(
    queue: &Queue<T>,
    methods: &Methods<T>,
    bound: &Bound,
    item: T,
    way: Way,
) -> Result<Option<T>, Refused<T>> {
    let keyed = catch_unwind(AssertUnwindSafe(|| {
        K::key(&item).map(|key| (methods.hasher.hash_one(&key), key))
    }));
    let Ok(keyed) = keyed else {
        if way == Way::Admitted {
            queue.leave();
        }
        return Err(Refused::NoKey(item));
    };

    let mut locked = queue.state();
    let state = &mut *locked;
    if way == Way::Admitted {
        state.inside -= 1;
    }
    if settle(state.phase, way, 0, None) == Verdict::Closed {
        drop(locked);
        discard(keyed);
        return Err(Refused::Closed(item));
    }
    let waiting = state.keyed.as_mut().expect("a queue with methods for keys has slots");
    let slots = waiting.slots::<T, K>();
    let found = match &keyed {
        None => Ok(None),
        Some((hash, key)) => catch_unwind(AssertUnwindSafe(|| slots.find(*hash, key))),
    };
    let result = match found {
        Err(_) => Err(Refused::NoKey(item)),
        Ok(Some(place)) => {
            let old = slots.replace(place, item);
            waiting.replaced += 1;
            drop(locked);
            discard((old, keyed));
            // A receiver that drains waits for the last to leave.
            if way == Way::Admitted {
                queue.wake(false);
            }
            return Ok(None);
        }
        Ok(None) => {
            let limits = Some((bound.capacity, bound.overflow));
            let verdict = settle(state.phase, way, slots.len(), limits);
            match verdict {
                Verdict::Closed => Err(Refused::Closed(item)),
                Verdict::Full => Err(Refused::Full(item)),
                Verdict::DropsIt => Ok(Some(item)),
                Verdict::Takes | Verdict::TakesForOldest => {
                    let oldest = (verdict == Verdict::TakesForOldest).then(|| slots.pop());
                    let (old_key, displaced) = oldest.flatten().unzip();
                    let (hash, key) = keyed.map_or((0, None), |(hash, key)| (hash, Some(key)));
                    slots.push(hash, key, item);
                    waiting.len = slots.len();
                    state.high_water = state.high_water.max(waiting.len);
                    Queue::wake_unlocked(locked);
                    discard(old_key);
                    return Ok(displaced);
                }
            }
        }
    };
    drop(locked);
    discard(keyed);
    if way == Way::Admitted {
        queue.wake(false);
    }
    result
}

/// Takes the oldest item.
fn take<T: Send + 'static, K: KeyOf<T>>(
    mut state: MutexGuard<'_, State<T>>,
    into: &mut VecDeque<T>,
) {
    let Some(waiting) = &mut state.keyed else { return };
    let slots = waiting.slots::<T, K>();
    let (key, item) = slots.pop().unzip();
    waiting.len = slots.len();
    drop(state);
    into.extend(item);
    discard(key);
}

/// Drops what is the application's. A panic of its `drop` harms neither the sender, which may be a
/// thread of the runtime, nor the receiver.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // Dropping it could panic again.
        std::mem::forget(panic);
    }
}
