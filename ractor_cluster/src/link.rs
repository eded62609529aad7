//! The links of a session, between two nodes of the fork: which there are, which one is used, and
//! what happens when one breaks.
//!
//! * the crate `mycelium_link`: order, acknowledgement and replay; messages as bytes; what makes a
//!   link part of a session, and a first connection a session's;
//! * `identity`: what makes a peer look local;
//! * `attach`: the handshake of a further link; `upgrade`: shared memory out of a Unix socket;
//! * [`options`]: what a node server may be told; `directory`: what sessions and servers of this
//!   process know of each other;
//! * [`limits`]: what a node puts up with of a peer;
//! * `dial`, `connect`: making links, and making them again;
//! * `supplied`: the addresses that a peer tells of others;
//! * `activity`: connections whose activity is noted;
//! * `origin`: what is known of a connection before its session begins; `places`: the places of
//!   those that are not authenticated; `refusal`: why a peer is refused; `quiet_log`: limits of
//!   what is logged of that;
//! * `decode`: all frames but messages, behind a scan of what their lists cost;
//! * `traffic`: what goes and comes, in one session; `table` its links and what goes out by them,
//!   `arrivals` what comes in, `backlog` what of it waits for the session's actor, `slices` long
//!   lists of it, `calls` what waits for answers, `pump` and `intake` the ends of a link, `proxy`
//!   what the references to a peer's actors send by, `announcer` what tells the peer of actors and
//!   groups;
//! * `stock`: messages to and from a stock node;
//! * `dead_letters`: messages that reached no actor, counted by cause;
//! * `incarnation`, `contest`: which start of a node a peer is, and which one has the node's name.
//!
//! # Several processes of one name
//!
//! A node server has an [`Incarnation`], which it announces, and which its proof of the cookie
//! covers. Where two incarnations of one name are connected to a node, one keeps the name:
//!
//! 1. The newer incarnation replaces the older one at once, whatever the older one does. The
//!    proxies of the older one's actors stop, with the reason `peer gone: NAME: replaced by another
//!    incarnation`.
//! 2. An older incarnation is refused while the newer one answers. The node asks the newer one, and
//!    waits for at most two seconds, or half of the handshake's timeout where that is less.
//! 3. An older incarnation replaces a newer one that does not answer, or that has no link at
//!    present: the clock of the newcomer's machine may be behind. The one that was silent counts as
//!    older from then on, also when it answers again. A node remembers 1024 of these.
//!
//! So two live processes of one name do not take turns: the one that started later has the name,
//! and the other one is told ([`PeerEvent::Superseded`](crate::peers::PeerEvent::Superseded)). When
//! the one that has the name ends, the other one is let in again, whatever number either has
//! announced. No peer without the cookie takes part. Peers of stock announce no incarnation: for
//! their connections stock's rule holds, which picks one.

pub(crate) mod activity;
pub(crate) mod announcer;
pub(crate) mod arrivals;
pub(crate) mod attach;
pub(crate) mod backlog;
pub(crate) mod calls;
pub(crate) mod connect;
pub(crate) mod contest;
mod dead_letters;
pub(crate) mod decode;
pub(crate) mod dial;
pub(crate) mod directory;
pub(crate) mod halves;
pub(crate) mod identity;
mod incarnation;
pub(crate) mod intake;
pub mod limits;
pub mod options;
pub(crate) mod origin;
pub(crate) mod pieces;
pub(crate) mod places;
pub(crate) mod proven_names;
pub(crate) mod proxy;
pub(crate) mod pump;
pub(crate) mod quiet_log;
mod refusal;
mod slices;
pub(crate) mod sockets;
pub(crate) mod stock;
pub(crate) mod supplied;
pub(crate) mod table;
pub(crate) mod traffic;
pub(crate) mod upgrade;

use std::fmt;
use std::sync::{Arc, Mutex};

pub use connect::{accept, connect};
pub use dead_letters::{dead_letters, Cause};
pub use directory::{incarnation, listening, Listening};
pub use incarnation::Incarnation;
pub use limits::{Limit, Limits};
pub use options::LinkOptions;
#[doc(hidden)]
pub use origin::Origin;
pub use refusal::{refusals, Refusal, RefusedBy};

use arrivals::{Arrived, Broken};
use backlog::{Backlog, Ticket};
use decode::Undecodable;
use stock::Outbound;

use crate::transport::{SharedCast, Transport, TransportKind};
use crate::{NodeId, NodeSessionMessage};

/// Closes the links of a kind to a peer, for instance before its address goes away. The session
/// goes on by another link, if it has one, and ends otherwise. The node that made the link goes on
/// trying to make it again.
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
        NodeSessionMessage::Link(Self(Event::Up { link: Mutex::new(link), again: false }))
    }

    /// A link was authenticated that takes the place of those of its kind, which the one who
    /// connects has lost.
    pub(crate) fn up_again(link: Box<dyn Transport>) -> NodeSessionMessage {
        NodeSessionMessage::Link(Self(Event::Up { link: Mutex::new(link), again: true }))
    }
}

/// See [`LinkEvent`].
#[derive(Debug)]
pub(crate) enum Event {
    /// A further link was authenticated.
    Up {
        link: Mutex<Box<dyn Transport>>,
        /// Whether those of its kind that there may be are lost.
        again: bool,
    },
    /// What could be tried was tried: the one who connected announces its actors.
    Settled {
        /// What a peer that was to be local could not prove.
        unproven: Option<String>,
    },
    /// The peer has not settled in time.
    Overdue,
    /// Another incarnation of the peer asks whether this one lives.
    Probe,
    /// The sessions with other incarnations of the peer have been asked: which gave no sign of
    /// life, and which incarnation did.
    Probed { silent: Vec<ractor::ActorId>, alive: Option<Incarnation> },
    /// It is not authenticated, and its place goes to a newer connection.
    Displaced,
    /// What came by the connection is no frame of a peer, for this reason.
    Unreadable(String),
    /// The connection ended before the handshake was done, for this reason of upstream's.
    Ended(&'static str),
    /// Time to see whether the peer lives.
    Tick,
    /// No link came back in time.
    GraceOver,
    /// The peer does not know the session any more.
    Forgotten,
    /// Somebody wants the links of this kind closed.
    Close(TransportKind),
    /// A message came as an `Arc`.
    Shared(SharedCast),
    /// Something waits for this actor in the backlog.
    Waiting(Arc<Backlog>),
    /// Something came that this actor handles, or that came behind something that it does.
    Arrived(Arrived, Ticket),
    /// A link brought what the session cannot go on after.
    Broken(Broken),
    /// A frame came that the peer is refused for.
    Undecodable(Undecodable),
    /// A message goes to a stock node.
    Outbound(Outbound),
}

impl From<LinkEvent> for NodeSessionMessage {
    fn from(event: LinkEvent) -> Self {
        Self::Link(event)
    }
}

impl fmt::Debug for LinkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
