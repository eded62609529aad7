//! The network as a node of `mycelium-ext` on a simulated host sees it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mycelium_ext::address::Address;
use mycelium_ext::membership::{Datagrams, Receiving};
use mycelium_ext::node::{Network, Opening};
use ractor_cluster::transport::Connecting;
use turmoil::net::UdpSocket;

use crate::machine::Machine;
use crate::trace::Trace;
use crate::transport::{Dial, PORT};

/// The port that each node gossips at.
const GOSSIP: u16 = 7946;

/// Where the node of a host gossips, `address:port`: a seed for the nodes of others.
///
/// # Panics
/// It is not called by the software of a simulated host, or by a closure that builds its node.
#[must_use]
pub fn gossip_address(host: &str) -> String {
    gossip_at(host).to_string()
}

fn gossip_at(host: &str) -> SocketAddr {
    SocketAddr::new(turmoil::lookup(host), GOSSIP)
}

/// The network of one host.
pub(crate) struct OfHost {
    pub(crate) machine: Arc<Machine>,
    pub(crate) trace: Trace,
}

impl fmt::Debug for OfHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfHost").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl Network for OfHost {
    fn addresses(&self) -> Vec<Address> {
        let address = format!("tcp://{}:{PORT}", self.machine.name).parse();
        address.into_iter().collect()
    }

    fn connect(&self, address: &Address) -> Connecting {
        let Some(endpoint) = address.endpoint() else {
            let error = io::Error::new(io::ErrorKind::Unsupported, "it has no sockets");
            return Box::pin(async { Err(error) });
        };
        let (machine, trace) = (self.machine.clone(), self.trace.clone());
        let dial = Dial { machine, peer: endpoint.host().to_owned(), trace };
        Box::pin(dial.dial_for_good())
    }

    fn gossip(&self) -> Opening {
        let (machine, trace) = (self.machine.clone(), self.trace.clone());
        Box::pin(async move {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, GOSSIP)).await?;
            let own = gossip_at(&machine.name);
            Ok((Box::new(Gossip { socket, machine, trace }) as _, own))
        })
    }
}

/// Datagrams of one host.
struct Gossip {
    socket: UdpSocket,
    machine: Arc<Machine>,
    trace: Trace,
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gossip").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl Datagrams for Gossip {
    fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        if self.machine.crashes() {
            return Ok(());
        }
        self.socket.try_send_to(datagram, to).map(drop)
    }

    /// What is in a datagram does not count: chitchat shuffles the members that it tells of.
    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> Receiving<'a> {
        Box::pin(async {
            let (length, from) = self.socket.recv_from(buffer).await?;
            let peer = turmoil::reverse_lookup(from.ip()).unwrap_or_else(|| from.to_string());
            self.trace.note(&self.machine.name, format_args!("datagram from {peer}"));
            Ok((length, from))
        })
    }
}
