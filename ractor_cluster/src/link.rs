//! The links of a session, between two nodes of the fork: which there are, which one is used, and
//! what happens when one breaks.
//!
//! * `lane`: order, acknowledgement and replay, without I/O;
//! * `identity`, `secret`: what makes a peer look local, and what makes a link part of a session;
//! * `transcript`: what makes a first connection a session's;
//! * `attach`: the handshake of a further link;
//! * [`options`]: what a node server may be told; `directory`: what sessions and servers of this
//!   process know of each other;
//! * `dial`: making further links, and making them again;
//! * `supplied`: the addresses that a peer tells of others; `patience`: how long dialling may take;
//! * `encoded`: frames as they wait;
//! * `table`: the links and lanes of one session.

pub(crate) mod attach;
pub(crate) mod dial;
pub(crate) mod directory;
pub(crate) mod encoded;
pub(crate) mod halves;
pub(crate) mod identity;
pub(crate) mod lane;
pub mod options;
pub(crate) mod patience;
pub(crate) mod secret;
pub(crate) mod supplied;
pub(crate) mod table;
pub(crate) mod transcript;

use std::fmt;
use std::sync::Mutex;

pub use directory::{listening, Listening};
pub use options::LinkOptions;

use crate::transport::{SharedCast, Transport, TransportKind};
use crate::{NodeId, NodeSessionMessage};

/// Closes the links of a kind to a peer, for instance before its address goes away. The session goes on by
/// another link, if it has one, and ends otherwise. The node that made the link goes on trying to make
/// it again.
///
/// # Errors
/// Returns `node_id` when no session with a peer of the fork has it.
pub fn close(node_id: NodeId, kind: TransportKind) -> Result<(), NodeId> {
    let session = directory::session_of(node_id).ok_or(node_id)?;
    let close = NodeSessionMessage::Link(LinkEvent(Event::Close(kind)));
    session.cast(close).map_err(|_| node_id)
}

/// Something that happened to a link of a session; what it is is the session's business.
pub struct LinkEvent(pub(crate) Event);

impl LinkEvent {
    /// A further link was authenticated.
    pub(crate) fn up(link: Box<dyn Transport>) -> NodeSessionMessage {
        // Messages of sessions are `Sync`, as stock's are, and transports need not be.
        NodeSessionMessage::Link(Self(Event::Up(Mutex::new(link))))
    }
}

/// See [`LinkEvent`].
#[derive(Debug)]
pub(crate) enum Event {
    /// A further link was authenticated.
    Up(Mutex<Box<dyn Transport>>),
    /// What could be tried was tried: the one who connected announces its actors.
    Settled {
        /// What a peer that was to be local could not prove.
        unproven: Option<String>,
    },
    /// The peer has not settled in time.
    Overdue,
    /// Somebody wants the links of this kind closed.
    Close(TransportKind),
    /// A message came as an `Arc`.
    Shared(SharedCast),
}

impl fmt::Debug for LinkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
