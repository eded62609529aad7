//! What applications have called when something happens to a session: none of it can hurt the node
//! server.

use std::panic::{catch_unwind, AssertUnwindSafe};

use tokio::sync::mpsc;

use super::{NodeEventSubscription, NodeServerSessionInformation};

/// Events that wait for a subscriber. One that is further behind loses more events, and is told in
/// the log.
const WAITING: usize = 4096;

/// A method of a subscription.
type Call = fn(&dyn NodeEventSubscription, NodeServerSessionInformation);

/// A subscription whose calls come one after the other, in order, on a thread where they may block.
struct Apart(mpsc::Sender<(Call, NodeServerSessionInformation)>);

/// A subscription that never blocks, by its own word.
struct Inline(Box<dyn NodeEventSubscription>);

/// Keeps the node server from what a subscription may do: a call that panics is told in the log,
/// and one that blocks keeps only the calls behind it.
pub(super) fn isolated(
    subscription: Box<dyn NodeEventSubscription>,
) -> Box<dyn NodeEventSubscription> {
    if subscription.never_blocks() {
        return Box::new(Inline(subscription));
    }
    let (sender, mut calls) = mpsc::channel::<(Call, NodeServerSessionInformation)>(WAITING);
    // Ends when the server has no use for it any more, once it has told all that happened by then.
    drop(ractor::concurrency::spawn(async move {
        let mut subscription = subscription;
        while let Some((call, session)) = calls.recv().await {
            let calling = tokio::task::spawn_blocking(move || {
                guarded(call, &*subscription, session);
                subscription
            });
            match calling.await {
                Ok(returned) => subscription = returned,
                // The runtime ends.
                Err(_) => return,
            }
        }
    }));
    Box::new(Apart(sender))
}

fn guarded(
    call: Call,
    subscription: &dyn NodeEventSubscription,
    session: NodeServerSessionInformation,
) {
    let node_id = session.node_id;
    // What it left half done is its own.
    if catch_unwind(AssertUnwindSafe(|| call(subscription, session))).is_err() {
        tracing::error!(node_id, "a subscriber to a node server's events panicked");
    }
}

impl Apart {
    fn tell(&self, call: Call, session: NodeServerSessionInformation) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.try_send((call, session)) {
            tracing::error!("a subscriber to a node server's events is too slow, and misses one");
        }
    }
}

impl NodeEventSubscription for Apart {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        self.tell(|it, session| it.node_session_opened(session), session);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.tell(|it, session| it.node_session_disconnected(session), session);
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        self.tell(|it, session| it.node_session_authenticated(session), session);
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        self.tell(|it, session| it.node_session_ready(session), session);
    }
}

impl NodeEventSubscription for Inline {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        guarded(|it, session| it.node_session_opened(session), &*self.0, session);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        guarded(|it, session| it.node_session_disconnected(session), &*self.0, session);
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        guarded(|it, session| it.node_session_authenticated(session), &*self.0, session);
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        guarded(|it, session| it.node_session_ready(session), &*self.0, session);
    }
}
