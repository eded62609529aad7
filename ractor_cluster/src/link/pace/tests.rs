use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use super::*;

/// More tasks than the runtime polls between two looks at its driver.
const MANY: usize = 200;

async fn give_way_behind(ready: usize) -> usize {
    let polled = Arc::new(AtomicUsize::new(0));
    for _ in 0..ready {
        let polled = polled.clone();
        tokio::spawn(async move { polled.fetch_add(1, Ordering::Relaxed) });
    }
    Pace::default().give_way().await;
    polled.load(Ordering::Relaxed)
}

#[tokio::test]
async fn who_gives_way_is_behind_all_tasks_that_are_ready() {
    for _ in 0..3 {
        let task = tokio::spawn(give_way_behind(MANY));
        assert_eq!(task.await.expect("it does not panic"), MANY);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn so_it_is_on_a_worker_of_its_own() {
    for _ in 0..3 {
        let task = tokio::spawn(give_way_behind(MANY));
        assert_eq!(task.await.expect("it does not panic"), MANY);
    }
}

#[tokio::test]
async fn a_turn_ends_with_its_pieces_and_with_its_time() {
    let pace = Pace::default();
    assert!(!pace.is_over());
    pace.count(PIECES - 1);
    // A loaded machine may take that long here.
    assert!(!pace.is_over() || locked(&pace.0).since.is_some_and(|it| it.elapsed() >= TURN));
    pace.count(1);
    assert!(pace.is_over());
    pace.give_way().await;
    assert!(!pace.is_over());
    pace.count(1);
    locked(&pace.0).since = Instant::now().checked_sub(TURN);
    assert!(pace.is_over());
}
