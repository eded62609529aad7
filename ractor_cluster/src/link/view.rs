//! Sessions as they are at one moment, for those who watch a process.

use std::sync::{Arc, Mutex, Weak};

use super::data_plane::DataPlane;
use super::locked::locked;
pub use super::round_trip::RoundTrip;
use crate::peers::LinkInfo;
use crate::NodeId;

/// The session with a peer at one moment.
///
/// Of the frames that were numbered each is acknowledged or kept: `frames == acknowledged + kept`.
/// The figures of frames are read together; the others may be a moment older or newer.
///
/// A stock node takes no lanes. All that is counted here stays 0 for it, but for links, calls and
/// dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionView {
    /// The peer's number in this process.
    pub node_id: NodeId,
    /// The links, the cheapest first.
    pub links: Vec<LinkView>,
    /// Messages and answers that were sent, once for each receiver. What came back to its sender
    /// before is not among them.
    pub sent: u64,
    /// Messages and answers of the peer that came, once for each receiver.
    pub received: u64,
    /// Those of them that reached no actor ([`link::dead_letters`](super::dead_letters) has the
    /// causes).
    pub dead_letters: u64,
    /// The frames that were numbered: messages and session control.
    pub frames: u64,
    /// Those that the peer has acknowledged.
    pub acknowledged: u64,
    /// Those that are kept, since they wait to be sent, or for an acknowledgement.
    pub kept: u64,
    /// The bytes of those that are kept.
    pub kept_bytes: usize,
    /// The bytes that wait to be sent.
    pub unsent_bytes: usize,
    /// The bytes from which on messages are refused
    /// ([`LinkOptions::replay_window`](super::LinkOptions::replay_window)).
    pub window_bytes: usize,
    /// Calls of this node that wait for an answer.
    pub calls: usize,
    /// Calls of the peer that wait for an answer.
    pub answering: usize,
}

/// A link at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkView {
    /// What it is.
    pub info: LinkInfo,
    /// The bytes of messages and session control that it took, those included that went again.
    pub sent_bytes: u64,
    /// What pings by it took, once one was answered. Every one to five seconds a ping goes by one
    /// of the links of a session, in turn, also while nothing else goes by them. Stock peers answer
    /// too. Links within a process have it as well.
    pub round_trip: Option<RoundTrip>,
}

static SESSIONS: Mutex<Vec<Weak<DataPlane>>> = Mutex::new(Vec::new());

/// A session begins.
pub(super) fn register(session: &Arc<DataPlane>) {
    let mut sessions = locked(&SESSIONS);
    sessions.retain(|session| session.strong_count() > 0);
    sessions.push(Arc::downgrade(session));
}

/// The sessions of this process, in the order in which they began. One that is not authenticated
/// yet may be among them; [`peers::list`](crate::peers::list) has those that are.
///
/// It takes locks that senders hold for a moment, and none that is held while code of an
/// application runs. May be called on any thread, also outside of a runtime.
#[must_use]
pub fn sessions() -> Vec<SessionView> {
    let sessions: Vec<_> = locked(&SESSIONS).iter().filter_map(Weak::upgrade).collect();
    sessions.iter().filter(|session| !session.has_ended()).map(|it| it.view()).collect()
}
