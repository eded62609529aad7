//! What the cluster needs of an actor's references.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use tracing::Span;

use super::admission::Refusal;
use super::ActorProperties;
use crate::actor::actor_config::TransportPreference;
use crate::actor::mailbox::{discard, is_inline, Displaced, Held, Parcel, Queue, Way};
use crate::errors::{Undelivered, UndeliveredReason};
use crate::message::{records_spans, ArcMessage, BoxedMessage};
use crate::remoting::deliver::{decode, Row, ROW};
use crate::remoting::{Delivered, Entry, Incoming, Outlet, Undeliverable};
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
    #[inline]
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

    /// Puts in what was decoded for this actor, to be handled in `span`. The span that is current on
    /// this thread is not the sender's.
    #[inline]
    pub(crate) fn put_decoded<M: Message>(
        &self,
        message: M,
        entry: Entry,
        span: Option<&Span>,
    ) -> Result<Delivered, Undeliverable> {
        if is_inline::<M>() {
            let queue = self.queue::<M>().ok_or(Undeliverable::WrongType)?;
            delivered(self.admit::<M, _>(queue, Parcel::plain_in(message, span), entry.into()))
        } else {
            let queue = self.queue::<Held<M>>().ok_or(Undeliverable::WrongType)?;
            let parcel = Parcel::plain_in(Held::new(message), span);
            delivered(self.admit::<M, _>(queue, parcel, entry.into()))
        }
    }

    /// Decodes a message that came for this actor, and some of those behind it, and puts them in
    /// together.
    pub(crate) fn put_row<'a, M: Message>(
        &self,
        incoming: &mut Incoming<'a>,
        row: &mut (dyn Row<'a> + '_),
    ) {
        if is_inline::<M>() {
            self.fill_row(self.queue::<M>(), |message: M| message, incoming, row);
        } else {
            self.fill_row(self.queue::<Held<M>>(), Held::new, incoming, row);
        }
    }

    #[inline(always)]
    fn fill_row<'a, M: Message, S: Send + 'static>(
        &self,
        queue: Option<&Queue<Parcel<S>>>,
        held: impl Fn(M) -> S,
        incoming: &mut Incoming<'a>,
        row: &mut (dyn Row<'a> + '_),
    ) {
        let Some(queue) = queue else { return row.failed(Undeliverable::WrongType) };
        let decoded = |incoming: &mut Incoming<'a>| {
            decode::<M>(incoming).map(|message| Parcel::plain_in(held(message), None))
        };
        let first = match decoded(incoming) {
            Ok(first) => first,
            Err(why) => return row.failed(why),
        };
        // With a bound each is admitted by itself.
        if queue.bound().is_some() || !row.next(incoming) {
            let put = delivered(self.admit::<M, _>(queue, first, Way::ByPolicy));
            return put.err().into_iter().for_each(|why| row.failed(why));
        }
        let mut items = [const { None }; ROW];
        items[0] = Some(first);
        let mut free = items[1..].iter_mut();
        while let Some(place) = free.next() {
            match decoded(incoming) {
                Ok(item) => *place = Some(item),
                Err(why) => {
                    row.failed(why);
                    break;
                }
            }
            if free.len() == 0 || !row.next(incoming) {
                break;
            }
        }
        if !queue.put_row(&mut items) {
            for item in items.into_iter().flatten() {
                discard(item);
                row.failed(Undeliverable::Stopped);
            }
        }
    }

    /// Puts in what was decoded for several actors, to be handled in `span`.
    pub(crate) fn put_together(
        &self,
        message: ArcMessage,
        entry: Entry,
        span: Option<&Span>,
    ) -> Result<Delivered, Undeliverable> {
        if !records_spans() {
            return delivered(
                self.carry_out(self.mailbox.put_shared(message, entry.into()), name_of),
            );
        }
        // The mailbox would add the span that is current on this thread, which is not the sender's.
        let boxed = Box::new(BoxedMessage::shared_in(message, span));
        let name_of = |message: Option<&Box<BoxedMessage>>| {
            name_of(message.and_then(|it| it.arc_msg.as_ref()))
        };
        delivered(self.carry_out(self.mailbox.put_boxed(boxed, entry.into()), name_of))
    }
}

impl From<Entry> for Way {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::ByPolicy => Self::ByPolicy,
            Entry::Granted => Self::Granted,
        }
    }
}

/// What became of a message that came from another node. One that was refused is dropped.
#[inline]
fn delivered<T>(carried_out: Result<Displaced, (T, Refusal)>) -> Result<Delivered, Undeliverable> {
    match carried_out {
        Ok(Displaced(None)) => Ok(Delivered::Waits),
        Ok(Displaced(Some(_))) => Ok(Delivered::Displaced),
        Err((back, refusal)) => {
            discard(back);
            Err(match refusal {
                Refusal::Full => Undeliverable::Full,
                Refusal::Stopped => Undeliverable::Stopped,
                Refusal::KeyPanicked => Undeliverable::KeyPanicked,
            })
        }
    }
}

/// The type of a message that is shared, as far as it is at hand.
fn name_of(message: Option<&ArcMessage>) -> &'static str {
    message.map_or("shared", ArcMessage::type_name)
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
            let put = self.inner.mailbox.put_shared(message, Way::ByPolicy);
            match self.inner.carry_out(put, name_of) {
                Ok(_) => return Ok(()),
                Err((message, refusal)) => (message, refusal.into()),
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
