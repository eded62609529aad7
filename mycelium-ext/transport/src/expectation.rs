//! What passes from the writing half of a link to its reading half: that an answer is expected, so that it is worth looking for
//! it before sleeping.
//!
//! It changes nothing in how the reader is woken otherwise: who is to look for the answer may be kept from it. Only who looks
//! may tell the peer to wake nobody meanwhile. `mycelium-ext/model` runs this file in every interleaving of such a link.

use std::time::{Duration, Instant};

use super::sync::{AtomicBool, AtomicU32, Ordering};

/// How often the core is given to others, of which the peer may be one, before an answer is slept for. On a core that both
/// share, the first brings the answer.
const YIELDS: u32 = 4;
/// Who gets the core back after more than that has shared it with somebody who works.
const CONTENDED: Duration = Duration::from_micros(200);

/// After an answer that came too late for whoever looked for it, so many times nobody looks, and twice as often with each further
/// one, up to [`MOST`].
const FIRST: u32 = 1;
/// Looking cost little more than a system call; 1 of 65 of them is not noticed.
const MOST: u32 = 64;
/// The same where the core was away for long: somebody else works on it, who is better waited for asleep.
const AWAY: u32 = 1024;

/// See the module's documentation. Public for transports of this workspace.
#[derive(Debug)]
pub struct Expectation {
    raised: AtomicBool,
    /// How often nobody is to look.
    skip: AtomicU32,
    /// What that is set to next.
    next_skip: AtomicU32,
}

/// What came of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer.
    Came,
    /// Nothing did.
    Nothing,
    /// Nothing, or late, since somebody else had the core.
    Contended,
}

impl Expectation {
    /// Of a link of which nothing is known.
    #[allow(clippy::new_without_default, reason = "the model's atomics have no default")]
    pub fn new() -> Self {
        Self {
            raised: AtomicBool::new(false),
            skip: AtomicU32::new(0),
            next_skip: AtomicU32::new(FIRST),
        }
    }

    /// Whether to raise one. What is asked for counts.
    pub fn is_due(&self) -> bool {
        let skip = self.skip.load(Ordering::Relaxed);
        if skip > 0 {
            // Two who do it at a time count as one, which does not matter.
            self.skip.store(skip - 1, Ordering::Relaxed);
        }
        skip == 0
    }

    /// The writer is about to send something that the peer answers. The reader, which is to get a turn,
    /// [takes](Self::take) it.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }

    /// Whether an answer is expected; once.
    pub fn take(&self) -> bool {
        self.raised.load(Ordering::Relaxed) && self.raised.swap(false, Ordering::Relaxed)
    }

    /// Gives up the core a few times, and asks `once` each time whether the answer is there.
    ///
    /// # Errors
    /// That of `once`.
    pub fn look<T, E>(
        &self,
        mut once: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let start = Instant::now();
        let mut found = None;
        for _ in 0..YIELDS {
            std::thread::yield_now();
            found = once()?;
            if found.is_some() {
                break;
            }
        }
        self.looked(match found {
            _ if start.elapsed() > CONTENDED => Outcome::Contended,
            Some(_) => Outcome::Came,
            None => Outcome::Nothing,
        });
        Ok(found)
    }

    /// The reader has looked for an answer.
    pub(crate) fn looked(&self, outcome: Outcome) {
        let (skip, next) = match outcome {
            Outcome::Came => (0, FIRST),
            Outcome::Nothing => {
                let skip = self.next_skip.load(Ordering::Relaxed);
                (skip, (2 * skip).min(MOST))
            }
            Outcome::Contended => (AWAY, FIRST),
        };
        self.skip.store(skip, Ordering::Relaxed);
        self.next_skip.store(next, Ordering::Relaxed);
    }
}
