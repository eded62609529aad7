//! What a user writes.

use std::future::Future;

use ractor::concurrency::JoinHandle;
use ractor::{ActorCell, ActorName, ActorProcessingErr, SpawnErr, SupervisionEvent};

use super::actor_ref::FastActorRef;
use super::batch::Batch;
use super::config::LaneConfig;
use super::runtime;

/// A reference to the actor, and its task, which ends with it.
type Spawned<A> = (FastActorRef<<A as FastActor>::Msg, <A as FastActor>::Control>, JoinHandle<()>);

/// An actor that takes its messages in batches, from a lane of its own.
///
/// Beside [`handle`](Self::handle) and [`handle_control`](Self::handle_control), its methods are
/// those of [`ractor::Actor`], run at the same times, and what they return or panic with has the
/// same consequences.
pub trait FastActor: Send + Sync + Sized + 'static {
    /// What it handles. `Sync`, since it may come by `Arc`.
    type Msg: Send + Sync + 'static;
    /// What it is told beside, by [`FastActorRef::control`]: `()` if nothing is.
    type Control: Send + 'static;
    /// Its state, which the supervisor gets when it stops.
    type State: Send + 'static;
    /// What it is started with.
    type Arguments: Send + 'static;

    /// Makes the state. The lane is open already; what is sent to it waits.
    ///
    /// # Errors
    /// An error, or a panic, is that of the spawn.
    fn pre_start(
        &self,
        myself: FastActorRef<Self::Msg, Self::Control>,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<Self::State, ActorProcessingErr>> + Send;

    /// Runs before the first message; does nothing by default.
    ///
    /// # Errors
    /// An error, or a panic, ends the actor, and its supervisor is told.
    #[allow(unused_variables)]
    fn post_start(
        &self,
        myself: FastActorRef<Self::Msg, Self::Control>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        async { Ok(()) }
    }

    /// Handles the oldest messages, at most [`BATCH`](super::BATCH).
    ///
    /// A stop waits for it; a kill drops it where it waits, and with it what is left of the batch.
    ///
    /// # Errors
    /// An error, or a panic, ends the actor, and its supervisor is told.
    fn handle(
        &self,
        myself: FastActorRef<Self::Msg, Self::Control>,
        batch: Batch<'_, Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send;

    /// Handles a control message, which comes beside the lane; drops it by default.
    ///
    /// It waits in the actor's mailbox, and so overtakes what waits in the lane: it is handled
    /// after the batch that is being handled, or one later.
    ///
    /// # Errors
    /// An error, or a panic, ends the actor, and its supervisor is told.
    #[allow(unused_variables)]
    fn handle_control(
        &self,
        myself: FastActorRef<Self::Msg, Self::Control>,
        control: Self::Control,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        async { Ok(()) }
    }

    /// Handles what becomes of a child. By default the actor stops when a child has failed or
    /// stopped.
    ///
    /// # Errors
    /// An error, or a panic, ends the actor, and its supervisor is told.
    #[allow(unused_variables)]
    fn handle_supervisor_evt(
        &self,
        myself: FastActorRef<Self::Msg, Self::Control>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        async move {
            if let SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ActorFailed(..) = event
            {
                myself.stop(None);
            }
            Ok(())
        }
    }

    /// Runs after the last message of an actor that stops or is drained; does nothing by default.
    ///
    /// # Errors
    /// An error, or a panic, is told to the supervisor.
    #[allow(unused_variables)]
    fn post_stop(
        &self,
        myself: FastActorRef<Self::Msg, Self::Control>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        async { Ok(()) }
    }

    /// Starts the actor, without a supervisor.
    ///
    /// # Errors
    /// As [`ractor::Actor::spawn`]: the name is taken, or [`pre_start`](Self::pre_start) failed.
    fn spawn(
        self,
        name: Option<ActorName>,
        arguments: Self::Arguments,
        lane: LaneConfig,
    ) -> impl Future<Output = Result<Spawned<Self>, SpawnErr>> + Send {
        runtime::spawn(self, name, arguments, lane, None)
    }

    /// Starts the actor, supervised by `supervisor`.
    ///
    /// # Errors
    /// As [`ractor::Actor::spawn_linked`]: also when the supervisor is shutting down.
    fn spawn_linked(
        self,
        name: Option<ActorName>,
        arguments: Self::Arguments,
        lane: LaneConfig,
        supervisor: ActorCell,
    ) -> impl Future<Output = Result<Spawned<Self>, SpawnErr>> + Send {
        runtime::spawn(self, name, arguments, lane, Some(supervisor))
    }
}
