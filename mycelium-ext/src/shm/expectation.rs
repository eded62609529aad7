//! What passes from the writing half of a link to its reading half: that an answer is expected, so that it is worth looking for
//! it before sleeping.
//!
//! The reader that sleeps has asked the peer to wake it. That is taken back first, so that the peer, whose answer may come at
//! once, need not; from then on it is this process that has to give the reader a turn. It does: the reader leaves its waker
//! before it asks the peer, and is woken after that was taken back. `mycelium-ext/model` runs this file in every interleaving.

use std::task::Waker;

use super::positions::Words;
use super::sync::{AtomicBool, AtomicU32, Mutex, Ordering};

/// After an answer that came too late for whoever looked for it, so many times nobody looks, and twice as often with each further
/// one, up to [`MOST`].
const FIRST: u32 = 1;
/// Looking cost little more than a system call; 1 of 65 of them is not noticed.
const MOST: u32 = 64;
/// The same where the core was away for long: somebody else works on it, who is better waited for asleep.
pub(crate) const CONTENDED: u32 = 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Expectation {
    raised: AtomicBool,
    reader: Mutex<Option<Waker>>,
    /// How often nobody is to look.
    skip: AtomicU32,
    /// What that is set to next.
    next_skip: AtomicU32,
}

/// What came of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Came,
    Nothing,
    /// Nothing, or late, since somebody else had the core.
    Contended,
}

impl Expectation {
    pub(crate) fn new() -> Self {
        Self {
            raised: AtomicBool::new(false),
            reader: Mutex::new(None),
            skip: AtomicU32::new(0),
            next_skip: AtomicU32::new(FIRST),
        }
    }

    /// The writer is about to publish something that the peer answers. `words` are those of the direction in which the answer
    /// comes. One that is raised is [taken](Self::take) by the reader, which gets a turn.
    pub(crate) fn raise(&self, words: &Words<'_>) {
        let skip = self.skip.load(Ordering::Relaxed);
        if skip > 0 {
            // Two who do it at a time count as one, which does not matter.
            return self.skip.store(skip - 1, Ordering::Relaxed);
        }
        self.raised.store(true, Ordering::Relaxed);
        words.reader_waits.store(0, Ordering::Relaxed);
        if let Some(reader) = &*self.lock() {
            reader.wake_by_ref();
        }
    }

    /// Whether an answer is expected; once.
    pub(crate) fn take(&self) -> bool {
        self.raised.load(Ordering::Relaxed) && self.raised.swap(false, Ordering::Relaxed)
    }

    /// The reader is about to ask the peer to wake it.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut reader = self.lock();
        if !reader.as_ref().is_some_and(|reader| reader.will_wake(waker)) {
            *reader = Some(waker.clone());
        }
    }

    /// The reader has looked for an answer.
    pub(crate) fn looked(&self, outcome: Outcome) {
        let (skip, next) = match outcome {
            Outcome::Came => (0, FIRST),
            Outcome::Nothing => {
                let skip = self.next_skip.load(Ordering::Relaxed);
                (skip, (2 * skip).min(MOST))
            }
            Outcome::Contended => (CONTENDED, FIRST),
        };
        self.skip.store(skip, Ordering::Relaxed);
        self.next_skip.store(next, Ordering::Relaxed);
    }

    fn lock(&self) -> super::sync::MutexGuard<'_, Option<Waker>> {
        self.reader.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
