//! Telling a node server of links and peers.

use ractor::{Actor, ActorRef};

use super::{NodeServer, NodeServerMessage};
use crate::link::directory;
use crate::link::options::LinkOptions;

impl NodeServer {
    /// Listens, and links itself to peers of the fork, as `options` say. Without it, as the default
    /// has it: a peer on this machine is reached by a Unix socket as soon as it is found to be there.
    #[must_use]
    pub fn with_links(mut self, options: LinkOptions) -> Self {
        self.links = options;
        self
    }

    /// Lets the listeners and sessions of this server know its options.
    pub(super) fn open(&self, myself: &ActorRef<<Self as Actor>::Msg>) {
        directory::register(myself, self.links.clone(), self.max_inbound_frame_size);
    }

    pub(super) fn close(&self, myself: &ActorRef<NodeServerMessage>) {
        directory::unregister(myself.get_id());
    }
}
