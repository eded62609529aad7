//! The connections that applications hand over, as transports.

use std::sync::Arc;

use super::NetworkStream;
use crate::link::admission::Origin;
use crate::transport::{
    Channel, Connector, StreamTransport, TcpConnector, TcpTransport, TlsTransport, Transport,
    TransportKind,
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
            Self::Transport(transport) | Self::Accepted(transport, _) => transport,
        }
    }

    /// What is known of it before its session begins.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::Accepted(_, origin) => origin.clone(),
            _ => Origin::default(),
        }
    }

    /// The same connection, and what is known of it.
    pub(crate) fn with_origin(self, origin: Origin) -> Self {
        Self::Accepted(self.into_transport(), origin)
    }

    /// How it can be made again, at the end that connected.
    pub(crate) fn connector(&self) -> Option<Arc<dyn Connector>> {
        match self {
            Self::Raw { peer_addr, .. } => Some(Arc::new(TcpConnector(*peer_addr))),
            Self::Transport(transport) => transport.connector(),
            Self::Accepted(transport, origin) => {
                origin.connector.clone().or_else(|| transport.connector())
            }
            Self::TlsServer { .. } | Self::TlsClient { .. } | Self::External { .. } => None,
        }
    }

    /// What it knows of itself.
    pub(crate) fn channel(&self) -> Channel {
        match self {
            Self::TlsServer { stream, .. } => Channel::of_tls(stream.get_ref().1),
            Self::TlsClient { stream, .. } => Channel::of_tls(stream.get_ref().1),
            Self::Transport(transport) | Self::Accepted(transport, _) => transport.channel(),
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
            Self::Transport(transport) | Self::Accepted(transport, _) => {
                (transport.kind(), (transport.peer(), transport.local()))
            }
        };
        (kind, peer, local)
    }
}
