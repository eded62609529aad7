//! The measurements. A child process is this program again, with its end of the socket as its
//! standard input.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

#[cfg(feature = "iceoryx")]
#[path = "iceoryx.rs"]
mod iceoryx;

use bytes::Bytes;
use mycelium_ext::shm::{ShmOptions, ShmTransport, bare::Bare};
use ractor_cluster::transport::{
    FrameSink, FrameStream, Transport, TransportMessage, UnixSocketTransport,
};

/// What a sender queues before it hands over.
const BATCH: usize = 64 * 1024;
/// The first argument of a child.
const CHILD: &str = "--child";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    BareUnix,
    Unix,
    BareRing,
    BareRingLooking,
    Shm,
    ShmSpinning,
    /// By samples of iceoryx2, with events to wake who sleeps.
    #[cfg(feature = "iceoryx")]
    Iceoryx,
    /// The same without events: the waiting thread polls.
    #[cfg(feature = "iceoryx")]
    IceoryxLooking,
}

impl Way {
    /// Whether who waits keeps its core. On one core, it keeps the other from what it is looked
    /// for.
    fn looks(self) -> bool {
        match self {
            Self::BareRingLooking | Self::ShmSpinning => true,
            #[cfg(feature = "iceoryx")]
            Self::IceoryxLooking => true,
            _ => false,
        }
    }
}

const WAYS: &[(Way, &str)] = &[
    (Way::BareUnix, "bare unix"),
    (Way::Unix, "unix"),
    (Way::BareRing, "bare ring"),
    (Way::BareRingLooking, "bare ring, looking"),
    (Way::Shm, "shm"),
    (Way::ShmSpinning, "shm, spinning"),
    #[cfg(feature = "iceoryx")]
    (Way::Iceoryx, "iceoryx2, events"),
    #[cfg(feature = "iceoryx")]
    (Way::IceoryxLooking, "iceoryx2, looking"),
];

/// What is measured.
#[derive(Debug, Clone, Copy)]
enum Task {
    RoundTrip,
    /// Handed over each by each.
    Each,
    /// Handed over in batches.
    Batches,
}

const TASKS: [(Task, usize, u64, bool); 8] = [
    (Task::RoundTrip, 64, 20_000, true),
    (Task::RoundTrip, 64, 20_000, false),
    (Task::Each, 64, 300_000, false),
    (Task::Batches, 64, 1_000_000, true),
    (Task::Batches, 64, 1_000_000, false),
    (Task::Batches, 4 * 1024, 200_000, false),
    (Task::Batches, 64 * 1024, 20_000, false),
    (Task::Batches, 1024 * 1024, 1000, false),
];

pub(super) fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if arguments.first().is_some_and(|first| first == CHILD) {
        let number = |at: usize| arguments[at].parse::<usize>().unwrap();
        let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
        let (task, size, count, _) = TASKS[number(2)];
        pin(number(3));
        End::new(WAYS[number(1)].0, socket, size, number(4), true).serve(task, size, count);
        return;
    }
    let number = |at: usize| arguments.get(at).map(|it| it.parse::<usize>().unwrap());
    let rounds = number(0).unwrap_or(5);
    let ring = number(1).unwrap_or(ShmOptions::default().ring());
    let mut times = vec![vec![Vec::new(); WAYS.len()]; TASKS.len()];
    for _ in 0..rounds {
        for task in 0..TASKS.len() {
            for way in 0..WAYS.len() {
                if !(TASKS[task].3 && WAYS[way].0.looks()) {
                    times[task][way].push(measure(task, way, ring));
                }
            }
        }
    }
    print!("{}", table(&mut times));
}

fn measure(task: usize, way: usize, ring: usize) -> Duration {
    let (here, there) = UnixStream::pair().unwrap();
    let (kind, size, count, one_core) = TASKS[task];
    let core = if one_core { 0 } else { 1 };
    let child = Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .args([way, task, core, ring].map(|it| it.to_string()))
        .stdin(std::os::fd::OwnedFd::from(there))
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    pin(0);
    let time = End::new(WAYS[way].0, here, size, ring, false).run(kind, size, count);
    assert!(child.0.wait().unwrap().success());
    time / u32::try_from(count).unwrap()
}

/// A child that does not outlive a failure.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn pin(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).unwrap();
}

/// One end, of any way.
enum End {
    Socket(UnixStream),
    Ring(Box<Bare>, bool),
    Frames(tokio::runtime::Runtime, Box<dyn FrameSink>, Box<dyn FrameStream>),
    #[cfg(feature = "iceoryx")]
    Samples(Box<iceoryx::End>),
}

impl End {
    #[cfg_attr(not(feature = "iceoryx"), allow(unused_variables, reason = "for samples"))]
    fn new(way: Way, socket: UnixStream, size: usize, ring: usize, child: bool) -> Self {
        if way == Way::BareUnix {
            return Self::Socket(socket);
        }
        #[cfg(feature = "iceoryx")]
        if matches!(way, Way::Iceoryx | Way::IceoryxLooking) {
            return Self::Samples(Box::new(iceoryx::End::new(
                socket,
                (size, ring),
                way.looks(),
                child,
            )));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let spin = if way == Way::ShmSpinning { Duration::from_millis(1) } else { Duration::ZERO };
        let options = ShmOptions::default().with_ring(ring).with_spin(spin);
        let transport = |socket: UnixStream| async move {
            socket.set_nonblocking(true).unwrap();
            let socket = tokio::net::UnixStream::from_std(socket).unwrap();
            if way == Way::Unix {
                return Ok(Box::new(UnixSocketTransport::new(socket)?) as Box<dyn Transport>);
            }
            Ok::<_, std::io::Error>(Box::new(shm(socket, options, child).await))
        };
        if matches!(way, Way::BareRing | Way::BareRingLooking) {
            let bare = runtime.block_on(async {
                socket.set_nonblocking(true).unwrap();
                let socket = tokio::net::UnixStream::from_std(socket).unwrap();
                shm(socket, options, child).await.bare().unwrap()
            });
            return Self::Ring(Box::new(bare), way == Way::BareRingLooking);
        }
        let transport = runtime.block_on(transport(socket)).unwrap();
        let (sink, stream) = {
            let _entered = runtime.enter();
            transport.split(u64::MAX)
        };
        Self::Frames(runtime, sink, stream)
    }

    /// The measuring side: how long it takes.
    fn run(&mut self, task: Task, size: usize, count: u64) -> Duration {
        // Once before, so that both are there.
        self.round_trips(size, 10);
        let start = Instant::now();
        match task {
            Task::RoundTrip => self.round_trips(size, count),
            Task::Each => self.send(size, count, 1),
            Task::Batches => self.send(size, count, BATCH),
        }
        if !matches!(task, Task::RoundTrip) {
            self.receive(1, 1);
        }
        start.elapsed()
    }

    /// The other side.
    fn serve(&mut self, task: Task, size: usize, count: u64) {
        self.echo(size, 10);
        match task {
            Task::RoundTrip => self.echo(size, count),
            Task::Each | Task::Batches => {
                self.receive(size, count);
                self.send(1, 1, 1);
            }
        }
    }

    fn round_trips(&mut self, size: usize, count: u64) {
        if let Self::Frames(runtime, sink, stream) = self {
            let frame = Bytes::from(vec![7; size]);
            return runtime.block_on(async {
                for _ in 0..count {
                    send(sink, &frame, 1, 1).await;
                    stream.frame().await.unwrap().unwrap();
                }
            });
        }
        for _ in 0..count {
            self.send(size, 1, 1);
            self.receive(size, 1);
        }
    }

    fn echo(&mut self, size: usize, count: u64) {
        if let Self::Frames(runtime, sink, stream) = self {
            return runtime.block_on(async {
                for _ in 0..count {
                    let frame = stream.frame().await.unwrap().unwrap();
                    sink.queue(frame).unwrap();
                    sink.flush().await.unwrap();
                }
            });
        }
        for _ in 0..count {
            self.receive(size, 1);
            self.send(size, 1, 1);
        }
    }

    fn send(&mut self, size: usize, count: u64, batch: usize) {
        let length = size + 8;
        let in_batch = (batch / length).max(1).min(count as usize);
        let bytes = vec![7; length * in_batch];
        let mut left = length * count as usize;
        match self {
            Self::Socket(socket) => {
                while left > 0 {
                    let part = left.min(bytes.len());
                    socket.write_all(&bytes[..part]).unwrap();
                    left -= part;
                }
            }
            Self::Ring(bare, _) => {
                while left > 0 {
                    let part = left.min(bytes.len());
                    bare.send(&bytes[..part]).unwrap();
                    left -= part;
                }
            }
            Self::Frames(runtime, sink, _) => {
                let frame = Bytes::from(vec![7; size]);
                runtime.block_on(send(sink, &frame, count, batch));
            }
            #[cfg(feature = "iceoryx")]
            Self::Samples(end) => end.send(&vec![7; size], count, in_batch as u64),
        }
    }

    /// Looks at nothing of it.
    fn receive(&mut self, size: usize, count: u64) {
        let mut left = (size + 8) * count as usize;
        match self {
            Self::Socket(socket) => {
                let mut buffer = vec![0; left.min(256 * 1024)];
                while left > 0 {
                    let part = left.min(buffer.len());
                    left -= socket.read(&mut buffer[..part]).unwrap();
                }
            }
            Self::Ring(bare, looking) => {
                let mut buffer = vec![MaybeUninit::uninit(); left.min(256 * 1024)];
                while left > 0 {
                    let part = left.min(buffer.len());
                    left -= bare.receive(&mut buffer[..part], *looking).unwrap();
                }
            }
            Self::Frames(runtime, _, stream) => runtime.block_on(async {
                for _ in 0..count {
                    stream.frame().await.unwrap().unwrap();
                }
            }),
            #[cfg(feature = "iceoryx")]
            Self::Samples(end) => end.receive(count),
        }
    }
}

async fn shm(socket: tokio::net::UnixStream, options: ShmOptions, child: bool) -> ShmTransport {
    if child {
        ShmTransport::take(socket, options).await.unwrap()
    } else {
        ShmTransport::offer(socket, options).await.unwrap()
    }
}

async fn send(sink: &mut Box<dyn FrameSink>, frame: &Bytes, count: u64, batch: usize) {
    for _ in 0..count {
        sink.queue(TransportMessage::Bytes(frame.clone())).unwrap();
        if sink.queued_bytes() >= batch {
            sink.flush().await.unwrap();
        }
    }
    sink.flush().await.unwrap();
}

fn table(times: &mut [Vec<Vec<Duration>>]) -> String {
    let mut text = String::from("| |");
    WAYS.iter().for_each(|(_, name)| _ = write!(text, " {name} |"));
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(WAYS.len()));
    for ((task, size, _, one_core), times) in TASKS.iter().zip(times) {
        let cores = if *one_core { "one core" } else { "two cores" };
        let what = match task {
            Task::RoundTrip => "round trip, µs",
            Task::Each => "one by one, M/s",
            Task::Batches if *size < 4096 => "batches, M/s",
            Task::Batches => "batches, GB/s",
        };
        _ = write!(text, "\n| {size} B {what}, {cores} |");
        for times in times {
            times.sort_unstable();
            let Some(median) = times.get(times.len() / 2) else {
                text.push_str(" – |");
                continue;
            };
            let nanoseconds = median.as_nanos() as f64;
            let figure = match task {
                Task::RoundTrip => nanoseconds / 1e3,
                Task::Batches if *size >= 4096 => *size as f64 / nanoseconds,
                _ => 1e3 / nanoseconds,
            };
            _ = write!(text, " {figure:.2} |");
        }
    }
    text.push('\n');
    text
}
