//! One message to many actors.

#[cfg(feature = "cluster")]
use std::any::TypeId;
use std::sync::Arc;

#[cfg(feature = "cluster")]
use super::send_out::Reserved;
use crate::actor::actor_config::Overflow;
use crate::actor::mailbox::{Displaced, Way};
use crate::errors::UndeliveredReason;
use crate::message::SharedMessage;
#[cfg(feature = "cluster")]
use crate::message::{copy_of, BoxedDowncastErr};
#[cfg(feature = "cluster")]
use crate::remoting::{self, from_serialized, Outgoing};
use crate::ActorCell;
#[cfg(feature = "cluster")]
use crate::ActorId;

/// One message on its way to several actors: one allocation for those of this process, and one
/// serialisation for all of other nodes. Each node gets it once.
pub(crate) struct Fanout<T> {
    message: Arc<T>,
    /// What goes to all nodes.
    #[cfg(feature = "cluster")]
    wire: Option<Result<Outgoing, UndeliveredReason>>,
    /// What a type that boxes itself makes for nodes of this machine, and for others.
    #[cfg(feature = "cluster")]
    chosen: [Option<Result<Outgoing, UndeliveredReason>>; 2],
}

/// What became of a message at an actor that did not simply take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exception {
    /// It was not delivered.
    Returned(UndeliveredReason),
    /// The mailbox was full, and gave this message up, or an older one.
    Overflowed(Overflow),
}

/// The actors of one session, each with its number.
#[cfg(feature = "cluster")]
struct Route<'a> {
    session: u64,
    actors: Vec<(usize, &'a ActorCell)>,
}

/// Takes room for one message to a proxy, which is released where the message is not sent.
#[cfg(feature = "cluster")]
fn reserve(actor: &ActorCell, waits: bool) -> Result<(), UndeliveredReason> {
    let outlet = actor.inner.proxy.outlet().ok_or(UndeliveredReason::Stopped)?;
    actor.inner.may_send_out(&**outlet, waits).map(Reserved::used)
}

impl<T: SharedMessage> Fanout<T> {
    pub(crate) fn new(message: Arc<T>) -> Self {
        Self {
            message,
            #[cfg(feature = "cluster")]
            wire: None,
            #[cfg(feature = "cluster")]
            chosen: [None, None],
        }
    }

    /// The message, to give it back.
    #[cfg(feature = "cluster")]
    pub(crate) fn into_message(self) -> Arc<T> {
        self.message
    }

    /// Sends to all of `actors`, for the last time. Returns those that did not take it, each with
    /// the reason.
    #[cfg(feature = "cluster")]
    pub(crate) fn send_to_all(self, actors: &[ActorCell]) -> Vec<(ActorCell, UndeliveredReason)> {
        let mut failed = Vec::new();
        self.send_to_all_as_configured(actors, |number, exception| {
            if let Exception::Returned(reason) = exception {
                failed.push((actors[number].clone(), reason));
            }
        });
        failed
    }

    /// Sends to all of `actors`, for the last time. `except` gets the place of each that did not
    /// simply take it, and what became of the message there.
    pub(crate) fn send_to_all_as_configured(
        mut self,
        actors: &[ActorCell],
        except: impl FnMut(usize, Exception),
    ) {
        self.send_each(actors.iter().enumerate(), Way::ByPolicy, true, except);
    }

    /// Sends to those of `actors` that have room. `except` gets the number of each other one, and
    /// why it did not get it.
    pub(crate) fn send_to_those_with_room<'a>(
        &mut self,
        actors: impl Iterator<Item = (usize, &'a ActorCell)>,
        mut except: impl FnMut(usize, UndeliveredReason),
    ) {
        self.send_each(actors, Way::IfRoom, false, |number, exception| match exception {
            Exception::Returned(reason) => except(number, reason),
            // None is given up where none goes in without room.
            Exception::Overflowed(_) => {}
        });
    }

    fn send_each<'a>(
        &mut self,
        actors: impl Iterator<Item = (usize, &'a ActorCell)>,
        way: Way,
        is_last: bool,
        mut except: impl FnMut(usize, Exception),
    ) {
        #[cfg(feature = "cluster")]
        let mut routes: Vec<Route<'_>> = Vec::new();
        for (number, actor) in actors {
            #[cfg(feature = "cluster")]
            if let Some(outlet) = actor.inner.proxy.outlet().filter(|it| it.takes_many()) {
                let session = outlet.session();
                match routes.iter_mut().find(|route| route.session == session) {
                    Some(route) => route.actors.push((number, actor)),
                    None => routes.push(Route { session, actors: vec![(number, actor)] }),
                }
                continue;
            }
            match self.send_to(actor, way) {
                Ok(Displaced(None)) => {}
                Ok(Displaced(Some(overflow))) => except(number, Exception::Overflowed(overflow)),
                Err(reason) => {
                    if is_last {
                        self.post(actor, reason);
                    }
                    except(number, Exception::Returned(reason));
                }
            }
        }
        #[cfg(feature = "cluster")]
        let waits = way == Way::IfRoom;
        #[cfg(feature = "cluster")]
        self.send_by(routes, (is_last, waits), &mut |number, reason| {
            except(number, Exception::Returned(reason));
        });
    }

    /// Posts a letter for an actor that will not get the message.
    pub(crate) fn post(&self, actor: &ActorCell, reason: UndeliveredReason) {
        actor.inner.returned_arc(&self.message, reason);
    }

    /// Sends to one more actor.
    pub(super) fn send_to(
        &mut self,
        actor: &ActorCell,
        way: Way,
    ) -> Result<Displaced, UndeliveredReason> {
        #[cfg(feature = "cluster")]
        if !actor.inner.id.is_local() {
            let waits = way == Way::IfRoom;
            return self.send_away(actor, waits).map(|()| Displaced(None));
        }
        actor.inner.send_arc_here(self.message.clone(), way).map_err(|(_, reason)| reason)
    }

    #[cfg(feature = "cluster")]
    fn send_away(&mut self, actor: &ActorCell, waits: bool) -> Result<(), UndeliveredReason> {
        if let Some(outlet) = actor.inner.proxy.outlet() {
            let room = actor.inner.may_send_out(&**outlet, waits)?;
            let message = self.wire(&actor.inner.id)?.copy_of_cast();
            outlet.send(message).map_err(|refused| refused.reason)?;
            room.used();
            return Ok(());
        }
        if !actor.inner.proxy.is_reachable() {
            return Err(UndeliveredReason::NoLink);
        }
        let message = self.wire(&actor.inner.id)?.copy_of_cast().into_serialized();
        actor.send_serialized(message).map_err(|_| UndeliveredReason::Stopped)
    }

    /// Sends to each session once. Nothing is sent after what `is_last`.
    #[cfg(feature = "cluster")]
    fn send_by(
        &mut self,
        routes: Vec<Route<'_>>,
        (is_last, waits): (bool, bool),
        except: &mut dyn FnMut(usize, UndeliveredReason),
    ) {
        let mut left = routes.len();
        for Route { mut actors, .. } in routes {
            left -= 1;
            actors.retain(|(number, actor)| match reserve(actor, waits) {
                Ok(()) => true,
                Err(reason) => {
                    if is_last {
                        self.post(actor, reason);
                    }
                    except(*number, reason);
                    false
                }
            });
            // One of those that are left: each closes its own.
            let first = actors.first().map(|(_, actor)| *actor);
            let Some((first, outlet)) = first.and_then(|it| Some((it, it.inner.proxy.outlet()?)))
            else {
                continue;
            };
            let pids: Vec<u64> = actors.iter().map(|(_, actor)| actor.get_id().pid()).collect();
            let sent = match self.wire(&first.inner.id) {
                Err(reason) => Err(reason),
                Ok(message) => {
                    // The last takes the encoded message itself.
                    let message = if left == 0 && is_last {
                        std::mem::replace(message, Outgoing::cast("", Default::default()))
                    } else {
                        message.args.share();
                        message.copy_of_cast()
                    };
                    outlet.send_to(&pids, message).map_err(|refused| refused.reason)
                }
            };
            if let Err(reason) = sent {
                let outlets = actors.iter().filter_map(|(_, it)| it.inner.proxy.outlet());
                outlets.for_each(|outlet| outlet.release());
                for (number, actor) in actors {
                    if is_last {
                        self.post(actor, reason);
                    }
                    except(number, reason);
                }
            }
        }
    }

    /// The message for the node of `to`, encoded when it is first asked for.
    #[cfg(feature = "cluster")]
    fn wire(&mut self, to: &ActorId) -> Result<&mut Outgoing, UndeliveredReason> {
        let place = usize::from(!to.is_same_machine());
        if self.wire.is_none() && self.chosen[place].is_none() {
            if T::keeps_default_boxing() {
                self.wire = Some(encode(&*self.message));
            } else {
                let (encoded, by_default) = encode_boxed(&self.message, to);
                let kept = if by_default { &mut self.wire } else { &mut self.chosen[place] };
                *kept = Some(encoded);
            }
        }
        let wire = self.chosen[place].as_mut().or(self.wire.as_mut());
        wire.expect("encoded above").as_mut().map_err(|reason| *reason)
    }
}

/// Encodes a message from the reference, or else a copy of it. What the application's code does in
/// there is not allowed to harm the sender, which may fan out to others that want the `Arc` only.
#[cfg(feature = "cluster")]
fn encode<T: SharedMessage>(message: &T) -> Result<Outgoing, UndeliveredReason> {
    may_go_away(message)?;
    // Not `message.to_outgoing()`: an `Arc` of a message can be one itself.
    if let Some(encoded) = guarded(|| T::to_outgoing(message))? {
        return without_port(encoded);
    }
    let copy = copy_of(message).ok_or(UndeliveredReason::NotCopyable)?;
    guarded(|| copy.into_outgoing()).and_then(without_port)
}

/// Encodes a message in the form that its type chooses for the actor `to`, and says whether it
/// makes the same for all other nodes.
#[cfg(feature = "cluster")]
fn encode_boxed<T: SharedMessage>(
    message: &Arc<T>,
    to: &ActorId,
) -> (Result<Outgoing, UndeliveredReason>, bool) {
    if let Err(reason) = may_go_away(&**message) {
        return (Err(reason), true);
    }
    let mut by_default = false;
    let encoded = guarded(|| {
        let boxed = T::box_arc(message.clone(), to)?;
        by_default = boxed.by_default == Some(TypeId::of::<Arc<T>>());
        from_serialized(boxed.into_serialized::<T>()?)
    });
    let encoded = encoded.and_then(without_port);
    if encoded.is_err() && copy_of(&**message).is_none() {
        return (Err(UndeliveredReason::NotCopyable), by_default);
    }
    (encoded, by_default)
}

#[cfg(feature = "cluster")]
fn may_go_away<T: SharedMessage>(message: &T) -> Result<(), UndeliveredReason> {
    if !(T::arc_shareable() && message.is_shareable()) {
        Err(UndeliveredReason::NotShareable)
    } else if !T::serializable() {
        Err(UndeliveredReason::NotSerializable)
    } else {
        Ok(())
    }
}

/// What `encode` makes; where the application's code in there panics it is an error too.
#[cfg(feature = "cluster")]
fn guarded<T>(
    encode: impl FnOnce() -> Result<T, BoxedDowncastErr>,
) -> Result<T, UndeliveredReason> {
    remoting::guarded(encode).map_err(|_| UndeliveredReason::NotSerializable)
}

/// The message, unless it waits for an answer, which a shared one cannot.
#[cfg(feature = "cluster")]
fn without_port(message: Outgoing) -> Result<Outgoing, UndeliveredReason> {
    match message.reply {
        None => Ok(message),
        Some(_) => Err(UndeliveredReason::NotShareable),
    }
}
