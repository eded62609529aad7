//! What is known of a connection before its session begins: its place among those that are not
//! authenticated, and how to make it again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::backlog::Backlog;
use super::dial::Route;

/// Goes with a transport from where it is made to its session.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub(crate) admission: Option<Admission>,
    pub(crate) route: Option<Route>,
    /// Where what comes by it waits for its session.
    pub(crate) backlog: Option<Arc<Backlog>>,
}

impl Origin {
    /// Of one that can be made again.
    pub(crate) fn by(route: Route) -> Self {
        Self { route: Some(route), ..Self::default() }
    }
}

/// The place of a connection among those that are not authenticated yet: given up by
/// authentication, or with the connection.
#[derive(Debug, Clone)]
pub(crate) struct Admission(Arc<Place>);

#[derive(Debug)]
struct Place {
    admitted: AtomicBool,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Admission {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        let permit = Mutex::new(Some(permit));
        Self(Arc::new(Place { admitted: AtomicBool::new(false), permit }))
    }

    /// The peer is authenticated, and may send frames of any size that the node takes.
    pub(crate) fn admit(&self) {
        self.0.admitted.store(true, Ordering::Release);
        let mut permit = self.0.permit.lock().unwrap_or_else(PoisonError::into_inner);
        drop(permit.take());
    }

    /// Whether it is.
    pub(crate) fn is_admitted(&self) -> bool {
        self.0.admitted.load(Ordering::Acquire)
    }
}
