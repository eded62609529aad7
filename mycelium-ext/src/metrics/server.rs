//! Serves the figures of a process, on a thread of its own.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{Connection, Next};
use super::page::Figures;

/// The most connections.
const MOST: usize = 64;
/// The pause after a connection that could not be accepted, for want of descriptors for example.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers `GET /metrics` with the figures of the process until it is dropped.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    /// Ends the thread when it is dropped.
    end: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Serves the figures of this process at this address, by TCP, for a node of this name
    /// (`name@host`). Port 0 is a free one: see [`address`](Self::address).
    ///
    /// # Errors
    /// The address cannot be listened at, or the thread cannot be made.
    pub fn start(address: SocketAddr, name: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (end, ended) = UnixStream::pair()?;
        let figures = Figures::of(name.into());
        let serving = Serving { listener, ended, connections: VecDeque::new(), figures };
        let thread = std::thread::Builder::new().name("mycelium-metrics".to_owned());
        let thread = thread.spawn(move || serving.run())?;
        Ok(Self { address, end: Some(end), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        drop(self.end.take());
        // It waits for no client, and for a page at most: the address is free afterwards.
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

struct Serving {
    listener: TcpListener,
    ended: UnixStream,
    /// The oldest first.
    connections: VecDeque<Connection>,
    figures: Figures,
}

impl Serving {
    fn run(mut self) {
        loop {
            match self.wait() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "the metrics of this node end");
                    return;
                }
            }
            self.go_on();
            self.accept();
            if self.figures.next_sample() <= Instant::now() {
                self.figures.sample();
            }
        }
    }

    /// Waits until there is something to do. False when the server ends.
    fn wait(&self) -> io::Result<bool> {
        let deadlines = self.connections.iter().map(Connection::deadline);
        let next = deadlines.fold(self.figures.next_sample(), Instant::min);
        let left = next.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut fds = vec![
            PollFd::new(&self.ended, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        fds.extend(self.connections.iter().map(|it| {
            let flags = if it.is_answering() { PollFlags::OUT } else { PollFlags::IN };
            PollFd::new(it.stream(), flags)
        }));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => Ok(fds[0].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on with all connections, and closes those that are done, late or broken.
    fn go_on(&mut self) {
        let (figures, now) = (&mut self.figures, Instant::now());
        self.connections.retain_mut(|it| {
            it.deadline() > now && matches!(it.go_on(&mut || figures.page()), Ok(Next::Waits))
        });
    }

    /// Accepts connections, so many at once, and answers those whose request is there.
    fn accept(&mut self) {
        for _ in 0..MOST {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It is gone again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => return std::thread::sleep(PAUSE),
            };
            // One that is broken already has lost its place.
            let Ok(mut connection) = Connection::new(stream) else { continue };
            let figures = &mut self.figures;
            if !matches!(connection.go_on(&mut || figures.page()), Ok(Next::Waits)) {
                continue;
            }
            if self.connections.len() >= MOST {
                let oldest = self.connections.iter().position(Connection::is_asking);
                self.connections.remove(oldest.unwrap_or(0));
            }
            self.connections.push_back(connection);
        }
    }
}
