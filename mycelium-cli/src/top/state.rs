//! What is shown at present, and what has been seen before.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use mycelium_ext::view::{Request, SessionView, Snapshot};

use super::find::Found;
use super::{Order, Watched};

/// The snapshots that a sparkline shows.
const HISTORY: usize = 200;
/// The most actors of a table.
const MOST_ROWS: usize = 500;
/// The most actors of a tree.
const MOST_OF_TREE: usize = 5000;

/// What the screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Actors,
    Tree,
    Groups,
    Peers,
    Losses,
    Nodes,
}

impl Tab {
    pub(super) const ALL: [Self; 6] =
        [Self::Actors, Self::Tree, Self::Groups, Self::Peers, Self::Losses, Self::Nodes];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Actors => "Actors",
            Self::Tree => "Tree",
            Self::Groups => "Groups",
            Self::Peers => "Peers",
            Self::Losses => "Losses",
            Self::Nodes => "Nodes",
        }
    }

    pub(super) fn index(self) -> usize {
        Self::ALL.iter().position(|it| *it == self).unwrap_or(0)
    }
}

/// What happened per second between two snapshots.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Messages handled, by actor.
    pub(super) handled: HashMap<u64, u64>,
    /// Messages sent and received, and bytes sent, by peer.
    pub(super) sessions: HashMap<u64, (u64, u64, u64)>,
    /// Messages handled by all actors.
    pub(super) all: u64,
}

/// See the module's documentation.
pub(super) struct State {
    pub(super) watched: Option<Watched>,
    pub(super) tab: Tab,
    pub(super) order: Order,
    pub(super) filter: String,
    /// Whether keys go into the filter.
    pub(super) types: bool,
    /// The first row that is shown, or, of nodes, the one that is chosen.
    pub(super) row: usize,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) rates: Rates,
    /// Messages handled per second, the newest last.
    pub(super) history: VecDeque<u64>,
    /// Why the last snapshot is not there.
    pub(super) error: Option<String>,
    pub(super) nodes: Vec<Found>,
    /// Whether it is over.
    pub(super) ends: bool,
    taken: Option<Instant>,
}

impl State {
    pub(super) fn new(watched: Option<Watched>, order: Order, filter: String) -> Self {
        let tab = if watched.is_some() { Tab::Actors } else { Tab::Nodes };
        Self {
            watched,
            tab,
            order,
            filter,
            types: false,
            row: 0,
            snapshot: None,
            rates: Rates::default(),
            history: VecDeque::new(),
            error: None,
            nodes: Vec::new(),
            ends: false,
            taken: None,
        }
    }

    /// What the present screen needs.
    pub(super) fn request(&self) -> Request {
        let request = match self.tab {
            Tab::Actors => Request::all(MOST_ROWS).sorted(self.order.sort()),
            Tab::Tree => return Request::all(MOST_OF_TREE).sorted(mycelium_ext::view::Sort::Id),
            _ => Request::all(0),
        };
        request.filtered(&self.filter)
    }

    /// Takes the answer of the node.
    pub(super) fn take(&mut self, answer: Result<Snapshot, String>, now: Instant) {
        match answer {
            Err(error) => self.error = Some(error),
            Ok(snapshot) => {
                if let (Some(before), Some(taken)) = (&self.snapshot, self.taken) {
                    self.rates = rates(before, &snapshot, (now - taken).as_secs_f64());
                    self.history.push_back(self.rates.all);
                    if self.history.len() > HISTORY {
                        self.history.pop_front();
                    }
                }
                (self.snapshot, self.taken, self.error) = (Some(snapshot), Some(now), None);
            }
        }
    }

    /// Watches another node from here on.
    pub(super) fn attach(&mut self, watched: Watched) {
        let (order, filter) = (self.order, std::mem::take(&mut self.filter));
        let nodes = std::mem::take(&mut self.nodes);
        *self = Self { nodes, ..Self::new(Some(watched), order, filter) };
    }

    pub(super) fn show(&mut self, tab: Tab) {
        (self.tab, self.row) = (tab, 0);
    }
}

fn per_second(before: u64, after: u64, seconds: f64) -> u64 {
    if seconds <= 0.0 {
        return 0;
    }
    // Actors that are gone have taken theirs with them.
    (after.saturating_sub(before) as f64 / seconds).round() as u64
}

fn rates(before: &Snapshot, after: &Snapshot, seconds: f64) -> Rates {
    let handled_before: HashMap<_, _> =
        before.actors.iter().map(|actor| (actor.id, actor.handled)).collect();
    let handled = after.actors.iter().filter_map(|actor| {
        let before = handled_before.get(&actor.id)?;
        Some((actor.id, per_second(*before, actor.handled, seconds)))
    });
    let sums = |snapshot: &Snapshot| {
        let peers = snapshot.peers.iter().map(|peer| {
            let bytes = peer.links.iter().map(|link| link.sent_bytes).sum::<u64>();
            let (sent, received) =
                peer.session.map_or((0, 0), |it: SessionView| (it.sent, it.received));
            (peer.node_id, (sent, received, bytes))
        });
        peers.collect::<HashMap<_, _>>()
    };
    let sums_before = sums(before);
    let sessions = sums(after).into_iter().filter_map(|(peer, now)| {
        let then = sums_before.get(&peer)?;
        let of = |then, now| per_second(then, now, seconds);
        Some((peer, (of(then.0, now.0), of(then.1, now.1), of(then.2, now.2))))
    });
    Rates {
        handled: handled.collect(),
        sessions: sessions.collect(),
        all: per_second(before.totals.handled, after.totals.handled, seconds),
    }
}
