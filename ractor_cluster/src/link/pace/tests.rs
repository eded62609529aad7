use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use super::*;

/// More tasks than the runtime polls between two looks at its driver.
const MANY: usize = 200;

#[tokio::test]
async fn whoever_gives_way_is_behind_all_tasks_that_are_ready() {
    let polled = Arc::new(AtomicUsize::new(0));
    for round in 1..=3 {
        for _ in 0..MANY {
            let polled = polled.clone();
            tokio::spawn(async move { polled.fetch_add(1, Ordering::Relaxed) });
        }
        Pace::default().give_way().await;
        assert_eq!(polled.load(Ordering::Relaxed), round * MANY);
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
