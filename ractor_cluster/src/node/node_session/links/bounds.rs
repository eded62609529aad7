//! What a peer has announced so far, and how much more it may.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ractor::remoting::Ending;
use ractor::{pg, ActorCell, ActorRef};

use super::super::{NodeSession, NodeSessionState};
use super::farewell::end_proxies;
use super::{name_of, Active};
use crate::link::ends::untold;
use crate::link::limits::{Limit, Limits};
use crate::link::pace::Pace;
use crate::link::quiet_log::{limited_warn, peer_line};
use crate::link::settle::Finding;
use crate::node::NodeSessionMessage;
use crate::peers::{self, identities, names, PeerEvent};
use crate::protocol::control::control_message::Msg as Control;
use crate::protocol::control::{self, ControlMessage};
use crate::protocol::mycelium::Announcement;
use crate::remote_actor::RemoteActorMessage;
use crate::NodeId;

/// The proxies of a session, by the numbers of their actors.
type RemoteActors = HashMap<u64, ActorRef<RemoteActorMessage>>;

/// Scope and name.
type Group = Arc<(String, String)>;

/// The memberships from which on an actor that ends leaves its groups one by one.
const MANY_GROUPS: usize = 64;

/// What was announced, and which limits it came up against.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// The groups of each actor. Trees, since a peer makes them large: a table of hashes that grows
    /// hashes all names again, in one go.
    of_actor: HashMap<u64, BTreeSet<Group>>,
    /// How many members each group has.
    groups: BTreeMap<Group, usize>,
    memberships: usize,
    /// The actors that prefer a transport.
    pins: HashSet<u64>,
    /// The limits that were told of.
    told: HashSet<Limit>,
    /// Those that were not yet.
    news: Vec<Limit>,
}

impl Announced {
    fn reached(&mut self, limit: Limit) -> bool {
        if self.told.insert(limit) {
            self.news.push(limit);
        }
        false
    }

    fn fits(&mut self, name: &str, limits: &Limits) -> bool {
        name.len() <= limits.name_bytes || self.reached(Limit::NameBytes)
    }

    /// Leaves out the actors that are too many, called too long, or named before in the same list.
    fn admit_actors(
        &mut self,
        actors: &mut Vec<control::Actor>,
        limits: &Limits,
        present: usize,
        is_known: impl Fn(u64) -> bool,
    ) {
        let (mut named, mut new) = (HashSet::with_capacity(actors.len()), 0);
        actors.retain(|actor| {
            if actor.name.as_deref().is_some_and(|name| !self.fits(name, limits)) {
                return false;
            }
            if !named.insert(actor.pid) {
                return false;
            }
            if is_known(actor.pid) {
                return true;
            }
            if present + new >= limits.actors {
                return self.reached(Limit::Actors);
            }
            new += 1;
            true
        });
    }

    /// Whether the group is called so that its members may be more than none.
    fn fits_group(&mut self, scope: &str, group: &str, limits: &Limits) -> bool {
        self.fits(group, limits) && self.fits(scope, limits)
    }

    /// Leaves out the members for which there is no room, and those that are members already: a
    /// join that is repeated changes nothing, and is not reported.
    fn join(&mut self, join: &mut control::PgJoin, limits: &Limits) {
        let fits = self.fits_group(&join.scope, &join.group, limits);
        let group: Group = Arc::new((join.scope.clone(), join.group.clone()));
        let is_new = !self.groups.contains_key(&group);
        let has_room = !is_new || self.groups.len() < limits.groups || self.reached(Limit::Groups);
        if !fits || !has_room {
            join.actors.clear();
            return;
        }
        join.actors.retain(|actor| {
            if self.of_actor.get(&actor.pid).is_some_and(|groups| groups.contains(&group)) {
                return false;
            }
            if self.memberships >= limits.memberships {
                return self.reached(Limit::Memberships);
            }
            self.of_actor.entry(actor.pid).or_default().insert(group.clone());
            *self.groups.entry(group.clone()).or_default() += 1;
            self.memberships += 1;
            true
        });
    }

    /// Leaves out those that are no members.
    fn leave(&mut self, leave: &mut control::PgLeave, limits: &Limits) {
        if !self.fits_group(&leave.scope, &leave.group, limits) {
            leave.actors.clear();
            return;
        }
        let group: Group = Arc::new((leave.scope.clone(), leave.group.clone()));
        leave.actors.retain(|actor| {
            let Some(of_actor) = self.of_actor.get_mut(&actor.pid) else { return false };
            if !of_actor.remove(&group) {
                return false;
            }
            if of_actor.is_empty() {
                self.of_actor.remove(&actor.pid);
            }
            self.left(&group);
            true
        });
    }

    fn left(&mut self, group: &Group) {
        self.memberships -= 1;
        if let Some(members) = self.groups.get_mut(group) {
            *members -= 1;
            if *members == 0 {
                self.groups.remove(group);
            }
        }
    }

    /// An actor of the peer has ended.
    fn forget(&mut self, pid: u64) {
        self.pins.remove(&pid);
        for group in self.of_actor.remove(&pid).into_iter().flatten() {
            self.left(&group);
        }
    }

    /// Takes an actor that ends, or is about to, out of its groups, and gives others turns while it
    /// does: the peer decides how many groups there are. Where they are few the end does the rest.
    pub(super) async fn leave_groups(&mut self, proxy: &ActorCell, pace: &Pace) {
        let Some(groups) = self.of_actor.remove(&proxy.get_id().pid()) else { return };
        let are_many = groups.len() > MANY_GROUPS;
        for group in groups {
            self.left(&group);
            if are_many {
                let (scope, name) = (*group).clone();
                pg::leave_scoped(scope, name, vec![proxy.clone()]);
            }
            pace.step().await;
        }
    }
}

impl Active {
    /// Whether the transport that an actor prefers is kept.
    pub(super) fn admits_pin(&mut self, pid: u64) -> bool {
        let most = self.server.options.limits.actors;
        let Announced { pins, .. } = &mut self.announced;
        if pins.contains(&pid) || pins.len() < most {
            pins.insert(pid);
            return true;
        }
        self.announced.reached(Limit::Preferences)
    }

    /// Whether credits are kept for an actor with a bounded mailbox.
    pub(super) fn admits_mailbox(&mut self, pid: u64) -> bool {
        let most = self.server.options.limits.actors;
        self.traffic.credits.has_place(pid, most) || self.announced.reached(Limit::Actors)
    }

    /// Actors of the peer have ended, and how: their proxies end in the same way.
    pub(super) async fn actors_ended(
        &mut self,
        proxies: &mut RemoteActors,
        ended: impl Iterator<Item = (u64, Ending)>,
    ) {
        let mut ending = Vec::new();
        for (pid, how) in ended {
            if let Some(proxy) = proxies.remove(&pid) {
                let proxy = proxy.get_cell();
                self.announced.leave_groups(&proxy, self.traffic.backlog().pace()).await;
                self.forget_proxy(&proxy);
                ending.push((proxy, how));
            }
            self.announced.forget(pid);
            self.traffic.forget(pid);
            self.traffic.credits.forget(pid);
        }
        // An actor of the same number may be announced next: its memberships would end with those
        // of a proxy that ends later.
        if !end_proxies(&ending, &self.session, true).await {
            limited_warn!(
                node_id = self.traffic.node_id(),
                "proxies of actors that have ended do not stop"
            );
        }
    }

    /// A proxy has ended.
    pub(super) fn forget_proxy(&mut self, proxy: &ActorCell) {
        let pid = proxy.get_id().pid();
        self.announced.forget(pid);
        self.traffic.forget(pid);
        names::remove(self.traffic.node_id(), proxy);
    }

    /// What is wrong with what a peer says of itself, if anything is.
    pub(super) fn too_long(&self, it: &Announcement) -> Option<&'static str> {
        let most = self.server.options.limits.name_bytes;
        let texts = [Some(&it.release), it.unix_socket.as_ref()];
        let hashes = [it.machine.as_ref(), it.process.as_ref()];
        let is_long = texts.into_iter().flatten().any(|text| text.len() > most)
            || hashes.into_iter().flatten().any(|hash| hash.len() > most);
        is_long.then_some("what it says of itself is too long")
    }
}

impl NodeSession {
    /// What the peer is known by: its own number, or that which it had before.
    pub(super) fn known_as(&self, state: &NodeSessionState) -> NodeId {
        state.links.0.as_ref().map_or(self.node_id, |active| active.traffic.node_id())
    }

    /// Whether an authenticated peer is let in. It has the number then that its name had before.
    pub(super) fn is_let_in(
        &self,
        state: &mut NodeSessionState,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> bool {
        let Some(active) = state.links.0.as_deref_mut() else { return true };
        *active.place = active.server.places.clone().try_acquire_owned().ok();
        let has_place = active.place.is_some();
        if !has_place {
            peers::tell(PeerEvent::LimitReached { node_id: self.node_id, limit: Limit::Peers });
        }
        if !self.goes_on(state, &Finding::Authenticated { has_place }, myself) {
            return false;
        }
        let Some(active) = state.links.0.as_deref_mut() else { return true };
        let peer = name_of(&state.name);
        let own = &self.this_node_name.name;
        active.traffic.rename(identities::take(own, peer, myself.get_id(), self.node_id));
        active.begin_round(myself);
        true
    }

    /// What is left of a message by the limits; `None` when nothing is.
    pub(in crate::node::node_session) async fn within_limits(
        &self,
        state: &mut NodeSessionState,
        mut message: ControlMessage,
    ) -> Option<ControlMessage> {
        if !state.auth.is_ok() {
            limited_warn!("control traffic of a peer that is not authenticated is dropped");
            return None;
        }
        let Some(active) = state.links.0.as_deref_mut() else { return Some(message) };
        let limits = active.server.options.limits;
        let (announced, proxies) = (&mut active.announced, &state.remote_actors);
        let is_known = |pid| proxies.contains_key(&pid);
        let is_left = match &mut message.msg {
            Some(Control::Spawn(spawn)) => {
                announced.admit_actors(&mut spawn.actors, &limits, proxies.len(), is_known);
                !spawn.actors.is_empty()
            }
            Some(Control::PgJoin(join)) => {
                if !announced.fits_group(&join.scope, &join.group, &limits) {
                    join.actors.clear();
                }
                announced.admit_actors(&mut join.actors, &limits, proxies.len(), is_known);
                announced.join(join, &limits);
                !join.actors.is_empty()
            }
            Some(Control::PgLeave(leave)) => {
                announced.leave(leave, &limits);
                !leave.actors.is_empty()
            }
            Some(Control::Terminate(ended)) => {
                let ended = ended.ids.iter().map(|pid| (*pid, untold()));
                active.actors_ended(&mut state.remote_actors, ended).await;
                false
            }
            Some(Control::NodeSessions(told)) => {
                told.sessions.retain(|it| {
                    announced.fits(&it.name, &limits)
                        && announced.fits(&it.connection_string, &limits)
                });
                !told.sessions.is_empty() && !active.supplied.is_over()
            }
            Some(Control::Pong(pong)) => {
                active.ponged(pong, state.epoch.elapsed());
                true
            }
            _ => true,
        };
        self.tell_limits(state);
        is_left.then_some(message)
    }

    /// Tells of the limits that the peer came up against for the first time.
    pub(super) fn tell_limits(&self, state: &mut NodeSessionState) {
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let (node_id, peer) = (active.traffic.node_id(), name_of(&state.name));
        let log = active.server.strangers.log.clone();
        for limit in active.announced.news.drain(..) {
            peer_line!(
                Some(&log),
                LimitReached,
                warn,
                node_id,
                peer,
                %limit,
                "a peer announces more than it may, and what is beyond is left out"
            );
            peers::tell(PeerEvent::LimitReached { node_id, limit });
        }
    }
}

#[cfg(test)]
#[path = "bounds/tests.rs"]
mod tests;
