//! Where a node server listens: TCP, with or without TLS, at its port, and whatever else its
//! [`LinkOptions`](crate::link::options::LinkOptions) name.
//!
//! Each connection has a task of its own until its first frame is there, so that one that says
//! nothing, or says it slowly, holds up no other. The first frame tells what it is: a new session,
//! or a further link of one that there is.

use std::net::IpAddr;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::IncomingEncryptionMode;
use crate::link::directory::{self, Registered, Server};
use crate::link::options::{Listen, UnixListening};
use crate::link::sockets::{CloseOnDrop, Sockets};
use crate::node::NodeServerMessage;
use crate::transport::Transport;

#[path = "listener/accept.rs"]
mod accept;
#[path = "listener/bind.rs"]
mod bind;

use accept::{Acceptor, Door};

/// The actor that holds a node server's listeners.
pub(crate) struct Listener {
    port: super::NetworkPort,
    node_server: ActorRef<NodeServerMessage>,
    encryption: IncomingEncryptionMode,
    address: Option<IpAddr>,
}

impl Listener {
    /// At `port` of `address`, or of all addresses.
    pub(crate) fn new(
        port: super::NetworkPort,
        node_server: ActorRef<NodeServerMessage>,
        encryption: IncomingEncryptionMode,
        address: Option<IpAddr>,
    ) -> Self {
        Self { port, node_server, encryption, address }
    }

    /// Takes a connection that a listener of the application's own accepted, as those of the node's
    /// are taken. The peer is at the address `from`, or is a process of this machine.
    pub(crate) async fn take(
        node_server: ActorRef<NodeServerMessage>,
        server: &Server,
        transport: Box<dyn Transport>,
        from: Option<IpAddr>,
    ) {
        Door::new(node_server, Some(server)).take(transport, from).await;
    }

    /// Binds what the options name beside the port.
    async fn bind_others(&self, server: &Arc<Server>) -> Result<Vec<Acceptor>, ActorProcessingErr> {
        let mut acceptors = Vec::new();
        for listener in &server.options.listeners {
            let (address, tls) = match listener {
                Listen::Tcp(address) => (*address, None),
                Listen::Tls(address, tls) => (*address, Some(tls.clone())),
            };
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| format!("cannot listen at {listener:?}: {error}"))?;
            acceptors.push(Acceptor::tcp(listener, tls));
        }
        #[cfg(unix)]
        match &server.options.unix {
            UnixListening::Off => {}
            UnixListening::At(path) => {
                let listener = crate::transport::UnixSocketListener::at(path)?;
                acceptors.push(Acceptor::Unix(listener));
            }
            UnixListening::Automatic => match crate::transport::UnixSocketListener::automatic() {
                Ok(listener) => acceptors.push(Acceptor::Unix(listener)),
                Err(error) => tracing::warn!(
                    %error,
                    "this node has no Unix socket; peers of this machine reach it by TCP"
                ),
            },
        }
        Ok(acceptors)
    }
}

/// The listeners' tasks, which end with the state. There are none in a node that does not listen.
#[derive(Default)]
pub(crate) struct ListenerState {
    _sockets: CloseOnDrop,
    _tasks: JoinSet<()>,
    _registered: Vec<Registered>,
}

/// A listener takes no messages.
#[derive(crate::RactorMessage)]
pub(crate) struct ListenerMessage;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Listener {
    type State = ListenerState;
    type Msg = ListenerMessage;
    type Arguments = ActorRef<NodeServerMessage>;

    async fn pre_start(
        &self,
        _: ActorRef<ListenerMessage>,
        node_server: ActorRef<NodeServerMessage>,
    ) -> Result<ListenerState, ActorProcessingErr> {
        let server = directory::server(self.node_server.get_id());
        if server.as_ref().is_some_and(|server| !server.options.listens) {
            return Ok(ListenerState::default());
        }
        let listener = bind::bind(self.address, self.port).await?;
        let address = listener.local_addr()?;
        if address.port() != self.port {
            node_server.cast(NodeServerMessage::PortChanged { port: address.port() })?;
        }
        let tls = match &self.encryption {
            IncomingEncryptionMode::Raw => None,
            IncomingEncryptionMode::Tls(tls) => Some(tls.clone()),
        };
        let mut acceptors = vec![Acceptor::tcp(listener, tls)];
        let mut registered = Vec::new();
        if let Some(server) = &server {
            acceptors.extend(self.bind_others(server).await?);
            for acceptor in &acceptors {
                registered.push(server.listens(acceptor.kind(), acceptor.address()));
            }
        }
        let door = Arc::new(Door::new(self.node_server.clone(), server.as_deref()));
        let sockets = Sockets::default();
        if let Some(server) = &server {
            server.closes(sockets.clone());
        }
        let mut tasks = JoinSet::new();
        for acceptor in acceptors {
            tasks.spawn(sockets.hold(accept::accept(acceptor, door.clone())));
        }
        Ok(ListenerState { _sockets: CloseOnDrop(sockets), _tasks: tasks, _registered: registered })
    }
}

include!(concat!(env!("OUT_DIR"), "/upstream/graft/src/net/listener.rs"));
