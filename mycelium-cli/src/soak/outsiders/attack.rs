//! What a misdeed has at hand: a seed of its own, a target, and connections.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::client::{Client, Session};
use super::targets::{Target, Targets, sockets};

/// How long a node may take to let a client in, before the client gives up.
const ADMISSION: Duration = Duration::from_secs(2);

/// Names that the hostile member uses, over and over.
const NAMES: u32 = 12;

/// A byte stream to a node.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// One misdeed under way.
pub(super) struct Attack<'a> {
    pub(super) random: StdRng,
    cookie: &'a str,
    target: Option<Target>,
    /// The name of the target.
    pub(super) at: String,
    kept: &'a mut JoinSet<()>,
    /// What was done, in the misdeed's own unit.
    pub(super) count: u64,
    /// Connections and sessions that were not let in.
    pub(super) refused: u64,
}

impl<'a> Attack<'a> {
    pub(super) fn new(
        seed: u64,
        cookie: &'a str,
        targets: Targets,
        kept: &'a mut JoinSet<()>,
    ) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let (at, target) = targets.choose(random.random_range(0..1000));
        Self { random, cookie, target, at, kept, count: 0, refused: 0 }
    }

    /// A number of times.
    pub(super) fn times(&mut self, least: u64, most: u64) -> u64 {
        self.random.random_range(least..most)
    }

    /// Bytes without a meaning.
    pub(super) fn noise(&mut self, bytes: usize) -> Vec<u8> {
        let mut noise = vec![0; bytes];
        self.random.fill(noise.as_mut_slice());
        noise
    }

    /// A client of the target by TCP, or in one of three cases by its Unix socket, that knows the
    /// cookie.
    pub(super) async fn client(&mut self) -> Option<Client> {
        let unix = self.random.random_ratio(1, 3);
        let client = self.connect(unix).await?;
        Some(client.with_cookie(self.cookie))
    }

    /// The same, by TCP.
    pub(super) async fn tcp_client(&mut self) -> Option<Client> {
        Some(self.connect(false).await?.with_cookie(self.cookie))
    }

    async fn connect(&mut self, unix: bool) -> Option<Client> {
        let target = self.target?;
        let socket = if unix { target.socket() } else { None };
        let client = match socket {
            Some(path) => Client::try_unix(path.to_str()?).await,
            None => Client::try_tcp(&target.address.to_string()).await,
        };
        self.refused += u64::from(client.is_err());
        client.ok()
    }

    /// A name of the hostile member.
    pub(super) fn name(&mut self) -> String {
        format!("hostile-{}", self.random.random_range(0..NAMES))
    }

    /// A peer that has joined.
    pub(super) async fn guest(&mut self) -> Option<(Client, Session)> {
        let name = self.name();
        let client = self.client().await?;
        self.join(client, &name).await
    }

    /// Joins under this name.
    pub(super) async fn join(
        &mut self,
        mut client: Client,
        name: &str,
    ) -> Option<(Client, Session)> {
        let session = timeout(ADMISSION, client.try_join(name)).await.ok().flatten();
        self.refused += u64::from(session.is_none());
        Some((client, session?))
    }

    /// A connection to the target by TCP, that says nothing yet.
    pub(super) async fn stream(&mut self) -> Option<TcpStream> {
        let stream = TcpStream::connect(self.target?.address).await;
        self.refused += u64::from(stream.is_err());
        stream.ok()
    }

    /// A connection to the Unix socket of some node.
    pub(super) async fn unix_stream(&mut self) -> Option<UnixStream> {
        let sockets = sockets();
        let number = self.random.random_range(0..1000);
        let path = sockets.get(number % sockets.len().max(1))?;
        let stream = UnixStream::connect(path).await;
        self.refused += u64::from(stream.is_err());
        stream.ok()
    }

    /// Keeps something for so long, or until it ends, while the next misdeed is done.
    pub(super) fn keep(&mut self, most: Duration, what: impl Future<Output = ()> + Send + 'static) {
        self.kept.spawn(async move {
            let _ = timeout(most, what).await;
        });
    }

    /// Keeps streams open for so long, and reads nothing.
    pub(super) fn keep_open(&mut self, most: Duration, streams: Vec<impl Stream>) {
        self.kept.spawn(async move {
            sleep(most).await;
            drop(streams);
        });
    }

    /// A time within these bounds, in milliseconds.
    pub(super) fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.random.random_range(least..most))
    }
}

/// Reads until the node closes the stream.
pub(super) async fn closed(stream: &mut impl Stream) {
    let mut bytes = [0; 4096];
    while matches!(stream.read(&mut bytes).await, Ok(count) if count > 0) {}
}
