//! Hint from the writing half of a link to its reading half: an answer is expected, so polling for
//! it pays before the reader sleeps.
//!
//! The hint never suppresses wake-ups: the thread that should poll may be kept from it. Only an
//! active poller may suppress them. `mycelium-ext/model` runs this file in every interleaving.

use std::time::{Duration, Instant};

use super::sync::{AtomicBool, AtomicU32, Ordering};

/// How often a poller yields its core before it sleeps. On a core that both processes share, the
/// first yield brings the answer.
const YIELDS: u32 = 4;
/// A poller that gets its core back later than this shares it with another program that works.
const CONTENDED: Duration = Duration::from_micros(200);

/// Polls that are skipped after an answer that came too late for the poller. Each further late
/// answer doubles it, up to [`MOST`].
const FIRST: u32 = 1;
/// The most polls that are skipped. A poll costs little more than a system call: one in 65 is not
/// noticed.
const MOST: u32 = 64;
/// The most polls that are skipped on a core that another program works on: sleeping is better
/// there.
const AWAY: u32 = 1024;

/// See the module's documentation. Public for transports of this workspace.
#[derive(Debug)]
pub struct AnswerHint {
    raised: AtomicBool,
    /// Polls that are to be skipped.
    skip: AtomicU32,
    /// Polls to skip after the next late answer.
    next_skip: AtomicU32,
}

/// The outcome of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer.
    Came,
    /// Nothing did.
    Nothing,
    /// Nothing, or late: another thread had the core.
    Contended,
}

impl AnswerHint {
    /// The hint of a new link.
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

    /// The writer is about to send something that the peer answers. The reader, which is to get a
    /// turn, [takes](Self::take) it.
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
