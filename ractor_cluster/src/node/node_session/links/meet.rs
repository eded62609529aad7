//! The peers of a peer.

use super::super::{NodeSession, NodeSessionState};
use super::name_of;
use crate::link::quiet_log::peer_line;

impl NodeSession {
    /// A peer told an address of a peer of its own. Returns whether that is all there is to do
    /// about it.
    pub(in crate::node::node_session) fn meet(
        &self,
        state: &mut NodeSessionState,
        address: &str,
    ) -> bool {
        let Some(active) = state.links.0.as_deref_mut() else { return false };
        let node = (&self.node_server, &*active.server);
        let offer = active.supplied.offer(address, active.first.kind, node);
        if let Some(reason) = offer.reason() {
            if !std::mem::replace(&mut active.supplied.told, true) {
                let peer = name_of(&state.name);
                peer_line!(
                    state.links.log(),
                    NotDialled,
                    warn,
                    node_id = self.node_id,
                    peer,
                    address,
                    reason,
                    "an address that a peer told, and maybe others, is not dialled"
                );
            }
        }
        true
    }
}
