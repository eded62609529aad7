//! The resolved configuration, for people.

use std::fmt;

use bytesize::ByteSize;

use super::error::Place;
use super::setting::{Origin, Setting};
use super::values::{location_word, preference_word, unix_word};
use super::{
    ClusterSettings, Config, Location, PeerSettings, SecuritySettings, ShmLinks, ShmSettings,
};

impl fmt::Display for Config {
    /// The topology, a line for each fact. What is from a variable says so; secrets are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = &self.node;
        writeln!(f, "node {}@{}", node.name, node.host)?;
        if let Some(id) = &node.id {
            line(f, "id", id)?;
        }
        line(f, "cookie", &cookie(&node.cookie))?;
        line(f, "transport", &node.transport.clone().map(preference_word))?;
        line(f, "mode", &node.mode)?;
        shm(f, &node.shm)?;
        write!(f, "{}{}", node.tuning, node.limits)?;
        security(f, &self.security)?;
        line(f, "view", &self.view.socket)?;
        if *self.view.remote {
            line(f, "remote view", &self.view.remote.clone().map(|_| "to peers"))?;
        }
        if let Some(listen) = &self.metrics.listen {
            line(f, "metrics", listen)?;
        }
        if *self.traces.propagate {
            line(f, "traces", &self.traces.propagate.clone().map(|_| "go on at peers"))?;
        }
        writeln!(f, "listens on")?;
        for listen in &self.listen.streams {
            writeln!(f, "  {}", listen.clone().map(|listen| listen.address()))?;
        }
        line(f, "unix", &self.listen.unix.clone().map(|unix| unix_word(&unix)))?;
        if let Some(it) = &self.cluster {
            cluster(f, it)?;
        }
        writeln!(f, "peers")?;
        for it in &self.peers {
            peer(f, it)?;
        }
        for (id, location) in self.unnamed() {
            let location = location.clone().map(location_word);
            writeln!(f, "  node number {id}: {location}, waited for")?;
        }
        if self.peers.is_empty() && self.unnamed().next().is_none() {
            writeln!(f, "  none named")?;
        }
        Ok(())
    }
}

impl Config {
    /// Numbered nodes that no `[nodes.X]` is about.
    fn unnamed(&self) -> impl Iterator<Item = (u64, &Setting<Location>)> {
        let named = |id: u64| self.peers.iter().any(|peer| peer.id.as_deref() == Some(&id));
        self.numbers.iter().map(|(id, location)| (*id, location)).filter(move |(id, _)| !named(*id))
    }
}

fn line(f: &mut fmt::Formatter<'_>, what: &str, value: &dyn fmt::Display) -> fmt::Result {
    writeln!(f, "  {what}: {value}")
}

fn security(f: &mut fmt::Formatter<'_>, security: &SecuritySettings) -> fmt::Result {
    let word = |on: &bool, yes: &'static str, no: &'static str| if *on { yes } else { no };
    let lets_in =
        security.strict.clone().map(|it| word(&it, "the fork's nodes only", "stock nodes too"));
    line(f, "lets in", &lets_in)?;
    let downgrade = security.refuse_downgrade.clone();
    let downgrade = downgrade.map(|it| word(&it, "refused", "let in with a warning"));
    line(f, "stock nodes under a name of the fork's", &downgrade)?;
    let supplied = security.dial_supplied_addresses.clone();
    line(f, "addresses told by peers", &supplied.map(|it| word(&it, "dialled", "not dialled")))?;
    let shown = if security.identity.is_some() { "shown to those it dials" } else { "not shown" };
    let demanded = if security.client_authorities.is_some() {
        "demanded of those who connect by TLS"
    } else {
        "not demanded"
    };
    if security.checks_names() {
        writeln!(f, "  certificates: {shown}, {demanded}, and held to their names")?;
    }
    Ok(())
}

fn cluster(f: &mut fmt::Formatter<'_>, cluster: &ClusterSettings) -> fmt::Result {
    writeln!(f, "cluster {}", cluster.name)?;
    for seed in &cluster.seeds {
        line(f, "seed", seed)?;
    }
    if cluster.seeds.is_empty() {
        writeln!(f, "  no seeds: it waits for others")?;
    }
    match &cluster.gossip {
        Some(gossip) => line(f, "gossips at", gossip)?,
        None => writeln!(f, "  gossips at: host and port of the first listener, by UDP")?,
    }
    if let Some(advertise) = &cluster.advertise {
        line(f, "reached at", advertise)?;
    }
    if let Some(also) = &cluster.also_accept {
        line(f, "a further cookie", &cookie(also))?;
    }
    if let Some(members) = &cluster.full_mesh_up_to {
        line(f, "sessions with all members up to", members)?;
    }
    write!(f, "{}", cluster.pace)
}

fn cookie(cookie: &Setting<super::Secret>) -> String {
    match cookie.origin() {
        Origin::Written(Place::Environment { variable }) => format!("set (from {variable})"),
        _ => "set".to_owned(),
    }
}

fn shm(f: &mut fmt::Formatter<'_>, shm: &ShmSettings) -> fmt::Result {
    if *shm.links == ShmLinks::Off {
        return line(f, "shared memory", &shm.links);
    }
    let ring = shm.ring.clone().map(|bytes| ByteSize(bytes).display().iec());
    write!(f, "  shared memory: rings of {ring}")?;
    match *shm.arena {
        0 => write!(f, ", no arena")?,
        _ => {
            let arena = shm.arena.clone().map(|bytes| ByteSize(bytes).display().iec());
            write!(f, ", an arena of {arena}")?;
        }
    }
    if !shm.spin.is_zero() {
        write!(f, ", spins for {}", shm.spin.clone().map(humantime::format_duration))?;
    }
    if let Some(thread) = &shm.spin_thread {
        write!(f, ", spins on a thread of its own ({thread})")?;
    }
    writeln!(f)
}

fn peer(f: &mut fmt::Formatter<'_>, peer: &PeerSettings) -> fmt::Result {
    write!(f, "  {}", peer.name)?;
    if let Some(id) = &peer.id {
        write!(f, ", number {id}")?;
    }
    if peer.is_this_node {
        return writeln!(f, ": this node");
    }
    write!(f, ": {}", peer.location.clone().map(location_word))?;
    match &peer.address {
        Some(address) => write!(f, ", dialled at {address}")?,
        None => write!(f, ", waited for")?,
    }
    if let Some(tls) = &peer.tls {
        write!(f, " as {}", tls.server_name.to_str())?;
    }
    match &peer.transport {
        Some(transport) => writeln!(f, ", by {}", transport.clone().map(preference_word)),
        None => writeln!(f),
    }
}
