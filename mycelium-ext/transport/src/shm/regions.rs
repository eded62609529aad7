//! Regions of a link: arenas of further processes. A side passes on what it was lent out of them.
//!
//! Region 0 is the arena of the sender itself, which comes when the link is made. A payload may lie
//! in the arena of a third process. Then the sender passes that arena over the link's Unix socket,
//! with the end of the pipe that its owner watches, and only after it the frame that names the
//! region. Such a message has 16 bytes: a word to know it by, the number of the region, and how
//! many pages it has. A message with no pages and no descriptors says that the region is over.
//!
//! * **Numbers** count from 1, and are not used again. Frames and messages come by two ways: with a
//!   number that is used again, a frame could find the wrong arena.
//! * **Bounds.** A direction has 4 regions at a time. Payloads of further arenas are copied. The
//!   sender never waits for the socket: when it is full, the payload is copied, too.
//! * **What is needless ends the link.** A region may end when a payload was lent out of it and all
//!   of its payloads are given back. So each mapping costs the peer a frame and a slot.
//! * **The owner** gets its memory back when all ends of its pipe are closed. The receiver keeps
//!   its end as long as the region and the link last, and beyond that as long as it holds something
//!   of the region: also when the sender is killed.
//! * **Agreed.** A side that takes regions says so in its [word](super::abilities) of the shared
//!   memory. A side of an older build is passed none.
//!
//! A [thread](blocking) receives and checks a message, and maps its memory, as it does with offers:
//! a peer may make each of these calls block.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use super::leases::SLOTS;
use super::lending::{Loan, broken};
use super::share::{self, refused};
use super::wakeup::Wakeup;
use crate::arena::{self, PeerArena};
use crate::blocking;
use crate::log_limit::limited_warn;

/// By what a message is known.
const WORD: [u8; 8] = *b"myregion";
/// The bytes of a message.
const MESSAGE: usize = 16;
/// The regions of a direction at a time, without the sender's own arena.
const MOST: usize = 4;

/// Whether this process takes regions. It does until there is no room to map one: the sender cannot
/// know of that, and would break each new link in the same way.
static ABLE: AtomicBool = AtomicBool::new(true);

/// Whether this process takes regions on a link that it makes now.
pub(super) fn are_taken() -> bool {
    ABLE.load(Ordering::Relaxed)
}

fn message(number: u32, bytes: usize) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    message[..8].copy_from_slice(&WORD);
    message[8..12].copy_from_slice(&number.to_be_bytes());
    message[12..].copy_from_slice(&((bytes / arena::PAGE) as u32).to_be_bytes());
    message
}

/// The regions that were passed to the peer.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Each is held by the payloads that are lent out of it.
    known: Vec<(u32, Weak<PeerArena>)>,
    /// How many there ever were.
    count: u32,
}

impl Passed {
    fn find(&self, arena: &Arc<PeerArena>) -> Option<u32> {
        let known = |(_, it): &&(u32, Weak<PeerArena>)| it.as_ptr() == Arc::as_ptr(arena);
        self.known.iter().find(known).map(|(number, _)| *number)
    }

    /// Whether an arena is a region, or can become one.
    pub(super) fn takes(&self, arena: &Arc<PeerArena>) -> bool {
        let in_use = self.known.iter().filter(|(_, it)| it.strong_count() > 0).count();
        in_use < MOST || self.find(arena).is_some()
    }

    /// The number of an arena's region, which is passed to the peer where it knows none. A payload
    /// has to be lent by it then. `None` where that cannot be done at once.
    pub(super) fn number_of(&mut self, arena: &Arc<PeerArena>, wires: &Wakeup) -> Option<u32> {
        if let Some(number) = self.find(arena) {
            return Some(number);
        }
        self.end_unused(wires);
        let number = self.count.checked_add(1).filter(|_| self.known.len() < MOST)?;
        let sent = wires.send(&message(number, arena.length()), &arena.descriptors());
        if let Err(error) = sent {
            tracing::debug!(%error, "an arena is not passed on: its payload is copied");
            return None;
        }
        self.count = number;
        self.known.push((number, Arc::downgrade(arena)));
        Some(number)
    }

    /// Tells the peer which regions are over, since this process holds nothing of them any more.
    pub(super) fn end_unused(&mut self, wires: &Wakeup) {
        self.known.retain(|(number, arena)| {
            // What cannot be sent now is sent later.
            arena.strong_count() > 0 || wires.send(&message(*number, 0), &[]).is_err()
        });
    }
}

/// The regions that the peer has passed. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Regions(Arc<Mutex<State>>);

/// What the reader knows of the peer's regions.
struct State {
    known: Vec<Region>,
    /// How many there ever were.
    count: u32,
    /// What is held, by slot.
    loan: Arc<Loan>,
    /// The region of each slot, as it was lent last. Empty until one is lent out of a region.
    slots: Vec<u32>,
    receiving: Option<Receiving>,
}

struct Region {
    number: u32,
    arena: Arc<PeerArena>,
    /// Whether a payload was lent out of it.
    is_used: bool,
}

/// A message that is being received.
struct Receiving {
    /// Whether a frame is there that needs it.
    is_due: bool,
    message: Pin<Box<dyn Future<Output = io::Result<Message>> + Send>>,
}

/// What was on the socket.
enum Message {
    None,
    Region { number: u32, arena: Arc<PeerArena> },
    Over { number: u32 },
}

impl Regions {
    /// None as yet, on a link whose payloads are held by `loan`.
    pub(super) fn new(loan: Arc<Loan>) -> Self {
        let (known, slots) = (Vec::new(), Vec::new());
        Self(Arc::new(Mutex::new(State { known, count: 0, loan, slots, receiving: None })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer has written to the socket.
    pub(super) fn begin(&self, wires: &Wakeup) -> io::Result<()> {
        self.state().begin(wires, false)
    }

    /// Goes on with what is received. Ready when nothing is.
    ///
    /// # Errors
    /// The peer breaks the protocol, or the system has no room.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state().poll(context)
    }

    /// Waits for a region that a frame names. Its message has to be there already: what is waited
    /// for is a thread.
    ///
    /// # Errors
    /// The peer breaks the protocol, or the system has no room.
    pub(super) fn poll_known(
        &self,
        context: &mut Context<'_>,
        wires: &Wakeup,
        number: u32,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        loop {
            if state.known.iter().any(|it| it.number == number) {
                return Poll::Ready(Ok(()));
            }
            state.begin(wires, true)?;
            ready!(state.poll(context))?;
        }
    }

    /// The arena of a region.
    pub(super) fn arena(&self, number: u32) -> Option<Arc<PeerArena>> {
        let state = self.state();
        state.known.iter().find(|it| it.number == number).map(|it| it.arena.clone())
    }

    /// A payload came in `slot` out of a region, or with number 0 out of the sender's own arena.
    pub(super) fn note(&self, number: u32, slot: usize) {
        let mut state = self.state();
        if let Some(region) = state.known.iter_mut().find(|it| it.number == number) {
            region.is_used = true;
            state.slots.resize(SLOTS, 0);
        }
        if let Some(of) = state.slots.get_mut(slot) {
            *of = number;
        }
    }
}

impl State {
    fn begin(&mut self, wires: &Wakeup, is_due: bool) -> io::Result<()> {
        if self.receiving.is_none() {
            let socket = wires.socket()?;
            let message = Box::pin(blocking::call(move || receive(&socket)));
            self.receiving = Some(Receiving { is_due, message });
        }
        Ok(())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Receiving { is_due, message }) = &mut self.receiving else {
            return Poll::Ready(Ok(()));
        };
        let received = ready!(message.as_mut().poll(context));
        let is_due = *is_due;
        self.receiving = None;
        Poll::Ready(match received? {
            Message::None if is_due => Err(broken(
                "the peer lends a payload out of a region that it has not passed".to_owned(),
            )),
            Message::None => Ok(()),
            Message::Region { number, arena } => self.add(number, arena),
            Message::Over { number } => self.remove(number),
        })
    }

    fn add(&mut self, number: u32, arena: Arc<PeerArena>) -> io::Result<()> {
        if self.count.checked_add(1) != Some(number) {
            let last = self.count;
            return Err(broken(format!("the peer passes region {number} after region {last}")));
        }
        if self.known.len() == MOST {
            return Err(broken(format!("the peer passes more than {MOST} regions")));
        }
        self.count = number;
        self.known.push(Region { number, arena, is_used: false });
        Ok(())
    }

    fn remove(&mut self, number: u32) -> io::Result<()> {
        let Some(at) = self.known.iter().position(|it| it.number == number) else {
            return Err(broken(format!("the peer ends region {number}, which there is not")));
        };
        let mut slots = self.slots.iter().enumerate();
        let is_held = slots.any(|(slot, of)| *of == number && self.loan.held.holds(slot));
        if is_held || !self.known[at].is_used {
            let why = if is_held { "of which payloads are lent" } else { "which it has not used" };
            return Err(broken(format!("the peer ends region {number}, {why}")));
        }
        self.known.swap_remove(at);
        Ok(())
    }
}

/// Receives one message, if it is there. A peer can make this block.
fn receive(socket: &OwnedFd) -> io::Result<Message> {
    let mut bytes = [0; MESSAGE];
    let found = match share::receive(socket, &mut bytes) {
        Ok(found) => found,
        Err(error) => {
            return match error.kind() {
                // Also where the peer has closed the socket, which the reader sees by itself.
                io::ErrorKind::WouldBlock
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset => Ok(Message::None),
                _ => Err(error),
            };
        }
    };
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (number, pages) = (word(8), word(12) as usize);
    if bytes[..8] != WORD {
        return Err(refused("the peer wrote to the socket of a link by shared memory"));
    }
    if pages > arena::LARGEST / arena::PAGE {
        return Err(refused(format!("the peer passes a region of {pages} pages: too many")));
    }
    if pages == 0 {
        let count = found.len();
        return match count {
            0 => Ok(Message::Over { number }),
            _ => Err(refused(format!(
                "the peer passes {count} descriptors with the end of a region"
            ))),
        };
    }
    let [file, pipe]: [OwnedFd; 2] = found.try_into().map_err(|found: Vec<OwnedFd>| {
        let count = found.len();
        refused(format!("the peer passes {count} descriptors for a region of {pages} pages"))
    })?;
    let arena = PeerArena::map(file, pipe, pages * arena::PAGE).inspect_err(|error| {
        if arena::is_no_room(error) {
            ABLE.store(false, Ordering::Relaxed);
            limited_warn!(
                %error,
                pages,
                "there is no room for an arena that a peer passes on: the link ends, and later \
                 links take no such arenas"
            );
        }
    })?;
    Ok(Message::Region { number, arena })
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Regions").field("known", &self.known.len()).finish_non_exhaustive()
    }
}
