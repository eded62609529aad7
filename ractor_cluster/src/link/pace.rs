//! How long a session works on what its peer sent before other tasks have their turns.
//!
//! To yield alone gives few turns: the runtime wakes a task that yielded after 61 polls of others,
//! also when more are ready. A session that starts or stops an actor for each element of a list has
//! them wait faster than they are polled, and everybody else waits behind them.

use std::future::poll_fn;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::locked::locked;

/// How long a session works before others have their turns.
const TURN: Duration = Duration::from_millis(2);

/// How much it does at most meanwhile: frames, elements of lists, and actors that a message is
/// delivered to. Each may leave a task that is ready.
const PIECES: usize = 64;

/// The work of a session since others had their turns.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Worked>);

#[derive(Debug, Default)]
struct Worked {
    pieces: usize,
    since: Option<Instant>,
}

impl Pace {
    /// Counts work that has been done, or is done next.
    pub(crate) fn count(&self, pieces: usize) {
        let mut worked = locked(&self.0);
        worked.pieces += pieces;
        worked.since.get_or_insert_with(Instant::now);
    }

    /// Whether it is the turn of others.
    pub(crate) fn is_over(&self) -> bool {
        let worked = locked(&self.0);
        worked.pieces >= PIECES || worked.since.is_some_and(|since| since.elapsed() >= TURN)
    }

    /// Lets others have their turns.
    pub(crate) async fn give_way(&self) {
        give_way().await;
        *locked(&self.0) = Worked::default();
    }

    /// Counts a piece of work, and lets others have their turns where that is due.
    pub(crate) async fn step(&self) {
        self.count(1);
        if self.is_over() {
            self.give_way().await;
        }
    }
}

/// Returns when the runtime has looked for what became ready, and all tasks of this thread that
/// were ready have been polled.
async fn give_way() {
    // Behind the driver, but maybe in front of tasks that are ready.
    yield_now().await;
    // Behind these: a task that wakes itself goes to the end of the queue.
    let mut is_behind = false;
    poll_fn(|context| match std::mem::replace(&mut is_behind, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

#[cfg(test)]
#[path = "pace/tests.rs"]
mod tests;
