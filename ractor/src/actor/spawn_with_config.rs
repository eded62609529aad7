//! Spawning with an [`ActorConfig`].

use super::actor_cell::ActorCell;
use super::actor_config::ActorConfig;
use super::{Actor, ActorRuntime};
use crate::concurrency::JoinHandle;
use crate::{ActorName, ActorRef, SpawnErr};

impl<TActor: Actor> ActorRuntime<TActor> {
    /// As [`ActorRuntime::spawn`], with a configuration.
    ///
    /// # Errors
    /// When the name is taken, or the actor does not start.
    pub async fn spawn_with_config(
        name: Option<ActorName>,
        handler: TActor,
        arguments: TActor::Arguments,
        config: ActorConfig,
    ) -> Result<(ActorRef<TActor::Msg>, JoinHandle<()>), SpawnErr> {
        let (actor, inbox) = Self::create(name, handler, &config)?;
        actor.start(inbox, arguments, None).await
    }

    /// As [`ActorRuntime::spawn_linked`], with a configuration.
    ///
    /// # Errors
    /// When the name is taken, the actor does not start, or the supervisor is stopping.
    pub async fn spawn_linked_with_config(
        name: Option<ActorName>,
        handler: TActor,
        arguments: TActor::Arguments,
        supervisor: ActorCell,
        config: ActorConfig,
    ) -> Result<(ActorRef<TActor::Msg>, JoinHandle<()>), SpawnErr> {
        let (actor, inbox) = Self::create(name, handler, &config)?;
        actor.start(inbox, arguments, Some(supervisor)).await
    }
}
