//! The limit: the same messages by a socket, one write each, or by a link of shared memory, and
//! nothing else. Where calls of the system block, not even a runtime.

mod connection;

use std::path::Path;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::far::ACTORS;
use crate::measure::Peer;
use crate::work::cpu;
use crate::{say, tidy, Contender, Failure};
use connection::Connection;

/// What a frame begins with: the payload's length, what to do with it, and for whom.
const HEADER: usize = 10;

const ECHO: u8 = 0;
const TAKE: u8 = 1;
const BEGIN: u8 = 2;
const CPU: u8 = 3;
const TAKE_EACH: u8 = 4;

/// The other process.
pub struct Bare {
    connection: Connection,
    incoming: Vec<u8>,
}

impl Bare {
    pub async fn connect(contender: Contender, address: &str) -> Result<Self, Failure> {
        Ok(Self::new(match contender {
            Contender::BareTcp => Connection::tcp(TcpStream::connect(address).await?)?,
            Contender::BlockingTcp => Connection::blocking_tcp(TcpStream::connect(address).await?)?,
            Contender::BlockingUnix => {
                Connection::blocking_unix(UnixStream::connect(address).await?)?
            }
            #[cfg(feature = "shm")]
            Contender::BareShm => {
                Connection::shm(UnixStream::connect(address).await?, true).await?
            }
            #[cfg(feature = "shm")]
            Contender::BareRing => {
                Connection::ring(UnixStream::connect(address).await?, true).await?
            }
            _ => Connection::unix(UnixStream::connect(address).await?),
        }))
    }

    fn new(connection: Connection) -> Self {
        Self { connection, incoming: Vec::new() }
    }

    async fn send(&mut self, what: u8, to: u8, payload: &[u8]) -> Result<(), Failure> {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&(payload.len() as u64).to_be_bytes());
        header[8..].copy_from_slice(&[what, to]);
        self.connection.send(&header, payload).await
    }

    /// What to do, and for whom; the payload is in `incoming`.
    async fn receive(&mut self) -> Result<(u8, usize), Failure> {
        let [.., what, to] = self.connection.receive(&mut self.incoming).await?;
        Ok((what, to.into()))
    }

    async fn number(&mut self) -> Result<u64, Failure> {
        self.receive().await?;
        let bytes = self.incoming.first_chunk().ok_or("no number came")?;
        Ok(u64::from_be_bytes(*bytes))
    }

    /// Does what the other side wants, for as long as it wants.
    async fn answer(mut self) -> Result<(), Failure> {
        let (mut every, mut taken) = (u64::MAX, [0; ACTORS]);
        loop {
            let (what, to) = self.receive().await?;
            match what {
                ECHO => {
                    let payload = std::mem::take(&mut self.incoming);
                    self.send(ECHO, 0, &payload).await?;
                    self.incoming = payload;
                }
                TAKE | TAKE_EACH => {
                    let targets = if what == TAKE { to..to + 1 } else { 0..to };
                    for target in targets {
                        taken[target] += 1;
                        if taken[target] == every {
                            taken[target] = 0;
                            self.send(TAKE, 0, &[]).await?;
                        }
                    }
                }
                BEGIN => {
                    every = u64::from_be_bytes(*self.incoming.first_chunk().ok_or("no number")?);
                    taken = [0; ACTORS];
                }
                CPU => self.send(CPU, 0, &cpu().to_be_bytes()).await?,
                _ => return Err("a frame of another bench".into()),
            }
        }
    }
}

impl Peer for Bare {
    async fn cpu(&mut self) -> Result<u64, Failure> {
        self.send(CPU, 0, &[]).await?;
        self.number().await
    }

    async fn call(&mut self, payload: &[u8]) -> Result<(), Failure> {
        self.send(ECHO, 0, payload).await?;
        self.receive().await?;
        Ok(())
    }

    async fn begin(&mut self, every: u64, _: usize) -> Result<(), Failure> {
        self.send(BEGIN, 0, &every.to_be_bytes()).await
    }

    async fn cast(&mut self, payload: &[u8]) -> Result<(), Failure> {
        self.send(TAKE, 0, payload).await
    }

    async fn call_raw(&mut self, _: usize, _: u8) -> Result<(), Failure> {
        Err("there is no actor that makes an answer".into())
    }

    async fn cast_raw(&mut self, payload: &Bytes) -> Result<(), Failure> {
        self.cast(payload).await
    }

    async fn fan_out(&mut self, targets: usize, payload: &[u8]) -> Result<(), Failure> {
        self.send(TAKE_EACH, targets as u8, payload).await
    }

    async fn acknowledged(&mut self) -> Result<(), Failure> {
        self.receive().await?;
        Ok(())
    }
}

/// Serves one connection until there are no more orders. It expects none of its own.
pub async fn serve(
    contender: Contender,
    folder: &Path,
    mut orders: mpsc::UnboundedReceiver<String>,
) -> Result<(), Failure> {
    let connection = if matches!(contender, Contender::BareTcp | Contender::BlockingTcp) {
        tidy(folder)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        say(&listener.local_addr()?.to_string())?;
        let (stream, _) = listener.accept().await?;
        match contender {
            Contender::BareTcp => Connection::tcp(stream)?,
            _ => Connection::blocking_tcp(stream)?,
        }
    } else {
        let path = folder.join("far");
        let listener = UnixListener::bind(&path)?;
        say(path.to_str().ok_or("the folder has a strange name")?)?;
        let (stream, _) = listener.accept().await?;
        tidy(folder)?;
        match contender {
            #[cfg(feature = "shm")]
            Contender::BareShm => Connection::shm(stream, false).await?,
            #[cfg(feature = "shm")]
            Contender::BareRing => Connection::ring(stream, false).await?,
            Contender::BareUnix => Connection::unix(stream),
            _ => Connection::blocking_unix(stream)?,
        }
    };
    let bare = Bare::new(connection);
    // Ends with an error when the near process has ended, which is its right.
    let answering = tokio::spawn(bare.answer());
    while orders.recv().await.is_some() {}
    answering.abort();
    Ok(())
}
