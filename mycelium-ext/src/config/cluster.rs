//! `[cluster]`: how a node finds the others of its cluster.

use std::time::Duration;

use super::cookie;
use super::declare::settings;
use super::listen::{ListenSettings, Text};
use super::reader::{Reader, Section, variable_of};
use super::secret::Secret;
use super::setting::Setting;
use super::values::{Bind, Value};
use crate::address::{Endpoint, InvalidAddress};

/// Between two rounds of gossip: shorter costs a core, longer finds out nothing in time.
const INTERVAL: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(20)..=Duration::from_secs(60);

/// The longest name of a cluster, in bytes.
const NAME: usize = 255;

settings! {
    /// How often a node gossips, and what it remembers.
    pub struct GossipSettings over links {
        /// Between two rounds of gossip. A member that is silent for four to seven intervals is
        /// down, where no session hears it either.
        interval: Duration as Duration = own Duration::from_millis(500);
        /// How long a member that is down stays in the list.
        forget_after: Duration as Duration = own Duration::from_secs(600);
    }
}

/// How a node finds the others of its cluster. It needs the feature `membership`.
///
/// ```
/// use mycelium_ext::config::ClusterSettings;
///
/// let cluster = ClusterSettings::default().with_seed("seed.example.org:4697")?;
/// assert_eq!(cluster.seeds.len(), 1);
/// # Ok::<(), mycelium_ext::address::InvalidAddress>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterSettings {
    /// Its name. Nodes of clusters with other names do not find each other.
    pub name: Setting<String>,
    /// Where the others are looked for, by UDP. One that is this node itself is left alone.
    pub seeds: Vec<Setting<Endpoint>>,
    /// Where this node gossips, by UDP; `None`: at the host and port of its first listener.
    pub gossip: Option<Setting<Endpoint>>,
    /// Where others reach this node; `None`: where it listens. Port 0 is the real one.
    pub advertise: Option<Setting<Endpoint>>,
    /// A further cookie whose gossip is understood, while the cookie changes.
    pub also_accept: Option<Setting<Secret>>,
    /// The members, this node included, up to which it keeps sessions with all that are alive.
    /// Beyond it, it keeps those that it needs; `None`: with all, however many there are.
    pub full_mesh_up_to: Option<Setting<u64>>,
    /// How often it gossips, and what it remembers.
    pub pace: GossipSettings,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            name: Setting::default("mycelium".to_owned()),
            seeds: Vec::new(),
            gossip: None,
            advertise: None,
            also_accept: None,
            full_mesh_up_to: None,
            pace: GossipSettings::default(),
        }
    }
}

impl ClusterSettings {
    /// With sessions with all members up to so many of them, this node included, and beyond it
    /// with those alone that are needed: members that a node [reaches](crate::node::Node::reach)
    /// for, and all of them while actors of this node have names, ask for some, or are offered as
    /// singletons.
    #[must_use]
    pub fn with_full_mesh_up_to(mut self, members: u64) -> Self {
        self.full_mesh_up_to = Some(members.into());
        self
    }

    /// With a further seed, `host:port`.
    ///
    /// # Errors
    /// [`InvalidAddress`], when it is none.
    pub fn with_seed(mut self, seed: &str) -> Result<Self, InvalidAddress> {
        self.seeds.push(seed.parse::<Endpoint>()?.into());
        Ok(self)
    }
}

/// Where others can be reached.
struct Reachable(Endpoint);

impl Value for Reachable {
    const EXPECTED: &'static str = "\"host:port\", with a host that others reach";

    fn read(text: &str) -> Result<Self, Option<String>> {
        let endpoint: Endpoint =
            text.parse().map_err(|error: InvalidAddress| Some(error.why().to_owned()))?;
        match endpoint.ip() {
            Some(ip) if ip.is_unspecified() => Err(Some("it stands for all addresses".to_owned())),
            _ => Ok(Self(endpoint)),
        }
    }
}

/// A place to look for others.
struct Seed(Endpoint);

impl Value for Seed {
    const EXPECTED: &'static str = "\"host:port\", where another node gossips";

    fn read(text: &str) -> Result<Self, Option<String>> {
        let Reachable(endpoint) = Reachable::read(text)?;
        match endpoint.port() {
            0 => Err(Some("no node is at port 0".to_owned())),
            _ => Ok(Self(endpoint)),
        }
    }
}

/// The name of a cluster.
struct Name(String);

impl Value for Name {
    const EXPECTED: &'static str = "a name of 1 to 255 bytes";

    fn read(text: &str) -> Result<Self, Option<String>> {
        let fits = (1..=NAME).contains(&text.len());
        if fits { Ok(Self(text.to_owned())) } else { Err(None) }
    }
}

/// Reads `[cluster]`, if there is one, and compares it with the rest.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &mut Section<'_, '_>,
    listen: &ListenSettings,
    cookie: Option<&Setting<Secret>>,
) -> Option<ClusterSettings> {
    let is_written = root.has("cluster");
    let mut section = root.section(reader, "cluster");
    let mut settings = ClusterSettings::default();
    if let Some(name) = section.setting::<Name>(reader, "name") {
        settings.name = name.map(|name| name.0);
    }
    let written = section.list::<Seed>(reader, "seeds");
    let seeds = layered(reader, &section).unwrap_or(written);
    settings.seeds = seeds.into_iter().map(|seed| seed.map(|seed| seed.0)).collect();
    let gossip: Option<Setting<Bind>> = section.setting(reader, "gossip");
    settings.gossip = gossip.map(|bind| bind.map(|bind| bind.0));
    let advertise: Option<Setting<Reachable>> = section.setting(reader, "advertise");
    settings.advertise = advertise.map(|it| it.map(|it| it.0));
    settings.also_accept = cookie::find(reader, &mut section, &cookie::ALSO_ACCEPT);
    settings.full_mesh_up_to = section.setting(reader, "full_mesh_up_to");
    settings.pace = GossipSettings::read(reader, &mut section);
    let is_asked = is_written || reader.has_variables("cluster");
    if !is_asked {
        return None;
    }
    validate(reader, &section, &settings, listen, cookie);
    section.finish(reader);
    Some(settings)
}

/// `MYCELIUM_CLUSTER_SEEDS`: with commas between them, in the place of those in the file.
fn layered(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Vec<Setting<Seed>>> {
    let key = section.key("seeds");
    let text = reader.variable::<Text>(&key)?;
    let place = super::Place::Environment { variable: variable_of(&key) };
    let items = text.0.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(items.filter_map(|item| reader.read::<Seed>(item, &key, place.clone())).collect())
}

fn validate(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    settings: &ClusterSettings,
    listen: &ListenSettings,
    cookie: Option<&Setting<Secret>>,
) {
    let interval = &settings.pace.interval;
    if let Some(place) = interval.place().filter(|_| !INTERVAL.contains(&**interval)) {
        let found = humantime::format_duration(**interval).to_string();
        let expected = "a duration from \"20ms\" to \"1m\"";
        reader.mistake(place.clone(), section.key("interval"), expected, found, None);
    }
    let first = listen.streams.first().map(|listen| listen.address());
    let default = first.as_ref().and_then(|address| address.endpoint());
    let gossip = settings.gossip.as_deref().or(default);
    let everywhere = gossip.and_then(Endpoint::ip).is_some_and(|ip| ip.is_unspecified());
    if everywhere && settings.advertise.is_none() && !section.has_layered(reader, "advertise") {
        let own = settings.gossip.as_ref().and_then(Setting::place).cloned();
        let place = own.unwrap_or_else(|| reader.place(section.at()));
        let expected = "\"host:port\", where others reach this node";
        let found = "nothing, and it gossips at all addresses of its machine".to_owned();
        let hint = "write advertise = \"HOST:0\" under [cluster]".to_owned();
        reader.mistake(place, section.key("advertise"), expected, found, Some(hint));
    }
    if let (Some(also), Some(cookie)) = (&settings.also_accept, cookie) {
        if let Some(place) = also.place().filter(|_| also.reveal() == cookie.reveal()) {
            let expected = "another secret than the cookie";
            reader.mistake(place.clone(), section.key("also_accept"), expected, "the same", None);
        }
    }
}
