//! Making a cell with the inbox of its actor, and registering it.

use super::ActorCell;
use crate::actor::actor_config::ActorConfig;
use crate::actor::actor_id::get_new_local_id;
use crate::actor::actor_properties::Identity;
use crate::actor::inbox::{self, Inbox};
#[cfg(feature = "cluster")]
use crate::{Actor, ActorId};
use crate::{ActorName, Message, SpawnErr};

impl ActorCell {
    /// The cell of a `TActor` of this process, which handles `M`, under its name if it has one.
    pub(crate) fn create<TActor, M: Message>(
        name: Option<ActorName>,
        config: &ActorConfig,
    ) -> Result<(Self, Inbox<M>), SpawnErr> {
        let identity = Identity::of::<TActor, M>(get_new_local_id(), name);
        let (cell, inbox) = inbox::create::<M>(identity, config)?;
        if let Some(name) = &cell.inner.name {
            crate::registry::register(name.clone(), cell.clone())?;
        }
        #[cfg(feature = "cluster")]
        if let Err(taken) = crate::registry::pid_registry::register_pid(cell.get_id(), cell.clone())
        {
            if let Some(name) = &cell.inner.name {
                crate::registry::unregister_actor(name, cell.get_id());
            }
            return Err(taken.into());
        }
        Ok((cell, inbox))
    }

    /// The cell of a proxy for the actor `id` of another node. It carries the name that its
    /// actor has there, and is not registered under it here.
    ///
    /// What it forwards is not bounded here: the node that the actor is on knows its bound.
    #[cfg(feature = "cluster")]
    pub(crate) fn new_remote<TActor: Actor>(
        name: Option<ActorName>,
        id: ActorId,
    ) -> Result<(Self, Inbox<TActor::Msg>), SpawnErr> {
        if id.is_local() {
            return Err(SpawnErr::StartupFailed(From::from(format!(
                "{id} is an actor of this process, and needs no proxy"
            ))));
        }
        let identity = Identity::of::<TActor, TActor::Msg>(id, name);
        inbox::create(identity, &ActorConfig::default())
    }
}
