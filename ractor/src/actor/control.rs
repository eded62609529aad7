//! The port for what goes ahead of messages: a signal, a stop, supervision events.
//!
//! They are rare, and a message pays one load for them: of a word that says whether any waits.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::actor::mailbox::sync::{AtomicU8, Mutex, MutexGuard, Ordering};

/// The actor is to be killed. Never taken back.
const SIGNAL: u8 = 1;
/// A stop waits.
const STOP: u8 = 1 << 1;
/// At least one event waits.
const EVENT: u8 = 1 << 2;

/// What waits, by priority.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Urgent<S, E> {
    Signal,
    Stop(S),
    Event(E),
}

/// The ports beside the mailbox, for stops `S` and events `E`.
///
/// A sender that puts something in has to wake the receiver afterwards.
#[derive(Debug)]
pub(crate) struct Control<S, E> {
    /// Written under the lock only.
    pending: AtomicU8,
    ports: Mutex<Ports<S, E>>,
}

#[derive(Debug)]
struct Ports<S, E> {
    /// There is one signal, and it is the last.
    signalled: bool,
    /// There is one stop.
    stopped: bool,
    closed: bool,
    stop: Option<S>,
    /// In a box, since most never have any.
    #[allow(clippy::box_collection)]
    events: Option<Box<VecDeque<E>>>,
}

// Nothing of the application runs under the lock, so that no panic leaves the ports half changed.
impl<S, E> UnwindSafe for Control<S, E> {}
impl<S, E> RefUnwindSafe for Control<S, E> {}

impl<S, E> Control<S, E> {
    pub(crate) fn new() -> Self {
        Self {
            pending: AtomicU8::new(0),
            ports: Mutex::new(Ports {
                signalled: false,
                stopped: false,
                closed: false,
                stop: None,
                events: None,
            }),
        }
    }

    fn ports(&self) -> MutexGuard<'_, Ports<S, E>> {
        self.ports.lock()
    }

    /// Sends the signal.
    ///
    /// # Errors
    /// It was sent before, or the receiver is gone.
    pub(crate) fn signal(&self) -> Result<(), ()> {
        let mut ports = self.ports();
        if ports.closed || std::mem::replace(&mut ports.signalled, true) {
            return Err(());
        }
        self.pending.fetch_or(SIGNAL, Ordering::Release);
        Ok(())
    }

    /// Sends a stop.
    ///
    /// # Errors
    /// One was sent before, or the receiver is gone.
    pub(crate) fn stop(&self, stop: S) -> Result<(), ()> {
        let mut ports = self.ports();
        if std::mem::replace(&mut ports.stopped, true) || ports.closed {
            return Err(());
        }
        ports.stop = Some(stop);
        self.pending.fetch_or(STOP, Ordering::Release);
        Ok(())
    }

    /// Sends an event.
    ///
    /// # Errors
    /// The receiver is gone; the event comes back.
    pub(crate) fn event(&self, event: E) -> Result<(), E> {
        let mut ports = self.ports();
        if ports.closed {
            return Err(event);
        }
        ports.events.get_or_insert_default().push_back(event);
        self.pending.fetch_or(EVENT, Ordering::Release);
        Ok(())
    }

    /// Whether anything waits.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire) != 0
    }

    /// Whether the signal was sent.
    #[inline]
    pub(crate) fn is_signalled(&self) -> bool {
        self.pending.load(Ordering::Acquire) & SIGNAL != 0
    }

    /// Takes what is most urgent.
    pub(crate) fn take(&self) -> Option<Urgent<S, E>> {
        let mut ports = self.ports();
        if self.pending.load(Ordering::Relaxed) & SIGNAL != 0 {
            return Some(Urgent::Signal);
        }
        if let Some(stop) = ports.stop.take() {
            self.pending.fetch_and(!STOP, Ordering::Relaxed);
            return Some(Urgent::Stop(stop));
        }
        let events = ports.events.as_mut()?;
        let event = events.pop_front();
        if events.is_empty() {
            ports.events = None;
            self.pending.fetch_and(!EVENT, Ordering::Relaxed);
        }
        event.map(Urgent::Event)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.ports().closed
    }

    /// Takes nothing any more, and drops what waits.
    pub(crate) fn close(&self) {
        let mut ports = self.ports();
        ports.closed = true;
        let waiting = (ports.stop.take(), ports.events.take());
        drop(ports);
        drop(waiting);
    }
}
