//! Long lists of control traffic. One slice after the other is handled: others have their
//! turns in between.

use std::vec::IntoIter;

use super::arrived::Arrived;
use crate::protocol::auth::NameMessage;
use crate::protocol::control::control_message::Msg;
use crate::protocol::control::{
    Actor, ControlMessage, NodeSessions, PgJoin, PgLeave, Spawn, Terminate,
};
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{
    ActorCredit, ActorEnd, ActorMailbox, ActorPreference, Credits, Ends, Frame, Mailboxes,
    Preferences,
};
use crate::protocol::NetworkMessage;

/// The elements of a slice.
pub(super) const SLICE: usize = 32;

/// What waits for the session's actor: as it came, or what is left of it.
#[derive(Debug)]
pub(super) enum Waiting {
    Whole(Arrived),
    List {
        list: List,
        /// It came in a frame of stock's, and not in an envelope.
        is_frame: bool,
    },
}

/// What is left of a list.
#[derive(Debug)]
pub(super) enum List {
    Spawn(IntoIter<Actor>),
    Terminate(IntoIter<u64>),
    Join { scope: String, group: String, actors: IntoIter<Actor> },
    Leave { scope: String, group: String, actors: IntoIter<Actor> },
    Sessions(IntoIter<NameMessage>),
    Preferences(IntoIter<ActorPreference>),
    Mailboxes(IntoIter<ActorMailbox>),
    Credits(IntoIter<ActorCredit>),
    Ends(IntoIter<ActorEnd>),
}

impl Waiting {
    /// Whether it is the `Hello` of a node of the fork.
    pub(super) fn is_hello(&self) -> bool {
        matches!(
            self,
            Self::Whole(Arrived::Frame(NetworkMessage {
                message: Some(Network::Mycelium(Frame { body: Some(Body::Hello(_)) })),
            }))
        )
    }

    /// Something that came. A list whose group is called longer than `name_bytes` stays whole: each
    /// slice would repeat the name, and all are left out for it.
    pub(super) fn of(arrived: Arrived, name_bytes: usize) -> Self {
        let (msg, is_frame) = match arrived {
            Arrived::Control(Enveloped::Preferences(Preferences { actors }))
                if actors.len() > SLICE =>
            {
                let list = List::Preferences(actors.into_iter());
                return Self::List { list, is_frame: false };
            }
            Arrived::Control(Enveloped::Mailboxes(Mailboxes { actors }))
                if actors.len() > SLICE =>
            {
                let list = List::Mailboxes(actors.into_iter());
                return Self::List { list, is_frame: false };
            }
            Arrived::Control(Enveloped::Credits(Credits { actors })) if actors.len() > SLICE => {
                return Self::List { list: List::Credits(actors.into_iter()), is_frame: false };
            }
            Arrived::Control(Enveloped::Ends(Ends { actors })) if actors.len() > SLICE => {
                return Self::List { list: List::Ends(actors.into_iter()), is_frame: false };
            }
            Arrived::Control(Enveloped::Control(ControlMessage { msg: Some(msg) })) => (msg, false),
            Arrived::Frame(NetworkMessage {
                message: Some(Network::Control(ControlMessage { msg: Some(msg) })),
            }) => (msg, true),
            other => return Self::Whole(other),
        };
        let is_short = |scope: &String, group: &String| scope.len().max(group.len()) <= name_bytes;
        let list = match msg {
            Msg::Spawn(Spawn { actors }) if actors.len() > SLICE => List::Spawn(actors.into_iter()),
            Msg::Terminate(Terminate { ids }) if ids.len() > SLICE => {
                List::Terminate(ids.into_iter())
            }
            Msg::PgJoin(PgJoin { scope, group, actors })
                if actors.len() > SLICE && is_short(&scope, &group) =>
            {
                List::Join { scope, group, actors: actors.into_iter() }
            }
            Msg::PgLeave(PgLeave { scope, group, actors })
                if actors.len() > SLICE && is_short(&scope, &group) =>
            {
                List::Leave { scope, group, actors: actors.into_iter() }
            }
            Msg::NodeSessions(NodeSessions { sessions }) if sessions.len() > SLICE => {
                List::Sessions(sessions.into_iter())
            }
            msg => return Self::Whole(control(msg, is_frame)),
        };
        Self::List { list, is_frame }
    }

    /// The next slice of a list, and how many elements it has; `None` when what is left is the
    /// last.
    pub(super) fn next_slice(&mut self) -> Option<(Arrived, usize)> {
        match self {
            Self::List { list, is_frame } if list.len() > SLICE => {
                Some((list.slice(*is_frame), SLICE))
            }
            _ => None,
        }
    }

    /// The last slice, and how many elements it has; or what is no long list, as it came, with the
    /// elements that it came with.
    pub(super) fn rest(self, whole: usize) -> (Arrived, usize) {
        match self {
            Self::Whole(arrived) => (arrived, whole),
            Self::List { mut list, is_frame } => {
                let elements = list.len();
                (list.slice(is_frame), elements)
            }
        }
    }
}

impl List {
    fn len(&self) -> usize {
        match self {
            Self::Spawn(actors) | Self::Join { actors, .. } | Self::Leave { actors, .. } => {
                actors.len()
            }
            Self::Terminate(ids) => ids.len(),
            Self::Sessions(sessions) => sessions.len(),
            Self::Preferences(actors) => actors.len(),
            Self::Mailboxes(actors) => actors.len(),
            Self::Credits(actors) => actors.len(),
            Self::Ends(actors) => actors.len(),
        }
    }

    fn slice(&mut self, is_frame: bool) -> Arrived {
        let msg = match self {
            Self::Spawn(actors) => Msg::Spawn(Spawn { actors: first(actors) }),
            Self::Terminate(ids) => Msg::Terminate(Terminate { ids: first(ids) }),
            Self::Join { scope, group, actors } => {
                let (scope, group) = (scope.clone(), group.clone());
                Msg::PgJoin(PgJoin { scope, group, actors: first(actors) })
            }
            Self::Leave { scope, group, actors } => {
                let (scope, group) = (scope.clone(), group.clone());
                Msg::PgLeave(PgLeave { scope, group, actors: first(actors) })
            }
            Self::Sessions(sessions) => {
                Msg::NodeSessions(NodeSessions { sessions: first(sessions) })
            }
            Self::Preferences(actors) => {
                let preferences = Preferences { actors: first(actors) };
                return Arrived::Control(Enveloped::Preferences(preferences));
            }
            Self::Mailboxes(actors) => {
                let mailboxes = Mailboxes { actors: first(actors) };
                return Arrived::Control(Enveloped::Mailboxes(mailboxes));
            }
            Self::Credits(actors) => {
                let credits = Credits { actors: first(actors) };
                return Arrived::Control(Enveloped::Credits(credits));
            }
            Self::Ends(actors) => {
                return Arrived::Control(Enveloped::Ends(Ends { actors: first(actors) }));
            }
        };
        control(msg, is_frame)
    }
}

fn first<T>(list: &mut IntoIter<T>) -> Vec<T> {
    list.by_ref().take(SLICE).collect()
}

fn control(msg: Msg, is_frame: bool) -> Arrived {
    let message = ControlMessage { msg: Some(msg) };
    match is_frame {
        true => Arrived::Frame(NetworkMessage { message: Some(Network::Control(message)) }),
        false => Arrived::Control(Enveloped::Control(message)),
    }
}

#[cfg(test)]
#[path = "slices/tests.rs"]
mod tests;
