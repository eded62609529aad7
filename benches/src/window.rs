//! How far a publisher runs ahead of its readers: the same mechanism, at the same cost, for
//! every contender.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// Publishes that not every reader has read. Less than an output port's buffer of 10, so that no
/// subscriber misses one.
const OUTSTANDING: usize = 8;

/// Lets the publisher go on when all readers have read the publish before the last eight.
#[derive(Debug)]
pub(crate) struct Window {
    room: Semaphore,
    readers: usize,
    /// How many have read each outstanding publish. Readers read in order, so the publishes are
    /// complete in order, and a place is free again when its publish is.
    read: [AtomicUsize; OUTSTANDING],
}

impl Window {
    pub(crate) fn new(readers: usize) -> Self {
        Self { room: Semaphore::new(OUTSTANDING), readers, read: Default::default() }
    }

    /// Waits until one more may be published.
    pub(crate) async fn room(&self) {
        self.room.acquire().await.expect("it is never closed").forget();
    }

    /// Waits until everything that was published has been read.
    pub(crate) async fn drained(&self) {
        drop(self.room.acquire_many(OUTSTANDING as u32).await.expect("it is never closed"));
    }

    fn acknowledge(&self, publish: usize) {
        let read = &self.read[publish % OUTSTANDING];
        if read.fetch_add(1, Ordering::AcqRel) + 1 == self.readers {
            read.store(0, Ordering::Relaxed);
            self.room.add_permits(1);
        }
    }
}

/// What a reader does with a payload, the same for all contenders.
#[derive(Debug)]
pub(crate) struct Reader {
    window: Arc<Window>,
    seen: usize,
}

impl Reader {
    pub(crate) fn new(window: &Arc<Window>) -> Self {
        Self { window: window.clone(), seen: 0 }
    }

    pub(crate) fn read(&mut self, payload: &[u8]) {
        black_box((payload.first(), payload.last()));
        self.window.acknowledge(self.seen);
        self.seen += 1;
    }
}
