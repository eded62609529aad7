//! How an actor receives: the next message or event, and what may interrupt a handler.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::actor_properties::{ActorProperties, Identity};
use super::control::Urgent;
use super::mailbox::{is_inline, queue, Held, Kind, Parcel, Queue};
use super::receive::{poll_receive, poll_signal, Received};
use crate::actor::actor_config::ActorConfig;
use crate::actor::messages::StopMessage;
use crate::message::{ArcMessage, BoxedMessage};
use crate::{ActorCell, Message, Signal, SpawnErr, SupervisionEvent};

/// Messages that an actor handles before others on its thread get a turn, when no handler ever
/// waits. As many as tokio lets a task receive from its own channels.
const TURN: u8 = 128;

/// What an actor has to do next, by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A signal, a stop or an event, to be [taken](Inbox::take_urgent).
    Urgent,
    /// A message, which stays in the inbox until it is taken out as what it is.
    Message(Kind),
    /// Nothing is left, and nothing will come.
    Drained,
}

/// The receiving side of an actor that handles `M`. What waits is dropped with it.
pub(crate) struct Inbox<M: Message> {
    mailbox: Receiver<M>,
    /// Messages that were handled since others had a turn.
    turn: u8,
    /// Upstream's tests look at an actor's events by this name.
    #[cfg(test)]
    pub(crate) supervisor_rx: Events,
}

/// The mailbox, and what was taken from it and not handled yet.
enum Receiver<M> {
    Inline(Taken<M>),
    Heap(Taken<Held<M>>),
}

struct Taken<S> {
    actor: Arc<ActorProperties<Queue<Parcel<S>>>>,
    batch: VecDeque<Parcel<S>>,
}

/// The same for either receiver.
macro_rules! either {
    ($receiver:expr, $taken:ident => $what:expr) => {
        match $receiver {
            Receiver::Inline($taken) => $what,
            Receiver::Heap($taken) => $what,
        }
    };
}

/// The cell and the inbox of an actor that has not started.
///
/// # Errors
/// The mailbox has keys of other messages.
pub(crate) fn create<M: Message>(
    identity: Identity,
    config: &ActorConfig,
) -> Result<(ActorCell, Inbox<M>), SpawnErr> {
    fn taken<S: Send + 'static>(
        identity: Identity,
        config: &ActorConfig,
    ) -> Result<(ActorCell, Taken<S>), &'static str> {
        let actor = Arc::new(ActorProperties::new(identity, config, queue(&config.mailbox)?));
        Ok((ActorCell { inner: actor.clone() }, Taken { actor, batch: VecDeque::new() }))
    }
    let wrong = |keyed: &'static str| {
        SpawnErr::StartupFailed(From::from(format!(
            "the mailbox's keys are those of `{keyed}`, and the actor handles `{}`; give \
             `Mailbox::conflating` a `Conflate` of the actor's own messages",
            std::any::type_name::<M>()
        )))
    };
    let (cell, mailbox) = if is_inline::<M>() {
        let (cell, taken) = taken::<M>(identity, config).map_err(wrong)?;
        (cell, Receiver::Inline(taken))
    } else {
        let (cell, taken) = taken::<Held<M>>(identity, config).map_err(wrong)?;
        (cell, Receiver::Heap(taken))
    };
    #[cfg(test)]
    let supervisor_rx = Events(cell.clone());
    let inbox = Inbox {
        mailbox,
        turn: 0,
        #[cfg(test)]
        supervisor_rx,
    };
    Ok((cell, inbox))
}

#[cfg(test)]
pub(crate) struct Events(ActorCell);

#[cfg(test)]
impl Events {
    pub(crate) fn try_recv(&mut self) -> Result<SupervisionEvent, &'static str> {
        match self.0.inner.control.take() {
            Some(Urgent::Event(event)) => Ok(event),
            _ => Err("no event waits"),
        }
    }
}

impl<M: Message> Inbox<M> {
    /// The next message, if nothing comes before it and no other task waits for a turn.
    #[inline]
    pub(crate) fn ready(&mut self) -> Option<Kind> {
        if self.turn >= TURN {
            return None;
        }
        let ready = either!(&self.mailbox, taken => {
            if taken.actor.control.is_pending() {
                return None;
            }
            taken.batch.front()?.kind()
        });
        self.turn += 1;
        Some(ready)
    }

    /// What is to be done next. Cancel safe: a message is taken only when it is asked for.
    pub(crate) fn next(&mut self) -> impl Future<Output = Next> + '_ {
        poll_fn(|context| {
            let next = either!(&mut self.mailbox, taken => taken.poll_next(context));
            if next.is_ready() && self.turn < TURN {
                self.turn += 1;
                return next;
            }
            self.turn = 0;
            if next.is_ready() {
                // What was found stays where it is.
                either!(&self.mailbox, taken => taken.actor.mailbox.rest(taken.batch.len()));
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
    }

    /// Takes a signal, a stop or an event.
    pub(crate) fn take_urgent(&mut self) -> Option<Urgent<StopMessage, SupervisionEvent>> {
        either!(&self.mailbox, taken => {
            let urgent = taken.actor.control.take();
            if matches!(urgent, Some(Urgent::Event(_))) {
                taken.actor.mailbox.hold_other(taken.batch.len());
            }
            urgent
        })
    }

    /// Runs a handler to its end, or until a signal interrupts it.
    ///
    /// It runs where it is: futures hold messages, and would be copied with them.
    #[inline]
    pub(crate) fn run<'a, F>(&'a mut self, handler: Pin<&'a mut F>) -> Running<'a, M, F> {
        Running {
            inbox: self,
            handler,
            #[cfg(feature = "message_span_propogation")]
            span: None,
        }
    }

    /// As [`run`](Self::run), in the span in which the message was sent, if it has one.
    #[cfg(feature = "message_span_propogation")]
    #[inline]
    pub(crate) fn run_in<'a, F>(
        &'a mut self,
        span: Option<Box<tracing::Span>>,
        handler: Pin<&'a mut F>,
    ) -> Running<'a, M, F> {
        Running { inbox: self, handler, span }
    }

    /// Registers the actor to be interrupted, while its handler waits.
    fn wait_handling<T>(&mut self, context: &mut Context<'_>) -> Poll<Result<T, Signal>> {
        self.turn = 0;
        either!(&self.mailbox, taken => {
            poll_signal(&taken.actor.control, &taken.actor.mailbox, context.waker())
        })
        .map(|()| Err(Signal::Kill))
    }

    #[inline]
    fn is_signalled(&self) -> bool {
        either!(&self.mailbox, taken => taken.actor.control.is_signalled())
    }

    /// Takes the span off the message that is next, and [`Kind::Traced`], which then is what is
    /// left.
    #[cfg(feature = "message_span_propogation")]
    #[cold]
    pub(crate) fn take_span(&mut self) -> (Kind, Option<Box<tracing::Span>>) {
        either!(&mut self.mailbox, taken => match taken.batch.pop_front() {
            Some(Parcel::Traced(span, message)) => {
                let kind = message.kind();
                taken.batch.push_front(*message);
                (kind, Some(span))
            }
            _ => unreachable!("its kind was looked at"),
        })
    }

    /// Takes out the message that is next, and [`Kind::Plain`].
    #[inline]
    pub(crate) fn take_plain(&mut self) -> M {
        match &mut self.mailbox {
            Receiver::Inline(taken) => taken.pop().into_plain(),
            Receiver::Heap(taken) => taken.pop().into_plain().into_inner(),
        }
    }

    /// As [`take_plain`](Self::take_plain), of a message that waits in a box.
    pub(crate) fn take_held(&mut self) -> Held<M> {
        match &mut self.mailbox {
            Receiver::Inline(taken) => Held::new(taken.pop().into_plain()),
            Receiver::Heap(taken) => taken.pop().into_plain(),
        }
    }

    /// Takes out the message that is next, and [`Kind::Shared`].
    #[inline]
    pub(crate) fn take_shared(&mut self) -> ArcMessage {
        either!(&mut self.mailbox, taken => taken.pop().into_shared())
    }

    /// Takes out the message that is next, and [`Kind::Boxed`].
    pub(crate) fn take_boxed(&mut self) -> BoxedMessage {
        either!(&mut self.mailbox, taken => *taken.pop().into_boxed())
    }
}

/// A handler that runs.
pub(crate) struct Running<'a, M: Message, F> {
    inbox: &'a mut Inbox<M>,
    handler: Pin<&'a mut F>,
    #[cfg(feature = "message_span_propogation")]
    span: Option<Box<tracing::Span>>,
}

impl<M: Message, F: Future> Future for Running<'_, M, F> {
    type Output = Result<F::Output, Signal>;

    // Once for each kind of message in an actor's loop, and a tenth of a message's instructions
    // when it is called.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        #[cfg(feature = "message_span_propogation")]
        let _entered = this.span.as_ref().map(|span| span.enter());
        if this.inbox.is_signalled() {
            return Poll::Ready(Err(Signal::Kill));
        }
        if let Poll::Ready(output) = this.handler.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        this.inbox.wait_handling(context)
    }
}

impl<S: Send + 'static> Taken<S> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        let actor = &self.actor;
        let waker = context.waker();
        poll_receive(&actor.control, &actor.mailbox, &mut self.batch, waker).map(|received| {
            match received {
                Received::Urgent => Next::Urgent,
                Received::Item => {
                    Next::Message(self.batch.front().expect("there is an item").kind())
                }
                Received::Drained => Next::Drained,
            }
        })
    }

    #[inline]
    fn pop(&mut self) -> Parcel<S> {
        // Before it is moved, while the length is at hand.
        self.actor.mailbox.hold(self.batch.len());
        self.batch.pop_front().expect("it was looked at")
    }
}

impl<M: Message> Drop for Inbox<M> {
    fn drop(&mut self) {
        either!(&mut self.mailbox, taken => {
            taken.actor.control.close();
            taken.actor.mailbox.clear();
        });
    }
}
