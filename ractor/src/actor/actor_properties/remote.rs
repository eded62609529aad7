//! What the cluster needs of an actor's references.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use super::ActorProperties;
use crate::actor::actor_config::TransportPreference;
use crate::actor::mailbox::{discard, is_inline, Displaced, Parcel, Queue, Refused};
use crate::errors::{Undelivered, UndeliveredCause, UndeliveredReason};
use crate::message::ArcMessage;
use crate::remoting::{Delivered, Entry, Outlet, Undeliverable};
use crate::{ActorCell, ActorStatus, Message};

/// Messages go back to their senders.
const UNREACHABLE: u8 = 1;
/// The outlet was told that the proxy takes no more.
const CLOSED: u8 = 1 << 1;

/// What a proxy has beside the rest.
#[derive(Default)]
pub(super) struct Proxy {
    state: AtomicU8,
    outlet: OnceLock<Arc<dyn Outlet>>,
}

impl Proxy {
    pub(super) fn is_reachable(&self) -> bool {
        // Only the thread that moves the gate orders messages against it, and it goes by links that
        // break at any time.
        self.state.load(Ordering::Relaxed) & UNREACHABLE == 0
    }

    #[inline]
    pub(super) fn outlet(&self) -> Option<&Arc<dyn Outlet>> {
        self.outlet.get()
    }

    /// Tells the outlet that the proxy takes no more, once.
    pub(super) fn close(&self) {
        if let Some(outlet) = self.outlet() {
            if self.state.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0 {
                outlet.close();
            }
        }
    }
}

impl ActorProperties {
    /// The preference that another node announced of its actor; `None` for an actor of this
    /// process.
    pub(super) fn announced_transport(&self) -> Option<TransportPreference> {
        self.proxy.outlet().map(|outlet| outlet.transport())
    }

    /// How many messages of this node the actor of a proxy has dropped for want of room.
    pub(super) fn dropped_away(&self) -> u64 {
        self.proxy.outlet().map_or(0, |outlet| outlet.dropped())
    }

    /// Puts in what was decoded for this actor. Without a span, since none comes from another node.
    #[inline]
    pub(crate) fn put_decoded<M: Message>(
        &self,
        message: M,
        entry: Entry,
    ) -> Result<Delivered, Undeliverable> {
        if is_inline::<M>() {
            let queue = self.queue::<M>().ok_or(Undeliverable::WrongType)?;
            self.outcome::<M, _>(put(queue, Parcel::Plain(message), entry))
        } else {
            let queue = self.queue::<Box<M>>().ok_or(Undeliverable::WrongType)?;
            self.outcome::<M, _>(put(queue, Parcel::Plain(Box::new(message)), entry))
        }
    }

    #[inline]
    fn outcome<M, T>(
        &self,
        put: Result<Option<T>, Refused<T>>,
    ) -> Result<Delivered, Undeliverable> {
        match put {
            Ok(None) => Ok(Delivered::Waits),
            Ok(Some(displaced)) => {
                self.lose_overflow::<M>();
                discard(displaced);
                Ok(Delivered::Displaced)
            }
            Err(Refused::Full(_)) => Err(Undeliverable::Full),
            Err(Refused::Closed(_)) => Err(Undeliverable::Stopped),
            Err(Refused::NoKey(back)) => {
                self.tell_of_key(std::any::type_name::<M>());
                discard(back);
                Err(Undeliverable::KeyPanicked)
            }
        }
    }
}

#[inline]
fn put<T>(queue: &Queue<T>, item: T, entry: Entry) -> Result<Option<T>, Refused<T>> {
    match entry {
        Entry::ByPolicy => queue.put(item),
        Entry::Granted => queue.put_beyond(item).map(|()| None),
    }
}

impl ActorCell {
    /// Lets a proxy take messages, or return them to their senders: for the cluster, when an actor
    /// of another node pins a transport
    /// ([`TransportPreference`](crate::actor::actor_config::TransportPreference)) and there is no
    /// link of that kind. Replies and what the proxy has taken already are not concerned.
    ///
    /// Does nothing for an actor of this process.
    pub fn set_reachable(&self, reachable: bool) {
        if self.get_id().is_local() {
            return;
        }
        let state = &self.inner.proxy.state;
        if reachable {
            state.fetch_and(!UNREACHABLE, Ordering::Relaxed);
        } else {
            state.fetch_or(UNREACHABLE, Ordering::Relaxed);
        }
    }

    /// Gives a proxy its outlet: messages then go to the other node through it, and not through its
    /// mailbox. For the cluster, before anybody else has the cell: order is that of one way only.
    ///
    /// Does nothing for an actor of this process, or a proxy that has one.
    pub fn set_outlet(&self, outlet: Arc<dyn Outlet>) {
        let proxy = &self.inner.proxy;
        if self.get_id().is_local() || proxy.outlet.set(outlet).is_err() {
            return;
        }
        // It may have stopped before it had one to close.
        if self.get_status() >= ActorStatus::Stopping {
            proxy.close();
        }
    }

    /// Whether it is a proxy whose messages do not go through its mailbox.
    pub(crate) fn has_way_out(&self) -> bool {
        self.inner.proxy.outlet().is_some()
    }

    /// Sends a shared message whose type is known to the receiver only, to an actor of this
    /// process.
    ///
    /// # Errors
    /// As [`cast_arc`](Self::cast_arc); for a proxy, [`UndeliveredReason::WrongType`].
    pub fn send_shared(&self, message: ArcMessage) -> Result<(), Undelivered<ArcMessage>> {
        let is_local = self.get_id().is_local();
        let (message, reason) = if !is_local {
            (message, UndeliveredReason::WrongType)
        } else if message.as_any().type_id() == self.inner.type_id {
            match self.inner.mailbox.put_shared(message) {
                Ok(Displaced(displaced)) => {
                    if displaced.is_some() {
                        self.inner.lose(
                            "shared",
                            UndeliveredCause::Overflow,
                            "the mailbox was full",
                        );
                    }
                    return Ok(());
                }
                Err(Refused::Full(message)) => (message, UndeliveredReason::Full),
                Err(Refused::Closed(message)) => (message, UndeliveredReason::Stopped),
                Err(Refused::NoKey(message)) => {
                    self.inner.tell_of_key(message.type_name());
                    (message, UndeliveredReason::KeyPanicked)
                }
            }
        } else if let Some(inlet) = self.inner.any_inlet() {
            match inlet.put_shared(message, self.inner.owner()) {
                Ok(_) => return Ok(()),
                Err(refused) => refused,
            }
        } else {
            (message, UndeliveredReason::WrongType)
        };
        Err(Undelivered::new(message, self.get_id(), reason))
    }
}
