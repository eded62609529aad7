//! The server of the cluster that a node runs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ractor::{Actor, ActorRef, SpawnErr};
use ractor_cluster::link::options as links;
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NodeServer, NodeServerMessage};

use super::super::error::StartError;
use super::super::roster::Roster;
use super::super::server::Server;
#[cfg(all(feature = "spinning", target_os = "linux"))]
use super::super::thread::NodeThread;
use super::NodeBuilder;
use crate::address::{Address, Endpoint};
use crate::config::{ConnectionMode, NodeName, Secret, StreamListen};

/// A server that runs; it stops when this is dropped.
#[derive(Debug)]
pub(in super::super) struct Running {
    pub(in super::super) server: ActorRef<NodeServerMessage>,
    stopped: Option<ractor::concurrency::JoinHandle<()>>,
    /// What it runs on, where that is a thread of its own.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    thread: Option<NodeThread>,
}

impl Running {
    /// Gives it the thread on which it was started, which ends with it.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    pub(super) fn own(&mut self, thread: NodeThread) {
        self.thread = Some(thread);
    }

    /// Its thread, where it has one.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    pub(in super::super) const fn thread(&self) -> Option<&NodeThread> {
        self.thread.as_ref()
    }

    /// The runtime of its thread, where it has one.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    pub(in super::super) const fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        match &self.thread {
            Some(thread) => Some(thread.runtime()),
            None => None,
        }
    }

    /// Starts it with its listeners. The first is its own.
    pub(super) async fn start(
        builder: &NodeBuilder,
        listen: &[StreamListen],
        name: &NodeName,
        cookie: &Secret,
        (roster, span): (Arc<Roster>, tracing::Span),
    ) -> Result<Self, StartError> {
        let mut links = builder.links();
        #[cfg(feature = "simulation")]
        if builder.network.is_some() {
            links = links.with_unix(links::UnixListening::Off).with_listens(false);
            links.busy_poll = false;
            links.local_transport = None;
        }
        let mut own = None;
        for listen in listen {
            let address = resolve(listen)
                .await
                .map_err(|source| StartError::Listen { address: listen.address(), source })?;
            let tls = match listen {
                StreamListen::Tcp(_) => None,
                StreamListen::Tls { identity, .. } => Some(identity.acceptor()),
            };
            match (&own, tls) {
                (None, tls) => own = Some((listen.address(), address, tls)),
                (Some(_), None) => links.listeners.push(links::Listen::Tcp(address)),
                (Some(_), Some(tls)) => links.listeners.push(links::Listen::Tls(address, tls)),
            }
        }
        let (shown, address, tls) = match own {
            Some(own) => own,
            None => {
                let loopback = Endpoint::loopback(0);
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, loopback.port()));
                (Address::Tcp(loopback), address, None)
            }
        };
        let mode = match builder.mode {
            ConnectionMode::Isolated => NodeConnectionMode::Isolated,
            ConnectionMode::Transitive => NodeConnectionMode::Transitive,
        };
        let inner = NodeServer::new(
            address.port(),
            cookie.reveal().to_owned(),
            name.as_str().to_owned(),
            builder.host.clone(),
            tls.map(IncomingEncryptionMode::Tls),
            Some(mode),
        )
        .with_listen_addr(address.ip())
        .with_max_inbound_frame_size(*builder.limits.max_frame)
        .with_links(links);

        match Actor::spawn(None, Server { inner, roster, span }, ()).await {
            Ok((server, stopped)) => Ok(Self {
                server,
                stopped: Some(stopped),
                #[cfg(all(feature = "spinning", target_os = "linux"))]
                thread: None,
            }),
            Err(error) => Err(start_error(error, shown)),
        }
    }

    /// Stops it, and waits until its addresses are free.
    pub(in super::super) async fn stop(mut self) {
        // Its listener is a child of it, and ends after it.
        let children = self.server.get_children();
        self.server.stop(None);
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
        for child in children {
            // Without a bound it cannot time out.
            let _ = child.wait(None).await;
        }
        #[cfg(all(feature = "spinning", target_os = "linux"))]
        if let Some(thread) = self.thread.take() {
            thread.end().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(all(feature = "spinning", target_os = "linux"))]
        if let Some(thread) = self.thread.take() {
            let mut actors = self.server.get_children();
            actors.push(self.server.get_cell());
            thread.end_after(actors);
        }
        self.server.stop(None);
    }
}

/// The address of a listener, by number.
async fn resolve(listen: &StreamListen) -> io::Result<SocketAddr> {
    let (StreamListen::Tcp(endpoint) | StreamListen::Tls { endpoint, .. }) = listen;
    let mut found = tokio::net::lookup_host((endpoint.host(), endpoint.port())).await?;
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    found.next().ok_or_else(none)
}

/// What is below a start that failed. An error of the system is that of the server's own listener,
/// at `own`.
fn start_error(error: SpawnErr, own: Address) -> StartError {
    let SpawnErr::StartupFailed(inner) = error else { return StartError::Server(error.into()) };
    let inner = match inner.downcast::<SpawnErr>() {
        Ok(inner) => return start_error(*inner, own),
        Err(inner) => inner,
    };
    #[cfg(unix)]
    let inner = match inner.downcast::<ractor_cluster::transport::unix::UnixListenError>() {
        Ok(error) => return StartError::Unix(*error),
        Err(inner) => inner,
    };
    match inner.downcast::<io::Error>() {
        Ok(source) => StartError::Listen { address: own, source: *source },
        Err(inner) => StartError::Server(inner),
    }
}
