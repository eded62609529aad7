//! Looking for what a peer sends, instead of going to sleep.
//!
//! A task of its own reads a link. Where the peer answers within microseconds, its turns cost more
//! than the way to the peer: the caller goes to sleep, the reader gets a turn, and then the caller
//! another one. So a link whose peer is expected to send something at once leaves a [`Watch`] to
//! the task that has just sent, which looks by it where it would sleep: when it awaits a call, and
//! when an actor has nothing left to handle.
//!
//! What does not wait, but works on or blocks its thread, looks late: the link's own task reads all
//! the same.

use std::cell::Cell;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// How often a task looks, and finds something, before others on its thread get a turn. An actor
/// handles at least a message between two looks.
const LOOKS: u8 = 64;

/// By what a link is looked at.
pub trait Watch: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// Passes on what the peer has sent, or sends within microseconds; true when there was
    /// anything. Called in a task, and without a lock held, where the task would give up its thread
    /// otherwise.
    fn look(&self) -> bool;

    /// No thread polls after all: the link's own task should.
    fn give_up(&self);
}

/// What the task that runs on this thread does with a watch.
#[derive(Default)]
enum Place {
    /// It takes none.
    #[default]
    None,
    /// It would take one.
    Free,
    Taken(Arc<dyn Watch>),
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::None) };
}

/// Leaves a watch to the task on this thread that is about to wait, in place of one left before.
/// Without such a task, [`Watch::give_up`] is called.
pub fn leave(watch: Arc<dyn Watch>) {
    let (place, useless) = match PLACE.take() {
        Place::None => (Place::None, Some(watch)),
        Place::Free => (Place::Taken(watch), None),
        Place::Taken(former) => (Place::Taken(watch), Some(former)),
    };
    PLACE.set(place);
    if let Some(watch) = useless {
        watch.give_up();
    }
}

/// A watch that was left, if any was. One that is dropped without a look is given up.
pub(crate) struct Left(Option<Arc<dyn Watch>>);

impl Left {
    /// Looks, and says whether there was anything.
    pub(crate) fn look(mut self) -> bool {
        self.0.take().is_some_and(|watch| watch.look())
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(watch) = self.0.take() {
            watch.give_up();
        }
    }
}

/// Runs something that may leave a watch, which is returned.
#[inline]
pub(crate) fn watched<T>(run: impl FnOnce() -> T) -> (T, Left) {
    /// Also when it panics.
    struct Within {
        outer: Place,
    }
    impl Within {
        fn end(&mut self) -> Left {
            match PLACE.replace(std::mem::take(&mut self.outer)) {
                Place::Taken(watch) => Left(Some(watch)),
                Place::None | Place::Free => Left(None),
            }
        }
    }
    impl Drop for Within {
        fn drop(&mut self) {
            drop(self.end());
        }
    }
    let mut within = Within { outer: PLACE.replace(Place::Free) };
    let output = run();
    let left = within.end();
    std::mem::forget(within);
    (output, left)
}

/// A task that looks before it sleeps.
pub(crate) struct BusyPolling<F: ?Sized>(pub(crate) Pin<Box<F>>);

impl<F: Future + ?Sized> Future for BusyPolling<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        for _ in 0..LOOKS {
            let (polled, left) = watched(|| self.0.as_mut().poll(context));
            if polled.is_ready() || !left.look() {
                return polled;
            }
            // What came may be for this very task.
        }
        // If it was, the task has been woken.
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Waker;

    use super::*;

    /// Finds something as often as it is told.
    #[derive(Default)]
    struct Counted {
        finds: AtomicUsize,
        looks: AtomicUsize,
        given_up: AtomicUsize,
    }

    impl Watch for Counted {
        fn look(&self) -> bool {
            self.looks.fetch_add(1, Ordering::Relaxed);
            let left = self.finds.load(Ordering::Relaxed);
            self.finds.store(left.saturating_sub(1), Ordering::Relaxed);
            left > 0
        }

        fn give_up(&self) {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Counted {
        fn finding(finds: usize) -> Arc<Self> {
            Arc::new(Self { finds: finds.into(), ..Self::default() })
        }

        /// How often it was looked by, and given up.
        fn counts(&self) -> (usize, usize) {
            (self.looks.load(Ordering::Relaxed), self.given_up.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn a_watch_is_left_only_to_who_looks() {
        let (first, second) = (Counted::finding(1), Counted::finding(1));
        leave(first.clone());
        assert_eq!(first.counts(), (0, 1));

        let ((), left) = watched(|| {
            leave(first.clone());
            let ((), inner) = watched(|| ());
            assert!(!inner.look(), "what was left outside is not looked at inside");
            leave(second.clone());
        });
        assert_eq!((first.counts(), second.counts()), ((0, 2), (0, 0)), "the last one counts");
        assert!(left.look());
        assert_eq!(second.counts(), (1, 0));
        leave(second.clone());
        assert_eq!(second.counts(), (1, 1), "it is not polled any more");

        let panicked = std::panic::catch_unwind(|| {
            watched(|| {
                leave(second.clone());
                panic!("as is expected");
            })
        });
        assert!(panicked.is_err());
        assert_eq!(second.counts(), (1, 2));
    }

    #[test]
    fn a_task_looks_as_long_as_something_comes() {
        let watch = Counted::finding(3);
        let mut polls = 0;
        let future = std::future::poll_fn(|_| {
            polls += 1;
            leave(watch.clone());
            Poll::<()>::Pending
        });
        let mut context = Context::from_waker(Waker::noop());
        let mut polling = Box::pin(BusyPolling(Box::pin(future)));
        assert!(polling.as_mut().poll(&mut context).is_pending());
        assert_eq!(watch.counts(), (4, 0));
        drop(polling);
        assert_eq!(polls, 4);

        let endless = Counted::finding(usize::MAX);
        let future = std::future::poll_fn(|_| {
            leave(endless.clone());
            Poll::<()>::Pending
        });
        let mut polling = Box::pin(BusyPolling(Box::pin(future)));
        assert!(polling.as_mut().poll(&mut context).is_pending());
        assert_eq!(endless.counts(), (usize::from(LOOKS), 0), "others get a turn");

        let watch = Counted::finding(1);
        let ready = std::future::poll_fn(|_| {
            leave(watch.clone());
            Poll::Ready(())
        });
        assert!(Box::pin(BusyPolling(Box::pin(ready))).as_mut().poll(&mut context).is_ready());
        assert_eq!(watch.counts(), (0, 1), "a task that ends waits for nothing");
    }
}
