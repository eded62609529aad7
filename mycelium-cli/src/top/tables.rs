//! The rows of the tables, as texts.

use std::collections::{HashMap, HashSet};

use mycelium_ext::view::{ActorView, PeerView, SessionView, Snapshot};

use super::find::Found;
use super::state::Rates;
use super::text::{bytes, count, plain, short_time, time, type_name};

/// How a row stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    /// All is as it should be.
    Good,
    /// Something to look at.
    Notable,
    /// Something is wrong.
    Bad,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) mark: Mark,
}

impl Row {
    fn new(mark: Mark, cells: impl IntoIterator<Item = String>) -> Self {
        Self { cells: cells.into_iter().collect(), mark }
    }
}

/// A handler that has run for so many milliseconds is one to look at.
const LONG: u64 = 1000;

pub(super) const ACTORS: [&str; 9] =
    ["id", "name", "type", "status", "waiting", "high", "handled", "/s", "handling"];

fn mark_of(actor: &ActorView) -> Mark {
    let is_full = actor.capacity.is_some_and(|capacity| actor.waiting >= capacity);
    match actor.handling_ms {
        Some(time) if time >= LONG && !actor.reads_connection() => Mark::Bad,
        _ if is_full || actor.lost > 0 => Mark::Notable,
        _ => Mark::None,
    }
}

fn waiting(actor: &ActorView) -> String {
    match actor.capacity {
        Some(capacity) => format!("{}/{}", count(actor.waiting as u64), count(capacity as u64)),
        None => count(actor.waiting as u64),
    }
}

fn handling(actor: &ActorView) -> String {
    actor.handling_ms.map_or_else(String::new, time)
}

pub(super) fn actors(snapshot: &Snapshot, rates: &Rates) -> Vec<Row> {
    let row = |actor: &ActorView| {
        let rate = rates.handled.get(&actor.id).map_or_else(String::new, |rate| count(*rate));
        let mut status = actor.status.to_string();
        if actor.lost > 0 {
            status = format!("{status}, {} lost", count(actor.lost));
        }
        Row::new(
            mark_of(actor),
            [
                actor.id.to_string(),
                plain(actor.name.as_deref().unwrap_or("-")),
                type_name(&actor.actor_type),
                status,
                waiting(actor),
                count(actor.high_water as u64),
                count(actor.handled),
                rate,
                handling(actor),
            ],
        )
    };
    snapshot.actors.iter().map(row).collect()
}

pub(super) const TREE: [&str; 4] = ["actor", "status", "waiting", "handling"];

/// The actors below those that supervise them. `filter` leaves out the others, but for those above.
pub(super) fn tree(snapshot: &Snapshot, filter: &str) -> Vec<Row> {
    let known: HashMap<_, _> = snapshot.actors.iter().map(|actor| (actor.id, actor)).collect();
    let mut children: HashMap<Option<u64>, Vec<&ActorView>> = HashMap::new();
    for actor in &snapshot.actors {
        let parent = actor.parent.filter(|parent| known.contains_key(parent));
        children.entry(parent).or_default().push(actor);
    }
    let mut kept = HashSet::new();
    for actor in &snapshot.actors {
        let name = actor.name.as_deref().unwrap_or("");
        let fits =
            [name, &*actor.actor_type, &actor.id.to_string()].iter().any(|it| it.contains(filter));
        // Up to the first that is kept already: a ring would not end.
        let mut at = Some(actor).filter(|_| fits);
        while let Some(actor) = at.filter(|actor| kept.insert(actor.id)) {
            at = actor.parent.and_then(|parent| known.get(&parent).copied());
        }
    }
    let mut rows = Vec::new();
    // A stack, since trees may be deep.
    let mut stack: Vec<_> = roots(&children).map(|actor| (actor, 0)).collect();
    while let Some((actor, depth)) = stack.pop() {
        if !kept.contains(&actor.id) {
            continue;
        }
        let indent = "  ".repeat(depth.min(20));
        let name =
            actor.name.as_deref().map_or_else(String::new, |name| format!(" {}", plain(name)));
        let title = format!("{indent}{} {}{name}", actor.id, type_name(&actor.actor_type));
        let cells = [title, actor.status.to_string(), waiting(actor), handling(actor)];
        rows.push(Row::new(mark_of(actor), cells));
        let below = children.get(&Some(actor.id)).into_iter().flatten().rev();
        stack.extend(below.map(|child| (*child, depth + 1)));
    }
    rows
}

fn roots<'a>(
    children: &HashMap<Option<u64>, Vec<&'a ActorView>>,
) -> impl Iterator<Item = &'a ActorView> {
    children.get(&None).into_iter().flatten().rev().copied().collect::<Vec<_>>().into_iter()
}

pub(super) const GROUPS: [&str; 4] = ["group", "scope", "here", "elsewhere"];

pub(super) fn groups(snapshot: &Snapshot, filter: &str) -> Vec<Row> {
    let groups = snapshot.groups.iter().filter(|it| it.group.contains(filter));
    let row = |group: &mycelium_ext::view::GroupView| {
        let (here, elsewhere) = (group.local.to_string(), group.remote.to_string());
        Row::new(Mark::None, [plain(&group.group), plain(&group.scope), here, elsewhere])
    };
    groups.map(row).collect()
}

pub(super) const PEERS: [&str; 8] =
    ["peer", "where", "link", "sent", "received", "backlog", "window", "balance"];

/// The frames that a session has lost sight of.
pub(super) fn balance(session: &SessionView) -> (Mark, String) {
    let accounted = session.acknowledged + session.kept;
    if session.is_balanced() {
        return (Mark::Good, format!("ok, {} kept", count(session.kept)));
    }
    (Mark::Bad, format!("{} MISSING", count(session.frames.abs_diff(accounted))))
}

pub(super) fn peers(snapshot: &Snapshot, rates: &Rates, filter: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for peer in snapshot.peers.iter().filter(|it| it.name.contains(filter)) {
        rows.push(peer_row(peer, rates));
        for link in &peer.links {
            let sign = if link.active { "*" } else { " " };
            let cells = [
                format!(" {sign} {}", plain(&link.peer)),
                String::new(),
                link.kind.clone(),
                bytes(link.sent_bytes),
                link.round_trip
                    .map_or_else(String::new, |it| format!("rtt {}", short_time(it.smoothed_ns))),
            ];
            rows.push(Row::new(Mark::None, cells));
        }
    }
    rows
}

fn peer_row(peer: &PeerView, rates: &Rates) -> Row {
    let link = peer.links.iter().find(|link| link.active);
    let link = link.map_or_else(|| "none".to_owned(), |link| link.kind.clone());
    let name = plain(&peer.name);
    let place = peer.locality.trim_start_matches("same ").to_owned();
    let Some(session) = &peer.session else {
        return Row::new(Mark::Notable, [name, place, link]);
    };
    let (sent, received, _) = rates.sessions.get(&peer.node_id).copied().unwrap_or_default();
    let rate = |all, rate| format!("{} {}/s", count(all), count(rate));
    let used = session.kept_bytes * 100 / session.window_bytes.max(1);
    let (mut mark, text) = balance(session);
    // A stock node numbers nothing.
    let text = if peer.release.is_none() { "stock".to_owned() } else { text };
    if mark == Mark::Good && (used >= 50 || session.dead_letters > 0) {
        mark = Mark::Notable;
    }
    let cells = [
        name,
        place,
        link,
        rate(session.sent, sent),
        rate(session.received, received),
        bytes(session.unsent_bytes as u64),
        format!("{used}%"),
        text,
    ];
    Row::new(mark, cells)
}

pub(super) const LOSSES: [&str; 3] = ["kind", "cause", "count"];

pub(super) fn losses(snapshot: &Snapshot, filter: &str) -> Vec<Row> {
    let kinds = [("dead letter", &snapshot.dead_letters), ("refusal", &snapshot.refusals)];
    let rows = kinds
        .into_iter()
        .flat_map(|(kind, counts)| counts.iter().map(move |it| (kind, it.cause.clone(), it.count)));
    let lost = [("lost by actors", String::new(), snapshot.totals.lost)];
    let rows = rows.chain(lost.into_iter().filter(|it| it.2 > 0));
    rows.filter(|it| it.1.contains(filter))
        .map(|(kind, cause, count)| {
            Row::new(Mark::Notable, [kind.to_owned(), cause, count.to_string()])
        })
        .collect()
}

pub(super) const NODES: [&str; 4] = ["node", "process", "up", "listens on"];

pub(super) fn nodes(nodes: &[Found]) -> Vec<Row> {
    let row = |Found { node, .. }: &Found| {
        let addresses = plain(&node.addresses.join(", "));
        let cells = [plain(&node.name), node.pid.to_string(), time(node.uptime_ms), addresses];
        Row::new(Mark::None, cells)
    };
    nodes.iter().map(row).collect()
}

/// What stands above everything: of the actors, and of the peers.
pub(super) fn head(snapshot: &Snapshot) -> [String; 2] {
    let totals = &snapshot.totals;
    let arena = snapshot.arena.map_or_else(String::new, |arena| {
        let (used, size) = (bytes(arena.used as u64), bytes(arena.size as u64));
        let mut text = format!(", arena {used} of {size}, {} leases", arena.leases);
        for (figure, what) in [(arena.relayed, "passed on"), (arena.unmapped, "not mapped")] {
            if figure > 0 {
                text += &format!(", {figure} {what}");
            }
        }
        text
    });
    let actors = format!(
        "{} actors, {} handling, {} waiting, {} lost",
        count(totals.actors as u64),
        count(totals.handling as u64),
        count(totals.waiting as u64),
        count(totals.lost),
    );
    let peers = snapshot.peers.len();
    [actors, format!("{peers} {}{arena}", if peers == 1 { "peer" } else { "peers" })]
}
