//! Credits: how many messages a node may send to a bounded mailbox of its peer, without any I/O.
//!
//! The node of the actor lends room of the mailbox to each peer, in totals since the session began:
//! "granted in all: n". Repeating a total changes nothing. The sender's end of it is a [`Window`],
//! which a message takes a credit out of. The receiver's end is an [`Account`] for each peer and a
//! [`Granter`] for each mailbox, which lends room again as the actor takes messages out.
//!
//! # What the mailbox holds
//!
//! Room is lent out of what is free at that time, to each peer for itself. So of the messages of
//! one peer, those that wait together with the credits that it holds are never more than the
//! capacity. A message with a credit always finds room. The others, of the own node and of peers
//! without a credit, get in while fewer messages wait than the capacity. So what waits is at most
//! the capacity, and as much again for each peer.
//!
//! # Who gets how much
//!
//! A peer may fill the whole mailbox while it is alone. A peer that has used up a quarter of the
//! capacity asks for more. When a quarter of the mailbox is free the room is divided evenly among
//! those that ask, in turn. An empty mailbox lends something to each of them. Where other senders
//! keep the mailbox full, a peer without a credit gets one after as many messages as the mailbox
//! holds.
//!
//! # Example
//!
//! ```
//! use mycelium_link::credit::{CreditError, Window};
//!
//! // A mailbox of four, whose announcement granted two. It returns what finds no room.
//! let window = Window::new(4, 2, false)?;
//! assert!(window.take(false) && window.take(false));
//! assert!(!window.take(false), "the message is not sent");
//! // The peer has granted three in all, and dropped nothing.
//! window.grant(3, 0)?;
//! assert!(window.take(false));
//! // It may not take back what it granted.
//! assert!(matches!(window.grant(1, 0), Err(CreditError::TakenBack { .. })));
//! # Ok::<(), CreditError>(())
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, fence};

/// The peer broke the rules of credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditError {
    /// It announced a mailbox that holds nothing.
    NoCapacity,
    /// A total is lower than it was.
    TakenBack {
        /// The total that it had told.
        before: u64,
        /// The total that it told now.
        now: u64,
    },
    /// It granted more than its mailbox holds.
    TooMuch {
        /// The total that it told.
        granted: u64,
        /// The highest total that would fit.
        most: u64,
    },
    /// It dropped more messages than were sent.
    DroppedUnsent {
        /// The messages that it says it dropped.
        dropped: u64,
        /// The messages that were sent.
        sent: u64,
    },
}

impl fmt::Display for CreditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCapacity => f.write_str("it has a mailbox for 0 messages"),
            Self::TakenBack { before, now } => {
                write!(f, "credits were taken back: {now} in all after {before}")
            }
            Self::TooMuch { granted, most } => {
                write!(f, "{granted} credits in all, where its mailbox has room for {most}")
            }
            Self::DroppedUnsent { dropped, sent } => {
                write!(f, "{dropped} messages were dropped, of {sent} that were sent")
            }
        }
    }
}

impl std::error::Error for CreditError {}

/// The sender's end: the credits of a node at one mailbox of its peer. All senders of the node
/// share them.
#[derive(Debug)]
pub struct Window {
    capacity: u64,
    /// The mailbox drops messages that find no room, and does not return them.
    drops: bool,
    /// In all, since the mailbox was announced.
    pub(crate) granted: AtomicU64,
    /// Messages that were sent, and those that are about to be.
    pub(crate) used: AtomicU64,
    /// Messages that the mailbox has dropped.
    dropped: AtomicU64,
    /// Senders that wait for a credit.
    waiting: AtomicU64,
}

impl Window {
    /// The credits at a mailbox of this capacity. Its announcement granted so many.
    ///
    /// # Errors
    /// There is no such mailbox.
    pub fn new(capacity: u64, granted: u64, drops: bool) -> Result<Self, CreditError> {
        if capacity == 0 {
            return Err(CreditError::NoCapacity);
        }
        if granted > capacity {
            return Err(CreditError::TooMuch { granted, most: capacity });
        }
        Ok(Self {
            capacity,
            drops,
            granted: AtomicU64::new(granted),
            used: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
        })
    }

    /// Takes a credit for one message. Returns false when there is none, and the message is not to
    /// be sent.
    ///
    /// A sender that does not wait sends without a credit to a mailbox that drops messages: what
    /// becomes of them is decided there.
    #[must_use]
    pub fn take(&self, waits: bool) -> bool {
        if self.drops && !waits {
            self.used.fetch_add(1, Ordering::AcqRel);
            return true;
        }
        let mut used = self.used.load(Ordering::Acquire);
        while used < self.granted.load(Ordering::Acquire) {
            let next =
                self.used.compare_exchange(used, used + 1, Ordering::AcqRel, Ordering::Acquire);
            match next {
                Ok(_) => return true,
                Err(now) => used = now,
            }
        }
        false
    }

    /// Gives back a credit that was [taken](Self::take) for a message that was not sent. Returns
    /// how many of those who wait are to look again.
    #[must_use]
    pub fn put_back(&self) -> u64 {
        self.used.fetch_sub(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        self.waiting.load(Ordering::Acquire).min(1)
    }

    /// Whether a sender that waits would get a credit.
    pub fn has_room(&self) -> bool {
        self.used.load(Ordering::Acquire) < self.granted.load(Ordering::Acquire)
    }

    /// The peer has told how many credits it granted and how many messages it dropped, in all.
    /// Returns how many of those who wait are to look again. Calls for one window come one after
    /// the other.
    ///
    /// # Errors
    /// The peer broke the rules, and nothing has changed.
    pub fn grant(&self, granted: u64, dropped: u64) -> Result<u64, CreditError> {
        let before = self.granted.load(Ordering::Acquire);
        let had_dropped = self.dropped.load(Ordering::Acquire);
        if granted < before {
            return Err(CreditError::TakenBack { before, now: granted });
        }
        if dropped < had_dropped {
            return Err(CreditError::TakenBack { before: had_dropped, now: dropped });
        }
        // The latest, since the peer has seen it.
        let sent = self.used.fetch_add(0, Ordering::AcqRel);
        let most = sent.saturating_add(self.capacity).max(before);
        if granted > most {
            return Err(CreditError::TooMuch { granted, most });
        }
        if dropped > sent.max(had_dropped) {
            return Err(CreditError::DroppedUnsent { dropped, sent });
        }
        self.dropped.store(dropped, Ordering::Release);
        self.granted.store(granted, Ordering::Release);
        // Those who begin to wait from here on find the new total.
        fence(Ordering::SeqCst);
        let used = self.used.load(Ordering::Acquire);
        let more = granted.saturating_sub(before.max(used));
        Ok(self.waiting.load(Ordering::Acquire).min(more))
    }

    /// Messages of this node that the mailbox has dropped, as far as the peer has told.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A sender is about to wait. It has to look for room once more before it does, and to
    /// [end](Self::end_wait) it.
    pub fn begin_wait(&self) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // Either it finds what was granted or put back, or that finds it waiting.
        fence(Ordering::SeqCst);
    }

    /// A sender waits no more.
    pub fn end_wait(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The receiver's end: what one peer was lent at one mailbox.
#[derive(Debug)]
pub struct Account {
    granted: AtomicU64,
    arrived: AtomicU64,
    dropped: AtomicU64,
    /// Asks for more.
    is_queued: AtomicBool,
}

impl Account {
    /// Of a peer that was granted so much with the announcement.
    pub fn new(granted: u64) -> Self {
        Self {
            granted: AtomicU64::new(granted),
            arrived: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            is_queued: AtomicBool::new(false),
        }
    }

    /// What the peer was granted in all.
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::Acquire)
    }

    /// How many messages the mailbox dropped when one of the peer found it full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Acquire)
    }

    /// The credits that the peer holds, or that are used by messages on their way.
    pub fn held(&self) -> u64 {
        // In this order: a message that comes between the two counts as if it were on its way.
        let arrived = self.arrived.load(Ordering::Acquire);
        self.granted.load(Ordering::Acquire).saturating_sub(arrived)
    }

    /// Whether the next message of the peer has a credit. Messages of a peer come one after the
    /// other.
    pub fn has_credit(&self) -> bool {
        self.held() > 0
    }

    /// One message was dropped for another one of the peer, or that one itself.
    pub fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::AcqRel);
    }
}

/// A peer that asks for more.
#[derive(Debug)]
pub(crate) struct Asking<A> {
    peer: Weak<A>,
    /// What it had sent, and what it held then.
    arrived: u64,
    held: u64,
    /// Messages that are to be taken before it gets a credit whatever waits, since it had none.
    overdue_in: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Queue<A> {
    /// In turn.
    pub(crate) asking: VecDeque<Asking<A>>,
    /// Messages that were taken since anybody was last looked at.
    since: u64,
    /// The length from which on the entries of those that are gone are looked for.
    crowded: usize,
}

/// Lends the room of one mailbox to those who send to it from other nodes: the accounts `A`.
#[derive(Debug)]
pub struct Granter<A> {
    capacity: u64,
    /// Whether anybody asks.
    is_asked: AtomicBool,
    pub(crate) queue: Mutex<Queue<A>>,
}

/// From so many entries on a queue may hold some of peers that are gone.
pub(crate) const CROWDED: usize = 16;

impl<A: AsRef<Account>> Granter<A> {
    /// Of a mailbox that holds so many messages, at least 1.
    pub fn new(capacity: u64) -> Self {
        let queue = Queue { asking: VecDeque::new(), since: 0, crowded: CROWDED };
        Self {
            capacity: capacity.max(1),
            is_asked: AtomicBool::new(false),
            queue: Mutex::new(queue),
        }
    }

    /// What is lent to a peer with the announcement of a mailbox in which so many messages wait.
    pub fn first(&self, waiting: u64) -> u64 {
        self.capacity.saturating_sub(waiting)
    }

    /// What is lent at once, at least: a quarter of the mailbox.
    fn quarter(&self) -> u64 {
        (self.capacity / 4).max(1)
    }

    fn is_low(&self, held: u64) -> bool {
        held <= self.capacity - self.quarter()
    }

    /// A message of the peer was put into the mailbox, or had to be given up. Call it after that.
    /// Returns those that are to be told their new totals. `waiting` counts what waits when it is
    /// called.
    #[must_use]
    pub fn arrived(&self, peer: &Arc<A>, waiting: impl Fn() -> u64) -> Vec<Arc<A>> {
        (**peer).as_ref().arrived.fetch_add(1, Ordering::AcqRel);
        self.ask(peer, waiting)
    }

    /// The peer asks for more, if it holds little. Returns those that are to be told their new
    /// totals.
    #[must_use]
    pub fn ask(&self, peer: &Arc<A>, waiting: impl Fn() -> u64) -> Vec<Arc<A>> {
        let account: &Account = (**peer).as_ref();
        if !self.is_low(account.held()) || account.is_queued.swap(true, Ordering::AcqRel) {
            return Vec::new();
        }
        let mut queue = locked(&self.queue);
        if queue.asking.len() >= queue.crowded {
            queue.asking.retain(|it| it.peer.strong_count() > 0);
            queue.crowded = CROWDED.max(2 * queue.asking.len());
        }
        let peer = Arc::downgrade(peer);
        queue.asking.push_back(Asking { peer, arrived: 0, held: 0, overdue_in: None });
        self.is_asked.store(true, Ordering::Release);
        // The actor may have taken the last message before this one asked.
        if waiting() == 0 { self.lend(&mut queue, waiting) } else { Vec::new() }
    }

    /// The actor took a message out. Returns those that are to be told their new totals.
    #[must_use]
    pub fn taken(&self, waiting: impl Fn() -> u64) -> Vec<Arc<A>> {
        if !self.is_asked.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut queue = locked(&self.queue);
        queue.since += 1;
        // Peers that wait for a quarter are not looked at for each message.
        if queue.since < self.quarter() / 2 && waiting() > 0 {
            return Vec::new();
        }
        self.lend(&mut queue, waiting)
    }

    fn lend(&self, queue: &mut Queue<A>, waiting: impl Fn() -> u64) -> Vec<Arc<A>> {
        let passed = std::mem::take(&mut queue.since);
        // First what each holds, and then what waits: a message that comes between the two counts
        // twice, and none is left out.
        queue.asking.retain_mut(|asking| {
            let Some(peer) = asking.peer.upgrade() else { return false };
            let account: &Account = (*peer).as_ref();
            // It may ask again from here on.
            account.is_queued.swap(false, Ordering::AcqRel);
            asking.arrived = account.arrived.load(Ordering::Acquire);
            asking.held = account.granted.load(Ordering::Acquire).saturating_sub(asking.arrived);
            true
        });
        let waiting = waiting();
        let is_empty = waiting == 0;
        let peers = queue.asking.len() as u64;
        let room = self.capacity.saturating_sub(waiting);
        let share = (room / peers.max(1)).max(1);
        let step = (self.quarter() / peers.max(1)).max(1);
        let (mut left, mut lent, mut served) = (room, Vec::new(), Vec::new());
        for _ in 0..peers {
            let Some(mut asking) = queue.asking.pop_front() else { break };
            let Some(peer) = asking.peer.upgrade() else { continue };
            let account: &Account = (*peer).as_ref();
            let missing = share.saturating_sub(asking.held);
            let more = if is_empty {
                missing
            } else if missing >= step {
                missing.min(left)
            } else {
                0
            };
            // All that it had sent has been taken by then: it stays within the capacity.
            let more = if asking.is_overdue(passed, waiting.max(self.capacity)) && more == 0 {
                1
            } else {
                more
            };
            let held = asking.held + more;
            if more > 0 {
                asking.overdue_in = None;
                left = left.saturating_sub(more);
                account.granted.store(asking.arrived.saturating_add(held), Ordering::Release);
                lent.push(peer.clone());
            }
            // No message will be taken from an empty mailbox: it asks again with its next one.
            let goes_on = !is_empty && self.is_low(held);
            if goes_on && !account.is_queued.swap(true, Ordering::AcqRel) {
                if more > 0 {
                    served.push(asking);
                } else {
                    queue.asking.push_back(asking);
                }
            }
        }
        queue.asking.extend(served);
        self.is_asked.store(!queue.asking.is_empty(), Ordering::Release);
        lent
    }
}

impl<A> Asking<A> {
    /// Whether as many messages were taken as waited when it was first seen without a credit.
    fn is_overdue(&mut self, passed: u64, waiting: u64) -> bool {
        self.overdue_in = (self.held == 0)
            .then(|| self.overdue_in.map_or(waiting, |left| left.saturating_sub(passed)));
        self.overdue_in == Some(0)
    }
}

/// No panic can leave the queue half changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> crate::sync::MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}
