//! Binding the port of a node server as stock does.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Listens at `port` of `address`, or of all addresses, of IPv4 and IPv6.
pub(super) async fn bind(address: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    if let Some(address) = address {
        return TcpListener::bind(SocketAddr::new(address, port)).await;
    }
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let both = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    both.set_nonblocking(true)?;
    both.set_reuse_address(true)?;
    both.set_only_v6(false)?;
    both.bind(&everywhere.into())?;
    both.listen(BACKLOG)?;
    TcpListener::from_std(both.into())
}
