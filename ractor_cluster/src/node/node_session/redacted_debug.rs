//! What prints of a node server: all but the cookie.

use std::fmt;

use super::NodeServer;

impl fmt::Debug for NodeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeServer")
            .field("port", &self.port)
            .field("node_name", &self.node_name)
            .field("hostname", &self.hostname)
            .field("encryption_mode", &self.encryption_mode)
            .field("connection_mode", &self.connection_mode)
            .field("listen_addr", &self.listen_addr)
            .field("max_inbound_frame_size", &self.max_inbound_frame_size)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}
