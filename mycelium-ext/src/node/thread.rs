//! The thread that a node has for itself: it never sleeps while the node has links by shared
//! memory.

use std::convert::Infallible;
use std::io;
use std::pin::pin;

use ractor::ActorCell;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::fast_lane::SpinningThread;

/// A thread with a runtime of its own. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct NodeThread {
    runtime: Handle,
    /// Tells it to end after these actors.
    end: oneshot::Sender<Vec<ActorCell>>,
    /// Ends with the thread.
    ended: oneshot::Receiver<Infallible>,
}

impl NodeThread {
    /// Starts it.
    pub(super) async fn start(thread: SpinningThread) -> io::Result<Self> {
        let (tell, told) = oneshot::channel();
        let (end, is_over) = oneshot::channel();
        let (alive, ended) = oneshot::channel();
        thread.run("spinning node", Builder::enable_all, move |runtime| {
            let _alive: oneshot::Sender<Infallible> = alive;
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            if tell.send(Ok(runtime.handle().clone())).is_ok() {
                until(runtime, is_over);
            }
        })?;
        let runtime = told.await.unwrap_or_else(|_| Err(io::Error::other("the thread ended")))?;
        Ok(Self { runtime, end, ended })
    }

    /// The runtime of the thread.
    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Does `work` on the thread of the caller. The tasks and sockets that it makes are on this
    /// one. As cancel safe as `work`.
    pub(super) async fn within<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            let _entered = self.runtime.enter();
            work.as_mut().poll(context)
        })
        .await
    }

    /// Ends it when these actors have ended.
    pub(super) fn end_after(self, actors: Vec<ActorCell>) {
        // A thread that has ended needs no word.
        _ = self.end.send(actors);
    }

    /// Ends it, and waits for that. What else runs there ends, too.
    pub(super) async fn end(self) {
        let Self { end, ended, .. } = self;
        drop(end);
        // It ends with an error, since no word comes.
        _ = ended.await;
    }
}

/// Runs what the thread is given until it is over.
fn until(runtime: Runtime, is_over: oneshot::Receiver<Vec<ActorCell>>) {
    runtime.block_on(async {
        // Without a word the node did not start, or has ended already.
        for actor in is_over.await.unwrap_or_default() {
            // Without a bound it cannot time out.
            _ = actor.wait(None).await;
        }
    });
}
