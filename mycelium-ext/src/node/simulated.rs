//! What a node of a simulated host has in the place of sockets.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use mycelium_membership::{Datagrams, Membership, MembershipError, Options, SecondVoice};
use ractor_cluster::transport::Connecting;

use crate::address::Address;

/// What the gossip of a simulated host sends with, and where others reach it, when it is open.
pub type Opening =
    Pin<Box<dyn Future<Output = io::Result<(Box<dyn Datagrams>, SocketAddr)>> + Send>>;

/// The network, as a simulated host sees it.
pub trait Network: fmt::Debug + Send + Sync + 'static {
    /// Where others connect to this host, which takes their connections by
    /// [`accept`](ractor_cluster::link::accept).
    fn addresses(&self) -> Vec<Address>;

    /// Connects to a host. The transport has to have a
    /// [connector](ractor_cluster::transport::Transport::connector): its session makes the
    /// connection again with it.
    fn connect(&self, address: &Address) -> Connecting;

    /// Opens what the gossip sends with. It is asked once.
    fn gossip(&self) -> Opening;
}

/// Begins to gossip on the network, and otherwise by sockets.
pub(super) async fn start_membership(
    network: Option<Arc<dyn Network>>,
    options: Options,
    voice: Arc<dyn SecondVoice>,
) -> Result<Membership, MembershipError> {
    let Some(network) = network else { return Membership::start(options, voice).await };
    let address = options.listen;
    let failed = |source| MembershipError::Listen { address, source };
    let (datagrams, own) = network.gossip().await.map_err(failed)?;
    Membership::start_simulated(options, voice, datagrams, own).await
}
