//! What a member notices of itself: stalls of its runtime, and what its calls take.
//!
//! A task on the runtime's only worker awaits a short timer over and over, and a thread of its own
//! looks whether it still does. The thread counts only time in which it ran itself, so that a
//! suspended process has no stall, and takes off what the worker waited for a core, so that a
//! loaded machine is no stall either. The task adds what its worker computed between two turns.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
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

/// The worker's thread, as the system numbers it; 0 where that is not known.
static WORKER: AtomicU64 = AtomicU64::new(0);
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
            match before {
                Some((same, begin)) if same == worker => {
                    COMPUTING.fetch_max(micros(computed - begin), Relaxed);
                }
                _ => WORKER.store(this_thread().unwrap_or_default(), Relaxed),
            }
            before = Some((worker, computed));
        }
    });
    let runtime = Handle::current();
    thread::spawn(move || look(&runtime));
}

/// Notes that a call was answered.
pub(crate) fn answered(after: Duration) {
    CALLS.fetch_add(1, Relaxed);
    SLOWEST.fetch_max(micros(after), Relaxed);
}

fn look(runtime: &Handle) {
    let (mut looked, mut reported) = (Instant::now(), Instant::now());
    let (mut turns, mut without, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    let mut waited = Duration::ZERO;
    loop {
        thread::sleep(LOOK);
        let now = Instant::now();
        let ran = (now - looked).min(MOST);
        looked = now;
        let now_turns = TURNS.load(Relaxed);
        // A worker that never had its first turn is still being started.
        if now_turns != turns || now_turns == 0 {
            (turns, without, waited) = (now_turns, Duration::ZERO, waited_for_a_core());
        } else {
            without += ran;
            let waited = waited_for_a_core().saturating_sub(waited);
            longest = longest.max(without.saturating_sub(waited));
        }
        if now - reported >= REPORT {
            reported = now;
            Record::Health(Health {
                stall: micros(longest),
                computing: COMPUTING.swap(0, Relaxed),
                calls: CALLS.swap(0, Relaxed),
                slowest: SLOWEST.swap(0, Relaxed),
                tasks: runtime.metrics().num_alive_tasks() as u64,
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

/// The number that the system has for this thread.
fn this_thread() -> Option<u64> {
    let path = fs::read_link("/proc/thread-self").ok()?;
    path.file_name()?.to_str()?.parse().ok()
}

/// How long the worker was ready to run, and had no core, in all. Zero where the system does not
/// tell.
fn waited_for_a_core() -> Duration {
    let path = format!("/proc/self/task/{}/schedstat", WORKER.load(Relaxed));
    let waited = fs::read_to_string(path).ok().and_then(|text| {
        // Nanoseconds on a core, nanoseconds without one, and how often it had one.
        text.split_whitespace().nth(1)?.parse().ok()
    });
    Duration::from_nanos(waited.unwrap_or_default())
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}
