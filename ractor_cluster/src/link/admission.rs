//! What is known of a connection before its session begins: its place among those that are not
//! authenticated, and the session's backlog.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ractor::ActorRef;
use tokio::sync::OwnedSemaphorePermit;

use super::backlog::Backlog;
use super::places::{Leave, Place, Visitor};
use super::quiet_log::PeerLog;
use crate::node::NodeSessionMessage;
use crate::transport::Connector;

/// Goes with a connection from where it is accepted to its session.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub(crate) admission: Option<Admission>,
    /// Makes it again, where the transport itself does not know how.
    pub(crate) connector: Option<Arc<dyn Connector>>,
    /// Its frames that wait for its session.
    pub(crate) backlog: Option<Arc<Backlog>>,
    /// The limits of what its peer can have logged.
    pub(crate) log: Option<Arc<PeerLog>>,
}

/// Whether the peer of a connection is authenticated, and the connection's place among those that
/// are not: given up by authentication, or with the connection.
#[derive(Debug, Clone)]
pub(crate) struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    admitted: AtomicBool,
    leave: Arc<Leave>,
    place: Mutex<Option<Place>>,
    /// Until the session begins.
    handover: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Admission {
    pub(crate) fn new(visitor: Visitor, handover: Option<OwnedSemaphorePermit>) -> Self {
        Self(Arc::new(Inner {
            admitted: AtomicBool::new(false),
            leave: visitor.leave.clone(),
            place: Mutex::new(Some(visitor.into_place())),
            handover: Mutex::new(handover),
        }))
    }

    /// Of a connection that takes no place: this node made it, or an application accepted it.
    pub(crate) fn without_place() -> Self {
        Self(Arc::new(Inner {
            admitted: AtomicBool::new(false),
            leave: Arc::default(),
            place: Mutex::default(),
            handover: Mutex::default(),
        }))
    }

    /// The connection has become this session.
    pub(crate) fn begins(&self, session: &ActorRef<NodeSessionMessage>) {
        drop(take(&self.0.handover));
        self.0.leave.attends(session.clone());
    }

    /// The peer is authenticated, and may send frames of any size that the node takes.
    pub(crate) fn admit(&self) {
        self.0.admitted.store(true, Ordering::Release);
        self.0.leave.stays();
        drop(take(&self.0.place));
    }

    /// Whether it is.
    pub(crate) fn is_admitted(&self) -> bool {
        self.0.admitted.load(Ordering::Acquire)
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}
