//! The state of an actor that its references share: identity, status, and ports.

use std::any::TypeId;
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};
use std::sync::OnceLock;

use crate::actor::actor_config::{ActorConfig, TransportPreference};
use crate::actor::control::Control;
use crate::actor::mailbox::{discard, Mailbox};
use crate::actor::messages::StopMessage;
use crate::actor::supervision::SupervisionTree;
use crate::concurrency::Notify;
use crate::dead_letters::{self, Contents};
use crate::errors::UndeliveredCause;
use crate::inlet::AnyInlet;
#[cfg(feature = "cluster")]
use crate::remoting::Codec;
use crate::{ActorId, ActorName, ActorStatus, Message, MessagingErr, Signal, SupervisionEvent};

#[path = "actor_properties/admission.rs"]
mod admission;
#[path = "actor_properties/fanout.rs"]
mod fanout;
#[path = "actor_properties/into_inlet.rs"]
mod into_inlet;
#[cfg(feature = "cluster")]
#[path = "actor_properties/remote.rs"]
mod remote;
#[path = "actor_properties/send.rs"]
mod send;
#[path = "actor_properties/send_arc.rs"]
mod send_arc;
#[cfg(feature = "cluster")]
#[path = "actor_properties/send_out.rs"]
mod send_out;

#[cfg(feature = "cluster")]
#[path = "actor_properties/tap.rs"]
mod tap;
#[path = "actor_properties/view.rs"]
mod view;

pub(crate) use fanout::{Exception, Fanout};
#[cfg(feature = "cluster")]
pub use tap::EventTap;

/// What an actor is made with, and is known before it runs.
pub(crate) struct Identity {
    pub(crate) id: ActorId,
    pub(crate) name: Option<ActorName>,
    type_id: TypeId,
    actor_type: fn() -> &'static str,
    #[cfg(feature = "cluster")]
    codec: Option<&'static Codec>,
}

impl Identity {
    /// Of a `TActor`, which handles `M`.
    pub(crate) fn of<TActor, M: Message>(id: ActorId, name: Option<ActorName>) -> Self {
        Self {
            id,
            name,
            type_id: TypeId::of::<M>(),
            actor_type: std::any::type_name::<TActor>,
            #[cfg(feature = "cluster")]
            codec: Codec::of::<M>(),
        }
    }
}

/// What the references to an actor share, in one allocation with its mailbox: a queue, of whose
/// type only the actor itself and its senders know.
pub(crate) struct ActorProperties<Q: ?Sized = dyn Mailbox> {
    pub(crate) id: ActorId,
    pub(crate) name: Option<ActorName>,
    status: AtomicU8,
    /// Notified when the actor has stopped.
    stopped: Notify,
    pub(crate) control: Control<StopMessage, SupervisionEvent>,
    /// Messages that were admitted and that no handler will get.
    lost: AtomicU64,
    pub(crate) transport: TransportPreference,
    /// Whether messages from other nodes go ahead of those to other actors.
    pub(crate) urgent: bool,
    pub(crate) tree: SupervisionTree,
    pub(crate) type_id: TypeId,
    /// The name of the actor's own type.
    actor_type: fn() -> &'static str,
    #[cfg(feature = "cluster")]
    pub(crate) supports_remoting: bool,
    /// How its messages come from other nodes, if they do.
    #[cfg(feature = "cluster")]
    pub(crate) codec: Option<&'static Codec>,
    /// What a proxy has beside the rest.
    #[cfg(feature = "cluster")]
    proxy: remote::Proxy,
    #[cfg(feature = "cluster")]
    pub(crate) extras: tap::Extras,
    /// The way into a queue of the actor's own, which few have.
    inlet: OnceLock<Box<dyn AnyInlet>>,
    pub(crate) mailbox: Q,
}

impl<Q> ActorProperties<Q> {
    /// The properties of an actor that has not started.
    pub(crate) fn new(identity: Identity, config: &ActorConfig, mailbox: Q) -> Self {
        Self {
            id: identity.id,
            name: identity.name,
            status: AtomicU8::new(ActorStatus::Unstarted as u8),
            stopped: Notify::new(),
            control: Control::new(),
            lost: AtomicU64::new(0),
            transport: config.transport,
            urgent: config.urgent,
            tree: SupervisionTree::default(),
            type_id: identity.type_id,
            actor_type: identity.actor_type,
            #[cfg(feature = "cluster")]
            supports_remoting: identity.codec.is_some(),
            #[cfg(feature = "cluster")]
            codec: identity.codec,
            #[cfg(feature = "cluster")]
            proxy: remote::Proxy::default(),
            #[cfg(feature = "cluster")]
            extras: tap::Extras::default(),
            inlet: OnceLock::new(),
            mailbox,
        }
    }
}

impl ActorProperties {
    pub(crate) fn get_status(&self) -> ActorStatus {
        status_of(self.status.load(Ordering::SeqCst))
    }

    /// Moves the status on, never back, and answers with the one before. An actor that is
    /// stopping takes no messages.
    pub(crate) fn set_status(&self, status: ActorStatus) -> ActorStatus {
        let before = status_of(self.status.fetch_max(status as u8, Ordering::SeqCst));
        if status >= ActorStatus::Stopping && before < ActorStatus::Stopping {
            self.mailbox.close();
            #[cfg(feature = "cluster")]
            self.proxy.close();
        }
        before
    }

    #[inline]
    pub(crate) fn any_inlet(&self) -> Option<&dyn AnyInlet> {
        self.inlet.get().map(|it| &**it)
    }

    /// Does nothing for an actor that has one.
    pub(crate) fn set_any_inlet(&self, inlet: Box<dyn AnyInlet>) {
        _ = self.inlet.set(inlet);
    }

    /// Sends the one signal.
    pub(crate) fn send_signal(&self, signal: Signal) -> Result<(), MessagingErr<()>> {
        let Signal::Kill = signal;
        self.control.signal().map_err(|()| MessagingErr::ChannelClosed)?;
        self.mailbox.wake(true);
        Ok(())
    }

    /// Sends the one stop.
    pub(crate) fn send_stop(
        &self,
        reason: Option<String>,
    ) -> Result<(), MessagingErr<StopMessage>> {
        let stop = reason.map_or(StopMessage::Stop, StopMessage::Reason);
        self.control.stop(stop).map_err(|()| MessagingErr::ChannelClosed)?;
        self.mailbox.wake(false);
        Ok(())
    }

    pub(crate) fn send_supervisor_evt(
        &self,
        event: SupervisionEvent,
    ) -> Result<(), MessagingErr<SupervisionEvent>> {
        #[cfg(feature = "cluster")]
        let Some(event) = self.extras.pass(event) else {
            return Ok(());
        };
        self.control.event(event).map_err(MessagingErr::SendErr)?;
        self.mailbox.wake(false);
        Ok(())
    }

    /// Lets the actor handle what was admitted, and then stop.
    ///
    /// # Errors
    /// The actor is gone already.
    pub(crate) fn drain(&self) -> Result<(), MessagingErr<()>> {
        // Before it drains: one with nothing to handle may be gone right after.
        let gone = self.control.is_closed();
        self.set_status(ActorStatus::Draining);
        self.mailbox.drain();
        if gone {
            Err(MessagingErr::SendErr(()))
        } else {
            Ok(())
        }
    }

    /// Kills, and waits until the actor has stopped; for one that is dead already, too.
    pub(crate) async fn send_signal_and_wait(&self, last: Signal) -> Result<(), MessagingErr<()>> {
        let _ = self.send_signal(last);
        self.wait().await;
        Ok(())
    }

    /// Stops, and waits until the actor has stopped.
    pub(crate) async fn send_stop_and_wait(
        &self,
        why: Option<String>,
    ) -> Result<(), MessagingErr<StopMessage>> {
        self.send_stop(why)?;
        self.wait().await;
        Ok(())
    }

    /// Drains, and waits until the actor has stopped.
    pub(crate) async fn drain_and_wait(&self) -> Result<(), MessagingErr<()>> {
        self.drain()?;
        self.wait().await;
        Ok(())
    }

    /// Waits until the actor has stopped.
    pub(crate) async fn wait(&self) {
        let stopped = self.stopped.notified();
        if self.get_status() != ActorStatus::Stopped {
            stopped.await;
        }
    }

    /// Notifies all tasks that wait for the end of the actor, and those that will.
    pub(crate) fn notify_stop_listener(&self) {
        self.stopped.notify_waiters();
        self.stopped.notify_one();
    }

    /// How many messages were admitted that no handler will get.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Counts a message that was admitted and that no handler will get, and posts its letter, with
    /// what is left of it. The first is logged.
    pub(crate) fn lose(
        &self,
        type_name: &'static str,
        cause: UndeliveredCause,
        why: &str,
        left: Option<Contents>,
    ) {
        self.count_lost(type_name, cause, why);
        if dead_letters::is_watched() {
            dead_letters::post(|| self.letter(cause, type_name).holding(left));
        } else {
            discard(left);
        }
    }

    /// Counts a message that no handler will get; the first is logged. Its letter is posted
    /// elsewhere.
    pub(crate) fn count_lost(&self, type_name: &str, cause: UndeliveredCause, why: &str) {
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                actor = %self.id,
                name = self.name.as_deref(),
                cause = cause.name(),
                "A message ({type_name}) is lost: {why}. Further ones are counted only \
                 (ActorCell::lost_messages)."
            );
        }
    }
}

fn status_of(status: u8) -> ActorStatus {
    const STATUSES: [ActorStatus; 6] = [
        ActorStatus::Unstarted,
        ActorStatus::Starting,
        ActorStatus::Running,
        ActorStatus::Upgrading,
        ActorStatus::Draining,
        ActorStatus::Stopping,
    ];
    STATUSES.get(usize::from(status)).copied().unwrap_or(ActorStatus::Stopped)
}
