//! The directory of a node with its I/O: messages to the other nodes, and those who wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use mycelium_link::chance;
use mycelium_membership::{Member, Membership};
use mycelium_transport::changed::Changed;
use mycelium_transport::log_limit::LineLimit;
use parking_lot::Mutex;
use ractor::{ActorCell, ActorRef, ActorStatus, BytesConvertable, pg};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::directory::{
    Action, Directory, Entry, Envelope, FencingNumber, Ignored, NotAsked, Now, Owner, Pace, Rival,
};
use super::error::Released;
use super::told::{Sender, Told};
use super::wire;
use crate::node::Demand;

/// The scope of the groups in which the agents of nodes are. Each has a group of its own.
pub(super) const SCOPE: &str = "mycelium.names";

/// The group of the agent of a node.
pub(super) fn group_of(owner: &Owner) -> String {
    format!("{}#{:032x}", owner.name, u128::from_be_bytes(owner.incarnation))
}

/// What the node that runs a singleton has to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// It is to be started here, with this number.
    Start(FencingNumber),
    /// Another node has it.
    Stop(FencingNumber),
    /// This node does not offer it any more. The answer is given when it has stopped.
    Withdraw(Option<oneshot::Sender<()>>),
}

/// An actor that has a name, or asks for it.
pub(super) struct Registered {
    /// Tells this registration from earlier ones of the same name.
    pub(super) id: u64,
    pub(super) number: FencingNumber,
    pub(super) actor: ActorCell,
    /// The caller that waits for the name.
    pub(super) asked: Option<oneshot::Sender<Result<FencingNumber, Rival>>>,
    pub(super) released: watch::Sender<Option<Released>>,
    /// The task that waits for the actor's end.
    pub(super) watching: AbortHandle,
}

pub(super) struct State {
    pub(super) directory: Directory<ActorCell>,
    pub(super) registered: BTreeMap<Arc<str>, Registered>,
    pub(super) offers: BTreeMap<Arc<str>, mpsc::UnboundedSender<Command>>,
    pub(super) is_stopped: bool,
    last_id: u64,
}

/// What is shared by all handles to the names of a node.
pub(crate) struct Core {
    state: Mutex<State>,
    membership: Weak<Membership>,
    demand: Arc<Demand>,
    /// Bumped when names may have changed.
    changed: Changed,
    began: Instant,
    interval: Duration,
    unreadable: AtomicU64,
    wrong_session: AtomicU64,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

impl Core {
    /// Of this node, which gossips in this interval.
    pub(super) fn new(
        own: Owner,
        membership: &Arc<Membership>,
        demand: Arc<Demand>,
        interval: Duration,
    ) -> Self {
        let pace = Pace { settle: 8 * interval, retry: interval, digest: 10 * interval };
        let state = State {
            directory: Directory::new(own, pace),
            registered: BTreeMap::new(),
            offers: BTreeMap::new(),
            is_stopped: false,
            last_id: 0,
        };
        Self {
            state: Mutex::new(state),
            membership: Arc::downgrade(membership),
            demand,
            changed: Changed::default(),
            began: Instant::now(),
            interval,
            unreadable: AtomicU64::new(0),
            wrong_session: AtomicU64::new(0),
        }
    }

    /// Between two rounds of gossip.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// How often something that a peer told had no effect.
    pub(super) fn ignored(&self, cause: Ignored) -> u64 {
        let before = match cause {
            Ignored::Malformed => self.unreadable.load(Ordering::Relaxed),
            Ignored::WrongSession => self.wrong_session.load(Ordering::Relaxed),
            _ => 0,
        };
        before + self.state.lock().directory.ignored(cause)
    }

    /// Looks at what is known of a name.
    pub(crate) fn look<T>(
        &self,
        name: &str,
        look: impl FnOnce(&Entry<ActorCell>) -> Option<T>,
    ) -> Option<T> {
        self.state.lock().directory.get(name).and_then(look)
    }

    /// Does something with the directory, and what it asks for.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, Now) -> T) -> T {
        let now = Now {
            elapsed: self.began.elapsed(),
            wall: chance::wall_clock()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |it| it.as_millis() as u64),
        };
        let result = {
            let mut state = self.state.lock();
            let result = act(&mut state, now);
            // In the lock: messages leave in the order of their numbers. Nothing here waits.
            state.work();
            self.demand.set_by_names(state.directory.tells_others());
            result
        };
        self.changed.tell();
        result
    }

    pub(super) fn receive(&self, told: &Told) {
        let message = wire::read(&told.bytes, &|bytes| ActorCell::from_bytes(bytes.to_vec()));
        let Some(message) = message else {
            self.unreadable.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if !told.by.may_be(&message.from) {
            self.wrong_session.fetch_add(1, Ordering::Relaxed);
            warn_of_wrong_session(&told.by, &message.from);
            return;
        }
        self.with(|state, now| state.directory.receive(message, now));
    }

    pub(super) fn tick(&self, members: &[Member]) {
        self.members(members);
        self.with(|state, now| state.directory.tick(now));
    }

    /// Looks who is alive, so that all of them are asked.
    pub(super) fn refresh(&self) {
        let is_stopped = self.state.lock().is_stopped;
        if let Some(membership) = self.membership.upgrade().filter(|_| !is_stopped) {
            self.members(&membership.members());
        }
    }

    pub(super) fn members(&self, members: &[Member]) {
        let owner = |member: &Member| {
            let incarnation = member.incarnation?.to_bytes();
            Some(Owner { name: member.name.clone(), incarnation })
        };
        let known: BTreeSet<Owner> = members.iter().filter_map(owner).collect();
        let alive = members.iter().filter(|member| member.state.is_alive());
        let alive: BTreeSet<Owner> = alive.filter_map(owner).collect();
        self.with(|state, now| state.directory.members(&alive, &known, now));
    }

    pub(super) fn connected(&self, owner: &Owner) {
        self.with(|state, now| state.directory.connected(owner, now));
    }

    /// Has a singleton be run here, when this node is its place.
    pub(crate) fn offer(
        &self,
        name: Arc<str>,
        kind: Arc<str>,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Result<(), NotOffered> {
        self.refresh();
        self.with(|state, now| {
            if state.is_stopped {
                return Err(NotOffered::NodeStopped);
            }
            if state.offers.contains_key(&name) {
                return Err(NotOffered::Twice);
            }
            let offered = state.directory.offer(name.clone(), kind, now);
            offered.map_err(|_: NotAsked| NotOffered::TooMany)?;
            state.offers.insert(name, commands);
            Ok(())
        })
    }

    /// The actor of a singleton has started; `false`, when another node has it by now.
    pub(crate) fn started(&self, name: &str, number: FencingNumber, actor: ActorCell) -> bool {
        self.with(|state, _| state.directory.started(name, number, actor))
    }

    /// The actor of a singleton has ended by itself, or did not start.
    pub(crate) fn ended(&self, name: &str, number: FencingNumber, rest: Duration) {
        self.with(|state, now| state.directory.ended(name, number, rest, now));
    }

    /// Asks the runner of a singleton to end. Its claim goes on until it has.
    pub(crate) fn withdraw(&self, name: &str, answer: Option<oneshot::Sender<()>>) {
        self.with(|state, _| {
            state.directory.withdraw(name);
            if let Some(commands) = state.offers.get(name) {
                // It may have ended.
                let _ = commands.send(Command::Withdraw(answer));
            }
        });
    }

    /// A singleton does not run here any more, and is not offered.
    pub(crate) fn withdrawn(&self, name: &str) {
        self.with(|state, now| {
            state.directory.withdraw(name);
            state.offers.remove(name);
            if !state.registered.contains_key(name) {
                state.give_up(name, now);
            }
        });
    }
}

/// Why a singleton is not offered.
pub(crate) enum NotOffered {
    NodeStopped,
    Twice,
    TooMany,
}

impl State {
    /// A number that no registration had before.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Ends what this node claims of a name.
    fn give_up(&mut self, name: &str, now: Now) {
        let own = self.directory.own().clone();
        let claim = self.directory.get(name).filter(|entry| entry.owner == own);
        if let Some(number) = claim.map(|entry| entry.claim.number) {
            self.directory.release(name, number, now);
        }
    }

    /// An actor does not have its name any more, or does not ask for it.
    pub(super) fn end(&mut self, name: &str, why: Released, now: Now) {
        if let Some(registered) = self.registered.remove(name) {
            self.directory.release(name, registered.number, now);
            registered.watching.abort();
            registered.released.send_replace(Some(why));
        }
    }

    /// Does what the directory asks for.
    fn work(&mut self) {
        loop {
            let actions = self.directory.take_actions();
            if actions.is_empty() {
                return;
            }
            actions.into_iter().for_each(|action| self.work_on(action));
        }
    }

    fn work_on(&mut self, action: Action<ActorCell>) {
        match action {
            Action::Send(message) => send(&message),
            Action::Held { name, number } => match self.registered.get_mut(&name) {
                Some(it) if it.number == number => {
                    // The caller may have gone. Its guard then gives up the name.
                    let _ = it.asked.take().map(|asked| asked.send(Ok(number)));
                }
                _ => self.command(&name, Command::Start(number)),
            },
            Action::Renumbered { name, old, new } => {
                if let Some(it) = self.registered.get_mut(&name).filter(|it| it.number == old) {
                    it.number = new;
                }
            }
            Action::Refused { name, number, rival } => {
                let it = self.registered.remove(&name);
                let Some(it) = it else { return };
                debug_assert_eq!(it.number, number);
                it.watching.abort();
                let _ = it.asked.map(|asked| asked.send(Err(rival)));
            }
            Action::Lost { name, number, rival } => {
                tracing::warn!(
                    name = &*name,
                    %number,
                    holder = &*rival.owner.name,
                    holder.number = %rival.number,
                    "a name is another node's"
                );
                let it = self.registered.get(&name).filter(|it| it.number == number);
                if it.is_none() {
                    self.command(&name, Command::Stop(number));
                } else if let Some(it) = self.registered.remove(&name) {
                    it.watching.abort();
                    let (holder, number) = (rival.owner.name, rival.number);
                    it.released.send_replace(Some(Released::Lost { holder, number }));
                }
            }
        }
    }

    fn command(&self, name: &str, command: Command) {
        if let Some(commands) = self.offers.get(name) {
            // Its runner may be about to end. It gives up the claim then.
            let _ = commands.send(command);
        }
    }
}

/// A node that has the cookie speaks for another one, or what its session has proven of it is not
/// known.
fn warn_of_wrong_session(by: &Sender, from: &Owner) {
    static LIMIT: LineLimit = LineLimit::new();
    let Some(suppressed) = LIMIT.permit() else { return };
    let node = match by {
        Sender::Peer(Some(peer)) => &*peer.name,
        _ => "a node without a proven name",
    };
    tracing::warn!(
        suppressed,
        node,
        claimed = &*from.name,
        "a message about names is ignored: it says that it is of another node, or of another start \
         of the node, than that which sent it"
    );
}

/// Sends a message to the agent of another node. What cannot be sent is sent again, or found
/// missing by a digest.
fn send(message: &Envelope<ActorCell>) {
    let agents = pg::get_scoped_members(&SCOPE.to_owned(), &group_of(&message.to));
    let agent = agents.into_iter().find(|agent| agent.get_status() < ActorStatus::Stopping);
    let Some(agent) = agent else { return };
    let bytes = wire::write(message, &|actor| actor.clone().into_bytes());
    let sent = ActorRef::<Told>::from(agent).cast(Told::new(bytes));
    if let Err(error) = sent {
        tracing::debug!(node = &*message.to.name, %error, "a message about names was not sent");
    }
}
