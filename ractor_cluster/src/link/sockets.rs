//! Closes listening sockets at once, from elsewhere than the tasks that accept connections.
//!
//! A task that is aborted drops its socket when its thread gets to it. A node server has to have
//! closed its sockets when it has ended, or another one could not listen at the same port.

use std::fmt;
use std::future::{poll_fn, Future};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::locked::locked;

/// What accepts connections, and owns a socket; `None` once the socket is closed.
type Accepting = Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>;

/// The listening sockets of a node server.
#[derive(Clone, Default)]
pub(crate) struct Sockets(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    closed: bool,
    accepting: Vec<Arc<Accepting>>,
}

impl Sockets {
    /// Runs `accepting`, which owns a socket, until the sockets are [closed](Self::close).
    pub(crate) fn hold<F>(&self, accepting: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let accepting: Arc<Accepting> = Arc::new(Mutex::new(Some(Box::pin(accepting))));
        let mut held = locked(&self.0);
        if held.closed {
            locked(&accepting).take();
        } else {
            held.accepting.push(accepting.clone());
        }
        drop(held);
        poll_fn(move |context| match locked(&accepting).as_mut() {
            Some(accepting) => accepting.as_mut().poll(context),
            None => Poll::Ready(()),
        })
    }

    /// Closes the sockets, and each that is to be held later. Waits for a task that accepts a
    /// connection just now, which takes no longer than a poll of it.
    pub(crate) fn close(&self) {
        let accepting = {
            let mut held = locked(&self.0);
            held.closed = true;
            mem::take(&mut held.accepting)
        };
        for accepting in accepting {
            let closed = locked(&accepting).take();
            drop(closed);
        }
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = locked(&self.0);
        f.debug_struct("Sockets")
            .field("closed", &held.closed)
            .field("count", &held.accepting.len())
            .finish()
    }
}

/// Closes the sockets when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct CloseOnDrop(pub(crate) Sockets);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
