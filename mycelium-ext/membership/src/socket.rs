//! Chitchat's transport: its messages by sealed datagrams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Deserializable, Serializable};
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::digest::Known;
use crate::fragment::LARGEST;
use crate::peers::Peers;
use crate::refused::{Counters, Refused};

/// How long it waits after an error of the system, which may come again at once.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Datagrams that are taken in a row before other tasks have their turn.
const TURN: u32 = 64;

/// What datagrams are sent and received with.
#[derive(Debug)]
pub(crate) enum Port {
    /// A socket of the system.
    System(UdpSocket),
    /// That of a simulated host.
    #[cfg(feature = "simulation")]
    Simulated(crate::simulated::SimulatedPort),
}

impl Port {
    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        match self {
            Self::System(socket) => socket.send_to(datagram, to).await.map(drop),
            #[cfg(feature = "simulation")]
            Self::Simulated(port) => port.send(datagram, to),
        }
    }

    fn try_send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        match self {
            Self::System(socket) => socket.try_send_to(datagram, to).map(drop),
            #[cfg(feature = "simulation")]
            Self::Simulated(port) => port.send(datagram, to),
        }
    }

    /// Cancel safe.
    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::System(socket) => socket.recv_from(buffer).await,
            #[cfg(feature = "simulation")]
            Self::Simulated(port) => port.recv_from(buffer).await,
        }
    }
}

/// What the sockets of one node share.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) port: Port,
    pub(crate) peers: Mutex<Peers>,
    pub(crate) known: Mutex<Known>,
    pub(crate) counters: Counters,
}

impl Wire {
    async fn transmit(&self, to: SocketAddr, datagrams: Vec<Vec<u8>>) {
        for datagram in datagrams {
            // The system takes it or not, which waits for no peer.
            if let Err(error) = self.port.send_to(&datagram, to).await {
                self.counters.count(Refused::Io, 1, &format_args!("{to}: {error}"));
                return;
            }
        }
    }

    /// What goes back does not wait: a flood leaves no time.
    fn answer(&self, to: SocketAddr, answers: &[Vec<u8>]) {
        for answer in answers {
            if let Err(error) = self.port.try_send_to(answer, to) {
                if error.kind() != io::ErrorKind::WouldBlock {
                    self.counters.count(Refused::Io, 1, &format_args!("{to}: {error}"));
                }
                return;
            }
        }
    }

    fn count_lost(&self, (incomplete, unanswered): (u64, u64), at: &SocketAddr) {
        self.counters.count(Refused::Incomplete, incomplete, at);
        self.counters.count(Refused::Unanswered, unanswered, at);
    }

    /// A message of chitchat, if `datagram` completes one.
    fn take(&self, from: SocketAddr, datagram: &[u8]) -> Option<ChitchatMessage> {
        let (received, lost) = {
            let mut peers = self.peers.lock();
            (peers.receive(from, datagram, Instant::now()), peers.take_lost())
        };
        self.count_lost(lost, &from);
        self.answer(from, &received.answers);
        if let Some(cause) = received.refused {
            self.counters.count(cause, 1, &from);
        }
        let message = received.message?;
        let Some(admitted) = self.known.lock().admit(&message, from) else {
            self.counters.count(Refused::Malformed, 1, &from);
            return None;
        };
        for (cause, times) in admitted.left_out() {
            self.counters.count(cause, times, &from);
        }
        match ChitchatMessage::deserialize(&mut &admitted.message[..]) {
            Ok(message) => Some(message),
            Err(_) => {
                self.counters.count(Refused::Malformed, 1, &from);
                None
            }
        }
    }
}

/// Opens sockets that all use one wire.
pub(crate) struct Sealed(pub(crate) Arc<Wire>);

#[async_trait]
impl Transport for Sealed {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        #[cfg(feature = "simulation")]
        self.0.port.begin();
        Ok(Box::new(SealedSocket { wire: self.0.clone(), buffer: [0; LARGEST + 1], turn: 0 }))
    }
}

struct SealedSocket {
    wire: Arc<Wire>,
    /// One byte more than a datagram may have, so that a larger one is seen to be.
    buffer: [u8; LARGEST + 1],
    turn: u32,
}

#[async_trait]
impl Socket for SealedSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        #[cfg(feature = "simulation")]
        if !self.wire.port.takes(&message) {
            return Ok(());
        }
        let bytes = message.serialize_to_vec();
        let (datagrams, lost) = {
            let mut peers = self.wire.peers.lock();
            (peers.send(to, bytes, Instant::now()), peers.take_lost())
        };
        self.wire.count_lost(lost, &to);
        match datagrams {
            Ok(datagrams) => self.wire.transmit(to, datagrams).await,
            Err(cause) => self.wire.counters.count(cause, 1, &to),
        }
        Ok(())
    }

    /// Cancel safe: it waits before a datagram is taken, and not behind it.
    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            if self.turn >= TURN {
                self.turn = 0;
                tokio::task::yield_now().await;
            }
            let (length, from) = match self.wire.port.recv_from(&mut self.buffer).await {
                Ok(received) => received,
                Err(error) => {
                    self.wire.counters.count(Refused::Io, 1, &error);
                    tokio::time::sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            self.turn += 1;
            if let Some(message) = self.wire.take(from, &self.buffer[..length]) {
                return Ok((from, message));
            }
        }
    }
}
