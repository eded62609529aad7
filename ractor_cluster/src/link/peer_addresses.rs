//! The addresses that a peer tells of its own peers, for a node that connects to those as well.
//!
//! A peer may tell whatever it likes, and would have this node dial it all at once. So each address
//! is dialled once, a few at a time for the whole node, and in the end so many of one peer.

use std::collections::HashSet;
use std::sync::Arc;

use ractor::concurrency::JoinHandle;
use ractor::ActorRef;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::directory::Server;
use super::quiet_log::peer_line;
use crate::transport::TransportKind;
use crate::NodeServerMessage;

/// So many addresses are taken of one peer.
const MAX_ADDRESSES: usize = 1024;

/// What became of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It will be dialled, or has been.
    Taken,
    /// The node dials no such addresses.
    NotAllowed,
    /// It would be dialled by plain TCP, and this is a node, or a peer, that speaks TLS.
    Bare,
    /// The peer has told enough.
    Enough,
}

impl Offer {
    /// Why it is not dialled.
    pub(crate) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Taken => None,
            Self::NotAllowed => Some("this node does not dial them"),
            Self::Bare => Some("they would be dialled by plain TCP, and TLS is spoken here"),
            Self::Enough => Some("the peer has told too many"),
        }
    }
}

/// Those that one peer told. What is still to be dialled is not when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct PeerAddresses {
    taken: HashSet<String>,
    dialling: Option<Dialling>,
    /// The log says why some are not dialled.
    pub(crate) told: bool,
}

impl PeerAddresses {
    /// Whether no address more is taken, and the log says so.
    pub(crate) fn is_over(&self) -> bool {
        self.told && self.taken.len() == MAX_ADDRESSES
    }

    /// Dials an address in its turn. The peer is reached by `first`.
    pub(crate) fn offer(
        &mut self,
        address: &str,
        first: TransportKind,
        (node_server, server): (&ActorRef<NodeServerMessage>, &Arc<Server>),
    ) -> Offer {
        if !server.options.security.dial_supplied_addresses {
            return Offer::NotAllowed;
        }
        if first == TransportKind::Tls || server.listens_by_tls_alone() {
            return Offer::Bare;
        }
        if self.taken.contains(address) {
            return Offer::Taken;
        }
        if self.taken.len() == MAX_ADDRESSES {
            return Offer::Enough;
        }
        self.taken.insert(address.to_owned());
        let begin = || Dialling::begin(node_server.clone(), server);
        self.dialling.get_or_insert_with(begin).dial(address.to_owned());
        Offer::Taken
    }
}

/// A task that dials, a few at a time.
#[derive(Debug)]
struct Dialling {
    addresses: mpsc::UnboundedSender<String>,
    task: JoinHandle<()>,
}

impl Dialling {
    fn begin(node_server: ActorRef<NodeServerMessage>, server: &Server) -> Self {
        let (places, log) = (server.supplied_dials.clone(), server.strangers.log.clone());
        // No more than are taken of a peer.
        let (addresses, mut waiting) = mpsc::unbounded_channel::<String>();
        let task = ractor::concurrency::spawn(async move {
            let mut dials = JoinSet::new();
            while let Some(address) = waiting.recv().await {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let (node_server, log) = (node_server.clone(), log.clone());
                dials.spawn(async move {
                    if let Err(error) = crate::node::client::connect(&node_server, &address).await {
                        let said = "a peer's peer is not connected to";
                        peer_line!(Some(&log), NotConnected, warn, address, %error, "{said}");
                    }
                    drop(place);
                });
                while dials.try_join_next().is_some() {}
            }
        });
        Self { addresses, task }
    }

    fn dial(&self, address: String) {
        // The task ends after its sender only.
        _ = self.addresses.send(address);
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        self.task.abort();
    }
}
