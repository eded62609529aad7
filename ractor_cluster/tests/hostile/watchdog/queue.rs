//! A watchdog for the queue of a worker: a task that is ready waits for few others.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep;

use super::turns::cpu;

/// The processor time that the worker may take between two turns of a task, beside the time for
/// which the task sleeps.
const QUEUE: Duration = Duration::from_millis(100);

/// Runs `scene` beside a runtime with one worker, as applications have more of, and fails when a
/// task whose timer is over waits too long behind others meanwhile.
pub fn watch_queue<T>(scene: impl Future<Output = T>) -> T {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("there are threads");
    let longest = Arc::new(AtomicU64::new(0));
    let noted = longest.clone();
    runtime.spawn(async move {
        let mut before = cpu();
        loop {
            sleep(Duration::from_millis(1)).await;
            let now = cpu();
            let taken = u64::try_from((now - before).as_nanos()).expect("it is not so long");
            noted.fetch_max(taken, Ordering::Relaxed);
            before = now;
        }
    });
    let outcome = runtime.block_on(scene);
    let longest = Duration::from_nanos(longest.load(Ordering::Relaxed));
    println!("{longest:?} of the processor between two turns");
    assert!(
        longest <= QUEUE,
        "a task waited for {longest:?} of the processor; {QUEUE:?} are allowed"
    );
    outcome
}
