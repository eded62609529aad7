//! A peer that makes system calls block: the runtime goes on, with as many blocked links as it has
//! workers, and all is given back in the end.

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mycelium_transport::UnixSocketTransport;
use rustix::fs::OFlags;

use super::*;

/// Nothing takes nearly as long, unless it blocks.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many links a peer blocks at a time: more than there are workers.
const LINKS: usize = 4;

/// Runs what a peer tries to block on a runtime of its own, which has to end, and to run other
/// tasks meanwhile.
fn unblocked<T: Send + 'static>(
    workers: usize,
    tasks: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap();
    let (done, ends) = mpsc::channel();
    let count = tasks.len();
    for task in tasks {
        let done = done.clone();
        runtime.spawn(async move { _ = done.send(task.await) });
    }
    let ended: Vec<T> = (0..count).map_while(|_| ends.recv_timeout(PATIENCE).ok()).collect();
    let (alive, answer) = mpsc::channel();
    runtime.spawn(async move { _ = alive.send(()) });
    let answers = answer.recv_timeout(PATIENCE).is_ok();
    // Without waiting for threads that are blocked.
    runtime.shutdown_background();
    assert!(answers, "all of the {workers} workers are blocked");
    assert_eq!(ended.len(), count, "some tasks are blocked");
    ended
}

/// What a peer does to the bell that it is woken by.
#[derive(Clone, Copy, Debug)]
enum Count {
    Most,
    None,
}

/// Makes calls that look at the flags or the count of a bell wait.
fn spoil(bell: &OwnedFd, count: Count) {
    rustix::fs::fcntl_setfl(bell, OFlags::RDWR | OFlags::NONBLOCK).unwrap();
    match count {
        Count::Most => {
            // As far as the count goes, in halves of what may be left.
            for step in (0..64).rev().map(|bit| 1_u64 << bit) {
                _ = rustix::io::write(bell, &step.to_ne_bytes());
            }
            let full = rustix::io::write(bell, &1_u64.to_ne_bytes());
            assert_eq!(full, Err(rustix::io::Errno::AGAIN));
        }
        // Not a semaphore, where each read takes one, but an eventfd that holds nothing.
        Count::None => {}
    }
    rustix::fs::fcntl_setfl(bell, OFlags::RDWR).unwrap();
}

/// The numbers of the eventfds that this process holds.
fn eventfds() -> HashSet<String> {
    let mut found = HashSet::new();
    for entry in std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let id = text.lines().find_map(|line| line.strip_prefix("eventfd-id:"));
        found.extend(id.map(|id| id.trim().to_owned()));
    }
    found
}

fn eventfd(of: &OwnedFd) -> String {
    let path = format!("/proc/self/fdinfo/{}", of.as_raw_fd());
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().find_map(|line| line.strip_prefix("eventfd-id:")).unwrap().trim().to_owned()
}

fn bells_are_given_back(ids: &HashSet<String>) {
    let start = Instant::now();
    while eventfds().iter().any(|id| ids.contains(id)) {
        assert!(start.elapsed() < PATIENCE, "bells are held after their link has ended");
        std::thread::yield_now();
    }
}

fn a_bell_whose_flags_change_blocks_nobody(workers: usize, count: Count) {
    let (ids, bells) = mpsc::channel();
    let tasks = (0..LINKS).map(|_| {
        let ids = ids.clone();
        async move {
            let (hostile, mut sink, stream) = match count {
                Count::Most => Hostile::link(1000).await,
                Count::None => Hostile::link_with_bells(1000, 2).await,
            };
            spoil(&hostile.own_bell, count);
            _ = ids.send([eventfd(&hostile.own_bell), eventfd(&hostile.peer_bell)]);
            for _ in 0..3 {
                // The reader sleeps, as far as the sink can tell.
                hostile.write(MAKER_READER_WAITS, &1_u64.to_ne_bytes());
                sink.queue(TransportMessage::Bytes("tick".into())).unwrap();
                sink.flush().await.unwrap();
            }
            // The peer is gone, and its flags stay.
            drop(hostile);
            _ = sink.flush().await;
            drop((sink, stream));
        }
    });
    unblocked(workers, tasks.collect());
    let ids: HashSet<String> = bells.try_iter().flatten().collect();
    assert_eq!(ids.len(), 2 * LINKS);
    bells_are_given_back(&ids);
}

#[test]
fn a_full_bell_that_blocks_keeps_one_worker_from_nothing() {
    a_bell_whose_flags_change_blocks_nobody(1, Count::Most);
}

#[test]
fn a_full_bell_that_blocks_keeps_two_workers_from_nothing() {
    a_bell_whose_flags_change_blocks_nobody(2, Count::Most);
}

#[test]
fn an_empty_bell_that_blocks_keeps_one_worker_from_nothing() {
    a_bell_whose_flags_change_blocks_nobody(1, Count::None);
}

#[test]
fn an_empty_bell_that_blocks_keeps_two_workers_from_nothing() {
    a_bell_whose_flags_change_blocks_nobody(2, Count::None);
}

/// A connection whose last descriptor is closed only after an hour, or when its `far` end takes
/// what was sent.
struct Lingering {
    near: TcpStream,
    far: TcpStream,
}

impl Lingering {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        rustix::net::sockopt::set_socket_linger(&near, Some(Duration::from_secs(3600))).unwrap();
        near.set_nonblocking(true).unwrap();
        while io::Write::write(&mut &near, &[0; 64 * 1024]).is_ok() {}
        Self { near, far }
    }

    /// Passes `count` descriptors of it, and keeps none.
    fn pass(self, socket: &StdStream, bytes: &[u8], count: usize) -> TcpStream {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = vec![self.near.as_fd(); count];
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let parts = [IoSlice::new(bytes)];
        rustix::net::sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL).unwrap();
        self.far
    }
}

fn an_offer_of_lingering_descriptors_blocks_nobody(workers: usize, count: usize) {
    let (kept, far) = mpsc::channel();
    let tasks = (0..LINKS).map(|_| {
        let kept = kept.clone();
        async move {
            let (here, there) = UnixStream::pair().unwrap();
            let here = here.into_std().unwrap();
            kept.send(Lingering::new().pass(&here, &Offer::default().bytes, count)).unwrap();
            tokio::time::timeout(
                Duration::from_millis(500),
                ShmTransport::take(there, ShmOptions::default()),
            )
            .await
        }
    });
    let taken = unblocked(workers, tasks.collect());
    assert!(taken.iter().all(|taken| !matches!(taken, Ok(Ok(_)))));
    // From here on the connections can be closed.
    drop(far);
}

#[test]
fn descriptors_that_linger_are_refused_beside_one_worker() {
    an_offer_of_lingering_descriptors_blocks_nobody(1, 3);
}

#[test]
fn descriptors_that_linger_are_refused_beside_two_workers() {
    an_offer_of_lingering_descriptors_blocks_nobody(2, 3);
}

#[test]
fn as_many_descriptors_as_can_be_that_linger_are_refused() {
    an_offer_of_lingering_descriptors_blocks_nobody(1, 253);
}

#[test]
fn descriptors_that_linger_beside_an_answer_or_after_it_block_nobody() {
    let (kept, far) = mpsc::channel();
    let answers = (0..LINKS).map(|number| {
        let kept = kept.clone();
        async move {
            let (here, there) = UnixStream::pair().unwrap();
            let there = there.into_std().unwrap();
            // The answer that is due, and one that is not.
            let answer = [[1], [7]][number % 2];
            kept.send(Lingering::new().pass(&there, &answer, 1)).unwrap();
            let offer = ShmTransport::offer(here, ShmOptions::default());
            let offered = tokio::time::timeout(Duration::from_millis(500), offer).await;
            assert!(!matches!(offered, Ok(Ok(_))));
        }
    });
    unblocked(1, answers.collect());

    let kept = &kept;
    let after = (0..LINKS).map(|_| {
        let kept = kept.clone();
        async move {
            let (hostile, sink, mut stream) = Hostile::link(1000).await;
            kept.send(Lingering::new().pass(&hostile.socket, b"x", 1)).unwrap();
            let error = watched(stream.frame()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
            drop((sink, stream));
            // Also where nothing has looked at the socket.
            let (hostile, sink, stream) = Hostile::link(1000).await;
            kept.send(Lingering::new().pass(&hostile.socket, b"x", 1)).unwrap();
            drop((sink, stream));
        }
    });
    unblocked(1, after.collect());
    drop(far);
}

/// They come with a message on a region: one that a frame needs, and one that nothing needs.
#[test]
fn descriptors_that_linger_as_a_region_block_nobody() {
    let (kept, far) = mpsc::channel();
    let tasks = (0..LINKS).map(|number| {
        let kept = kept.clone();
        async move {
            let (hostile, sink, mut stream) = crate::regions::passing().await;
            let message = crate::regions::message(1, 8);
            kept.send(Lingering::new().pass(&hostile.socket, &message, [2, 253][number % 2]))
                .unwrap();
            if number / 2 == 0 {
                crate::regions::needs(&hostile, 1);
            }
            // The link may wait for a thread that closes them.
            let frame = tokio::time::timeout(Duration::from_millis(500), stream.frame()).await;
            assert!(!matches!(frame, Ok(Ok(_))), "{frame:?}");
            drop((sink, stream));
        }
    });
    unblocked(1, tasks.collect());
    drop(far);
}

#[test]
fn descriptors_that_linger_block_nobody_on_a_link_by_a_unix_socket() {
    let (kept, far) = mpsc::channel();
    let tasks = (0..LINKS).map(|number| {
        let kept = kept.clone();
        async move {
            let (here, there) = UnixStream::pair().unwrap();
            let here = here.into_std().unwrap();
            let link = Box::new(UnixSocketTransport::new(there).unwrap());
            if number % 2 == 0 {
                kept.send(Lingering::new().pass(&here, b"x", 1 + 252 * (number / 2))).unwrap();
                let (sink, mut stream) = link.split(1000);
                let error = watched(stream.frame()).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
                drop((sink, stream));
            } else {
                // Closed unread, whole and in halves.
                kept.send(Lingering::new().pass(&here, b"x", 1)).unwrap();
                match number {
                    1 => drop(link),
                    _ => drop(link.split(1000)),
                }
            }
        }
    });
    unblocked(1, tasks.collect());
    drop(far);
}
