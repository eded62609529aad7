//! Spawning thread-local actors with an [`ActorConfig`].

use super::{ThreadLocalActor, ThreadLocalActorRuntime, ThreadLocalActorSpawner};
use crate::actor::actor_cell::ActorCell;
use crate::actor::actor_config::ActorConfig;
use crate::concurrency::JoinHandle;
use crate::{ActorName, ActorRef, SpawnErr};

impl<TActor: ThreadLocalActor> ThreadLocalActorRuntime<TActor> {
    pub(crate) async fn spawn_with_config(
        name: Option<ActorName>,
        arguments: TActor::Arguments,
        supervisor: Option<ActorCell>,
        spawner: ThreadLocalActorSpawner,
        config: ActorConfig,
    ) -> Result<(ActorRef<TActor::Msg>, JoinHandle<()>), SpawnErr> {
        let (actor, inbox) = Self::create(name, &config)?;
        actor.start(inbox, arguments, spawner, supervisor).await
    }
}
