//! The gossip of a node, and the sessions with the members that are alive.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mycelium_membership::{
    Incarnation, Member, Membership, Options, SecondVoice, Secret as Sealing,
};
use ractor_cluster::link;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tracing::Instrument;

use super::builder::tls_of;
use super::demand::{Demand, Reach};
use super::dial::{Dialer, Target};
use super::error::StartError;
use super::keep::{Patience, Wanted, keep};
use super::roster::Roster;
use crate::address::{Address, Endpoint};
use crate::config::{ClusterSettings, NodeName, Secret};
use crate::names;
use crate::tls::Authorities;

/// How long the node with the smaller name has to dial before the other one does.
const TURN: Duration = Duration::from_secs(10);

/// Members that are dialled at a time: a node that starts does not dial a whole cluster at once.
const DIALS: usize = 4;

/// How often sessions are compared with members where nothing changes.
const LOOK: Duration = Duration::from_secs(1);

/// Why what is left of a session ends.
const DOWN: &str = "member_down";

/// The second voice: sessions that have a link. One whose peer is silent for too long has none.
struct Sessions(Arc<Roster>);

impl SecondVoice for Sessions {
    fn hears(&self, name: &str, incarnation: Incarnation) -> bool {
        let sessions = self.0.sessions_of(name, incarnation.to_bytes());
        sessions.into_iter().any(|(_, has_link)| has_link)
    }
}

/// What is known of the node itself.
pub(super) struct Host<'a> {
    pub(super) name: &'a str,
    pub(super) cookie: &'a Secret,
    /// Where it listens.
    pub(super) addresses: &'a [Address],
    pub(super) authorities: Option<Authorities>,
    /// Peers that are dialled anyway.
    pub(super) configured: HashSet<NodeName>,
    pub(super) patience: Patience,
}

/// The gossip of a node, and the task that keeps its sessions.
#[derive(Debug)]
pub(super) struct Members {
    membership: Arc<Membership>,
    interval: Duration,
    demand: Arc<Demand>,
    connecting: JoinHandle<()>,
}

impl Drop for Members {
    fn drop(&mut self) {
        self.connecting.abort();
    }
}

impl Members {
    pub(super) async fn start(
        cluster: ClusterSettings,
        host: Host<'_>,
        dialer: Dialer,
        span: &tracing::Span,
    ) -> Result<Self, StartError> {
        #[cfg(feature = "simulation")]
        let network = dialer.network.clone();
        #[cfg(feature = "simulation")]
        let cluster = match &network {
            // No name is resolved.
            Some(_) => ClusterSettings { gossip: Some(Endpoint::loopback(0).into()), ..cluster },
            None => cluster,
        };
        let options = options(&cluster, &host, &dialer).await?;
        let voice = Arc::new(Sessions(dialer.roster.clone()));
        let machine = options.machine.clone();
        #[cfg(feature = "simulation")]
        let starting = super::simulated::start_membership(network, options, voice);
        #[cfg(not(feature = "simulation"))]
        let starting = Membership::start(options, voice);
        let membership = Arc::new(starting.await.map_err(StartError::Membership)?);
        tracing::info!(cluster = %*cluster.name, gossip = %membership.address(), "gossips");
        let demand = Arc::new(Demand::default());
        let full_mesh = cluster.full_mesh_up_to.as_deref().copied();
        let connecting = Connecting {
            demand: demand.clone(),
            full_mesh: full_mesh.and_then(|it| usize::try_from(it).ok()).unwrap_or(usize::MAX),
            name: host.name.to_owned(),
            machine,
            membership: membership.clone(),
            dialer,
            authorities: host.authorities,
            configured: host.configured,
            patience: host.patience,
            span: span.clone(),
            places: Arc::new(Semaphore::new(DIALS)),
            tasks: JoinSet::new(),
            kept: BTreeMap::new(),
        };
        let connecting = tokio::spawn(connecting.run().instrument(span.clone()));
        Ok(Self { membership, interval: *cluster.pace.interval, demand, connecting })
    }

    /// The names of the cluster.
    pub(super) async fn start_names(
        &self,
        roster: Arc<Roster>,
        span: &tracing::Span,
    ) -> Result<names::Running, StartError> {
        let known = (roster, self.demand.clone());
        names::Running::start(self.membership.clone(), known, self.interval, span).await
    }

    /// Keeps a session with the member of this name, or with all, while the answer lives.
    pub(super) fn reach(&self, member: Option<String>) -> Reach {
        Reach::of(self.demand.clone(), member)
    }

    pub(super) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Dials nobody any more, and has left the gossip, when this returns.
    pub(super) async fn stop(mut self) {
        self.connecting.abort();
        let _ = (&mut self.connecting).await;
        let membership = self.membership.clone();
        drop(self);
        if let Some(membership) = Arc::into_inner(membership) {
            membership.stop().await;
        }
    }
}

async fn resolve(endpoint: &Endpoint) -> Result<SocketAddr, StartError> {
    let failed = |source| StartError::Resolve { endpoint: endpoint.clone(), source };
    let mut found =
        tokio::net::lookup_host((endpoint.host(), endpoint.port())).await.map_err(failed)?;
    let none = || std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
    found.next().ok_or_else(|| failed(none()))
}

async fn options(
    cluster: &ClusterSettings,
    host: &Host<'_>,
    dialer: &Dialer,
) -> Result<Options, StartError> {
    let incarnation = link::incarnation(&dialer.server);
    let incarnation = incarnation.ok_or_else(|| StartError::Server("it has stopped".into()))?;
    let incarnation = Incarnation::from_bytes(incarnation.to_bytes());
    let listener = host.addresses.iter().find_map(Address::endpoint);
    let listen = match (cluster.gossip.as_deref(), listener) {
        (Some(gossip), _) => resolve(gossip).await?,
        (None, Some(listener)) => resolve(listener).await?,
        (None, None) => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let cookie = Sealing::new(host.cookie.reveal());
    let mut options = Options::new(host.name, incarnation, cookie, listen);
    if let Some(also) = &cluster.also_accept {
        options.secrets.push(Sealing::new(also.reveal()));
    }
    if let Some(advertise) = cluster.advertise.as_deref() {
        options.advertise = Some(resolve(advertise).await?);
    }
    options.cluster.clone_from(&cluster.name);
    options.machine = link::machine_label(&cluster.name);
    options.seeds = cluster.seeds.iter().map(|seed| Endpoint::to_string(seed)).collect();
    options.interval = *cluster.pace.interval;
    options.forget_after = *cluster.pace.forget_after;
    let reached = cluster.advertise.as_deref().map(Endpoint::host);
    let addresses = host.addresses.iter().map(|address| advertised(address, reached));
    options.addresses = addresses.collect();
    Ok(options)
}

/// An address as others may dial it: `reached` stands where it is that of all addresses.
fn advertised(address: &Address, reached: Option<&str>) -> String {
    let everywhere = |endpoint: &Endpoint| endpoint.ip().is_some_and(|ip| ip.is_unspecified());
    match (address, reached) {
        (Address::Tcp(endpoint) | Address::Tls(endpoint), Some(host)) if everywhere(endpoint) => {
            let scheme = if matches!(address, Address::Tls(_)) { "tls" } else { "tcp" };
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            format!("{scheme}://{host}:{}", endpoint.port())
        }
        _ => address.to_string(),
    }
}

/// Where a member is dialled, the best first. What it tells may be wrong, or of no use here.
fn targets(
    addresses: &[String],
    its_machine: Option<&str>,
    machine: Option<&str>,
    trusted: Option<&Authorities>,
) -> Vec<Target> {
    let is_near = machine.is_some() && its_machine == machine;
    let addresses = addresses.iter().filter_map(|text| text.parse::<Address>().ok());
    let mut found: Vec<_> = addresses
        .filter(|address| match address {
            Address::Unix(_) => is_near,
            // Loopback of another machine would lead to this one.
            Address::Tcp(it) | Address::Tls(it) => {
                is_near || machine.is_none() || !it.ip().is_some_and(|ip: IpAddr| ip.is_loopback())
            }
        })
        .collect();
    // Nothing goes in the clear where it need not.
    let by_tls = |address: &Address| matches!(address, Address::Tls(_));
    if trusted.is_some() && found.iter().any(by_tls) {
        found.retain(|address| !matches!(address, Address::Tcp(_)));
    } else if found.iter().any(|address| matches!(address, Address::Tcp(_))) {
        found.retain(|address| !by_tls(address));
    }
    found.sort_by_key(|address| match address {
        Address::Tls(_) => 0,
        Address::Tcp(_) => 1,
        Address::Unix(_) => 2,
    });
    let target = |address: Address| Target { tls: tls_of(&address, trusted), address };
    found.into_iter().map(target).collect()
}

/// Keeps sessions with the members that are alive.
struct Connecting {
    demand: Arc<Demand>,
    /// The members up to which there are sessions with all.
    full_mesh: usize,
    name: String,
    machine: Option<String>,
    membership: Arc<Membership>,
    dialer: Dialer,
    authorities: Option<Authorities>,
    configured: HashSet<NodeName>,
    patience: Patience,
    span: tracing::Span,
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
    kept: BTreeMap<String, Kept>,
}

/// A task that keeps the session with a member, as the member was when it began.
struct Kept {
    incarnation: Option<Incarnation>,
    addresses: Arc<[String]>,
    /// The other node dials as well.
    is_mutual: bool,
    task: AbortHandle,
}

impl Connecting {
    async fn run(mut self) {
        let (mut changes, mut asked) = (self.membership.changes(), self.demand.changes());
        loop {
            changes.borrow_and_update();
            asked.borrow_and_update();
            let members = self.membership.members();
            self.end_down(&members);
            self.keep_alive(&members);
            while self.tasks.try_join_next().is_some() {}
            // Their ends are those of what is in `self`.
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                _ = asked.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Ends what is left of sessions with members that are down.
    fn end_down(&self, members: &[Member]) {
        let down = members.iter().filter(|member| !member.state.is_alive());
        for (member, incarnation) in down.filter_map(|it| Some((it, it.incarnation?))) {
            let sessions = self.dialer.roster.sessions_of(&member.name, incarnation.to_bytes());
            for (session, _) in sessions.into_iter().filter(|(_, has_link)| !has_link) {
                session.stop(Some(DOWN.to_owned()));
            }
        }
    }

    fn keep_alive(&mut self, members: &[Member]) {
        let alive = members.iter().filter(|member| member.state.is_alive()).count();
        // The other nodes count the same, unless they are configured in another way.
        let is_mutual = alive <= self.full_mesh;
        let with_all = is_mutual || self.demand.is_of_all();
        let wanted = |member: &&Member| {
            let short = member.name.split('@').next();
            if !with_all && !short.is_some_and(|name| self.demand.is_of(name)) {
                return false;
            }
            let short = short.and_then(|name| name.parse().ok());
            let is_configured = short.as_ref().is_none_or(|name| self.configured.contains(name));
            // Two nodes of one name have no session.
            let is_other = !member.is_this_node && *member.name != *self.name;
            member.state.is_alive() && is_other && !is_configured && member.problem.is_none()
        };
        let alive: BTreeMap<&str, &Member> =
            members.iter().filter(wanted).map(|member| (&*member.name, member)).collect();
        self.kept.retain(|name, kept| {
            let stays = alive.get(&**name).is_some_and(|member| {
                let is_same =
                    member.incarnation == kept.incarnation && member.addresses == kept.addresses;
                is_same && kept.is_mutual == is_mutual
            });
            if !stays {
                kept.task.abort();
            }
            stays
        });
        for (name, member) in alive {
            let Some(incarnation) = member.incarnation.filter(|_| !self.kept.contains_key(name))
            else {
                continue;
            };
            let (its_machine, machine) = (member.machine.as_deref(), self.machine.as_deref());
            let trusted = self.authorities.as_ref();
            let targets = targets(&member.addresses, its_machine, machine, trusted);
            let Some(short) = name.split('@').next().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if targets.is_empty() {
                let addresses = &member.addresses;
                tracing::warn!(member = name, ?addresses, "no address of a member can be dialled");
            }
            let is_first = *self.name < *name || !is_mutual;
            let turn = if is_first { Duration::ZERO } else { TURN };
            let whom = Some((name.to_owned(), incarnation.to_bytes()));
            let places = Some(self.places.clone());
            let wanted = Wanted { name: short, member: whom, targets, turn, places };
            let keeping = keep(self.dialer.clone(), wanted, self.patience);
            let task = self.tasks.spawn(keeping.instrument(self.span.clone()));
            let (incarnation, addresses) = (Some(incarnation), member.addresses.clone());
            self.kept.insert(name.to_owned(), Kept { incarnation, addresses, is_mutual, task });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_of_all_is_told_as_one_that_others_reach() {
        let told = |text: &str, reached| advertised(&address(text), reached);
        assert_eq!(told("tcp://0.0.0.0:7", Some("192.0.2.1")), "tcp://192.0.2.1:7");
        assert_eq!(told("tls://[::]:7", Some("2001:db8::1")), "tls://[2001:db8::1]:7");
        assert_eq!(told("tcp://0.0.0.0:7", None), "tcp://0.0.0.0:7");
        assert_eq!(told("tcp://192.0.2.2:7", Some("192.0.2.1")), "tcp://192.0.2.2:7");
        assert_eq!(told("unix:///a/b", Some("192.0.2.1")), "unix:///a/b");
    }

    /// Which of the addresses of a member are dialled, in order.
    fn dialled(addresses: &[&str], machine: &str, trusted: bool) -> Vec<String> {
        let addresses: Vec<_> = addresses.iter().map(|it| (*it).to_owned()).collect();
        let authorities = trusted.then(|| {
            let made = rcgen::generate_simple_self_signed(["h".to_owned()]).expect("one");
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("authorities.pem");
            std::fs::write(&file, made.cert.pem()).expect("a file");
            Authorities::load(&file).expect("they are right")
        });
        let targets = targets(&addresses, Some(machine), Some("here"), authorities.as_ref());
        targets.iter().map(|target| target.address.to_string()).collect()
    }

    #[test]
    fn a_member_is_dialled_where_this_node_can_reach_it() {
        let all = ["nonsense", "unix:///a", "tcp://127.0.0.1:1", "tcp://192.0.2.1:1", "tls://h:1"];
        let tcp = ["tcp://127.0.0.1:1", "tcp://192.0.2.1:1"];
        assert_eq!(dialled(&all, "here", false), [&tcp[..], &["unix:///a"]].concat());
        assert_eq!(dialled(&all, "there", false), ["tcp://192.0.2.1:1"]);
        // Nothing goes in the clear where it need not.
        assert_eq!(dialled(&all, "there", true), ["tls://h:1"]);
        assert_eq!(dialled(&all, "here", true), ["tls://h:1", "unix:///a"]);
        assert_eq!(dialled(&["tcp://192.0.2.1:1"], "there", true), ["tcp://192.0.2.1:1"]);
        // It is tried, and the error says what is missing.
        assert_eq!(dialled(&["tls://h:1"], "there", false), ["tls://h:1"]);
        assert_eq!(dialled(&["tcp://127.0.0.1:1"], "there", false), [""; 0]);
    }
}
