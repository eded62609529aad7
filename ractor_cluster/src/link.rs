//! The links of a session between two nodes of the fork: which there are, which one carries frames,
//! and what happens when one breaks.
//!
//! | module | purpose |
//! |---|---|
//! | crate `mycelium_link` | order, acknowledgement and replay; messages as bytes; proofs |
//! | `writer`, `reader` | the two ends of a link; they know no session |
//! | `together` | writers of several links that one task flushes |
//! | `link_table` | the links of a session, and what goes out over each |
//! | `data_plane` | what the senders and readers of one session share |
//! | `room`, `frame_bound` | its bounds: bytes that wait, bytes of a frame |
//! | `round_trip` | pings, and how long their answers took |
//! | `receipts`, `calls` | the frames that came by its lanes; our calls that wait |
//! | `arrivals`, `turn`, `receiver` | incoming frames, by links and before; turns of reading them |
//! | `answers` | answers to the peer |
//! | `arrived`, `backlog`, `slices` | what waits for the session's actor |
//! | `proxy`, `announcer` | outlets of proxies; announcements to the peer |
//! | `credits`, `grants` | credits at bounded mailboxes: of this node, and of the peer |
//! | [`traces`] | the context of a sender's span, which goes with its message |
//! | `attach`, `upgrade` | the handshake of a further link; shared memory out of a Unix socket |
//! | `dial`, `connect` | making links again; connections for applications |
//! | `admission`, `places` | connections that are not authenticated, and their places |
//! | `settle`, `refuse` | whether a connection or a peer is let in; what a refusal consists of |
//! | `refusal`, `quiet_log` | the causes of refusals; bounds of what a peer can have logged |
//! | `decode` | control frames, behind a scan of what their lists cost |
//! | [`options`], [`limits`] | what an application chooses; what a peer may make a node keep |
//! | `directory`, `sockets` | sessions and servers of this process; their listening sockets |
//! | `identity`, `peer_addresses` | what makes a peer look local; addresses that peers supply |
//! | `incarnation`, `contest` | which start of a node a peer is, and which one has the name |
//! | [`view`] | the sessions as they are at one moment, for those who watch |
//! | `stock`, `dead_letters` | stock peers; messages that reached no actor, counted by cause |
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
pub(crate) mod admission;
pub(crate) mod announcer;
mod answers;
pub(crate) mod arrivals;
pub(crate) mod arrived;
pub(crate) mod attach;
pub(crate) mod backlog;
pub(crate) mod calls;
pub(crate) mod connect;
pub(crate) mod contest;
pub(crate) mod credits;
pub(crate) mod data_plane;
pub(crate) mod dead_letters;
pub(crate) mod decode;
pub(crate) mod dial;
pub(crate) mod directory;
pub(crate) mod ends;
mod frame_bound;
mod grants;
pub(crate) mod identity;
mod incarnation;
pub mod limits;
pub(crate) mod link_table;
mod locked;
pub mod options;
pub(crate) mod pace;
pub(crate) mod peer_addresses;
pub(crate) mod pieces;
pub(crate) mod places;
pub(crate) mod proven_names;
pub(crate) mod proxy;
pub(crate) mod quiet_log;
pub(crate) mod reader;
mod receipts;
pub(crate) mod receiver;
mod refusal;
pub(crate) mod refuse;
mod room;
pub(crate) mod round_trip;
mod rows;
pub(crate) mod settle;
mod slices;
pub(crate) mod sockets;
pub(crate) mod split_transport;
pub(crate) mod stock;
mod together;
pub mod traces;
pub(crate) mod turn;
pub(crate) mod upgrade;
pub mod view;
pub(crate) mod writer;

use std::fmt;
use std::sync::{Arc, Mutex};

#[doc(hidden)]
pub use admission::Origin;
pub use connect::{accept, connect};
pub use dead_letters::{dead_letters, Cause};
pub use directory::{incarnation, listening, Listening};
pub use identity::machine_label;
pub use incarnation::Incarnation;
pub use limits::{Limit, Limits};
pub use options::LinkOptions;
pub use refusal::{refusals, Refusal, RefusedBy};

use arrivals::Broken;
use arrived::Arrived;
use backlog::{Backlog, DivertGuard};
use decode::Undecodable;
use stock::Outbound;

use crate::transport::{SharedCast, Transport, TransportKind};
use crate::{NodeId, NodeSessionMessage};

/// The release of the fork, such as `0.16.5+mycelium.1`. Peers are told it.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

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
    /// The application wants the links of this kind closed.
    Close(TransportKind),
    /// A message came as an `Arc`.
    Shared(SharedCast),
    /// Something waits for this actor in the backlog.
    Waiting(Arc<Backlog>),
    /// Something came that this actor handles, or that came behind something that it does.
    Arrived(Arrived, DivertGuard),
    /// A link brought what the session cannot go on after.
    Broken(Broken),
    /// A frame came that the peer is refused for.
    Undecodable {
        error: Undecodable,
        /// The peer's `Hello` had come too, and is not handled any more.
        with_hello: bool,
    },
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
