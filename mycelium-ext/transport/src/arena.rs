//! Memory for payloads that all processes of the machine read where they lie (Linux).
//!
//! A process has one arena. A large payload is written into it once, and each peer of the machine
//! gets a descriptor in place of the bytes: where they lie, and how many there are. The peer has
//! mapped the arena for reading, and hands the bytes on as they are: a [`Bytes`] field of a message
//! points into the sender's memory. When the last of a peer's references is dropped, the peer says
//! so in memory that both ends of the link share, and the sender takes the bytes back.
//!
//! * **No names, no files.** The arena is memory without a name. Peers get its descriptor when a
//!   link by shared memory is made. However a process ends, the kernel gives everything back: what
//!   a dead sender wrote, when the last reader has dropped it, and what a dead reader held, at
//!   once. A reader that lives keeps what it holds, also when its link is over.
//! * **No counts that a peer could forge.** What a peer holds is written in this process's own
//!   memory. A peer says that it has done with something that it was lent, and anything else that
//!   it says ends the link.
//! * **Passed on.** A payload that a peer has lent is sent on as it is: a third process maps the
//!   arena that it lies in. A link passes on out of four arenas at a time. What lies in further
//!   ones is copied, as for a peer of an older build.
//! * **Bounds.** The arena has a size. One process may hold half of it, in at most 1024 payloads
//!   for each link, and may go on holding beyond the end of at most 16 links. Beyond that a payload
//!   is copied through the link, as small ones are.
//! * **Trust.** A peer is a process of the same user that has the cookie. It can read the whole
//!   arena, also what was sent to others, and so can a process that it passes a payload on to. A
//!   reader trusts the sender not to change what it has sent. Nothing is decoded out of foreign
//!   memory: a field that is not plain bytes is copied first. Nodes with `strict` security neither
//!   lend nor read.
//!
//! A link does all of this by itself for payloads of [`THRESHOLD`] bytes and more. An application
//! that builds its payload in the arena spares the copy too:
//!
//! ```
//! use bytes::Bytes;
//! use mycelium_transport::arena::Arena;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let arena = Arena::of_process(Arena::DEFAULT_BYTES)?;
//! let mut snapshot = arena.alloc(64 * 1024)?;
//! snapshot.fill(7);
//! // To be sent in a message, as any other `Bytes`.
//! let payload: Bytes = snapshot.freeze();
//! assert_eq!(payload[..3], [7, 7, 7]);
//! # Ok(())
//! # }
//! ```
//!
//! The way of reclamation is that of iceoryx2: counts in the sender's private memory, and for each
//! connection a list of what it holds. Its files are what this does without.

mod peer;
mod region;
mod space;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;

pub(crate) use peer::{PeerArena, is_no_room};
use region::{Region, Stretch};

/// A payload of so many bytes and more is lent, wherever it lies: it is copied into the arena
/// first.
pub const THRESHOLD: usize = 16 * 1024;

/// A payload of so many bytes and more is lent where it lies in the arena already, or goes to
/// several peers, so that one copy is for all. Below, a copy through the ring costs less.
pub const PLACED_THRESHOLD: usize = 2 * 1024;

/// The largest arena of a peer that is mapped, in bytes.
pub(crate) const LARGEST: usize = 64 << 30;

/// The unit of an arena's size.
pub(crate) const PAGE: usize = 4096;

static OF_PROCESS: OnceLock<Arena> = OnceLock::new();
/// Held while it is made.
static MAKING: Mutex<()> = Mutex::new(());

/// One process may hold payloads of so many links that have ended: each keeps a mapping and a
/// descriptor of this process.
const ENDED_OF_A_PROCESS: usize = 16;
/// So many in all.
const ENDED: usize = 256;

/// The memory of this process that its peers read. Clones are the same arena.
#[derive(Debug, Clone)]
pub struct Arena {
    region: Arc<Region>,
    lent: Arc<Lent>,
}

/// What links have lent, in all.
#[derive(Debug, Default)]
struct Lent {
    accounts: Mutex<Vec<Weak<dyn TakeBack>>>,
    /// Of links that have ended, and whose peers hold something.
    ended: Mutex<Vec<Arc<dyn TakeBack>>>,
    ended_links: AtomicUsize,
    /// By process.
    holders: Mutex<HashMap<Option<i32>, Weak<Holder>>>,
    /// Those that lend.
    links: AtomicUsize,
    /// Those whose peers have not said yet that they read payloads where they lie.
    waiting_links: AtomicUsize,
    payloads: AtomicUsize,
    relayed: AtomicUsize,
    bytes: AtomicUsize,
}

/// What a link has lent.
pub(crate) trait TakeBack: fmt::Debug + Send + Sync {
    /// Takes back what its peer has done with.
    fn take_back(&self);

    /// Takes back what its peer has done with, and all of it where the peer is gone. Returns
    /// whether nothing is left.
    fn is_over(&self) -> bool;

    /// The process that holds it.
    fn holder(&self) -> &Holder;

    /// Whether its peer reads payloads where they lie. From the first time on that it does, the link
    /// [counts](Arena::begin_to_lend) among those that lend.
    fn is_read(&self) -> bool;

    /// Whether a payload of this arena can be lent where it lies.
    fn can_relay(&self, arena: &Arc<PeerArena>) -> bool;
}

/// What a process holds, by all its links.
#[derive(Debug, Default)]
pub(crate) struct Holder {
    pub(crate) bytes: AtomicUsize,
    /// The links that have ended, and by which it holds something.
    pub(crate) ended: AtomicUsize,
}

impl Holder {
    /// Takes room for so many bytes, where it then holds at most so many.
    pub(crate) fn take(&self, bytes: usize, most: usize) -> bool {
        let more = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= most);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        count(&self.bytes, bytes, false);
    }
}

impl Lent {
    fn accounts(&self) -> MutexGuard<'_, Vec<Weak<dyn TakeBack>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> MutexGuard<'_, Vec<Arc<dyn TakeBack>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_ended(&self, holder: &Holder, up: bool) {
        count(&self.ended_links, 1, up);
        count(&holder.ended, 1, up);
    }
}

/// What an arena is used for. Each figure is read by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The bytes that there are.
    pub size: usize,
    /// The bytes that are held: by this process, or by peers.
    pub used: usize,
    /// The links that lend payloads.
    pub links: usize,
    /// The payloads that are lent, once for each link.
    pub payloads: usize,
    /// Those of them that peers lent to this process, and that it passed on without a copy. Each
    /// link passes on out of the arenas of four peers, those that it passed on of first. Payloads
    /// of further peers are copied into this arena, and are not among them, until the link to one
    /// of the four has ended and nothing of that peer is held.
    pub relayed: usize,
    /// Their bytes, once for each link.
    pub lent: usize,
    /// How often this process had no room to map the arena of a peer, since it started: it has as
    /// much address space or as many mappings as it may have. That peer's payloads are copied by
    /// the link that was made then.
    pub unmapped: usize,
}

/// The arena has no room for a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaFull {
    /// The bytes that were asked for.
    pub asked: usize,
    /// The bytes that are held.
    pub used: usize,
    /// The bytes that there are.
    pub size: usize,
}

impl fmt::Display for ArenaFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, used, size } = self;
        write!(
            f,
            "the arena of {size} bytes, of which {used} are held, has no stretch of {asked} bytes; \
             give it more (`node.shm.arena`, `ShmOptions::with_arena`), or send from other memory"
        )
    }
}

impl std::error::Error for ArenaFull {}

impl Arena {
    /// The size of an arena by default, in bytes. Memory is taken as it is first written, and kept.
    pub const DEFAULT_BYTES: usize = 256 << 20;

    /// The arena of this process, which is made of `bytes` when there is none: the first call
    /// decides.
    ///
    /// # Errors
    /// There is none yet, and the system has no memory, address space or descriptor for it; or
    /// `bytes` is 0.
    pub fn of_process(bytes: usize) -> io::Result<Self> {
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arena) = Self::get() {
            return Ok(arena);
        }
        let arena = Self::new(bytes)?;
        ractor::remoting::share_payloads_by(once_for_all_peers);
        Ok(OF_PROCESS.get_or_init(|| arena).clone())
    }

    /// The arena of this process, if it has one: a node with links by shared memory makes it.
    #[must_use]
    pub fn get() -> Option<Self> {
        OF_PROCESS.get().cloned()
    }

    fn new(bytes: usize) -> io::Result<Self> {
        let size = bytes.min(LARGEST).next_multiple_of(PAGE);
        if bytes == 0 {
            let why = "an arena of no bytes has room for nothing; give it a size";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(Self { region: Arc::new(Region::new(size)?), lent: Arc::default() })
    }

    /// Takes memory for a payload of `length` bytes, to be written to. It holds what was there
    /// before: zeros, or bytes of earlier payloads of this process.
    ///
    /// # Errors
    /// There is no room: payloads are held, here or by peers. All peers are heard before on what
    /// they have done with.
    pub fn alloc(&self, length: usize) -> Result<ArenaMut, ArenaFull> {
        if length == 0 {
            return Ok(ArenaMut(None));
        }
        let taken = self.region.take(length).or_else(|| {
            self.take_back();
            self.region.take(length)
        });
        match taken {
            Some(stretch) => Ok(ArenaMut(Some(stretch))),
            None => Err(ArenaFull { asked: length, used: self.region.used(), size: self.size() }),
        }
    }

    /// Copies a payload into the arena.
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc).
    pub fn copy(&self, payload: &[u8]) -> Result<Bytes, ArenaFull> {
        let mut memory = self.alloc(payload.len())?;
        memory.copy_from_slice(payload);
        Ok(memory.freeze())
    }

    /// Whether a payload lies in the arena, so that it is lent without a copy.
    #[must_use]
    pub fn holds(&self, payload: &[u8]) -> bool {
        !payload.is_empty() && self.locate(payload).is_some()
    }

    /// The bytes that there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.region.length()
    }

    /// What it is used for at present. Peers are heard on what they have done with.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.take_back();
        let Lent { payloads, relayed, bytes, .. } = &*self.lent;
        Usage {
            size: self.size(),
            used: self.region.used(),
            links: self.links(usize::MAX),
            payloads: payloads.load(Ordering::Relaxed),
            relayed: relayed.load(Ordering::Relaxed),
            lent: bytes.load(Ordering::Relaxed),
            unmapped: peer::unmapped(),
        }
    }

    /// The bytes of payloads that a process of this machine holds at present, once for each of its
    /// links, those that have ended included; 0 for a process that holds nothing. Peers are heard
    /// before on what they have done with.
    ///
    /// ```
    /// use mycelium_transport::arena::Arena;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let arena = Arena::of_process(Arena::DEFAULT_BYTES)?;
    /// // No process lends to itself.
    /// assert_eq!(arena.lent_to(std::process::id()), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn lent_to(&self, process: u32) -> usize {
        self.take_back();
        let process = i32::try_from(process).ok();
        let holders = self.lent.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = process.and_then(|it| holders.get(&Some(it))).and_then(Weak::upgrade);
        holder.map_or(0, |it| it.bytes.load(Ordering::Relaxed))
    }

    pub(crate) fn locate(&self, payload: &[u8]) -> Option<usize> {
        self.region.locate(payload)
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.region.file()
    }

    /// There is a link that lends, once its peer reads.
    pub(crate) fn add_link(&self, link: Weak<dyn TakeBack>) {
        let mut accounts = self.lent.accounts();
        accounts.retain(|account| account.strong_count() > 0);
        accounts.push(link);
        count(&self.lent.waiting_links, 1, true);
    }

    /// A link that was [added](Self::add_link) lends from here on.
    pub(crate) fn begin_to_lend(&self) {
        count(&self.lent.links, 1, true);
        count(&self.lent.waiting_links, 1, false);
    }

    /// A link has ended that never lent.
    pub(crate) fn remove_waiting_link(&self) {
        count(&self.lent.waiting_links, 1, false);
    }

    /// A link that lends has ended. What it has lent is the peer's until that has done with it, or is
    /// gone.
    pub(crate) fn remove_link(&self, link: Arc<dyn TakeBack>) {
        count(&self.lent.links, 1, false);
        if !link.is_over() {
            self.lent.count_ended(link.holder(), true);
            self.lent.ended().push(link);
        }
    }

    /// What the process `peer` holds. Those that the system does not tell apart are one.
    pub(crate) fn holder(&self, peer: Option<i32>) -> Arc<Holder> {
        let mut holders = self.lent.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|_, holder| holder.strong_count() > 0);
        if let Some(holder) = holders.get(&peer).and_then(Weak::upgrade) {
            return holder;
        }
        let holder = Arc::new(Holder::default());
        holders.insert(peer, Arc::downgrade(&holder));
        holder
    }

    /// Whether a process that holds so much may be lent anything: what it holds by links that have
    /// ended is bounded too.
    pub(crate) fn may_lend(&self, holder: &Holder) -> bool {
        let is_below = || {
            holder.ended.load(Ordering::Relaxed) < ENDED_OF_A_PROCESS
                && self.lent.ended_links.load(Ordering::Relaxed) < ENDED
        };
        is_below() || {
            self.see_to_ended();
            is_below()
        }
    }

    /// Hears all peers on what they have done with.
    pub(crate) fn take_back(&self) {
        self.accounts().iter().for_each(|account| account.take_back());
        self.see_to_ended();
    }

    /// Those of links that lend.
    fn accounts(&self) -> Vec<Arc<dyn TakeBack>> {
        // The last reference to one is not dropped under the lock.
        self.lent.accounts().iter().filter_map(Weak::upgrade).collect()
    }

    /// The links that lend, as long as these are fewer than `enough`. Peers that had not begun to
    /// read are looked at again then.
    fn links(&self, enough: usize) -> usize {
        let links = self.lent.links.load(Ordering::Relaxed);
        if links >= enough || self.lent.waiting_links.load(Ordering::Relaxed) == 0 {
            return links;
        }
        self.accounts().iter().for_each(|account| _ = account.is_read());
        self.lent.links.load(Ordering::Relaxed)
    }

    /// Hears all peers, where they hold what belongs to others.
    pub(crate) fn hear_of_relayed(&self) {
        if self.lent.relayed.load(Ordering::Relaxed) > 0 {
            self.take_back();
        }
    }

    /// Takes back what peers held beyond the end of their links.
    pub(crate) fn see_to_ended(&self) {
        if self.lent.ended_links.load(Ordering::Relaxed) > 0 {
            // Not under the lock: a payload may be of a type of the application's.
            let mut links = std::mem::take(&mut *self.lent.ended());
            links.retain(|link| {
                let is_over = link.is_over();
                if is_over {
                    self.lent.count_ended(link.holder(), false);
                }
                !is_over
            });
            self.lent.ended().append(&mut links);
        }
    }

    /// A link has lent a payload of so many bytes, or got it back. It is relayed if it lies in
    /// another arena.
    pub(crate) fn count_lent(&self, bytes: usize, is_relayed: bool, is_lent: bool) {
        count(&self.lent.payloads, 1, is_lent);
        count(&self.lent.relayed, usize::from(is_relayed), is_lent);
        count(&self.lent.bytes, bytes, is_lent);
    }
}

/// A payload that goes to several nodes, once in the arena for those of this machine. Where one
/// link lends, that link sees to it.
fn once_for_all_peers(payload: &Bytes) -> Option<Bytes> {
    let arena = OF_PROCESS.get()?;
    if payload.len() < PLACED_THRESHOLD || arena.links(2) < 2 {
        return None;
    }
    if arena.holds(payload) {
        return None;
    }
    if let Some((of, _)) = PeerArena::of(payload) {
        // One link that cannot pass it on makes a copy of its own.
        let copies = |account: &&Arc<dyn TakeBack>| account.is_read() && !account.can_relay(&of);
        if arena.accounts().iter().filter(copies).count() < 2 {
            return None;
        }
    }
    arena.copy(payload).ok()
}

/// Whether a payload lies in the arena of this process, or in that of a peer.
pub(crate) fn is_placed(payload: &[u8]) -> bool {
    OF_PROCESS.get().is_some_and(|arena| arena.holds(payload)) || PeerArena::of(payload).is_some()
}

fn count(counter: &AtomicUsize, by: usize, up: bool) {
    match up {
        true => counter.fetch_add(by, Ordering::Relaxed),
        false => counter.fetch_sub(by, Ordering::Relaxed),
    };
}

/// Memory of an arena that is written to: a payload before it is [frozen](Self::freeze).
pub struct ArenaMut(Option<Stretch>);

impl ArenaMut {
    /// Ends writing. The payload can be sliced, cloned and sent as any other [`Bytes`]; its memory
    /// is given back with the last of them.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        self.0.map_or_else(Bytes::new, Bytes::from_owner)
    }
}

impl Deref for ArenaMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], AsRef::as_ref)
    }
}

impl DerefMut for ArenaMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.as_mut().map_or(&mut [], AsMut::as_mut)
    }
}

// How much, and not what: payloads do not belong into logs.
impl fmt::Debug for ArenaMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArenaMut({} bytes)", self.len())
    }
}

#[cfg(test)]
#[path = "arena/tests.rs"]
mod tests;
