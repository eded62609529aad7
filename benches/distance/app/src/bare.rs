//! The limit: the same messages by a socket, one write each, and nothing else.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::far::ACTORS;
use crate::measure::Peer;
use crate::work::cpu;
use crate::{say, tidy, Contender, Failure};

type Reader = BufReader<Box<dyn AsyncRead + Unpin + Send>>;
type Writer = Box<dyn AsyncWrite + Unpin + Send>;

/// What a frame begins with: the payload's length, what to do with it, and for whom.
const HEADER: usize = 10;
/// Payloads from here on are a write of their own, and not copied.
const LARGE: usize = 16 * 1024;
const BUFFER: usize = 64 * 1024;

const ECHO: u8 = 0;
const TAKE: u8 = 1;
const BEGIN: u8 = 2;
const CPU: u8 = 3;

/// A connection.
pub struct Bare {
    reader: Reader,
    writer: Writer,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Bare {
    pub async fn connect(contender: Contender, address: &str) -> Result<Self, Failure> {
        match contender {
            Contender::BareUnix => Ok(Self::unix(UnixStream::connect(address).await?)),
            _ => Self::tcp(TcpStream::connect(address).await?),
        }
    }

    fn unix(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self::new(Box::new(reader), Box::new(writer))
    }

    fn tcp(stream: TcpStream) -> Result<Self, Failure> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self::new(Box::new(reader), Box::new(writer)))
    }

    fn new(reader: Box<dyn AsyncRead + Unpin + Send>, writer: Writer) -> Self {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Self { reader, writer, incoming: Vec::new(), outgoing: Vec::new() }
    }

    async fn send(&mut self, what: u8, to: u8, payload: &[u8]) -> Result<(), Failure> {
        let out = &mut self.outgoing;
        out.clear();
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        out.extend_from_slice(&[what, to]);
        if payload.len() < LARGE {
            out.extend_from_slice(payload);
            return Ok(self.writer.write_all(out).await?);
        }
        self.writer.write_all(out).await?;
        Ok(self.writer.write_all(payload).await?)
    }

    /// What to do, and for whom; the payload is in `incoming`.
    async fn receive(&mut self) -> Result<(u8, usize), Failure> {
        let mut header = [0; HEADER];
        self.reader.read_exact(&mut header).await?;
        let [length @ .., what, to] = header;
        self.incoming.resize(usize::try_from(u64::from_be_bytes(length))?, 0);
        self.reader.read_exact(&mut self.incoming).await?;
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
                TAKE => {
                    taken[to] += 1;
                    if taken[to] == every {
                        taken[to] = 0;
                        self.send(TAKE, 0, &[]).await?;
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

    async fn begin(&mut self, every: u64) -> Result<(), Failure> {
        self.send(BEGIN, 0, &every.to_be_bytes()).await
    }

    async fn cast(&mut self, to: usize, payload: &[u8]) -> Result<(), Failure> {
        self.send(TAKE, to as u8, payload).await
    }

    async fn acknowledged(&mut self) -> Result<(), Failure> {
        self.receive().await?;
        Ok(())
    }
}

/// Serves one connection until there are no more orders, of which it has none to expect.
pub async fn serve(
    contender: Contender,
    folder: &Path,
    mut orders: mpsc::UnboundedReceiver<String>,
) -> Result<(), Failure> {
    let bare = if contender == Contender::BareUnix {
        let path = folder.join("far");
        let listener = UnixListener::bind(&path)?;
        say(path.to_str().ok_or("the folder has a strange name")?)?;
        let (stream, _) = listener.accept().await?;
        tidy(folder)?;
        Bare::unix(stream)
    } else {
        tidy(folder)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        say(&listener.local_addr()?.to_string())?;
        Bare::tcp(listener.accept().await?.0)?
    };
    // Ends with an error when the near process has ended, which is its right.
    let answering = tokio::spawn(bare.answer());
    while orders.recv().await.is_some() {}
    answering.abort();
    Ok(())
}
