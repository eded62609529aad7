//! Credits of a peer at bounded mailboxes of this node: what it was lent, and telling it. The
//! account is [`mycelium_link::credit`]'s.

use std::any::Any;
use std::collections::hash_map::Entry as Slot;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use mycelium_link::credit::{Account, Granter};
use ractor::actor::actor_config::Overflow;
use ractor::remoting::{Delivered, Entry, RoomWatch, Undeliverable};
use ractor::ActorCell;

use super::data_plane::DataPlane;
use super::dead_letters::{self, Cause, Target};
use super::locked::locked;
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::{ActorCredit, ActorMailbox, Credits, Mailboxes};

/// What one peer was lent.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// The mailboxes that were announced to it. Without an account it holds all that fits, since it
    /// has sent nothing.
    holders: Mutex<HashMap<u64, Option<Arc<Holder>>>>,
    /// Whether there ever was one, so that a message to any other mailbox costs no look at it.
    are_lent: AtomicBool,
    /// Those whose totals it is to be told.
    due: Mutex<Vec<Arc<Holder>>>,
}

/// What one peer was lent at one mailbox.
#[derive(Debug)]
pub(super) struct Holder {
    account: Account,
    pid: u64,
    session: Weak<DataPlane>,
    watch: Arc<Watch>,
    is_due: AtomicBool,
}

impl AsRef<Account> for Holder {
    fn as_ref(&self) -> &Account {
        &self.account
    }
}

/// Lends the room of one mailbox to all peers.
#[derive(Debug)]
struct Watch {
    granter: Granter<Holder>,
    returns: bool,
}

impl RoomWatch for Watch {
    fn taken(&self, waiting: &dyn Fn() -> usize) {
        tell(self.granter.taken(|| waiting() as u64));
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Watch {
    /// Of an actor whose bounded mailbox holds so many messages.
    fn of(actor: &ActorCell, capacity: u64, returns: bool) -> Option<Arc<Self>> {
        let make = || -> Arc<dyn RoomWatch> {
            Arc::new(Self { granter: Granter::new(capacity), returns })
        };
        actor.watch_room(make)?.into_any().downcast().ok()
    }
}

/// How many messages an actor's mailbox holds, and whether it returns those that find no room. Only
/// of a mailbox whose room is lent: one with a policy that is not known here stays without credits.
fn lent(actor: &ActorCell) -> Option<(u64, bool)> {
    let (capacity, overflow) = actor.lendable_room()?;
    let returns = match overflow {
        Overflow::Reject => true,
        Overflow::DropNewest | Overflow::DropOldest => false,
        _ => return None,
    };
    Some((capacity.get() as u64, returns))
}

/// Tells peers their new totals.
fn tell(holders: Vec<Arc<Holder>>) {
    for holder in holders {
        // Its session may have ended.
        if let Some(session) = holder.session.upgrade() {
            session.grant(holder);
        }
    }
}

/// The account that a message of the peer uses, of a bounded mailbox.
#[derive(Debug)]
pub(super) struct Arrival(Arc<Holder>);

impl Arrival {
    /// Whether the message has a credit.
    pub(super) fn entry(arrival: Option<&Self>) -> Entry {
        match arrival {
            Some(Self(holder)) if holder.account.has_credit() => Entry::Granted,
            _ => Entry::ByPolicy,
        }
    }

    /// The message was put into the actor's mailbox, or was not. Returns why it is a dead letter,
    /// if it is one.
    pub(super) fn settle(
        arrival: Option<Self>,
        actor: &ActorCell,
        outcome: Result<Delivered, Undeliverable>,
    ) -> Option<Cause> {
        let returns = arrival.as_ref().is_some_and(|Self(holder)| holder.watch.returns);
        if let (Some(Self(holder)), Ok(Delivered::Displaced)) = (&arrival, outcome) {
            holder.account.drop_one();
        }
        Self::give_up(arrival, actor);
        outcome.err().map(|failure| match failure {
            Undeliverable::Full if returns => Cause::NoCredit,
            failure => failure.into(),
        })
    }

    /// Nothing of the message is left to be done: its credit is used.
    pub(super) fn give_up(arrival: Option<Self>, actor: &ActorCell) {
        if let Some(Self(holder)) = arrival {
            let granter = &holder.watch.granter;
            tell(granter.arrived(&holder, || actor.mailbox_len() as u64));
        }
    }
}

impl DataPlane {
    /// Announces the bounded mailboxes among those of these actors, to a peer that knows credits.
    /// Comes before the actors are announced.
    pub(crate) fn announce_mailboxes<'a>(
        self: &Arc<Self>,
        actors: impl IntoIterator<Item = &'a ActorCell>,
    ) {
        if !self.credits.are_spoken() {
            return;
        }
        let (mut mailboxes, mut begun) = (Vec::new(), Vec::new());
        // Held until it is told: a thread that finds it announced goes on to announce the actor.
        let mut holders = locked(&self.credits.grants.holders);
        for actor in actors.into_iter().filter(|actor| actor.supports_remoting()) {
            let Some((capacity, returns)) = lent(actor) else { continue };
            let pid = actor.get_id().pid();
            let Slot::Vacant(slot) = holders.entry(pid) else { continue };
            let Some(watch) = Watch::of(actor, capacity, returns) else { continue };
            let granted = watch.granter.first(actor.mailbox_len() as u64);
            self.credits.grants.are_lent.store(true, Ordering::Release);
            if granted == capacity {
                slot.insert(None);
            } else {
                // It is lent the rest when there is room.
                let holder = self.holder(pid, granted, watch);
                slot.insert(Some(holder.clone()));
                begun.push((holder, actor));
            }
            mailboxes.push(ActorMailbox { pid, capacity, granted, drops: !returns });
        }
        if mailboxes.is_empty() {
            return;
        }
        self.control(Body::Mailboxes(Mailboxes { actors: mailboxes }));
        drop(holders);
        for (holder, actor) in begun {
            tell(holder.watch.granter.ask(&holder, || actor.mailbox_len() as u64));
        }
    }

    fn holder(self: &Arc<Self>, pid: u64, granted: u64, watch: Arc<Watch>) -> Arc<Holder> {
        let session = Arc::downgrade(self);
        let (account, is_due) = (Account::new(granted), AtomicBool::new(false));
        Arc::new(Holder { account, pid, session, watch, is_due })
    }

    /// A message of the peer has come for an actor: the account that it uses, if the actor's
    /// mailbox is bounded and was announced to the peer.
    #[inline]
    pub(super) fn arrival(self: &Arc<Self>, actor: &ActorCell) -> Option<Arrival> {
        // The peer heard of the first one before it could send to it.
        if !self.credits.grants.are_lent.load(Ordering::Acquire) {
            return None;
        }
        self.arrival_at(actor)
    }

    fn arrival_at(self: &Arc<Self>, actor: &ActorCell) -> Option<Arrival> {
        let (capacity, returns) = lent(actor)?;
        let pid = actor.get_id().pid();
        let mut holders = locked(&self.credits.grants.holders);
        let slot = holders.get_mut(&pid)?;
        if slot.is_none() {
            *slot = Some(self.holder(pid, capacity, Watch::of(actor, capacity, returns)?));
        }
        slot.clone().map(Arrival)
    }

    /// An actor of this node has ended.
    pub(super) fn mailbox_closed(&self, pid: u64) {
        let holder = locked(&self.credits.grants.holders).remove(&pid);
        drop(holder);
    }

    /// Tells the peer new totals.
    fn grant(&self, holder: Arc<Holder>) {
        if self.has_ended() {
            return;
        }
        if !holder.is_due.swap(true, Ordering::AcqRel) {
            locked(&self.credits.grants.due).push(holder);
        }
        self.tell_grants();
    }

    /// Tells the peer the totals that it is to be told, unless it takes nothing: then later.
    pub(crate) fn tell_grants(&self) {
        // Held until they are told: a total is never followed by a lower one.
        let mut due = locked(&self.credits.grants.due);
        if due.is_empty() || !self.takes_answers() {
            return;
        }
        let total = |holder: Arc<Holder>| {
            // What is lent from here on is told again.
            holder.is_due.swap(false, Ordering::AcqRel);
            let Holder { account, pid, .. } = &*holder;
            let (granted, dropped) = (account.granted(), account.dropped());
            ActorCredit { pid: *pid, granted, dropped }
        };
        let actors = due.drain(..).map(total).collect();
        self.control(Body::Credits(Credits { actors }));
    }

    /// A message could not be delivered to an actor of this node, if there is a cause.
    pub(super) fn dead_letter(&self, cause: Option<Cause>, target: Target<'_>) {
        if let Some(cause) = cause {
            self.dead_letters.fetch_add(1, Ordering::Relaxed);
            dead_letters::count(self.node_id(), cause, target);
        }
    }
}

impl Grants {
    /// The session has ended.
    pub(super) fn end(&self) {
        let holders = std::mem::take(&mut *locked(&self.holders));
        let due = std::mem::take(&mut *locked(&self.due));
        drop((holders, due));
    }
}

#[cfg(test)]
#[path = "grants/tests.rs"]
mod tests;
