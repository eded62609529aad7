//! What a member notices of itself: stalls of its runtime, and what its calls take.
//!
//! A task on the runtime's only worker awaits a short timer over and over, and a thread of its own looks whether it
//! still does. The thread counts only time in which it ran itself, so that a suspended process has no stall, and
//! a loaded machine less of one. The task adds what its worker computed between two turns, which no load changes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::sleep;

use super::log;
use super::record::{Health, Record};

/// Between two turns of the timer task.
const TURN: Duration = Duration::from_millis(5);

/// Between two looks of the thread.
const LOOK: Duration = Duration::from_millis(5);

/// What a look counts at most: beyond that the thread did not run either.
const MOST: Duration = Duration::from_millis(20);

/// Between two reports.
const REPORT: Duration = Duration::from_secs(1);

static TURNS: AtomicU64 = AtomicU64::new(0);
static COMPUTING: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);
static SLOWEST: AtomicU64 = AtomicU64::new(0);

/// Begins to watch the runtime that this is called on, and to report every second.
pub(crate) fn begin() {
    tokio::spawn(async {
        let mut before = None;
        loop {
            sleep(TURN).await;
            TURNS.fetch_add(1, Relaxed);
            let (worker, computed) = (thread::current().id(), computed());
            if let Some((same, begin)) = before
                && same == worker
            {
                COMPUTING.fetch_max(micros(computed - begin), Relaxed);
            }
            before = Some((worker, computed));
        }
    });
    thread::spawn(look);
}

/// Notes that a call was answered.
pub(crate) fn answered(after: Duration) {
    CALLS.fetch_add(1, Relaxed);
    SLOWEST.fetch_max(micros(after), Relaxed);
}

fn look() {
    let (mut looked, mut reported) = (Instant::now(), Instant::now());
    let (mut turns, mut without, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    loop {
        thread::sleep(LOOK);
        let now = Instant::now();
        let ran = (now - looked).min(MOST);
        looked = now;
        let now_turns = TURNS.load(Relaxed);
        // A worker that never had its first turn is still being started.
        if now_turns != turns || now_turns == 0 {
            (turns, without) = (now_turns, Duration::ZERO);
        } else {
            without += ran;
            longest = longest.max(without);
        }
        if now - reported >= REPORT {
            reported = now;
            Record::Health(Health {
                stall: micros(longest),
                computing: COMPUTING.swap(0, Relaxed),
                calls: CALLS.swap(0, Relaxed),
                slowest: SLOWEST.swap(0, Relaxed),
            })
            .note();
            log::note_lines();
            longest = Duration::ZERO;
        }
    }
}

/// The processor time of this thread.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}
