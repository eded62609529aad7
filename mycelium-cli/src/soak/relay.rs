//! What stands between two nodes, and can be cut.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Bytes that are under way in a relay, in each direction of a connection.
const BUFFER: usize = 16 * 1024;

/// What a relay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// Where connections lead; none are taken while it leads nowhere.
    target: Option<SocketAddr>,
    /// Whether bytes go through.
    flows: bool,
    /// Whether connections are taken.
    takes: bool,
    /// Connections of earlier generations are closed.
    generation: u64,
}

/// A relay for TCP connections to one address, which keeps its own. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
    task: AbortHandle,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Opens a relay that leads nowhere yet.
    ///
    /// # Errors
    /// As binding a port of loopback.
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = State { target: None, flows: true, takes: true, generation: 0 };
        let (state, watched) = watch::channel(state);
        let task = tokio::spawn(relay(listener, watched)).abort_handle();
        Ok(Self { address, state, task })
    }

    /// Leads to another address, and closes what led to the one before.
    pub(crate) fn lead_to(&self, target: Option<SocketAddr>) {
        self.state.send_modify(|state| {
            state.target = target;
            state.generation += 1;
        });
    }

    /// Closes all connections. New ones are taken.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Lets no bytes through, as a network does that lost its route; neither end is told. Or lets
    /// them through again.
    pub(crate) fn hold(&self, held: bool) {
        self.state.send_modify(|state| state.flows = !held);
    }

    /// Closes all connections, and takes none. Or takes them again.
    pub(crate) fn part(&self, parted: bool) {
        self.state.send_modify(|state| {
            state.takes = !parted;
            state.generation += 1;
        });
    }
}

async fn relay(listener: TcpListener, state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let now = *state.borrow();
        // A connection that is dropped here is closed.
        if let (Ok((stream, _)), Some(target), true) = (accepted, now.target, now.takes) {
            connections.spawn(connection(stream, target, now.generation, state.clone()));
        }
    }
}

/// Carries bytes both ways until either side ends or the connection is cut.
async fn connection(
    from: TcpStream,
    target: SocketAddr,
    generation: u64,
    mut state: watch::Receiver<State>,
) {
    let flow = state.clone();
    let carry = async {
        let to = TcpStream::connect(target).await?;
        // What is sent at once shall arrive at once.
        from.set_nodelay(true)?;
        to.set_nodelay(true)?;
        let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
        tokio::select! {
            ended = carry(from_read, to_write, flow.clone()) => ended,
            ended = carry(to_read, from_write, flow) => ended,
        }
    };
    tokio::select! {
        _ = state.wait_for(|state| state.generation != generation) => {}
        // How it ended both sides see.
        _ = carry => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        if state.wait_for(|state| state.flows).await.is_err() {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
    }
}

#[cfg(test)]
#[path = "relay/tests.rs"]
mod tests;
