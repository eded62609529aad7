//! Giving a name free.

use crate::ActorId;

/// Removes `name` from the registry if it is this actor's. Another may be registered under it: a
/// proxy carries the name that its actor has on the other node.
pub(crate) fn unregister_actor(name: &str, id: ActorId) {
    super::get_actor_registry().remove_if(name, |_, registered| registered.get_id() == id);
}
