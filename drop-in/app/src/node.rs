//! A node that does what the lines of its standard input say, and answers each by a line: two of
//! these processes are nodes of one cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{call, call_t, pg, Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef};
use ractor::{ActorStatus, MessagingErr, RactorErr, RpcReplyPort};
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::{
    client_connect, NodeEventSubscription, NodeServerMessage, RactorClusterMessage,
};
use tokio::sync::{mpsc, watch};

use crate::cluster::start;

/// Nothing here takes as long, unless it never happens.
const PATIENCE: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error>;

/// What a recorder was sent: how much, and whether it was counted from 1.
#[derive(Clone, Copy)]
struct Record {
    count: u64,
    in_order: bool,
}

struct Recorder(watch::Sender<Record>);

#[derive(RactorClusterMessage)]
enum Note {
    Number(u64),
    #[rpc]
    HowMany(RpcReplyPort<u64>),
    /// Is never answered.
    #[rpc]
    Never(u64, RpcReplyPort<u64>),
}

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
            Note::Number(number) => self.0.send_modify(|record| {
                record.count += 1;
                record.in_order &= record.count == number;
            }),
            Note::HowMany(reply) => reply.send(self.0.borrow().count)?,
            Note::Never(_, reply) => unanswered.push(reply),
        }
        Ok(())
    }
}

/// What the node server told of its sessions.
#[derive(Default)]
struct Told {
    opened: usize,
    closed: usize,
    /// The names of the peers.
    ready: HashMap<ActorId, String>,
}

#[derive(Clone)]
struct Sessions(Arc<watch::Sender<Told>>);

impl Sessions {
    async fn until(&self, holds: impl Fn(&Told) -> bool) -> Result<String, Failure> {
        self.0.subscribe().wait_for(|told| holds(told)).await?;
        Ok(String::new())
    }
}

impl NodeEventSubscription for Sessions {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {
        self.0.send_modify(|told| told.opened += 1);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.0.send_modify(|told| {
            told.closed += 1;
            told.ready.remove(&session.actor.get_id());
        });
    }

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        let name = session.peer_name.map(|peer| peer.name).unwrap_or_default();
        let name = name.split('@').next().unwrap_or_default().to_owned();
        self.0.send_modify(|told| _ = told.ready.insert(session.actor.get_id(), name));
    }
}

struct Node {
    server: ActorRef<NodeServerMessage>,
    sessions: Sessions,
    recorders: HashMap<String, (ActorRef<Note>, watch::Receiver<Record>)>,
    held: Vec<ActorCell>,
}

/// Prints the port of a node of this name, and obeys until standard input ends.
pub async fn run(name: &str) {
    let (server, port) = start(name).await;
    let sessions = Sessions(Arc::new(watch::channel(Told::default()).0));
    let (id, subscription) = ("app".to_owned(), Box::new(sessions.clone()));
    server.cast(NodeServerMessage::SubscribeToEvents { id, subscription }).expect("it runs");
    println!("ok {port}");
    let mut node = Node { server, sessions, recorders: HashMap::new(), held: Vec::new() };
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        match tokio::time::timeout(PATIENCE, node.obey(&line)).await {
            Ok(Ok(answer)) => println!("ok {answer}"),
            Ok(Err(error)) => println!("failed {error}"),
            Err(_) => println!("failed never"),
        }
    }
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

impl Node {
    async fn obey(&mut self, line: &str) -> Result<String, Failure> {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["connect", port] => {
                client_connect(&self.server, ("127.0.0.1", port.parse::<u16>()?)).await?;
                Ok(String::new())
            }
            ["ready", peer] => {
                self.sessions.until(|told| told.ready.values().any(|name| name == peer)).await
            }
            ["gone", peer] => {
                self.sessions.until(|told| told.ready.values().all(|name| name != peer)).await
            }
            // Of so many connections all but one have been given up.
            ["elected", opened] => {
                let opened = opened.parse()?;
                let is_over = |told: &Told| told.opened == opened && told.closed + 1 == opened;
                self.sessions.until(|told| is_over(told) && told.ready.len() == 1).await
            }
            ["sessions", count] => {
                let count: usize = count.parse()?;
                while call!(self.server, NodeServerMessage::GetSessions)?.len() != count {
                    tokio::task::yield_now().await;
                }
                Ok(String::new())
            }
            ["spawn", name] => {
                let (sender, record) = watch::channel(Record { count: 0, in_order: true });
                let name = (*name).to_owned();
                let (actor, _) = Actor::spawn(Some(name.clone()), Recorder(sender), ()).await?;
                self.recorders.insert(name, (actor, record));
                Ok(String::new())
            }
            ["join", name, group] => {
                pg::join((*group).to_owned(), vec![self.recorder(name)?.get_cell()]);
                Ok(String::new())
            }
            ["leave", name, group] => {
                pg::leave((*group).to_owned(), vec![self.recorder(name)?.get_cell()]);
                Ok(String::new())
            }
            ["stop", name] => {
                self.recorder(name)?.stop(None);
                Ok(String::new())
            }
            ["members", group, names @ ..] => {
                let mut wanted: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
                wanted.sort();
                while names_of(group) != wanted {
                    tokio::task::yield_now().await;
                }
                Ok(String::new())
            }
            ["hold", group] => {
                self.held = members(group);
                Ok(String::new())
            }
            ["held-stopped"] => {
                while self.held.iter().any(|cell| cell.get_status() != ActorStatus::Stopped) {
                    tokio::task::yield_now().await;
                }
                // A sender that kept a reference gets an error: it must not believe that the
                // message arrived.
                let refused = self.held.drain(..).all(|cell| {
                    let sent = ActorRef::<Note>::from(cell).cast(Note::Number(0));
                    matches!(sent, Err(MessagingErr::ChannelClosed | MessagingErr::SendErr(_)))
                });
                Ok(refused.to_string())
            }
            ["cast", group, from, to] => {
                let member = member(group)?;
                for number in from.parse::<u64>()?..=to.parse()? {
                    member.cast(Note::Number(number))?;
                }
                Ok(String::new())
            }
            ["call", group] => Ok(call!(member(group)?, Note::HowMany)?.to_string()),
            ["call-timed", group] => {
                Ok(call_t!(member(group)?, Note::HowMany, 20_000)?.to_string())
            }
            // Its end is told by the caller's clock or by that of the other end, whichever is
            // first.
            ["call-late", group] => Ok(match call_t!(member(group)?, Note::Never, 50, 7) {
                Err(RactorErr::Timeout | RactorErr::Messaging(MessagingErr::ChannelClosed)) => {
                    "unanswered".to_owned()
                }
                other => format!("{other:?}"),
            }),
            ["received", name, count] => {
                let count: u64 = count.parse()?;
                let (_, record) = self.recorders.get_mut(*name).ok_or("no such recorder")?;
                let record = *record.wait_for(|record| record.count >= count).await?;
                let order = if record.in_order { "in order" } else { "out of order" };
                Ok(format!("{} {order}", record.count))
            }
            _ => Err("what?".into()),
        }
    }

    fn recorder(&self, name: &str) -> Result<&ActorRef<Note>, Failure> {
        Ok(&self.recorders.get(name).ok_or("no such recorder")?.0)
    }
}

/// The members of a group that are proxies.
fn members(group: &str) -> Vec<ActorCell> {
    let members = pg::get_members(&group.to_owned());
    members.into_iter().filter(|member| !member.get_id().is_local()).collect()
}

fn member(group: &str) -> Result<ActorRef<Note>, Failure> {
    Ok(members(group).pop().ok_or("no member")?.into())
}

fn names_of(group: &str) -> Vec<String> {
    let mut names: Vec<_> =
        members(group).iter().map(|member| member.get_name().unwrap_or_default()).collect();
    names.sort();
    names
}
