//! The connections that applications hand over, as transports.

use super::NetworkStream;
use crate::link::origin::Origin;
use crate::transport::{
    Channel, StreamTransport, TcpTransport, TlsTransport, Transport, TransportKind,
};

impl NetworkStream {
    /// As what a session knows.
    #[must_use]
    pub fn into_transport(self) -> Box<dyn Transport> {
        match self {
            Self::Raw { stream, .. } => Box::new(TcpTransport::new(stream)),
            Self::TlsServer { stream, .. } => Box::new(TlsTransport::server(stream)),
            Self::TlsClient { stream, .. } => Box::new(TlsTransport::client(stream)),
            Self::External { peer_label, local_label, reader, writer } => {
                Box::new(StreamTransport::from_halves(reader, writer, peer_label, local_label))
            }
            Self::Transport(transport) => transport,
        }
    }

    /// What is known of it before its session begins.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::Transport(transport) => transport.origin(),
            _ => Origin::default(),
        }
    }

    /// What it knows of itself.
    pub(crate) fn channel(&self) -> Channel {
        match self {
            Self::TlsServer { stream, .. } => Channel::of_tls(stream.get_ref().1),
            Self::TlsClient { stream, .. } => Channel::of_tls(stream.get_ref().1),
            Self::Transport(transport) => transport.channel(),
            Self::Raw { .. } | Self::External { .. } => Channel::default(),
        }
    }

    /// What it is, and both its ends, for people.
    pub(crate) fn describe(&self) -> (TransportKind, String, String) {
        let ends = |peer: &std::net::SocketAddr, local: &std::net::SocketAddr| {
            (peer.to_string(), local.to_string())
        };
        let label = |label: &Option<String>| label.clone().unwrap_or_else(|| "external".to_owned());
        let (kind, (peer, local)) = match self {
            Self::Raw { peer_addr, local_addr, .. } => {
                (TransportKind::Tcp, ends(peer_addr, local_addr))
            }
            Self::TlsServer { peer_addr, local_addr, .. }
            | Self::TlsClient { peer_addr, local_addr, .. } => {
                (TransportKind::Tls, ends(peer_addr, local_addr))
            }
            Self::External { peer_label, local_label, .. } => {
                (TransportKind::External, (label(peer_label), label(local_label)))
            }
            Self::Transport(transport) => (transport.kind(), (transport.peer(), transport.local())),
        };
        (kind, peer, local)
    }
}
