//! Making and starting actors that may move between threads.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{pin, Pin};

use futures::FutureExt;
use tracing::Instrument;

use super::actor_cell::ActorCell;
use super::actor_config::ActorConfig;
use super::control::Urgent;
use super::inbox::{Inbox, Next};
use super::mailbox::{is_inline, is_large, Held, Kind};
use super::messages::{BoxedState, StopMessage};
use super::run::{open, open_large, processing_loop, span, task, End};
use super::{get_panic_string, Actor, ActorLifecycleGuard, ActorRuntime};
use crate::concurrency::{spawn_named, JoinHandle};
use crate::{
    ActorErr, ActorName, ActorProcessingErr, ActorRef, ActorStatus, Signal, SpawnErr,
    SupervisionEvent,
};

processing_loop!(ActorRuntime, Actor);

impl<TActor: Actor> ActorRuntime<TActor> {
    /// An actor that has not started, and its inbox.
    pub(super) fn create(
        name: Option<ActorName>,
        handler: TActor,
        config: &ActorConfig,
    ) -> Result<(Self, Inbox<TActor::Msg>), SpawnErr> {
        let (cell, inbox) = ActorCell::create::<TActor, TActor::Msg>(name, config)?;
        let (id, name) = (cell.get_id(), cell.get_name());
        let lifecycle = ActorLifecycleGuard::new(cell.clone());
        Ok((Self { actor_ref: cell.into(), lifecycle, handler, id, name }, inbox))
    }

    /// Makes the actor's state, links it to its supervisor, and lets it run in a task of its own.
    pub(super) async fn start(
        self,
        inbox: Inbox<TActor::Msg>,
        arguments: TActor::Arguments,
        supervisor: Option<ActorCell>,
    ) -> Result<(ActorRef<TActor::Msg>, JoinHandle<()>), SpawnErr> {
        let span = span(&self.actor_ref);
        self.start_in_span(inbox, arguments, supervisor).instrument(span).await
    }

    async fn start_in_span(
        self,
        mut inbox: Inbox<TActor::Msg>,
        arguments: TActor::Arguments,
        supervisor: Option<ActorCell>,
    ) -> Result<(ActorRef<TActor::Msg>, JoinHandle<()>), SpawnErr> {
        let Self { actor_ref: myself, handler, mut lifecycle, .. } = self;
        if myself.set_status(ActorStatus::Starting) != ActorStatus::Unstarted {
            return Err(SpawnErr::ActorAlreadyStarted);
        }
        let mut state = Self::make_state(&handler, arguments, &myself, &mut inbox).await?;
        if supervisor.is_some_and(|supervisor| !myself.try_link(supervisor)) {
            return Err(SpawnErr::StartupFailed("Supervisor is shutting down".into()));
        }
        lifecycle.mark_running();

        let started = myself.clone();
        let life: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let living = Self::live(&handler, &mut state, &myself, &mut inbox);
            let event = match living.instrument(span(&myself)).await {
                Ok(reason) => {
                    let state = Some(BoxedState::new(state));
                    SupervisionEvent::ActorTerminated(myself.get_cell(), state, reason)
                }
                Err(ActorErr::Cancelled) => {
                    let reason = Some("killed".to_owned());
                    SupervisionEvent::ActorTerminated(myself.get_cell(), None, reason)
                }
                Err(ActorErr::Failed(error)) => {
                    SupervisionEvent::ActorFailed(myself.get_cell(), error)
                }
            };
            #[cfg(feature = "cluster")]
            crate::remoting::ending::note_event(&event);
            drop(inbox);
            lifecycle.finish(event);
        });
        let handle = spawn_named(started.inner.inner.name.as_deref(), task(life));
        Ok((started, handle))
    }
}
