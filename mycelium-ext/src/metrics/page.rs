//! The figures as OpenMetrics text, made when they are asked for.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use ractor_cluster::link;

use super::tally::{Actors, Peers, RoundTrip};
use crate::view::{ArenaView, Request, Snapshot, Subject, Watcher};

/// Figures are not made anew when they are so young.
const FRESH: Duration = Duration::from_millis(200);
/// Nor when they are so many times as old as it took to make them.
const SHARE: u32 = 10;

/// What all names begin with.
const PREFIX: &str = "mycelium";

/// Keeps the sums of a process, and makes its page.
pub(super) struct Figures {
    subject: Subject,
    watcher: Watcher,
    actors: Actors,
    peers: Peers,
    page: Option<Made>,
}

struct Made {
    at: Instant,
    took: Duration,
    page: Arc<[u8]>,
}

impl Figures {
    pub(super) fn of(name: String) -> Self {
        Self {
            subject: Subject { name, addresses: Vec::new() },
            watcher: Watcher::default(),
            actors: Actors::default(),
            peers: Peers::default(),
            page: None,
        }
    }

    pub(super) fn next_sample(&self) -> Instant {
        self.watcher.next_sample()
    }

    /// Looks at all actors, so that counters have what they do before they end.
    pub(super) fn sample(&mut self) {
        self.actors.begin();
        let actors = &mut self.actors;
        self.watcher.sample(|actor, handling| actors.add(&actor, handling));
        self.actors.end();
    }

    /// The page: made now, or a moment ago.
    pub(super) fn page(&mut self) -> Arc<[u8]> {
        if let Some(made) = &self.page {
            if made.at.elapsed() < FRESH.max(made.took * SHARE) {
                return made.page.clone();
            }
        }
        let begun = Instant::now();
        self.actors.begin();
        let actors = &mut self.actors;
        let seen = |actor: &_, handling| actors.add(actor, handling);
        let request = Request::all(0);
        let snapshot = Snapshot::take_seeing(&self.subject, &mut self.watcher, &request, seen);
        self.actors.end();
        self.peers.take(&snapshot.peers);
        let page: Arc<[u8]> = text_of(self.families(&snapshot)).into_bytes().into();
        self.page = Some(Made { at: Instant::now(), took: begun.elapsed(), page: page.clone() });
        page
    }

    fn families(&self, snapshot: &Snapshot) -> Vec<Family> {
        let uptime = Duration::from_millis(snapshot.node.uptime_ms).as_secs_f64();
        let took = Duration::from_micros(snapshot.took_us).as_secs_f64();
        let mut families = vec![
            Family::gauge("uptime", "Since the metrics of the node began")
                .unit(Unit::Seconds)
                .with(Value::Float(uptime)),
            Family::gauge("snapshot", "How long it took to look at the process for this page")
                .unit(Unit::Seconds)
                .with(Value::Float(took)),
        ];
        let version = link::RELEASE.to_owned();
        let node = vec![("name", snapshot.node.name.clone()), ("version", version)];
        let mut info = Family::new("node", "The node of the process", MetricType::Info);
        info.samples.push((node, Value::Whole(1)));
        families.push(info);
        self.of_actors(&mut families);
        let local: usize = snapshot.groups.iter().map(|group| group.local).sum();
        let remote: usize = snapshot.groups.iter().map(|group| group.remote).sum();
        families.push(
            Family::gauge("groups", "Process groups that have members")
                .with(Value::Whole(snapshot.groups.len() as u64)),
        );
        let places = [("local", local as u64), ("remote", remote as u64)];
        families.push(
            Family::gauge("group_members", "Members of groups, once for each group")
                .each("place", places),
        );
        self.of_peers(&mut families);
        // Without an arena they are 0.
        let arena = |of: fn(&ArenaView) -> usize| {
            Value::Whole(snapshot.arena.as_ref().map_or(0, of) as u64)
        };
        let bytes = |name, help, of| Family::gauge(name, help).unit(Unit::Bytes).with(arena(of));
        families.extend([
            bytes("arena_size", "Memory that peers of this machine may read", |it| it.size),
            bytes("arena_used", "What of that memory is held", |it| it.used),
            bytes("arena_lent", "Bytes of payloads that are lent, by links", |it| it.lent),
            Family::gauge("arena_leases", "Payloads that are lent, by links")
                .with(arena(|it| it.leases)),
            Family::gauge("arena_relayed", "Those of peers that were passed on without a copy")
                .with(arena(|it| it.relayed)),
            Family::counter("arena_unmapped", "Arenas of peers that there was no room to map")
                .with(arena(|it| it.unmapped)),
        ]);
        let dead = link::dead_letters().into_iter().map(|(cause, count)| (cause.name(), count));
        let refused = link::refusals().into_iter().map(|(cause, count)| (cause.name(), count));
        families.push(
            Family::counter("dead_letters", "Messages of peers that reached no actor")
                .each("cause", dead),
        );
        families.push(
            Family::counter("refusals", "Connections and peers that were refused")
                .each("cause", refused),
        );
        families
    }

    fn of_actors(&self, families: &mut Vec<Family>) {
        let each = |of: fn(&super::tally::OfType) -> u64| {
            self.actors.by_type().map(move |(name, it)| (name, of(it)))
        };
        let longest = self.actors.by_type().map(|(name, it)| (name, it.longest.as_secs_f64()));
        families.extend([
            Family::gauge("actors", "Actors that have been made and have not stopped")
                .each("type", each(|it| it.actors)),
            Family::gauge("handling_actors", "Actors whose handler has not returned")
                .each("type", each(|it| it.handling)),
            Family::gauge("longest_handler", "How long a handler has run at least, the longest")
                .unit(Unit::Seconds)
                .each_float("type", longest),
            Family::gauge("waiting_messages", "Messages that wait in mailboxes")
                .each("type", each(|it| it.waiting)),
            Family::gauge("fullest_mailbox_messages", "Messages that wait in the fullest mailbox")
                .each("type", each(|it| it.most_waiting)),
            Family::counter("handled_messages", "Messages whose handler has returned")
                .each("type", each(|it| it.handled)),
            Family::counter("lost_messages", "Messages that were admitted and that no handler got")
                .each("type", each(|it| it.lost)),
        ]);
    }

    fn of_peers(&self, families: &mut Vec<Family>) {
        let each = |of: fn(&super::tally::OfPeer) -> u64| {
            self.peers.by_name().map(move |(name, it)| (name, of(it)))
        };
        let bytes =
            |name, help, of| Family::gauge(name, help).unit(Unit::Bytes).each("peer", each(of));
        let round_trips = |name, help, of: fn(RoundTrip) -> Duration| {
            let measured = self
                .peers
                .by_name()
                .filter_map(move |(name, it)| Some((name, it.round_trip.map(of)?.as_secs_f64())));
            Family::gauge(name, help).unit(Unit::Seconds).each_float("peer", measured)
        };
        families.extend([
            Family::gauge("peers", "Peers that are connected")
                .each("locality", self.peers.localities()),
            Family::counter("sent_messages", "Messages and answers to the peer, by receivers")
                .each("peer", each(|it| it.counted[0])),
            Family::counter("received_messages", "Messages and answers of it, by receivers")
                .each("peer", each(|it| it.counted[1])),
            Family::counter("undelivered_messages", "Those of it that reached no actor")
                .each("peer", each(|it| it.counted[2])),
            bytes("replay_kept", "What is kept until the peer acknowledges it", |it| it.kept),
            bytes("replay_window", "From so much on messages are refused", |it| it.window),
            bytes("unsent", "What waits to be sent", |it| it.unsent),
            Family::gauge("waiting_calls", "Calls to the peer that wait for an answer")
                .each("peer", each(|it| it.calls)),
            Family::gauge("answering_calls", "Calls of the peer that wait for an answer")
                .each("peer", each(|it| it.answering)),
            Family::gauge(
                "missing_frames",
                "Frames neither acknowledged nor kept: a fault of ours",
            )
            .each("peer", each(|it| it.missing)),
            round_trips("round_trip", "Of control to the peer, smoothed", |it| it.smoothed),
            round_trips("smallest_round_trip", "The shortest of it", |it| it.smallest),
            Family::gauge("links", "Links to peers")
                .each("kind", self.peers.kinds().map(|(kind, [count, _])| (kind, count))),
            Family::counter("link_sent", "What links took, with what went again")
                .unit(Unit::Bytes)
                .each("kind", self.peers.kinds().map(|(kind, [_, bytes])| (kind, bytes))),
        ]);
    }
}

/// A metric, with its values by label.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    samples: Vec<(Labels, Value)>,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Clone, Copy)]
enum Value {
    Whole(u64),
    Float(f64),
}

impl Family {
    fn new(name: &'static str, help: &'static str, kind: MetricType) -> Self {
        Self { name, help, unit: None, kind, samples: Vec::new() }
    }

    fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Gauge)
    }

    fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Counter)
    }

    fn unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    fn with(mut self, value: Value) -> Self {
        self.samples.push((Vec::new(), value));
        self
    }

    fn each<'a>(
        mut self,
        label: &'static str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Self {
        let values = values.into_iter();
        let sample = |(of, value): (&str, _)| (vec![(label, of.to_owned())], Value::Whole(value));
        self.samples.extend(values.map(sample));
        self
    }

    fn each_float<'a>(
        mut self,
        label: &'static str,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Self {
        let values = values.into_iter();
        let sample = |(of, value): (&str, _)| (vec![(label, of.to_owned())], Value::Float(value));
        self.samples.extend(values.map(sample));
        self
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let unit = self.unit.as_ref();
        let mut metric = encoder.encode_descriptor(self.name, self.help, unit, self.kind)?;
        for (labels, value) in &self.samples {
            if self.kind == MetricType::Info {
                metric.encode_info(labels)?;
                continue;
            }
            let mut sample = metric.encode_family(labels)?;
            match (self.kind, value) {
                (MetricType::Counter, Value::Whole(value)) => {
                    sample.encode_counter::<Labels, _, u64>(value, None)?;
                }
                (_, Value::Whole(value)) => sample.encode_gauge(value)?,
                (_, Value::Float(value)) => sample.encode_gauge(value)?,
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

fn text_of(families: Vec<Family>) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Families(families)));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("a text takes all that is written");
    page
}
