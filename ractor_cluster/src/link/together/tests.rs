use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

/// Counts what is asked of it.
#[derive(Default)]
struct Writer {
    batch: Arc<Batch>,
    flushes: AtomicUsize,
    wakes: AtomicUsize,
    /// It takes longer than a turn.
    is_slow: bool,
}

impl Writer {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often it was flushed, and its task woken.
    fn counts(&self) -> (usize, usize) {
        (self.flushes.load(Ordering::Relaxed), self.wakes.load(Ordering::Relaxed))
    }
}

impl Together for Writer {
    fn flush(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        let end = Instant::now() + TURN;
        while self.is_slow && Instant::now() < end {}
    }

    fn wake(&self) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
    }

    fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }
}

const NOTHING: (usize, usize) = (0, 0);
const WOKEN: (usize, usize) = (0, 1);
const FLUSHED: (usize, usize) = (1, 0);

#[test]
fn the_task_of_the_first_writer_flushes_those_that_joined() {
    let [first, second, third] = [(); 3].map(|()| Writer::new());
    let _turns = [&first, &second, &third].map(|it| it.batch.begin());
    [&first, &second, &third].into_iter().for_each(flush);
    assert_eq!([&first, &second, &third].map(|it| it.counts()), [WOKEN, NOTHING, NOTHING]);
    first.batch.close().flush();
    assert_eq!([&first, &second, &third].map(|it| it.counts()), [WOKEN, FLUSHED, FLUSHED]);
    // What joins from here on needs another turn.
    flush(&second);
    assert_eq!(second.counts(), (1, 1));
    first.batch.close().flush();
    assert_eq!(first.counts(), WOKEN);
}

#[test]
fn a_sender_on_another_thread_opens_a_batch_of_its_own() {
    let [first, second, third] = [(); 3].map(|()| Writer::new());
    let _turns = [&first, &second, &third].map(|it| it.batch.begin());
    flush(&first);
    thread::scope(|scope| {
        scope.spawn(|| [&second, &third].into_iter().for_each(flush));
    });
    assert_eq!([&first, &second, &third].map(|it| it.counts()), [WOKEN, WOKEN, NOTHING]);
    first.batch.close().flush();
    assert_eq!(third.counts(), NOTHING, "it joined the second one");
    second.batch.close().flush();
    assert_eq!(third.counts(), FLUSHED);
}

/// Its task may have been woken by a thread that does not give it a turn for long.
#[test]
fn a_batch_of_another_thread_is_not_joined() {
    let [first, second] = [(); 2].map(|()| Writer::new());
    let _turns = [&first, &second].map(|it| it.batch.begin());
    // This thread opened it last, and another one has opened it again.
    flush(&first);
    first.batch.close().flush();
    thread::scope(|scope| {
        scope.spawn(|| flush(&first));
    });
    assert_eq!(first.counts(), (0, 2));
    flush(&second);
    assert_eq!(second.counts(), WOKEN);
}

#[test]
fn a_writer_leads_only_between_the_first_and_the_last_turn_of_its_task() {
    let [first, second] = [(); 2].map(|()| Writer::new());
    let _turns = second.batch.begin();
    flush(&first);
    flush(&second);
    assert_eq!([first.counts(), second.counts()], [WOKEN, WOKEN], "it has had no turn");
    second.batch.close().flush();

    let turns = first.batch.begin();
    flush(&first);
    flush(&second);
    assert_eq!(second.counts(), WOKEN, "it has joined");
    drop(turns);
    assert_eq!(second.counts(), (0, 2), "its own task writes");
    flush(&first);
    flush(&second);
    assert_eq!(second.counts(), (0, 3), "nothing joins a task that has ended");
}

#[test]
fn a_turn_that_takes_long_leaves_the_others_to_their_tasks() {
    let slow = Arc::new(Writer { is_slow: true, ..Writer::default() });
    let [first, last] = [(); 2].map(|()| Writer::new());
    let _turns = [&first, &slow, &last].map(|it| it.batch.begin());
    [&first, &slow, &last].into_iter().for_each(flush);
    first.batch.close().flush();
    assert_eq!([slow.counts(), last.counts()], [FLUSHED, WOKEN]);
}

#[test]
fn a_batch_takes_so_many_and_the_next_one_the_others() {
    let writers: Vec<Arc<Writer>> = (0..MOST + 3).map(|_| Writer::new()).collect();
    let _turns: Vec<_> = writers.iter().map(|it| it.batch.begin()).collect();
    writers.iter().for_each(flush);
    let woken = |(place, it): (usize, &Arc<Writer>)| (it.counts() == WOKEN).then_some(place);
    let leaders: Vec<usize> = writers.iter().enumerate().filter_map(woken).collect();
    assert_eq!(leaders, [0, MOST + 1]);
    leaders.into_iter().for_each(|leader| writers[leader].batch.close().flush());
    assert!(writers.iter().all(|it| it.counts() != NOTHING));
}
