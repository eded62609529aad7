//! What of a host outlasts its crashes.
//!
//! When a host crashes its tasks are dropped one by one, in an order that depends on what ran in
//! this process before. What a task sends on that occasion, and the ends of connections in that
//! order, would differ from run to run. So from the crash on nothing is sent, and the connections
//! are closed afterwards, in the order in which they were made.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A host of the network, whether or not anything runs on it.
#[derive(Default)]
pub(crate) struct Machine {
    pub(crate) name: String,
    is_down: AtomicBool,
    /// Its tasks are being dropped, or were.
    crashes: AtomicBool,
    next: AtomicU64,
    /// The halves of connections that its tasks have left behind, by their number.
    left: Mutex<BTreeMap<u64, Box<dyn Any + Send>>>,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), ..Self::default() })
    }

    /// It is about to lose all that runs on it, and starts nothing until it is
    /// [started](Self::will_start).
    pub(crate) fn will_crash(&self) {
        self.crashes.store(true, Ordering::Relaxed);
        self.is_down.store(true, Ordering::Relaxed);
    }

    /// It is about to lose all that runs on it, and starts anew.
    pub(crate) fn will_start(&self) {
        self.crashes.store(true, Ordering::Relaxed);
        self.is_down.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// Whether its tasks are being dropped.
    pub(crate) fn crashes(&self) -> bool {
        self.crashes.load(Ordering::Relaxed)
    }

    /// Closes the connections of what ran before. Called on the host, as the first thing.
    pub(crate) fn begin(&self) {
        self.crashes.store(false, Ordering::Relaxed);
        let left = mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        left.into_values().for_each(drop);
    }

    pub(crate) fn hold<T: Send + 'static>(self: &Arc<Self>, half: T) -> Held<T> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Held { machine: self.clone(), number, half: Some(half) }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A half of a connection of a machine.
pub(crate) struct Held<T: Send + 'static> {
    machine: Arc<Machine>,
    number: u64,
    /// Empty when it is dropped.
    half: Option<T>,
}

impl<T: Send + Unpin + 'static> Held<T> {
    fn poll<R>(
        &mut self,
        one: impl FnOnce(Pin<&mut T>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match &mut self.half {
            Some(half) if !self.machine.crashes() => one(Pin::new(half)),
            _ => Poll::Pending,
        }
    }
}

impl<T: Send + 'static> Drop for Held<T> {
    fn drop(&mut self) {
        if self.machine.crashes() {
            if let Some(half) = self.half.take() {
                let mut left = self.machine.left.lock().unwrap_or_else(PoisonError::into_inner);
                left.insert(self.number, Box::new(half));
            }
        }
    }
}

impl<T: AsyncRead + Send + Unpin + 'static> AsyncRead for Held<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(|half| half.poll_read(context, buffer))
    }
}

impl<T: AsyncWrite + Send + Unpin + 'static> AsyncWrite for Held<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(|half| half.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|half| half.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|half| half.poll_shutdown(context))
    }
}
