//! What prints of a session: all but the cookie.

use std::fmt;

use super::NodeSession;

impl fmt::Debug for NodeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSession")
            .field("node_id", &self.node_id)
            .field("is_server", &self.is_server)
            .field("node_server", &self.node_server)
            .field("this_node_name", &self.this_node_name)
            .field("connection_mode", &self.connection_mode)
            .field("max_inbound_frame_size", &self.max_inbound_frame_size)
            .field("connection_id", &self.connection_id)
            .finish_non_exhaustive()
    }
}
