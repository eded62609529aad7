//! Making and starting actors that stay on one thread.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{pin, Pin};

use futures::FutureExt;
use tracing::Instrument;

use super::{ThreadLocalActor, ThreadLocalActorRuntime, ThreadLocalActorSpawner};
use crate::actor::actor_cell::ActorCell;
use crate::actor::actor_config::ActorConfig;
use crate::actor::control::Urgent;
use crate::actor::inbox::{Inbox, Next};
use crate::actor::mailbox::{is_inline, is_large, Held, Kind};
use crate::actor::messages::StopMessage;
use crate::actor::run::{open, open_large, processing_loop, span, task, End};
use crate::actor::{get_panic_string, ActorLifecycleGuard};
use crate::concurrency::{spawn_local, JoinHandle};
use crate::{
    ActorErr, ActorName, ActorProcessingErr, ActorRef, ActorStatus, Signal, SpawnErr,
    SupervisionEvent,
};

processing_loop!(ThreadLocalActorRuntime, ThreadLocalActor);

impl<TActor: ThreadLocalActor> ThreadLocalActorRuntime<TActor> {
    /// An actor that has not started, and its inbox.
    pub(super) fn create(
        name: Option<ActorName>,
        config: &ActorConfig,
    ) -> Result<(Self, Inbox<TActor::Msg>), SpawnErr> {
        let (cell, inbox) = ActorCell::create::<TActor, TActor::Msg>(name, config)?;
        let (id, name) = (cell.get_id(), cell.get_name());
        let lifecycle = ActorLifecycleGuard::new(cell.clone());
        Ok((Self { actor_ref: cell.into(), lifecycle, id, name }, inbox))
    }

    /// Links the actor to its supervisor, and lets it make its state and run on the spawner's
    /// thread.
    pub(super) async fn start(
        self,
        inbox: Inbox<TActor::Msg>,
        arguments: TActor::Arguments,
        spawner: ThreadLocalActorSpawner,
        supervisor: Option<ActorCell>,
    ) -> Result<(ActorRef<TActor::Msg>, JoinHandle<()>), SpawnErr> {
        let span = span(&self.actor_ref);
        self.start_in_span(inbox, arguments, spawner, supervisor).instrument(span).await
    }

    async fn start_in_span(
        self,
        mut inbox: Inbox<TActor::Msg>,
        arguments: TActor::Arguments,
        spawner: ThreadLocalActorSpawner,
        supervisor: Option<ActorCell>,
    ) -> Result<(ActorRef<TActor::Msg>, JoinHandle<()>), SpawnErr> {
        let Self { actor_ref: myself, mut lifecycle, name, .. } = self;
        if myself.set_status(ActorStatus::Starting) != ActorStatus::Unstarted {
            return Err(SpawnErr::ActorAlreadyStarted);
        }
        if supervisor.is_some_and(|supervisor| !myself.try_link(supervisor)) {
            return Err(SpawnErr::StartupFailed("Supervisor is shutting down".into()));
        }
        let started = myself.clone();
        let builder = Box::new(move || {
            let handler = TActor::default();
            async move {
                let mut state = Self::make_state(&handler, arguments, &myself, &mut inbox).await?;
                lifecycle.mark_running();
                let life: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
                    let living = Self::live(&handler, &mut state, &myself, &mut inbox);
                    // The state stays here: it may not be sent to the supervisor.
                    let event = match living.instrument(span(&myself)).await {
                        Ok(reason) => {
                            SupervisionEvent::ActorTerminated(myself.get_cell(), None, reason)
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
                Ok(spawn_local(task(life)))
            }
            .boxed_local()
        });
        let handle = spawner.spawn(builder, name).await;
        Ok((started, handle.map_err(|error| SpawnErr::StartupFailed(error.into()))?))
    }
}
