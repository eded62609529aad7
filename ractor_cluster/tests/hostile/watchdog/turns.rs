//! A watchdog for the turns of a runtime, which it takes one by one.

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::time::{Duration, Instant};

use rustix::time::{clock_gettime, ClockId};

/// The processor time between two turns of the watchdog, in which every ready task is polled about
/// once. It does not count what other processes take.
pub const CPU: Duration = Duration::from_millis(50);
/// The time between two turns, for polls that block instead of working. A loaded machine stays
/// below.
const WALL: Duration = Duration::from_secs(2);

/// The processor time of this thread.
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// Runs `scene` on this thread's runtime, and fails when a turn of the other tasks takes too long
/// meanwhile. What the scene does itself does not count.
pub async fn watch<T>(scene: impl Future<Output = T>) -> T {
    let mut scene = pin!(scene);
    let mut left: Option<(Duration, Instant)> = None;
    let (mut longest, mut longest_wall) = (Duration::ZERO, Duration::ZERO);
    let outcome = poll_fn(|context| {
        if let Some((before, began)) = left {
            longest = longest.max(cpu() - before);
            longest_wall = longest_wall.max(began.elapsed());
        }
        let outcome = scene.as_mut().poll(context);
        left = Some((cpu(), Instant::now()));
        // The next turn is due when all others had theirs.
        context.waker().wake_by_ref();
        outcome
    })
    .await;
    assert!(longest <= CPU, "a turn took {longest:?} of the processor; {CPU:?} are allowed");
    assert!(longest_wall <= WALL, "a turn took {longest_wall:?}; {WALL:?} are allowed");
    outcome
}
