//! Payloads that a link lends and borrows: see the [arena](crate::arena).
//!
//! In the ring a descriptor stands in place of the payload, at the end of its frame: the slot, the
//! [region](super::regions), where the payload begins in it, and how many bytes it has. Such a
//! frame is marked in its length, whose highest bit no length has.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::abilities;
use super::leases::{Forged, Held, Lent, SLOTS};
use super::link::Link;
use super::memory::Memory;
use super::regions::{Passed, Regions};
use super::ring::{Side, returns};
use super::wakeup::Wakeup;
use crate::TransportMessage;
use crate::arena::{self, Arena, Holder, PLACED_THRESHOLD, PeerArena, THRESHOLD, TakeBack};
use crate::frames::OpenFrame;
use crate::log_limit::limited_warn;

/// The bytes of a descriptor.
pub(super) const DESCRIPTOR: usize = 24;

/// Lends payloads to the peer.
#[derive(Debug)]
pub(super) struct Lender {
    arena: Arena,
    account: Arc<Account>,
}

/// What the peer holds.
#[derive(Debug)]
struct Account {
    arena: Arena,
    memory: Arc<Memory>,
    /// Whose words tell what came back.
    side: Side,
    /// The end of a pipe whose other end is open as long as the peer holds anything.
    pipe: OwnedFd,
    /// The peer's process, with all its links.
    holder: Arc<Holder>,
    /// The further arenas that were passed to it, where it takes such.
    passed: Option<Mutex<Passed>>,
    state: Mutex<State>,
    /// Whether the peer reads.
    reading: AtomicU8,
}

/// The peer may begin to read payloads where they lie, with some delay, or never.
const WAITS: u8 = 0;
/// It has begun.
const READS: u8 = 1;
/// The link has ended.
const ENDED: u8 = 2;

#[derive(Debug, Default)]
struct State {
    lent: Lent<Bytes>,
    /// What the peer gave back and does not hold.
    forged: Option<Forged>,
}

impl Lender {
    /// That of the end `side`, to the process `peer`, which may take [regions](super::regions).
    pub(super) fn new(
        arena: Arena,
        memory: Arc<Memory>,
        side: Side,
        pipe: OwnedFd,
        peer: Option<i32>,
        takes_regions: bool,
    ) -> Self {
        let (holder, state) = (arena.holder(peer), Mutex::default());
        let passed = takes_regions.then(Mutex::default);
        let reading = AtomicU8::new(WAITS);
        let account =
            Account { arena: arena.clone(), memory, side, pipe, holder, passed, state, reading };
        let account = Arc::new(account);
        let weak = Arc::downgrade(&account);
        arena.add_link(weak);
        account.is_read();
        Self { arena, account }
    }

    /// The descriptor of a payload that is lent from here on; `None` where it is to be copied
    /// through the ring. What the peer needs for it goes over the socket before.
    pub(super) fn lend(&mut self, payload: &Bytes, wires: &Wakeup) -> Option<[u8; DESCRIPTOR]> {
        let length = payload.len();
        let is_lent = match length {
            THRESHOLD.. => true,
            PLACED_THRESHOLD.. => arena::is_placed(payload) && self.account.has_many_slots(),
            _ => false,
        };
        if !is_lent || !self.account.is_read() || !self.account.take_room(length) {
            return None;
        }
        let lent = self.put(payload, wires);
        if lent.is_none() {
            self.account.holder.give_back(length);
        }
        let (slot, region, at) = lent?;
        let mut descriptor = [0; DESCRIPTOR];
        descriptor[..4].copy_from_slice(&(slot as u32).to_be_bytes());
        descriptor[4..8].copy_from_slice(&region.to_be_bytes());
        descriptor[8..16].copy_from_slice(&(at as u64).to_be_bytes());
        descriptor[16..].copy_from_slice(&(length as u64).to_be_bytes());
        Some(descriptor)
    }

    /// Puts a payload into a slot, for which there is room, and into the arena where it cannot stay
    /// where it lies: its slot, its region, and where it lies in that.
    fn put(&self, payload: &Bytes, wires: &Wakeup) -> Option<(usize, u32, usize)> {
        let (payload, region, at) = match self.place(payload, wires) {
            Some((region, at)) => (payload.clone(), region, at),
            None => {
                // Not under the lock: to find room it may ask all links what came back.
                let copy = self.arena.copy(payload).inspect_err(|full| {
                    limited_warn!(%full, "payloads are copied to peers of this machine");
                });
                let copy = copy.ok()?;
                let at = self.arena.locate(&copy)?;
                (copy, 0, at)
            }
        };
        let (length, is_relayed) = (payload.len(), !self.arena.holds(&payload));
        let slot = self.account.state().lent.lend(payload)?;
        self.arena.count_lent(length, is_relayed, true);
        Some((slot, region, at))
    }

    /// In which region a payload lies, and where, if the peer can read it there.
    fn place(&self, payload: &Bytes, wires: &Wakeup) -> Option<(u32, usize)> {
        if let Some(at) = self.arena.locate(payload) {
            return Some((0, at));
        }
        let (of, at) = PeerArena::of(payload)?;
        if of.is_own() {
            return Some((0, at));
        }
        Some((self.account.passed()?.number_of(&of, wires)?, at))
    }

    /// Takes back what the peer has done with.
    ///
    /// # Errors
    /// The peer gave back what it does not hold.
    pub(super) fn take_back(&self, wires: &Wakeup) -> io::Result<()> {
        self.account.take_back();
        self.arena.see_to_ended();
        if let Some(mut passed) = self.account.passed() {
            passed.end_unused(wires);
        }
        match self.account.state().forged {
            None => Ok(()),
            Some(Forged { slot }) => {
                let why = format!("the peer gives back payload {slot}, which it does not hold");
                Err(broken(why))
            }
        }
    }
}

/// The link has ended. What the peer holds it may go on reading, as long as it runs.
impl Drop for Lender {
    fn drop(&mut self) {
        match self.account.reading.swap(ENDED, Ordering::Relaxed) {
            READS => self.arena.remove_link(self.account.clone()),
            _ => self.arena.remove_waiting_link(),
        }
    }
}

impl Account {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self) -> Option<MutexGuard<'_, Passed>> {
        self.passed.as_ref().map(|it| it.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn came_back(&self, payload: &Bytes) {
        self.holder.give_back(payload.len());
        self.arena.count_lent(payload.len(), !self.arena.holds(payload), false);
    }

    /// Whether half of the slots are free. Payloads below [`THRESHOLD`] take no others, so that a
    /// peer that keeps many of them can still be lent large ones.
    fn has_many_slots(&self) -> bool {
        self.state().lent.count() < SLOTS / 2
    }

    /// Takes room for so many bytes more that the peer holds. Of a peer that gives nothing back the
    /// others are to have memory left.
    fn take_room(&self, bytes: usize) -> bool {
        let most = self.arena.size() / 2;
        let take = || self.state().lent.has_slot() && self.holder.take(bytes, most);
        if self.arena.may_lend(&self.holder) {
            if take() {
                return true;
            }
            // Also what the same process holds by other links.
            self.arena.take_back();
            if take() {
                return true;
            }
        }
        let Holder { bytes, ended } = &*self.holder;
        limited_warn!(
            bytes = bytes.load(Ordering::Relaxed),
            ended_links = ended.load(Ordering::Relaxed),
            "a peer holds as many payloads of the arena as it may: more are copied to it"
        );
        false
    }
}

impl TakeBack for Account {
    fn is_over(&self) -> bool {
        self.take_back();
        if self.state().lent.is_empty() {
            return true;
        }
        let mut polled = [PollFd::new(&self.pipe, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let found = rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&now)));
        let is_closed = polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR);
        if found.is_err() || !is_closed {
            return false;
        }
        let State { lent, .. } = std::mem::take(&mut *self.state());
        lent.all().for_each(|payload| self.came_back(payload));
        true
    }

    fn holder(&self) -> &Holder {
        &self.holder
    }

    fn is_read(&self) -> bool {
        let Self { arena, memory, side, reading, .. } = self;
        if reading.load(Ordering::Relaxed) == WAITS && abilities::reads(memory, side.other()) {
            let begun =
                reading.compare_exchange(WAITS, READS, Ordering::Relaxed, Ordering::Relaxed);
            if begun.is_ok() {
                arena.begin_to_lend();
            }
        }
        reading.load(Ordering::Relaxed) == READS
    }

    fn can_relay(&self, arena: &Arc<PeerArena>) -> bool {
        arena.is_own() || self.passed().is_some_and(|passed| passed.takes(arena))
    }

    fn take_back(&self) {
        let mut state = self.state();
        let State { lent, forged } = &mut *state;
        if lent.is_empty() {
            return;
        }
        let word = |number| self.memory.word(returns(self.side) + number * size_of::<u64>());
        // Dropped without the lock.
        let mut back = Vec::new();
        let taken = lent.take_back(word, |payload| back.push(payload));
        *forged = forged.or(taken.err());
        drop(state);
        back.iter().for_each(|payload| self.came_back(payload));
    }
}

/// Opens frames whose payloads the peer has lent.
#[derive(Debug)]
pub(super) struct Borrower {
    link: Arc<Link>,
    arena: Arc<PeerArena>,
    loan: Arc<Loan>,
    /// The further arenas of the peer, where this side takes them.
    regions: Option<Regions>,
}

/// What the payloads of a link need when they are given back. It outlives the link, and does not
/// keep it.
#[derive(Debug)]
pub(super) struct Loan {
    /// The arena of the peer, whose pipe tells the peer that this process holds nothing of the link.
    /// A payload of a further arena keeps that pipe open too: the peer keeps for it what it passed.
    _arena: Arc<PeerArena>,
    memory: Arc<Memory>,
    pub(super) held: Held,
    side: Side,
}

/// A payload where it lies, given back when its last reference is dropped.
#[derive(Debug)]
struct Borrowed {
    arena: Arc<PeerArena>,
    at: usize,
    length: usize,
    slot: usize,
    loan: Arc<Loan>,
}

impl Borrower {
    /// Of the arena of the peer, which is the end `side`.
    pub(super) fn new(
        arena: Arc<PeerArena>,
        link: Arc<Link>,
        side: Side,
        takes_regions: bool,
    ) -> Self {
        let (_arena, memory) = (arena.clone(), link.memory.clone());
        let loan = Arc::new(Loan { _arena, memory, held: Held::default(), side });
        let regions = takes_regions.then(|| Regions::new(loan.clone()));
        Self { link, arena, loan, regions }
    }

    /// What the peer passes is received for.
    pub(super) fn regions(&self) -> Option<Regions> {
        self.regions.clone()
    }

    fn arena(&self, region: u32) -> Option<Arc<PeerArena>> {
        if region == 0 { Some(self.arena.clone()) } else { self.regions.as_ref()?.arena(region) }
    }
}

/// The region that a frame with a descriptor names.
fn region(frame: &[u8]) -> Option<u32> {
    let descriptor = frame.last_chunk::<DESCRIPTOR>()?;
    Some(u32::from_be_bytes(*descriptor[4..].first_chunk()?))
}

impl OpenFrame for Borrower {
    fn is_ready(&self, frame: &[u8]) -> bool {
        // A further region may have to be waited for.
        region(frame).is_none_or(|number| number == 0)
    }

    fn poll_ready(&mut self, context: &mut Context<'_>, frame: &Bytes) -> Poll<io::Result<()>> {
        match (region(frame), &self.regions) {
            (Some(number), Some(regions)) if number > 0 => {
                regions.poll_known(context, &self.link.wires, number)
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    fn open(&mut self, mut frame: Bytes, max_frame: u64) -> io::Result<TransportMessage> {
        let Some(at) = frame.len().checked_sub(DESCRIPTOR) else {
            return Err(broken("the peer lends a payload without saying which".to_owned()));
        };
        let mut descriptor = frame.split_off(at);
        let (slot, region) = (descriptor.get_u32() as usize, descriptor.get_u32());
        let (at, length) = (descriptor.get_u64(), descriptor.get_u64());
        let Some(arena) = self.arena(region) else {
            return Err(broken(format!(
                "the peer lends out of region {region}, which there is not"
            )));
        };
        if !arena.holds(at, length) {
            let why = format!("the peer lends {length} bytes at {at}, which its arena has not");
            return Err(broken(why));
        }
        crate::frames::check_length((frame.len() as u64).saturating_add(length), max_frame)?;
        if !self.loan.held.take(slot) {
            return Err(broken(format!("the peer lends payload {slot}, which it has lent before")));
        }
        if let Some(regions) = &self.regions {
            regions.note(region, slot);
        }
        // What this process has passed on comes back to the peer no later than it lends the next.
        if let Some(own) = Arena::get() {
            own.hear_of_relayed();
        }
        let loan = self.loan.clone();
        // They are in this process's address space, so they fit.
        let (at, length) = (at as usize, length as usize);
        let payload = Bytes::from_owner(Borrowed { arena, at, length, slot, loan });
        Ok(TransportMessage::Lent { frame, payload })
    }
}

impl AsRef<[u8]> for Borrowed {
    fn as_ref(&self) -> &[u8] {
        self.arena.bytes(self.at, self.length)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let Loan { memory, held, side, .. } = &*self.loan;
        let at = returns(*side) + self.slot / 64 * size_of::<u64>();
        held.give_back(self.slot, memory.word(at));
    }
}

pub(super) fn broken(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
