//! What an application does with names.

use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorCell, ActorRef, ActorStatus, BytesConvertable, Message};
use tokio::sync::{oneshot, watch};

use super::core::{Core, Registered};
use super::directory::{FencingNumber, Ignored, NotAsked, Rival, Stage, is_name};
use super::error::{RegisterError, Released, WrongType};
use super::kind_of;

/// How long members are asked for a name.
const PATIENCE: Duration = Duration::from_secs(30);

/// The names of a cluster, as a node knows them. Clones lead to the same.
#[derive(Debug, Clone)]
pub struct Names(Arc<Core>);

/// An actor that has a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Holder {
    /// The full name of its node.
    pub node: Arc<str>,
    /// Its number.
    pub number: FencingNumber,
    /// The actor.
    pub actor: ActorCell,
    /// The type of its messages, as a text.
    pub message: Arc<str>,
}

/// An actor's name. It does not end when this is dropped, but with the actor, or by
/// [`unregister`](Self::unregister).
#[derive(Debug)]
pub struct Registration {
    core: Arc<Core>,
    name: Arc<str>,
    number: FencingNumber,
    released: watch::Receiver<Option<Released>>,
}

/// Gives up a name when the caller does not wait for it any more.
struct Abandon<'a> {
    core: &'a Core,
    name: Option<Arc<str>>,
    /// Of the registration. A later one may have the name.
    id: u64,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.core.with(|state, now| {
                if state.registered.get(&name).is_some_and(|it| it.id == self.id) {
                    state.end(&name, Released::Unregistered, now);
                }
            });
        }
    }
}

fn taken(name: &Arc<str>, rival: &Rival) -> RegisterError {
    RegisterError::Taken {
        name: name.clone(),
        holder: rival.owner.name.clone(),
        number: rival.number,
        is_held: rival.stage == Stage::Held,
    }
}

impl Names {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.0
    }

    /// Gives an actor of this process a name that no other actor of the cluster has.
    ///
    /// All members that are alive are asked, for 30 seconds at most. One that does not answer has
    /// to be down before the name is given out without it. An actor may have several names. A node
    /// may see that an actor has stopped before it hears that its name is free: then
    /// [`where_is`](Self::where_is) finds none, and the name is taken for a moment longer.
    ///
    /// # Cancel safety
    /// When this future is dropped, the actor does not have the name.
    ///
    /// # Errors
    /// [`RegisterError`]: the name is taken, a member did not answer, or the actor or the name
    /// cannot be registered. It names the node that is in the way.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn register<M: Message>(
        &self,
        name: &str,
        actor: &ActorRef<M>,
    ) -> Result<Registration, RegisterError> {
        let core = &self.0;
        if !is_name(name) {
            return Err(RegisterError::Name { name: name.to_owned() });
        }
        let (name, cell): (Arc<str>, _) = (name.into(), actor.get_cell());
        if !cell.get_id().is_local() {
            return Err(RegisterError::NotLocal { name });
        }
        if !cell.supports_remoting() {
            return Err(RegisterError::NoBytes { name });
        }
        let (asked, answer) = oneshot::channel();
        let (id, released) = self.ask(&name, &cell, kind_of::<M>(), asked)?;
        let mut abandon = Abandon { core, name: Some(name.clone()), id };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(number))) => {
                abandon.name = None;
                Ok(Registration { core: core.clone(), name, number, released })
            }
            Ok(Ok(Err(rival))) => {
                abandon.name = None;
                Err(taken(&name, &rival))
            }
            Ok(Err(_)) => {
                abandon.name = None;
                Err(if cell.get_status() >= ActorStatus::Stopping {
                    RegisterError::ActorStopped { name }
                } else {
                    RegisterError::NodeStopped { name }
                })
            }
            Err(_) => Err(core.with(|state, _| {
                let doubt = state.directory.doubt(&name).map(|rival| taken(&name, rival));
                doubt.unwrap_or_else(|| {
                    let unanswered = state.directory.unanswered(&name);
                    let nodes = unanswered.into_iter().map(|owner| owner.name).collect();
                    RegisterError::NoAnswer { name: name.clone(), nodes, after: PATIENCE }
                })
            })),
        }
    }

    fn ask(
        &self,
        name: &Arc<str>,
        cell: &ActorCell,
        kind: Arc<str>,
        asked: oneshot::Sender<Result<FencingNumber, Rival>>,
    ) -> Result<(u64, watch::Receiver<Option<Released>>), RegisterError> {
        let (tell_released, released) = watch::channel(None);
        let (core, of, actor) = (Arc::downgrade(&self.0), name.clone(), cell.clone());
        let end = async move {
            // It has no time limit, so that it ends with the actor alone.
            let _ = actor.wait(None).await;
            if let Some(core) = core.upgrade() {
                core.with(|state, now| {
                    let registered = state.registered.get(&of);
                    if registered.is_some_and(|it| it.actor.get_id() == actor.get_id()) {
                        state.end(&of, Released::ActorStopped, now);
                    }
                });
            }
        };
        self.0.refresh();
        self.0.with(|state, now| {
            if state.is_stopped {
                return Err(RegisterError::NodeStopped { name: name.clone() });
            }
            let number = state.directory.register(name.clone(), kind, cell.clone(), now);
            let number = number.map_err(|why| match why {
                NotAsked::Taken(rival) => taken(name, &rival),
                NotAsked::TooMany => RegisterError::TooMany { name: name.clone() },
            })?;
            let id = state.next_id();
            let registered = Registered {
                id,
                number,
                actor: cell.clone(),
                asked: Some(asked),
                released: tell_released,
                watching: tokio::spawn(end).abort_handle(),
            };
            state.registered.insert(name.clone(), registered);
            Ok((id, released))
        })
    }

    /// Takes the name from an actor of this node; whether one had it or asked for it.
    pub fn unregister(&self, name: &str) -> bool {
        self.0.with(|state, now| {
            let is_registered = state.registered.contains_key(name);
            state.end(name, Released::Unregistered, now);
            is_registered
        })
    }

    /// The actor of a name, as far as this node knows; `None` when none has it, or no session leads
    /// to its node. Singletons are found too.
    ///
    /// # Errors
    /// [`WrongType`], when the actor was registered with messages of another type.
    pub fn where_is<M: Message>(&self, name: &str) -> Result<Option<ActorRef<M>>, WrongType> {
        let Some(Holder { node, actor, message, .. }) = self.holder(name) else { return Ok(None) };
        let expected = kind_of::<M>();
        if *message != *expected {
            return Err(WrongType { name: name.into(), node, expected, found: message });
        }
        Ok(Some(actor.into()))
    }

    /// The holder of a name, as far as this node knows: its node, its number, and the actor, whatever
    /// messages it takes.
    #[must_use]
    pub fn holder(&self, name: &str) -> Option<Holder> {
        self.0.look(name, |entry| {
            let claim = &entry.claim;
            let actor = claim.reference.clone().filter(|_| claim.stage == Stage::Held)?;
            let is_alive = actor.get_status() < ActorStatus::Stopping;
            let (node, message) = (entry.owner.name.clone(), claim.kind.clone());
            is_alive.then_some(Holder { node, number: claim.number, actor, message })
        })
    }

    /// All names that actors have, in their order, as far as this node knows. Singletons are among
    /// them.
    #[must_use]
    pub fn list(&self) -> Vec<(Arc<str>, Holder)> {
        let names = self.0.with(|state, _| {
            let names = state.directory.entries().map(|entry| entry.claim.name.clone());
            names.collect::<Vec<_>>()
        });
        names.into_iter().filter_map(|name| Some((name.clone(), self.holder(&name)?))).collect()
    }

    /// Waits until an actor has this name. Cancel safe.
    ///
    /// # Errors
    /// [`WrongType`], when it was registered with messages of another type.
    pub async fn wait_for<M: Message>(&self, name: &str) -> Result<ActorRef<M>, WrongType> {
        let mut changes = self.0.changes();
        loop {
            changes.borrow_and_update();
            if let Some(actor) = self.where_is(name)? {
                return Ok(actor);
            }
            // Not `changed` alone: a reference may end or begin by itself.
            let _ = tokio::time::timeout(self.0.interval(), changes.changed()).await;
        }
    }

    /// How often something that another node told of names had no effect, by cause.
    #[must_use]
    pub fn ignored(&self, cause: Ignored) -> u64 {
        self.0.ignored(cause)
    }
}

impl Registration {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the actor as the holder of this name.
    #[must_use]
    pub const fn number(&self) -> FencingNumber {
        self.number
    }

    /// Waits until the actor does not have the name any more: it or its node has stopped, it was
    /// unregistered, or an actor of another node has the name since a partition has ended.
    /// Cancel safe.
    pub async fn released(&mut self) -> Released {
        match self.released.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or(Released::NodeStopped),
            Err(_) => Released::NodeStopped,
        }
    }

    /// Takes the name from the actor. Other nodes hear of it at once.
    pub fn unregister(self) {
        self.core.with(|state, now| {
            if state.registered.get(&self.name).is_some_and(|it| it.number == self.number) {
                state.end(&self.name, Released::Unregistered, now);
            }
        });
    }
}

/// Its 16 bytes, so that it may be a field of a message to other nodes.
impl BytesConvertable for FencingNumber {
    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    /// # Panics
    /// When these are not 16 bytes. The message is then dropped and counted as `not_decodable`.
    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::from_bytes(bytes.try_into().expect("a fencing number has 16 bytes"))
    }
}
