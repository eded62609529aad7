//! The node: it does what the lines of its standard input say, and answers each by a line.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use ractor::actor::actor_config::{ActorConfig, TransportPreference};
use ractor::errors::UndeliveredReason;
use ractor::remoting::Encoder;
use ractor::{call, call_t, pg, Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef};
use ractor::{BytesConvertable, MessagingErr, RpcReplyPort};
use ractor_cluster::link::options::{LinkOptions, Location, Peer, PeerPolicy, UnixListening};
use ractor_cluster::link::view;
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::peers::{self, Locality, PeerEvent, PeerInfo};
use ractor_cluster::transport::TransportKind;
use ractor_cluster::{
    client_connect, NodeEventSubscription, NodeServer, NodeServerMessage, RactorClusterMessage,
};
use tokio::sync::{mpsc, watch};

use crate::witness::{witness, Nothing, Told};

/// Nothing here takes as long, unless it never happens.
const PATIENCE: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;

/// What a recorder was sent: how much, and whether in order from 1.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Record {
    count: u64,
    in_order: bool,
}

/// The numbers that all recorders of this process have handled.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// How often a [`Counted`] of this process was copied.
static COPIED: AtomicU64 = AtomicU64::new(0);

/// How often one was read.
static READ: AtomicU64 = AtomicU64::new(0);

/// A field that counts.
struct Counted;

impl Clone for Counted {
    fn clone(&self) -> Self {
        COPIED.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl BytesConvertable for Counted {
    fn into_bytes(self) -> Vec<u8> {
        Vec::new()
    }

    fn from_bytes(_: Vec<u8>) -> Self {
        READ.fetch_add(1, Ordering::Relaxed);
        Self
    }

    fn to_encoder(&self, _: &mut Encoder) -> bool {
        true
    }
}

/// Takes down what it is sent.
struct Recorder(watch::Sender<Record>);

#[derive(RactorClusterMessage)]
#[shared]
enum Note {
    Number(u64),
    /// Is sent to many.
    Page(u64, Counted, String),
    #[rpc]
    HowMany(RpcReplyPort<u64>),
    /// Of all recorders of the process.
    #[rpc]
    InAll(RpcReplyPort<u64>),
    /// Is kept, and not answered.
    #[rpc]
    Never(RpcReplyPort<u64>),
    /// Is answered with the same.
    #[rpc]
    Text(String, RpcReplyPort<String>),
    #[rpc]
    Bytes(Vec<u8>, RpcReplyPort<Vec<u8>>),
    #[rpc]
    Flags(bool, Vec<i16>, RpcReplyPort<Vec<i16>>),
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Recorder {
    type Msg = Note;
    type State = Vec<RpcReplyPort<u64>>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<Note>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Note>,
        note: Note,
        unanswered: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match note {
            Note::Number(number) | Note::Page(number, ..) => {
                HANDLED.fetch_add(1, Ordering::Relaxed);
                self.0.send_modify(|record| {
                    record.count += 1;
                    record.in_order &= record.count == number;
                });
            }
            Note::InAll(reply) => reply.send(HANDLED.load(Ordering::Relaxed))?,
            Note::HowMany(reply) => reply.send(self.0.borrow().count)?,
            Note::Never(reply) => unanswered.push(reply),
            Note::Text(text, reply) => reply.send(text)?,
            Note::Bytes(bytes, reply) => reply.send(bytes)?,
            Note::Flags(_, numbers, reply) => reply.send(numbers)?,
        }
        Ok(())
    }
}

struct Running {
    server: ActorRef<NodeServerMessage>,
    records: HashMap<String, watch::Receiver<Record>>,
    /// How many events each kind there were, since the start.
    events: watch::Receiver<Vec<PeerEvent>>,
    /// Calls that no actor answers, and how they ended.
    calls: Vec<tokio::task::JoinHandle<String>>,
    /// How watched proxies ended.
    ends: mpsc::UnboundedReceiver<Told>,
    witness: ActorRef<Nothing>,
}

/// Keeps what happened to peers.
fn keep_events() -> watch::Receiver<Vec<PeerEvent>> {
    let mut events = peers::events();
    let (sender, kept) = watch::channel(Vec::new());
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            sender.send_modify(|kept| kept.push(event));
        }
    });
    kept
}

/// Runs until standard input ends.
pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    match runtime.block_on(serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(2).collect();
    let [name, location, unix, address, silence, grace] = words.as_slice() else {
        return Err("six words".into());
    };
    let location = match location.as_str() {
        "local" => Location::Local,
        "remote" => Location::Remote,
        _ => Location::Auto,
    };
    let policy = PeerPolicy::default().with_location(location);
    let mut options = LinkOptions::default()
        .with_peer(Peer::named("first"), policy)
        .with_peer(Peer::named("second"), policy);
    if words[1] == "pinned-tcp" {
        options = options.with_preference(TransportPreference::Tcp);
    }
    if unix == "no-unix" {
        options = options.with_unix(UnixListening::Off);
    }
    if silence != "-" {
        options = options.with_silence_timeout(Duration::from_millis(silence.parse()?));
    }
    if grace != "-" {
        options = options.with_reconnect_grace(Duration::from_millis(grace.parse()?));
    }
    let server = NodeServer::new(
        0,
        "a cookie".to_owned(),
        name.clone(),
        "localhost".to_owned(),
        None,
        Some(NodeConnectionMode::Isolated),
    )
    .with_listen_addr(address.parse()?)
    .with_links(options);
    let (server, _) = Actor::spawn(None, server, ()).await?;
    let tcp = ractor_cluster::link::listening(&server)
        .into_iter()
        .find(|it| it.kind == TransportKind::Tcp)
        .ok_or("it does not listen")?;
    println!("ok {}", tcp.address);
    let (witness, ends) = witness().await;
    let events = keep_events();
    let (records, calls) = (HashMap::new(), Vec::new());
    let mut running = Running { server, records, events, calls, ends, witness };
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        match tokio::time::timeout(PATIENCE, running.obey(&line)).await {
            Ok(Ok(answer)) => println!("ok {answer}"),
            Ok(Err(error)) => println!("failed {error}"),
            Err(_) => println!("failed never; the peers are {:?}", peers::list()),
        }
    }
    running.server.stop_and_wait(None, None).await?;
    Ok(())
}

/// The lines of standard input.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Running {
    async fn obey(&mut self, line: &str) -> Result<String, Failure> {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["connect", address] => {
                client_connect(&self.server, *address).await?;
                Ok(String::new())
            }
            // Again whenever the peer says that another process has the name, until it does not.
            ["insist", address, name] => {
                let mut events = peers::events();
                loop {
                    client_connect(&self.server, *address).await?;
                    loop {
                        let event = events.recv().await?;
                        if peer(name).is_some() {
                            return Ok(String::new());
                        } else if matches!(event, peers::PeerEvent::Superseded { .. }) {
                            break;
                        }
                    }
                }
            }
            // As soon as there is a way.
            ["reach", address] => {
                while client_connect(&self.server, *address).await.is_err() {
                    tokio::task::yield_now().await;
                }
                Ok(String::new())
            }
            ["refused", address] => {
                let mut events = peers::events();
                let (sender, mut ended) = mpsc::unbounded_channel();
                self.server.cast(NodeServerMessage::SubscribeToEvents {
                    id: "refused".to_owned(),
                    subscription: Box::new(Ended(sender)),
                })?;
                client_connect(&self.server, *address).await?;
                ended.recv().await.ok_or("the server has ended")?;
                // No subscriber was told of the peer.
                match events.try_recv() {
                    Err(_) => Ok(String::new()),
                    Ok(event) => Err(format!("{event:?}").into()),
                }
            }
            ["await", name, locality, kind] => {
                until(name, |peer| {
                    peer.is_some_and(|peer| {
                        locality_name(peer.locality) == *locality
                            && peer.active().map(TransportKind::name) == Some(*kind)
                    })
                })
                .await
            }
            ["links", name, kinds] => {
                until(name, |peer| peer.is_some_and(|peer| kinds_of(peer) == *kinds)).await
            }
            // Until pings by each link to the peer were answered. That is no event.
            ["round-trips", name] => loop {
                let node_id = peer(name).ok_or("no such peer")?.node_id;
                let mut sessions = view::sessions().into_iter();
                let session = sessions.find(|it| it.node_id == node_id).ok_or("no session")?;
                let links = session.links;
                if !links.is_empty() && links.iter().all(|link| link.round_trip.is_some()) {
                    break Ok(links.len().to_string());
                }
                tokio::task::yield_now().await;
            },
            ["gone", name] => until(name, |peer| peer.is_none()).await,
            ["id", name] => Ok(peer(name).ok_or("no such peer")?.node_id.to_string()),
            ["kinds", name] => Ok(kinds_of(&peer(name).ok_or("no such peer")?)),
            ["peers"] => {
                let names: Vec<String> = peers::list().into_iter().map(|peer| peer.name).collect();
                Ok(names.join(","))
            }
            ["close", kind] => {
                let kind =
                    if *kind == "unix" { TransportKind::UnixSocket } else { TransportKind::Tcp };
                let peer = peers::list().into_iter().next().ok_or("no peer")?;
                let mut events = peers::events();
                ractor_cluster::link::close(peer.node_id, kind).map_err(|_| "no session")?;
                loop {
                    if let peers::PeerEvent::LinkDown { kind: down, .. } = events.recv().await? {
                        if down == kind {
                            return Ok(String::new());
                        }
                    }
                }
            }
            ["spawn", group, preference] => {
                let (sender, record) = watch::channel(Record { count: 0, in_order: true });
                let config = ActorConfig::default().with_transport(match *preference {
                    "tcp" => TransportPreference::Tcp,
                    "unix" => TransportPreference::UnixSocket,
                    "shm" => TransportPreference::SharedMemory,
                    _ => TransportPreference::Adaptive,
                });
                let (actor, _) =
                    Actor::spawn_with_config(None, Recorder(sender), (), config).await?;
                self.records.insert((*group).to_owned(), record);
                pg::join((*group).to_owned(), vec![actor.get_cell()]);
                Ok(String::new())
            }
            ["members", group, count] => {
                let count: usize = count.parse()?;
                while members(group).len() != count {
                    tokio::task::yield_now().await;
                }
                Ok(String::new())
            }
            ["ids", group] => {
                let id = members(group).first().ok_or("no member")?.get_id();
                Ok(match id {
                    ActorId::Local(_) => "local",
                    ActorId::LocalMachine { .. } => "local-machine",
                    ActorId::Remote { .. } => "remote",
                }
                .to_owned())
            }
            ["pin", group] => {
                let preference = recorder(group)?.transport_preference();
                Ok(format!("{preference:?}"))
            }
            ["cast", group, from, to] => {
                let member = recorder(group)?;
                for number in from.parse::<u64>()?..=to.parse()? {
                    member.cast(Note::Number(number))?;
                }
                Ok(String::new())
            }
            // One message after the other to all of a group, and how many copies that took.
            ["share", group, from, to] => {
                for number in from.parse::<u64>()?..=to.parse()? {
                    let page = Note::Page(number, Counted, "text".repeat(number as usize));
                    let report = pg::broadcast_arc(&(*group).to_owned(), Arc::new(page));
                    if let Some((_, reason)) = report.failed().first() {
                        return Err(reason.to_string().into());
                    }
                }
                Ok(COPIED.load(Ordering::Relaxed).to_string())
            }
            // How many such messages this process has decoded.
            ["read"] => Ok(READ.load(Ordering::Relaxed).to_string()),
            ["try", group] => {
                let member = recorder(group)?;
                let by_value = match member.cast(Note::Number(1)) {
                    Err(MessagingErr::SendErr(Note::Number(1))) => "returned",
                    _ => "kept",
                };
                let by_arc = match member.cast_arc(Arc::new(Note::Number(1))) {
                    Err(error) if error.reason() == UndeliveredReason::NoLink => "returned",
                    _ => "kept",
                };
                Ok(format!("{by_value} {by_arc}"))
            }
            ["call", group] => Ok(call_t!(recorder(group)?, Note::HowMany, 10_000)?.to_string()),
            // Calls with an answer of each form: numbers, text, bytes of any length, and vectors.
            ["echo", group] => {
                let member = recorder(group)?;
                let text = "an answer, and not only ASCII: \u{b5}".to_owned();
                assert_eq!(call_t!(member, Note::Text, 10_000, text.clone())?, text);
                for length in [0, 1, 8, 100, 5_000, 100_000] {
                    let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
                    assert_eq!(call_t!(member, Note::Bytes, 10_000, bytes.clone())?, bytes);
                }
                let numbers = vec![i16::MIN, -1, 0, i16::MAX];
                assert_eq!(call_t!(member, Note::Flags, 10_000, true, numbers.clone())?, numbers);
                Ok(call_t!(member, Note::HowMany, 10_000)?.to_string())
            }
            // Calls that no actor answers, and casts without end, until the actor is gone.
            ["load", group] => {
                let member = recorder(group)?;
                for _ in 0..8 {
                    let member = member.clone();
                    self.calls.push(tokio::spawn(async move {
                        match call!(member, Note::Never) {
                            Ok(_) => "answered".to_owned(),
                            Err(error) => format!("failed: {error}"),
                        }
                    }));
                }
                let (sender, casting) = watch::channel(0);
                tokio::spawn(async move {
                    for number in 1.. {
                        if member.cast(Note::Number(number)).is_err() {
                            return;
                        }
                        sender.send_replace(number);
                        tokio::task::yield_now().await;
                    }
                });
                let mut casting = casting;
                casting.wait_for(|sent| *sent >= 1000).await?;
                Ok(String::new())
            }
            // A call, and later its answer.
            ["begin", group] => {
                let member = recorder(group)?;
                self.calls.push(tokio::spawn(async move {
                    call!(member, Note::InAll).map_or_else(|it| it.to_string(), |it| it.to_string())
                }));
                Ok(String::new())
            }
            ["answer"] => Ok(self.calls.pop().ok_or("no call")?.await?),
            // What has become of the calls.
            ["calls"] => {
                let mut ends = Vec::new();
                for call in self.calls.drain(..) {
                    ends.push(call.await?);
                }
                let failed = ends.iter().filter(|end| end.starts_with("failed")).count();
                Ok(format!("{failed} of {} failed", ends.len()))
            }
            ["watch", group] => {
                members(group).pop().ok_or("no member")?.link(self.witness.get_cell());
                Ok(String::new())
            }
            ["reason"] => match self.ends.recv().await.ok_or("no witness")? {
                Told::Terminated(reason) => Ok(reason.unwrap_or_default()),
                failed @ Told::Failed { .. } => Err(format!("{failed:?}").into()),
            },
            // Waits until something has happened so many times since the start.
            ["happened", what, times] => {
                let times: usize = times.parse()?;
                let is_it = |event: &&PeerEvent| {
                    matches!(
                        (*what, event),
                        ("suspended", PeerEvent::Suspended { .. })
                            | ("resumed", PeerEvent::Resumed { .. })
                            | ("gone", PeerEvent::Gone { .. })
                            | ("replaced", PeerEvent::Replaced { .. })
                            | ("superseded", PeerEvent::Superseded { .. })
                    )
                };
                let count = |events: &Vec<PeerEvent>| events.iter().filter(is_it).count();
                self.events.wait_for(|events| count(events) >= times).await?;
                Ok(String::new())
            }
            // How many messages the last session that ended had not acknowledged.
            ["lost"] => {
                let events = self.events.borrow();
                let lost = events.iter().rev().find_map(|event| match event {
                    PeerEvent::Gone { unacknowledged, .. } => *unacknowledged,
                    _ => None,
                });
                Ok(lost.ok_or("nobody is gone")?.to_string())
            }
            ["received", group, count] => {
                let count: u64 = count.parse()?;
                let record = self.records.get_mut(*group).ok_or("no such recorder")?;
                let record = *record.wait_for(|record| record.count >= count).await?;
                let order = if record.in_order { "in order" } else { "out of order" };
                Ok(format!("{} {order}", record.count))
            }
            _ => Err("what?".into()),
        }
    }
}

/// Tells when a session has ended.
struct Ended(mpsc::UnboundedSender<()>);

impl NodeEventSubscription for Ended {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_disconnected(&self, _: NodeServerSessionInformation) {
        _ = self.0.send(());
    }
}

fn members(group: &str) -> Vec<ActorCell> {
    let members = pg::get_members(&group.to_owned());
    members.into_iter().filter(|member| !member.get_id().is_local()).collect()
}

fn recorder(group: &str) -> Result<ActorRef<Note>, Failure> {
    Ok(members(group).pop().ok_or("no member")?.into())
}

fn peer(name: &str) -> Option<PeerInfo> {
    peers::list().into_iter().find(|peer| peer.name.split('@').next() == Some(name))
}

/// Waits until a peer is as it should be; whatever changes is an event.
async fn until(name: &str, holds: impl Fn(Option<&PeerInfo>) -> bool) -> Result<String, Failure> {
    let mut events = peers::events();
    while !holds(peer(name).as_ref()) {
        events.recv().await?;
    }
    Ok(String::new())
}

fn kinds_of(peer: &PeerInfo) -> String {
    let mut kinds: Vec<&str> = peer.links.iter().map(|link| link.kind.name()).collect();
    kinds.sort_unstable();
    kinds.join(",")
}

fn locality_name(locality: Locality) -> &'static str {
    match locality {
        Locality::SameProcess => "same-process",
        Locality::SameMachine => "same-machine",
        Locality::Remote => "remote",
    }
}
