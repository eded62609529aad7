//! What an actor does from its start to its end, the same for actors that may move between
//! threads and for those that may not.

use std::future::Future;
#[cfg(feature = "cluster")]
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;

use crate::actor::mailbox::Held;
use crate::message::{BoxedDowncastErr, BoxedMessage};
use crate::{ActorCell, Message};

/// The processing loop of `$runtime`, whose handler is a `$kind`. A macro, since the futures of the
/// one are `Send` and those of the other are not, and no trait says so for both.
macro_rules! processing_loop {
    ($runtime:ident, $kind:ident) => {
        impl<TActor: $kind> $runtime<TActor> {
            /// Makes the state, unless the actor is killed meanwhile.
            async fn make_state(
                handler: &TActor,
                arguments: TActor::Arguments,
                myself: &ActorRef<TActor::Msg>,
                inbox: &mut Inbox<TActor::Msg>,
            ) -> Result<TActor::State, SpawnErr> {
                // In a box, so that what spawns does not hold it all its life.
                let mut starting = Box::pin(
                    AssertUnwindSafe(handler.pre_start(myself.clone(), arguments)).catch_unwind(),
                );
                match inbox.run(starting.as_mut()).await {
                    Ok(Ok(state)) => state.map_err(SpawnErr::StartupFailed),
                    Ok(Err(panic)) => Err(SpawnErr::StartupFailed(get_panic_string(panic))),
                    Err(Signal::Kill) => {
                        myself.terminate();
                        Err(SpawnErr::StartupFailed("Actor killed during startup".into()))
                    }
                }
            }

            /// Runs a started actor until it stops, and says why it did.
            // No `async fn`, whose futures hold each argument twice, in every actor.
            #[allow(clippy::manual_async_fn)]
            fn live<'a>(
                handler: &'a TActor,
                state: &'a mut TActor::State,
                myself: &'a ActorRef<TActor::Msg>,
                inbox: &'a mut Inbox<TActor::Msg>,
            ) -> impl Future<Output = Result<Option<String>, ActorErr>> + use<'a, TActor> {
                async move {
                    let started = AssertUnwindSafe(handler.post_start(myself.clone(), state));
                    Self::finish(inbox.run(pin!(started.catch_unwind())).await, myself)?;

                    myself.set_status(ActorStatus::Running);
                    myself.notify_supervisor_and_monitors(SupervisionEvent::ActorStarted(
                        myself.get_cell(),
                    ));

                    let handling = Self::handling(handler, state, myself, inbox);
                    let handled = AssertUnwindSafe(handling).catch_unwind().await;
                    if matches!(handled, Ok(Ok(End::Killed))) {
                        myself.terminate();
                    }
                    #[cfg(feature = "cluster")]
                    crate::remoting::ending::note(myself, &handled);
                    myself.set_status(ActorStatus::Stopping);
                    match handled {
                        Ok(Ok(End::Stopped(reason))) => {
                            let stopped =
                                AssertUnwindSafe(handler.post_stop(myself.clone(), state));
                            Self::finish(inbox.run(pin!(stopped.catch_unwind())).await, myself)?;
                            #[cfg(feature = "cluster")]
                            if let Some(failure) = myself.failure_elsewhere() {
                                return Err(ActorErr::Failed(failure.into()));
                            }
                            Ok(reason)
                        }
                        // Who was killed is not asked.
                        Ok(Ok(End::Killed)) => Ok(Some(Signal::Kill.to_string())),
                        Ok(Err(error)) => Err(ActorErr::Failed(error)),
                        Err(panic) => Err(ActorErr::Failed(get_panic_string(panic))),
                    }
                }
            }

            /// Why the actor ends after one of its own methods, if it does.
            #[allow(clippy::type_complexity)]
            fn finish(
                outcome: Result<
                    Result<Result<(), ActorProcessingErr>, Box<dyn Any + Send>>,
                    Signal,
                >,
                myself: &ActorRef<TActor::Msg>,
            ) -> Result<(), ActorErr> {
                match outcome {
                    Ok(Ok(result)) => result.map_err(ActorErr::Failed),
                    Ok(Err(panic)) => Err(ActorErr::Failed(get_panic_string(panic))),
                    Err(Signal::Kill) => {
                        myself.terminate();
                        Err(ActorErr::Cancelled)
                    }
                }
            }

            /// The handler's future for a large message, in a box. In a function that returns
            /// before the handler runs, so that a message by value has no place in the loop's
            /// frame.
            #[inline(never)]
            fn handle_large<'a>(
                handler: &'a TActor,
                myself: ActorRef<TActor::Msg>,
                mut message: Held<TActor::Msg>,
                state: &'a mut TActor::State,
            ) -> Pin<Box<impl Future<Output = Result<(), ActorProcessingErr>> + use<'a, TActor>>>
            {
                let handling = Box::pin(handler.handle(myself, message.take(), state));
                message.recycle();
                handling
            }

            /// The handler's future for a message in a box. In a function of its own, where the
            /// compiler knows that the future is apart from the box: it moves the message once.
            #[inline(never)]
            fn handle_held<'a>(
                handler: &'a TActor,
                myself: ActorRef<TActor::Msg>,
                message: &mut Held<TActor::Msg>,
                state: &'a mut TActor::State,
            ) -> impl Future<Output = Result<(), ActorProcessingErr>> + use<'a, TActor> {
                handler.handle(myself, message.take(), state)
            }

            /// [`handle_all`](Self::handle_all), in a box. In a function that returns before the
            /// loop runs: its future holds a message, and what moved it into other futures would
            /// have a place for each move.
            #[inline(never)]
            #[allow(clippy::type_complexity)]
            fn handling<'a>(
                handler: &'a TActor,
                state: &'a mut TActor::State,
                myself: &'a ActorRef<TActor::Msg>,
                inbox: &'a mut Inbox<TActor::Msg>,
            ) -> Pin<Box<impl Future<Output = Result<End, ActorProcessingErr>> + use<'a, TActor>>>
            {
                Box::pin(Self::handle_all(handler, state, myself, inbox))
            }

            /// Handles messages and events until the actor is to end.
            #[allow(clippy::manual_async_fn)]
            fn handle_all<'a>(
                handler: &'a TActor,
                state: &'a mut TActor::State,
                myself: &'a ActorRef<TActor::Msg>,
                inbox: &'a mut Inbox<TActor::Msg>,
            ) -> impl Future<Output = Result<End, ActorProcessingErr>> + use<'a, TActor> {
                async move {
                    // A macro, since a function would move the handler's future, and with it the
                    // message.
                    macro_rules! run {
                        ($sent:ident, $handling:expr) => {{
                            let handling = pin!($handling);
                            run_pinned!($sent, handling)
                        }};
                    }
                    macro_rules! run_pinned {
                        ($sent:ident, $handling:expr) => {{
                            #[cfg(feature = "message_span_propogation")]
                            let handled = inbox.run_in($sent, $handling).await;
                            #[cfg(not(feature = "message_span_propogation"))]
                            let handled = inbox.run($handling).await;
                            handled
                        }};
                    }
                    loop {
                        let next = match inbox.ready() {
                            Some(kind) => Next::Message(kind),
                            None => inbox.next().await,
                        };
                        let handled = match next {
                            Next::Message(kind) => {
                                #[cfg(feature = "message_span_propogation")]
                                let (kind, sent) = match kind {
                                    Kind::Traced => inbox.take_span(),
                                    bare => (bare, None),
                                };
                                match kind {
                                    Kind::Plain if is_large::<TActor::Msg>() => {
                                        let message = inbox.take_held();
                                        let myself = myself.clone();
                                        run!(
                                            sent,
                                            Self::handle_large(handler, myself, message, state)
                                        )
                                    }
                                    Kind::Plain if !is_inline::<TActor::Msg>() => {
                                        let mut message = inbox.take_held();
                                        let myself = myself.clone();
                                        let handling = pin!(Self::handle_held(
                                            handler,
                                            myself,
                                            &mut message,
                                            state
                                        ));
                                        message.recycle();
                                        run_pinned!(sent, handling)
                                    }
                                    Kind::Plain => {
                                        let message = inbox.take_plain();
                                        run!(sent, handler.handle(myself.clone(), message, state))
                                    }
                                    Kind::Shared => {
                                        let message = inbox.take_shared().try_into()?;
                                        run!(
                                            sent,
                                            handler.handle_arc(myself.clone(), message, state)
                                        )
                                    }
                                    // A proxy passes on what it cannot read.
                                    #[cfg(feature = "cluster")]
                                    Kind::Boxed if !myself.get_id().is_local() => {
                                        let Some(message) = inbox.take_boxed().serialized_msg
                                        else {
                                            return Err("a proxy got a message of its own".into());
                                        };
                                        let myself = myself.clone();
                                        let handling =
                                            handler.handle_serialized(myself, message, state);
                                        inbox.run(pin!(handling)).await
                                    }
                                    Kind::Boxed if is_large::<TActor::Msg>() => {
                                        #[allow(unused_mut)]
                                        let mut boxed = inbox.take_boxed();
                                        #[cfg(feature = "message_span_propogation")]
                                        let sent = boxed.span.take().map(Box::new);
                                        let Some(message) = open_large(boxed, myself)? else {
                                            continue;
                                        };
                                        let myself = myself.clone();
                                        run!(
                                            sent,
                                            Self::handle_large(handler, myself, message, state)
                                        )
                                    }
                                    Kind::Boxed => {
                                        let message;
                                        #[cfg(feature = "message_span_propogation")]
                                        let sent;
                                        {
                                            #[allow(unused_mut)]
                                            let mut boxed = inbox.take_boxed();
                                            #[cfg(feature = "message_span_propogation")]
                                            {
                                                sent = boxed.span.take().map(Box::new);
                                            }
                                            message = open(boxed, myself)?;
                                        }
                                        let Some(message) = message else {
                                            continue;
                                        };
                                        run!(sent, handler.handle(myself.clone(), message, state))
                                    }
                                    #[cfg(feature = "message_span_propogation")]
                                    Kind::Traced => unreachable!("a message has one span"),
                                }
                            }
                            Next::Urgent => match inbox.take_urgent() {
                                Some(Urgent::Signal) => return Ok(End::Killed),
                                Some(Urgent::Stop(StopMessage::Stop)) => {
                                    return Ok(End::Stopped(None))
                                }
                                Some(Urgent::Stop(StopMessage::Reason(reason))) => {
                                    return Ok(End::Stopped(Some(reason)));
                                }
                                Some(Urgent::Event(event)) => {
                                    // Rare, and so in a box, which every actor is smaller by.
                                    let myself = myself.clone();
                                    let handling =
                                        handler.handle_supervisor_evt(myself, event, state);
                                    inbox.run(Box::pin(handling).as_mut()).await
                                }
                                None => continue,
                            },
                            Next::Drained => return Ok(End::Stopped(Some("Drained".to_owned()))),
                        };
                        match handled {
                            Ok(result) => result?,
                            Err(Signal::Kill) => return Ok(End::Killed),
                        }
                    }
                }
            }
        }
    };
}
pub(crate) use processing_loop;

/// How an actor ends that does not fail.
pub(crate) enum End {
    /// It was asked to, or is drained; with the reason.
    Stopped(Option<String>),
    Killed,
}

/// The message in a box, for the actor it was sent to; `None` for one from another node that cannot
/// be read, since no peer shall be able to kill an actor.
pub(crate) fn open<M: Message>(
    message: BoxedMessage,
    actor: &ActorCell,
) -> Result<Option<M>, BoxedDowncastErr> {
    #[cfg(feature = "cluster")]
    if message.serialized_msg.is_some() {
        let message = catch_unwind(AssertUnwindSafe(|| M::from_boxed(message)));
        if !matches!(message, Ok(Ok(_))) {
            let panicked = message.is_err();
            tracing::debug!(
                actor = %actor.get_id(),
                panicked,
                "Dropping a message from another node that cannot be deserialised"
            );
        }
        return Ok(message.ok().and_then(Result::ok));
    }
    let _ = actor;
    M::from_boxed(message).map(Some)
}

/// As [`open`], into a box of the message's own.
#[inline(never)]
pub(crate) fn open_large<M: Message>(
    message: BoxedMessage,
    actor: &ActorCell,
) -> Result<Option<Held<M>>, BoxedDowncastErr> {
    match open(message, actor) {
        Ok(Some(message)) => Ok(Some(Held::new(message))),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the task of an actor runs. Callers pass a life of one type for all actors. So the compiler
/// makes the code that spawns tasks once, and a deep tree of actors that spawn each other is not too
/// deep for it.
pub(crate) fn task<F: Future + ?Sized>(life: Pin<Box<F>>) -> impl Future<Output = F::Output> {
    #[cfg(feature = "cluster")]
    let life = crate::remoting::busy_poll::BusyPolling(life);
    life
}

/// The span in which an actor lives, or starts.
pub(crate) fn span(actor: &ActorCell) -> tracing::Span {
    let name = actor.inner.name.as_deref();
    tracing::info_span!(target: "ractor::actor", "Actor", id = actor.get_id().to_string(), name)
}
