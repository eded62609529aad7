//! The groups of the actors of this node.

use std::collections::BTreeSet;

use super::{get_actor_relations, get_monitor, lock_relations, ScopeGroupKey};

/// The groups that have a member which runs on this node and takes messages from others, each once
/// and in order.
///
/// It looks at these actors alone: how many groups other nodes have told of costs nothing here.
#[doc(hidden)]
pub fn groups_of_local_actors() -> Vec<ScopeGroupKey> {
    let monitor = get_monitor();
    let is_shared = |actor: &crate::ActorCell| actor.supports_remoting();
    let relations = crate::registry::pid_registry::get_all_pids()
        .into_iter()
        .filter(is_shared)
        .filter_map(|actor| get_actor_relations(monitor, actor.get_id()));
    let mut groups = BTreeSet::new();
    for relations in relations {
        groups.extend(lock_relations(&relations).memberships.iter().cloned());
    }
    groups.into_iter().collect()
}
