//! What happens to a node's peers, in lines for people.

use std::collections::HashMap;
use std::sync::Arc;

use mycelium_ext::node::{Node, NodeEvent, PeerEvent, PeerInfo};
use ractor_cluster::{NodeId, peers};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

use super::screen::Screen;

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

/// Tells what happens to the peers of `node`.
pub(super) fn watch(node: &Node, mut changes: Receiver<PeerEvent>, screen: Arc<Screen>) -> Watch {
    let mut events = node.events();
    // The peers that were connected before the subscription.
    let here = node.peers();
    Watch(tokio::spawn(async move {
        let mut names = Names::default();
        for peer in here {
            names.connected(&peer).into_iter().for_each(|line| screen.say(&line));
        }
        loop {
            let line = tokio::select! {
                event = events.recv() => heard(event).map(|it| it.map(|it| names.of_node(it))),
                change = changes.recv() => heard(change).map(|it| it.map(|it| names.of_links(&it))),
            };
            match line {
                Some(Ok(line)) => line.into_iter().for_each(|line| screen.say(&line)),
                Some(Err(missed)) => screen.say(&missed),
                None => return,
            }
        }
    }))
}

/// What was heard, or how much was not; `None` at the end.
fn heard<T>(event: Result<T, RecvError>) -> Option<Result<T, String>> {
    match event {
        Ok(event) => Some(Ok(event)),
        Err(RecvError::Lagged(missed)) => Some(Err(format!("{missed} events were missed"))),
        Err(RecvError::Closed) => None,
    }
}

/// The peers' names by their numbers: events of links have only these.
#[derive(Default)]
struct Names(HashMap<NodeId, (String, bool)>);

impl Names {
    fn of(&self, node_id: NodeId) -> String {
        match self.0.get(&node_id) {
            Some((name, _)) => name.clone(),
            None => peers::get(node_id).map_or_else(|| format!("number {node_id}"), |it| it.name),
        }
    }

    /// Tells once of each session that there is one.
    fn connected(&mut self, peer: &PeerInfo) -> Option<String> {
        let (_, told) = self.0.entry(peer.node_id).or_insert_with(|| (peer.name.clone(), false));
        (!std::mem::replace(told, true)).then(|| {
            let link = peer.active().map_or("no link", |kind| kind.name());
            format!("peer {}: connected, {}, by {link}", peer.name, peer.locality)
        })
    }

    fn of_node(&mut self, event: NodeEvent) -> Option<String> {
        match event {
            NodeEvent::Connected(peer) => self.connected(&peer),
            NodeEvent::Disconnected { peer, reason } => {
                let why = reason.map_or(String::new(), |reason| format!(": {reason}"));
                Some(format!("peer {}: disconnected{why}", peer.name))
            }
            NodeEvent::DialFailed { peer, error, retry_in, .. } => {
                Some(format!("peer {peer}: {error}; dialled again in {} ms", retry_in.as_millis()))
            }
            _ => None,
        }
    }

    fn of_links(&mut self, change: &PeerEvent) -> Option<String> {
        let (node_id, what) = match change {
            PeerEvent::Settled(peer) => {
                // The node tells of it once its actors are known, too.
                self.0.insert(peer.node_id, (peer.name.clone(), false));
                return None;
            }
            PeerEvent::LocalityChanged { node_id, from, to } => {
                (*node_id, format!("was {from}, and is {to} now"))
            }
            PeerEvent::LinkUp { node_id, kind } => (*node_id, format!("link by {kind} is up")),
            PeerEvent::LinkDown { node_id, kind } => (*node_id, format!("link by {kind} broke")),
            PeerEvent::LinkSwitched { node_id, from, to } => {
                (*node_id, format!("goes by {to} from here on, and no longer by {from}"))
            }
            PeerEvent::Gone { node_id, unacknowledged } => {
                let name = self.of(*node_id);
                self.0.remove(node_id);
                let unknown = unacknowledged.filter(|messages| *messages > 0)?;
                return Some(format!(
                    "peer {name}: gone; {unknown} messages to it were not acknowledged, and may or \
                     may not have arrived"
                ));
            }
            _ => return None,
        };
        Some(format!("peer {}: {what}", self.of(node_id)))
    }
}
