//! A membership that runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, Serializable, spawn_chitchat,
};
use mycelium_transport::changed::Changed;
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::MembershipError;
use crate::member::{Facts, Member, MemberEvent, MemberState, is_name};
use crate::options::Options;
use crate::peers::Peers;
use crate::refused::{Counters, Refused};
use crate::seal::ClusterKey;
use crate::seeds::Seeds;
use crate::socket::{Port, Sealed, Wire};
use crate::view::{Heard, Id, Pace, SAMPLES, SecondVoice, View};

/// Events that a slow reader may be behind before it misses some.
const EVENTS: usize = 256;

/// The key under which a member tells of itself.
const FACTS: &str = "mycelium";

/// Mean intervals without a heartbeat from which on the gossip does not hear a member.
const PHI: f64 = 5.0;

/// How long chitchat keeps a member that it takes for dead. Shorter, and another node could tell of
/// it anew; longer, and nodes that start again and again would fill the list.
const GRACE: Duration = Duration::from_secs(60);

/// The pause before the gossip begins anew when it has ended with an error.
const PAUSE: Duration = Duration::from_secs(1);

/// How often addresses that are this node's own are found out again.
const OWN_FOR: Duration = Duration::from_secs(60);

/// What readers see.
#[derive(Debug)]
struct Shared {
    members: Mutex<Arc<[Member]>>,
    changed: Changed,
    events: broadcast::Sender<MemberEvent>,
    wire: Arc<Wire>,
}

/// A node's part in a cluster. It leaves when this is dropped.
#[derive(Debug)]
pub struct Membership {
    shared: Arc<Shared>,
    gossip: SocketAddr,
    running: JoinHandle<()>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Membership {
    /// Opens the socket and begins to gossip. It needs a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// [`MembershipError`]; nothing is left running then.
    pub async fn start(
        options: Options,
        voice: Arc<dyn SecondVoice>,
    ) -> Result<Self, MembershipError> {
        let (peers, facts, told) = checked(&options)?;
        let address = options.listen;
        let listening = async {
            let socket = UdpSocket::bind(address).await?;
            let own = socket.local_addr()?;
            Ok((socket, own))
        };
        let (socket, own) =
            listening.await.map_err(|source| MembershipError::Listen { address, source })?;
        let port = Port::System(socket);
        Self::begin(options, voice, (peers, facts, told), (port, own)).await
    }

    /// As [`start`](Self::start), on a simulated host: `datagrams` stands in the place of a socket,
    /// and others reach it at `own`. [`Options::listen`] and [`Options::advertise`] have no effect.
    ///
    /// # Errors
    /// [`MembershipError`]; nothing is left running then.
    #[cfg(feature = "simulation")]
    pub async fn start_simulated(
        mut options: Options,
        voice: Arc<dyn SecondVoice>,
        datagrams: Box<dyn crate::simulated::Datagrams>,
        own: SocketAddr,
    ) -> Result<Self, MembershipError> {
        options.advertise = None;
        let checked = checked(&options)?;
        let port = crate::simulated::SimulatedPort::new(datagrams, options.interval);
        Self::begin(options, voice, checked, (Port::Simulated(port), own)).await
    }

    async fn begin(
        options: Options,
        voice: Arc<dyn SecondVoice>,
        (peers, facts, told): (Peers, Facts, String),
        (port, own): (Port, SocketAddr),
    ) -> Result<Self, MembershipError> {
        let gossip = match options.advertise {
            Some(mut advertised) => {
                if advertised.port() == 0 {
                    advertised.set_port(own.port());
                }
                advertised
            }
            None if own.ip().is_unspecified() => {
                return Err(MembershipError::NoAdvertised { listen: own });
            }
            None => own,
        };
        let wire = Arc::new(Wire {
            port,
            peers: Mutex::new(peers),
            known: Mutex::default(),
            counters: Counters::default(),
        });
        let this = Member {
            name: options.name.as_str().into(),
            incarnation: Some(options.incarnation),
            state: MemberState::Alive,
            is_this_node: true,
            age: Duration::ZERO,
            phi: None,
            gossip,
            addresses: facts.addresses.clone(),
            machine: facts.machine.clone(),
            problem: None,
        };
        let shared = Arc::new(Shared {
            members: Mutex::new([this.clone()].into()),
            changed: Changed::default(),
            events: broadcast::Sender::new(EVENTS),
            wire,
        });
        let mut node = Node {
            generation: options.incarnation.started(),
            seeds: Seeds::new(options.seeds.clone(), options.interval),
            options,
            told,
            this,
            gossip,
            shared: shared.clone(),
            voice,
        };
        let handle = node
            .begin()
            .await
            .map_err(|error| MembershipError::Gossip { error: error.to_string() })?;
        let running = tokio::spawn(async move { node.run(handle).await });
        Ok(Self { shared, gossip, running })
    }

    /// All members that this node knows, itself among them, in the order of their names. It is as
    /// old as half an interval of gossip.
    #[must_use]
    pub fn members(&self) -> Arc<[Member]> {
        self.shared.members.lock().clone()
    }

    /// What changes from now on, in order. A reader that is more than 256 events behind misses the
    /// oldest, and is told how many.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<MemberEvent> {
        self.shared.events.subscribe()
    }

    /// Waits until the list is as `wanted` says. Cancel safe.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&[Member]) -> bool) -> Arc<[Member]> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let members = self.members();
            if wanted(&members) {
                return members;
            }
            // It does not fail: the sender is in `self`.
            let _ = changed.changed().await;
        }
    }

    /// Is notified whenever a member comes, goes or is another one. The list is set before.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    /// How often something of the gossip had no effect for this cause.
    #[must_use]
    pub fn refused(&self, cause: Refused) -> u64 {
        self.shared.wire.counters.of(cause)
    }

    /// Where others gossip with this node, with the real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.gossip
    }

    /// Ends it, and waits until its socket is closed.
    ///
    /// # Cancel safety
    /// It ends all the same when this future is dropped.
    pub async fn stop(mut self) {
        self.running.abort();
        let _ = (&mut self.running).await;
    }
}

/// What this node gossips with, and what it tells of itself, if the options are right.
fn checked(options: &Options) -> Result<(Peers, Facts, String), MembershipError> {
    if !is_name(&options.name) {
        return Err(MembershipError::Name { name: options.name.clone() });
    }
    let keys = options.secrets.iter().filter(|secret| !secret.bytes().is_empty());
    let keys = keys.map(|secret| ClusterKey::new(&options.cluster, secret.bytes())).collect();
    let peers = Peers::new(keys).ok_or(MembershipError::NoSecret)?;
    let facts = Facts {
        incarnation: options.incarnation,
        machine: options.machine.as_deref().map(Arc::from),
        addresses: options.addresses.clone().into(),
    };
    let told = facts.to_string();
    match told.parse::<Facts>() {
        Ok(read) if read == facts => {}
        Ok(_) => {
            let problem = "it does not read as it is written".to_owned();
            return Err(MembershipError::Facts { problem });
        }
        Err(problem) => return Err(MembershipError::Facts { problem }),
    }
    Ok((peers, facts, told))
}

/// Chitchat's task ends with this.
struct Gossip(ChitchatHandle);

impl Drop for Gossip {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Node {
    options: Options,
    told: String,
    this: Member,
    gossip: SocketAddr,
    generation: u64,
    seeds: Seeds,
    shared: Arc<Shared>,
    voice: Arc<dyn SecondVoice>,
}

impl Node {
    fn id(&self) -> ChitchatId {
        ChitchatId::new(self.options.name.as_str(), self.generation, self.gossip)
    }

    async fn begin(&mut self) -> anyhow::Result<Gossip> {
        let interval = self.options.interval;
        let config = ChitchatConfig {
            chitchat_id: self.id(),
            cluster_id: self.options.cluster.clone(),
            gossip_interval: interval,
            listen_addr: self.gossip,
            // They are looked for here, since chitchat tells of none that is missing.
            seed_nodes: Vec::new(),
            failure_detector_config: FailureDetectorConfig {
                phi_threshold: PHI,
                sampling_window_size: SAMPLES,
                max_interval: 20 * interval,
                initial_interval: 2 * interval,
                dead_node_grace_period: GRACE.max(40 * interval),
            },
            marked_for_deletion_grace_period: GRACE,
            catchup_callback: None,
            extra_liveness_predicate: None,
        };
        self.shared.wire.known.lock().set([self.id().serialize_to_vec()].into_iter());
        let facts = vec![(FACTS.to_owned(), self.told.clone())];
        let transport = Sealed(self.shared.wire.clone());
        Ok(Gossip(spawn_chitchat(config, facts, &transport).await?))
    }

    async fn run(&mut self, mut gossip: Gossip) {
        let tick = (self.options.interval / 2).max(Duration::from_millis(5));
        let (interval, forget_after) = (self.options.interval, self.options.forget_after);
        let pace = Pace { interval, tick, forget_after };
        let mut view = View::new(self.this.clone(), pace, Instant::now());
        loop {
            let error = {
                let ended = gossip.0.termination_watcher();
                tokio::pin!(ended);
                tokio::select! {
                    biased;
                    ended = &mut ended => match ended {
                        Ok(()) => "it ended".to_owned(),
                        Err(error) => error.to_string(),
                    },
                    never = self.watch(&gossip, &mut view, tick) => match never {},
                }
            };
            tracing::error!(error, "the gossip ended, and begins anew");
            let _ = self.shared.events.send(MemberEvent::Restarted { error: error.into() });
            view.restarted(Instant::now());
            loop {
                tokio::time::sleep(PAUSE).await;
                // Its heart begins anew, so that others must not take it for the one before.
                self.generation = self.generation.saturating_add(1);
                match self.begin().await {
                    Ok(begun) => {
                        gossip = begun;
                        break;
                    }
                    Err(error) => tracing::error!(%error, "the gossip does not begin"),
                }
            }
        }
    }

    async fn watch(
        &mut self,
        gossip: &Gossip,
        view: &mut View,
        tick: Duration,
    ) -> std::convert::Infallible {
        let began = Instant::now();
        let mut own_since = began;
        loop {
            let is_new = began.elapsed() < 4 * self.options.interval;
            // At first more often, since there is much to find.
            tokio::time::sleep(if is_new { tick / 5 } else { tick }).await;
            #[cfg(feature = "simulation")]
            self.shared.wire.port.after_round().await;
            let now = Instant::now();
            let heard = self.hear(gossip).await;
            #[cfg(feature = "simulation")]
            let chosen = self.shared.wire.port.choose(&heard, self.gossip, now);
            let mut events = view.update(heard, &*self.voice, now);
            if now.saturating_duration_since(own_since) >= OWN_FOR {
                own_since = now;
                self.shared.wire.peers.lock().forget_own();
            }
            self.seeds.refresh(now).await;
            let mut own = self.shared.wire.peers.lock().own().clone();
            own.insert(self.gossip);
            let (alive, down) = view.gossip_addresses();
            let round = self.seeds.round(&own, &alive, &down, now);
            for address in round.gossip {
                self.gossip_with(gossip, address);
            }
            #[cfg(feature = "simulation")]
            chosen.into_iter().for_each(|address| self.gossip_with(gossip, address));
            if round.nobody {
                let seeds: Arc<[String]> = self.options.seeds.clone().into();
                tracing::warn!(?seeds, "no seed answers; this node is alone, and goes on trying");
                events.push(MemberEvent::NoSeedAlive { seeds });
            }
            *self.shared.members.lock() = view.members(now).into();
            if !events.is_empty() {
                for event in events {
                    tell(&event);
                    // There may be no reader.
                    let _ = self.shared.events.send(event);
                }
                self.shared.changed.tell();
            }
        }
    }

    fn gossip_with(&self, gossip: &Gossip, address: SocketAddr) {
        // It fails when the gossip has ended, which is noticed elsewhere.
        let asked = gossip.0.gossip(address);
        #[cfg(feature = "simulation")]
        self.shared.wire.port.asked(asked.is_ok());
        let _ = asked;
    }

    async fn hear(&self, gossip: &Gossip) -> Vec<Heard> {
        let (heard, ids) = gossip
            .0
            .with_chitchat(|chitchat| {
                let live: std::collections::HashSet<ChitchatId> =
                    chitchat.live_nodes().cloned().collect();
                let heard = chitchat.node_states().iter().map(|(id, state)| Heard {
                    id: Id {
                        name: (*id.node_id).into(),
                        generation: id.generation_id,
                        gossip: id.gossip_advertise_addr,
                    },
                    heartbeat: state.heartbeat().into(),
                    is_live: live.contains(id),
                    facts: state.get(FACTS).map(str::to_owned),
                });
                let ids: Vec<_> =
                    chitchat.node_states().keys().map(Serializable::serialize_to_vec).collect();
                (heard.collect(), ids)
            })
            .await;
        self.shared.wire.known.lock().set(ids.into_iter());
        heard
    }
}

fn tell(event: &MemberEvent) {
    match event {
        MemberEvent::Up(it) => tracing::info!(member = &*it.name, gossip = %it.gossip, "up"),
        MemberEvent::Suspected(it) => {
            tracing::info!(member = &*it.name, phi = it.phi, "suspected: its session hears it");
        }
        MemberEvent::Recovered(it) => tracing::info!(member = &*it.name, "heard again"),
        MemberEvent::Down(it) => tracing::warn!(member = &*it.name, phi = it.phi, "down"),
        MemberEvent::Replaced { new, .. } => {
            tracing::info!(member = &*new.name, gossip = %new.gossip, "replaced by a new start");
        }
        MemberEvent::Contested { name, holder, other, is_this_node } => tracing::warn!(
            member = &**name,
            %holder,
            %other,
            is_this_node,
            "two live processes have one name"
        ),
        _ => {}
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
