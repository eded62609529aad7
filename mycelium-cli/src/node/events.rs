//! What happens to a node's peers and to the members of its cluster.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mycelium_ext::membership::MemberEvent;
use mycelium_ext::node::{Node, NodeEvent, PeerEvent, PeerInfo};
use ractor_cluster::{NodeId, peers};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

use super::event::Event;
use super::screen::Screen;

/// What a session says at its end when the peer ended in order.
const LEFT: &str = "peer_left";

/// Changes of links and localities from here on.
pub(super) fn changes() -> Receiver<PeerEvent> {
    peers::events()
}

/// Tells what happens until it is dropped.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells what happens to the peers of `node`, and to the members of its cluster if it has one.
pub(super) fn watch(node: &Node, mut changes: Receiver<PeerEvent>, screen: Arc<Screen>) -> Watch {
    let mut events = node.events();
    let mut changed = node.membership().map(|it| it.events());
    // What there was before the subscriptions.
    let here = node.peers();
    let members = node.membership().map(|it| it.members());
    Watch(tokio::spawn(async move {
        let mut names = Names::default();
        for peer in here {
            names.connected(peer).iter().for_each(|event| screen.tell(event));
        }
        let alive = members.iter().flat_map(|it| it.iter());
        for member in alive.filter(|it| it.state.is_alive() && !it.is_this_node) {
            let told = names.of_member(&MemberEvent::Up(member.clone()));
            told.iter().for_each(|event| screen.tell(event));
        }
        loop {
            // In this order: the end of a session says whether the member has left.
            let told = tokio::select! {
                biased;
                event = events.recv() => heard(event, |event| names.of_node(event)),
                change = changes.recv() => heard(change, |change| names.of_links(&change)),
                member = next(&mut changed) => heard(member, |event| names.of_member(&event)),
            };
            match told {
                Some(told) => told.iter().for_each(|event| screen.tell(event)),
                None => return,
            }
        }
    }))
}

/// The next event of the members; none without a cluster.
async fn next(changed: &mut Option<Receiver<MemberEvent>>) -> Result<MemberEvent, RecvError> {
    match changed {
        Some(changed) => changed.recv().await,
        None => std::future::pending().await,
    }
}

/// What is to be told of what was heard, or how much was not; `None` at the end.
fn heard<T, E: IntoIterator<Item = Event>>(
    event: Result<T, RecvError>,
    tell: impl FnOnce(T) -> E,
) -> Option<Vec<Event>> {
    match event {
        Ok(event) => Some(tell(event).into_iter().collect()),
        Err(RecvError::Lagged(count)) => Some(vec![Event::EventsMissed { count }]),
        Err(RecvError::Closed) => None,
    }
}

/// The peers' names by their numbers: events of links have only these. And what is known of
/// members.
#[derive(Default)]
struct Names {
    peers: HashMap<NodeId, (String, bool)>,
    /// The peers whose sessions are ready.
    ready: HashMap<NodeId, String>,
    /// Those whose last session ended in order.
    left: HashSet<String>,
    /// The members that were told to have joined.
    joined: HashSet<Arc<str>>,
    /// Members that are down. The end of a session will say whether they have left.
    down: HashMap<String, MemberEvent>,
}

impl Names {
    fn of(&self, node_id: NodeId) -> String {
        match self.peers.get(&node_id) {
            Some((name, _)) => name.clone(),
            None => peers::get(node_id).map_or_else(|| format!("number {node_id}"), |it| it.name),
        }
    }

    /// Tells once of each session that there is one.
    fn connected(&mut self, peer: PeerInfo) -> Option<Event> {
        self.left.remove(&peer.name);
        self.ready.insert(peer.node_id, peer.name.clone());
        let (_, told) =
            self.peers.entry(peer.node_id).or_insert_with(|| (peer.name.clone(), false));
        (!std::mem::replace(told, true)).then(|| Event::PeerConnected {
            locality: peer.locality.to_string(),
            link: peer.active().map(|kind| kind.name().to_owned()),
            peer: peer.name,
        })
    }

    fn of_node(&mut self, event: NodeEvent) -> Vec<Event> {
        match event {
            NodeEvent::Connected(peer) => self.connected(peer).into_iter().collect(),
            NodeEvent::Disconnected { peer, reason } => {
                self.ready.remove(&peer.node_id);
                if reason.as_deref() == Some(LEFT) {
                    self.left.insert(peer.name.clone());
                }
                let down = self.settle(&peer.name);
                let ended = Event::PeerDisconnected { peer: peer.name, reason };
                [ended].into_iter().chain(down).collect()
            }
            NodeEvent::DialFailed { peer, address, error, retry_in } => vec![Event::DialFailed {
                peer: peer.to_string(),
                address: address.to_string(),
                error: error.to_string(),
                retry_in_ms: retry_in.as_millis().try_into().unwrap_or(u64::MAX),
            }],
            _ => Vec::new(),
        }
    }

    /// Tells that a member is down, if it is and no session with it is left.
    fn settle(&mut self, name: &str) -> Option<Event> {
        if self.ready.values().any(|ready| ready == name) {
            return None;
        }
        let down = self.down.remove(name)?;
        Event::of_member(&down, self.left.remove(name))
    }

    fn of_links(&mut self, change: &PeerEvent) -> Option<Event> {
        Some(match change {
            PeerEvent::Settled(peer) => {
                // The node tells of it once its actors are known, too.
                self.peers.insert(peer.node_id, (peer.name.clone(), false));
                return None;
            }
            PeerEvent::LocalityChanged { node_id, from, to } => Event::LocalityChanged {
                peer: self.of(*node_id),
                from: from.to_string(),
                to: to.to_string(),
            },
            PeerEvent::LinkUp { node_id, kind } => {
                Event::LinkUp { peer: self.of(*node_id), link: kind.to_string() }
            }
            PeerEvent::LinkDown { node_id, kind } => {
                Event::LinkDown { peer: self.of(*node_id), link: kind.to_string() }
            }
            PeerEvent::LinkSwitched { node_id, from, to } => Event::LinkSwitched {
                peer: self.of(*node_id),
                from: from.to_string(),
                to: to.to_string(),
            },
            PeerEvent::Gone { node_id, unacknowledged } => {
                let peer = self.of(*node_id);
                self.peers.remove(node_id);
                let messages = unacknowledged.filter(|messages| *messages > 0)?;
                Event::Unacknowledged { peer, messages }
            }
            _ => return None,
        })
    }

    fn of_member(&mut self, event: &MemberEvent) -> Vec<Event> {
        match event {
            // One that was there before the subscription is told of once.
            MemberEvent::Up(member) if !self.joined.insert(member.name.clone()) => Vec::new(),
            MemberEvent::Up(member) => {
                // One that comes back before its old session has ended did not leave.
                let before = self.down.remove(&*member.name);
                let before = before.and_then(|down| Event::of_member(&down, false));
                before.into_iter().chain(Event::of_member(event, false)).collect()
            }
            MemberEvent::Down(member) => {
                self.joined.remove(&member.name);
                self.down.insert(member.name.to_string(), event.clone());
                self.settle(&member.name).into_iter().collect()
            }
            _ => Event::of_member(event, false).into_iter().collect(),
        }
    }
}
