//! A contender does the work of a case.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

/// One way of doing the work of a case.
pub struct Contender {
    name: &'static str,
    work: Box<dyn FnMut(u64) -> Duration>,
}

impl Contender {
    pub(crate) fn new(name: &'static str, mut work: impl FnMut(u64) + 'static) -> Self {
        Self::timed(name, move |rounds| {
            let start = Instant::now();
            work(rounds);
            start.elapsed()
        })
    }

    /// One whose work is only part of what it does, and that times that part itself.
    pub(crate) fn timed(name: &'static str, work: impl FnMut(u64) -> Duration + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }

    /// Its name: one of the report's columns.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Does that many rounds of the work, comes back when the last message was handled, and says
    /// how long it took.
    pub fn run(&mut self, rounds: u64) -> Duration {
        (self.work)(rounds)
    }
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contender").field(&self.name).finish()
    }
}

/// What senders and actors run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// Two worker threads.
    Workers,
    /// The current thread, where every run does the same, so that it can be counted.
    Current,
}

impl Scheduler {
    pub(crate) fn runtime(self) -> Runtime {
        let mut builder = match self {
            Self::Workers => Builder::new_multi_thread(),
            Self::Current => Builder::new_current_thread(),
        };
        builder.worker_threads(2).enable_time().build().expect("a runtime")
    }
}
