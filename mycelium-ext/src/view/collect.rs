//! Makes a snapshot.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use ractor::view::ActorView as Actor;
use ractor::{ActorId, ActorStatus, pg};
use ractor_cluster::link::{self, view as sessions};
use ractor_cluster::peers::{self, PeerInfo};

use super::request::{Facts, Request};
use super::snapshot::{
    ActorView, Count, GroupView, LinkView, NodeView, PeerView, RoundTripView, SessionView,
    Snapshot, Totals,
};
use super::watch::Watcher;

/// The node that snapshots are of.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) addresses: Vec<String>,
}

impl Snapshot {
    /// Takes a snapshot of this process. `watcher` takes a sample with it.
    pub(super) fn take(subject: &Subject, watcher: &mut Watcher, request: &Request) -> Self {
        Self::take_seeing(subject, watcher, request, |_, _| ())
    }

    /// As [`take`](Self::take). `seen` gets each actor of the sample, with the time for which its
    /// handler has run.
    pub(crate) fn take_seeing(
        subject: &Subject,
        watcher: &mut Watcher,
        request: &Request,
        mut seen: impl FnMut(&Actor, Option<Duration>),
    ) -> Self {
        let begun = Instant::now();
        let mut totals = Totals::default();
        // So many at a time: memory for all of them costs more than to look at them.
        let most = request.actors.saturating_mul(2).max(4096);
        let mut found = Vec::new();
        if request.actors > 0 || request.rest {
            watcher.sample(|actor, handling| {
                add(&mut totals, &actor);
                seen(&actor, handling);
                let actor = Found { actor, handling };
                if request.actors > 0 && request.takes(&actor) {
                    found.push(actor);
                    if found.len() == most {
                        request.sort.first(&mut found, request.actors);
                    }
                }
            });
        }
        request.sort.first(&mut found, request.actors);
        let actors = found.into_iter().map(actor_view).collect();
        let (groups, peers) = if request.rest { (groups(), peers()) } else { Default::default() };
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let dead_letters = link::dead_letters().into_iter().map(|(it, count)| (it.name(), count));
        let refusals = link::refusals().into_iter().map(|(it, count)| (it.name(), count));
        Self {
            node: NodeView {
                name: subject.name.clone(),
                pid: std::process::id(),
                addresses: subject.addresses.clone(),
                uptime_ms: millis(watcher.began().elapsed()),
            },
            taken_ms: since_1970.map_or(0, millis),
            took_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            totals,
            actors,
            groups,
            peers,
            arena: arena(),
            dead_letters: counts(dead_letters),
            refusals: counts(refusals),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn add(totals: &mut Totals, actor: &Actor) {
    totals.actors += 1;
    totals.handling += usize::from(actor.is_handling);
    totals.waiting += actor.waiting;
    totals.handled += actor.handled;
    totals.lost += actor.lost;
}

/// An actor that may get into the snapshot: few of many do, and only these get texts.
struct Found {
    actor: Actor,
    handling: Option<Duration>,
}

impl Facts for Found {
    fn id(&self) -> u64 {
        self.actor.id.pid()
    }

    fn name(&self) -> Option<&str> {
        self.actor.name.as_deref()
    }

    fn actor_type(&self) -> &str {
        self.actor.actor_type
    }

    fn handling_ms(&self) -> Option<u64> {
        self.handling.map(millis)
    }

    fn waiting(&self) -> usize {
        self.actor.waiting
    }

    fn handled(&self) -> u64 {
        self.actor.handled
    }

    fn lost(&self) -> u64 {
        self.actor.lost
    }
}

fn actor_view(Found { actor, handling }: Found) -> ActorView {
    let parent = match actor.supervisor {
        Some(ActorId::Local(pid)) => Some(pid),
        _ => None,
    };
    ActorView {
        id: actor.id.pid(),
        name: actor.name,
        actor_type: Cow::Borrowed(actor.actor_type),
        status: status(actor.status),
        parent,
        waiting: actor.waiting,
        capacity: actor.capacity,
        high_water: actor.high_water,
        handled: actor.handled,
        events: actor.events,
        handling_ms: handling.map(millis),
        lost: actor.lost,
    }
}

/// Without a text of its own for each of many actors.
fn status(status: ActorStatus) -> Cow<'static, str> {
    match status {
        ActorStatus::Unstarted => Cow::Borrowed("Unstarted"),
        ActorStatus::Running => Cow::Borrowed("Running"),
        other => Cow::Owned(format!("{other:?}")),
    }
}

fn groups() -> Vec<GroupView> {
    let mut keys = pg::which_scopes_and_groups();
    keys.sort();
    let group = |key: pg::ScopeGroupKey| {
        let (scope, group) = (key.get_scope(), key.get_group());
        let members = pg::get_scoped_members(&scope, &group);
        let local = members.iter().filter(|actor| actor.get_id().is_local()).count();
        GroupView { scope, group, local, remote: members.len() - local }
    };
    keys.into_iter().map(group).collect()
}

fn peers() -> Vec<PeerView> {
    let mut sessions: HashMap<_, _> =
        sessions::sessions().into_iter().map(|session| (session.node_id, session)).collect();
    let peer = |peer: PeerInfo| {
        let session = sessions.remove(&peer.node_id);
        let links = session.as_ref().map_or_else(Vec::new, |it| it.links.clone());
        PeerView {
            node_id: peer.node_id,
            name: peer.name,
            number: peer.number,
            release: peer.release,
            locality: peer.locality.to_string(),
            links: links.into_iter().map(link_view).collect(),
            session: session.map(|it| session_view(&it)),
        }
    };
    peers::list().into_iter().map(peer).collect()
}

fn link_view(link: sessions::LinkView) -> LinkView {
    LinkView {
        kind: link.info.kind.name().to_owned(),
        peer: link.info.peer,
        local: link.info.local,
        active: link.info.active,
        sent_bytes: link.sent_bytes,
        round_trip: link.round_trip.map(round_trip),
    }
}

fn round_trip(of: sessions::RoundTrip) -> RoundTripView {
    // 584 years of them fit.
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    RoundTripView {
        latest_ns: nanoseconds(of.latest),
        smoothed_ns: nanoseconds(of.smoothed),
        smallest_ns: nanoseconds(of.smallest),
        answered: of.answered,
    }
}

fn session_view(session: &sessions::SessionView) -> SessionView {
    SessionView {
        sent: session.sent,
        received: session.received,
        dead_letters: session.dead_letters,
        frames: session.frames,
        acknowledged: session.acknowledged,
        kept: session.kept,
        kept_bytes: session.kept_bytes,
        unsent_bytes: session.unsent_bytes,
        window_bytes: session.window_bytes,
        calls: session.calls,
        answering: session.answering,
    }
}

#[cfg(target_os = "linux")]
fn arena() -> Option<super::snapshot::ArenaView> {
    let usage = crate::arena::Arena::get()?.usage();
    Some(super::snapshot::ArenaView {
        size: usage.size,
        used: usage.used,
        links: usage.links,
        leases: usage.payloads,
        lent: usage.lent,
        relayed: usage.relayed,
        unmapped: usage.unmapped,
    })
}

#[cfg(not(target_os = "linux"))]
fn arena() -> Option<super::snapshot::ArenaView> {
    None
}

fn counts(counts: impl Iterator<Item = (&'static str, u64)>) -> Vec<Count> {
    counts
        .filter(|(_, count)| *count > 0)
        .map(|(cause, count)| Count { cause: cause.to_owned(), count })
        .collect()
}
