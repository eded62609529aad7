//! How two processes come to share a link: one makes it, and passes it to the other over their Unix
//! socket.
//!
//! 1. The maker sends an offer (24 bytes: a word to know it by, a version, a word on arenas, and
//!    how large the rings are), with three descriptors: the memory, the maker's bell and the
//!    taker's. Where the maker has an [arena](crate::arena), that comes too, and a pipe's end.
//! 2. The taker looks at them, maps the memory, and answers with one byte and a word on arenas,
//!    with its own arena and a pipe's end, if it has one.
//!
//! A word on arenas says in its highest bit whether payloads are read where they lie, and in the
//! others how many pages the sender's arena has; 0 where none comes. The maker has nothing mapped
//! yet, and says in the memory when it has: see [`abilities`]. A side keeps the end of the
//! pipe that it was passed as long as it holds something of the arena, also when the link is over.
//! The other one learns by its own end that nothing is held any more, however that came about.
//! Whether a side takes further arenas stands in the memory too: see [`regions`].
//!
//! The descriptors of the memory and of arenas are closed at the other end then. What is left has
//! no name: when a process ends, the kernel gives everything back.
//!
//! The taker receives, checks and closes descriptors on a [thread of its own](blocking), where the
//! peer may make each of these calls block. There is room for as many descriptors as a message can
//! carry, so that the kernel discards none.
//!
//! What the peer can change after a check, and why it does no harm:
//!
//! | what | after the check |
//! |---|---|
//! | the kind of a descriptor: memory, eventfd | cannot change: a descriptor refers to its file for as long as it is open |
//! | the seal against shrinking | cannot be taken back; the memory never gets shorter than what is mapped |
//! | the length of the memory | can only grow where it is not sealed; the first bytes alone are mapped |
//! | further seals | one against writing fails while the memory is mapped here, and makes mapping fail before |
//! | pages of the memory: holes, swapped out | read as zeros, or are fetched by a page fault: they are bytes, see below |
//! | the status flags of a bell (`O_NONBLOCK`) | are not looked at: see [`bell`] |
//! | the count of a bell | is not relied upon: a ring never blocks, and a wake without cause finds nothing to do |
//! | positions in the memory | are read once, into this process, and checked there: see `positions` |
//! | bytes in the memory | are copied before anything looks at them: see `memory` |
//! | the word that says what a side can do | is read for each answer that is needed; a wrong one harms its writer alone: see [`abilities`] |
//! | bytes in its arena | are handed on as bytes, and copied before anything is decoded: see `arena` |
//! | who else holds or polls the descriptors | decides how long closing them takes, which is done on a thread of its own |

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::blocking::{self, Deferred};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::abilities;
use super::bell;
use super::memory::Memory;
use super::regions;
use super::ring::{LARGEST, SMALLEST, Side, is_capacity, size};
use crate::arena::{self, Arena, PeerArena};
use crate::log_limit::limited_warn;

/// By what an offer is known.
const WORD: [u8; 8] = *b"mycelium";
/// Of the memory's layout, of how it is used, and of how bells are rung.
pub(super) const VERSION: u32 = 3;
/// The bytes of an offer.
const OFFER: usize = 24;
/// The descriptors that come with it, but for those of the arena.
const DESCRIPTORS: usize = 3;
/// The descriptors of an arena: its memory, and the end of a pipe.
const OF_ARENA: usize = 2;
/// The bytes of an answer.
const ANSWER: usize = 5;
/// The bit of a word on arenas for a side that reads payloads where they lie.
const READS: u32 = 1 << 31;
/// The most descriptors that a message over a Unix socket carries: `SCM_MAX_FD` of the kernel.
const MOST_DESCRIPTORS: usize = 253;
/// What the answer to an offer begins with.
const TAKEN: u8 = 1;
/// Nothing about the memory may change any more but its bytes: a peer that could make it shorter
/// could have this process killed.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
/// The file system of memory without huge pages, which might be too few.
const TMPFS: u64 = 0x0102_1994;

/// What a link is made of.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) capacity: usize,
    pub(super) memory: Memory,
    pub(super) own_bell: Deferred<OwnedFd>,
    pub(super) peer_bell: Deferred<OwnedFd>,
    pub(super) arenas: Arenas,
}

/// What two sides lend to each other.
#[derive(Debug)]
pub(super) struct Arenas {
    /// What this side lends payloads out of, where the peer reads them, and the end of a pipe whose
    /// other end is open as long as the peer holds any.
    pub(super) lends: Option<(Arena, OwnedFd)>,
    /// What the peer lends by.
    pub(super) borrows: Option<Arc<PeerArena>>,
    /// Whether this side takes [regions] of the peer.
    pub(super) takes_regions: bool,
    /// Whether the peer does.
    pub(super) passes_regions: bool,
}

impl Arenas {
    /// Of the end `side`, which has said whether it takes regions, and of a peer with this word on
    /// arenas, whose arena is mapped here or is not.
    fn agreed(
        (memory, side): (&Memory, Side),
        (lending, takes_regions): (Option<Lending>, bool),
        (word, borrows): (u32, Option<Arc<PeerArena>>),
    ) -> Self {
        Self {
            lends: lending.and_then(|it| it.to(word & READS != 0)),
            takes_regions: takes_regions && borrows.is_some(),
            passes_regions: abilities::takes_regions(memory, side.other()),
            borrows,
        }
    }
}

/// What a side with an arena passes, and what it keeps.
struct Lending {
    arena: Arena,
    kept: OwnedFd,
    passed: OwnedFd,
}

impl Lending {
    fn of(arena: Arena) -> io::Result<Self> {
        let (kept, passed) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        Ok(Self { arena, kept, passed })
    }

    fn descriptors(&self) -> [BorrowedFd<'_>; OF_ARENA] {
        [self.arena.file(), self.passed.as_fd()]
    }

    /// What it lends by, to a peer that `reads`.
    fn to(self, reads: bool) -> Option<(Arena, OwnedFd)> {
        reads.then_some((self.arena, self.kept))
    }
}

/// The word of a side that lends, or does not, and that reads in the peer's arena, or does not.
fn word_of(lending: Option<&Lending>, reads: bool) -> u32 {
    // An arena has fewer pages: `LARGEST`.
    let pages = lending.map_or(0, |it| (it.arena.size() / arena::PAGE) as u32);
    if reads { READS | pages } else { pages }
}

/// The peer's arena, of which it passed descriptors with its `word`. Without an arena of its own
/// this side does not read in the peer's.
fn arena_of_peer(word: u32, found: Vec<OwnedFd>, own: bool) -> io::Result<Option<Arc<PeerArena>>> {
    let bytes = (word & !READS) as usize * arena::PAGE;
    let found: Option<[OwnedFd; OF_ARENA]> = match found.len() {
        0 => None,
        _ => Some(found.try_into().map_err(|_| {
            refused("the peer passes another number of descriptors than those of an arena")
        })?),
    };
    match (bytes, found) {
        (0, None) => Ok(None),
        (0, Some(_)) => Err(refused("the peer passes an arena of no bytes")),
        (_, None) => Err(refused("the peer passes no descriptor of its arena")),
        (_, Some(_)) if !own => Ok(None),
        (_, Some(_)) if bytes > arena::LARGEST => {
            Err(refused(format!("the peer has an arena of {bytes} bytes: too many")))
        }
        (_, Some([file, pipe])) => match PeerArena::map(file, pipe, bytes) {
            Ok(arena) => Ok(Some(arena)),
            // Without room for it payloads are copied through the ring.
            Err(error) if arena::is_no_room(&error) => {
                limited_warn!(
                    %error,
                    bytes,
                    "there is no room to map the arena of a peer, whose payloads are copied: \
                     raise the limit of address space (`RLIMIT_AS`) or of mappings \
                     (`vm.max_map_count`), or give the peer a smaller arena"
                );
                Ok(None)
            }
            Err(error) => Err(error),
        },
    }
}

/// Makes a link with rings of `capacity` bytes, and waits until the peer has taken it.
pub(super) async fn offer(
    socket: &UnixStream,
    capacity: usize,
    arena: Option<Arena>,
) -> io::Result<Shared> {
    let file = Deferred::new(make(size(capacity))?);
    let memory = Memory::map(file.as_fd(), size(capacity))?;
    let [own_bell, peer_bell] = [Deferred::new(bell::make()?), Deferred::new(bell::make()?)];
    let lending = arena.map(Lending::of).transpose()?;
    let takes_regions = lending.is_some() && regions::are_taken();
    abilities::declare(&memory, Side::Maker, takes_regions);
    let mut offer = [0; OFFER];
    offer[..8].copy_from_slice(&WORD);
    offer[8..12].copy_from_slice(&VERSION.to_be_bytes());
    offer[12..16].copy_from_slice(&word_of(lending.as_ref(), lending.is_some()).to_be_bytes());
    offer[16..].copy_from_slice(&(capacity as u64).to_be_bytes());
    let mut descriptors = vec![file.as_fd(), own_bell.as_fd(), peer_bell.as_fd()];
    descriptors.extend(lending.iter().flat_map(Lending::descriptors));
    socket.async_io(Interest::WRITABLE, || send(socket, &offer, &descriptors)).await?;

    // A byte that is only looked at discards no descriptors that came with it.
    let answer = socket.async_io(Interest::READABLE, || peek(socket)).await?;
    match answer {
        Some(TAKEN) => {}
        None => return Err(refused("the peer did not take the shared memory")),
        Some(_) => {
            let why = "the peer answered an offer of shared memory with something else";
            return Err(refused(why));
        }
    }
    let (own, has_arena) = (socket.as_fd().try_clone_to_owned()?, lending.is_some());
    // No descriptor leaves that thread.
    let peer = blocking::call(move || receive_answer(&own, has_arena)).await?;
    let arenas = Arenas::agreed((&memory, Side::Maker), (lending, takes_regions), peer);
    if arenas.borrows.is_some() {
        abilities::begin_to_read(&memory, Side::Maker);
    }
    Ok(Shared { capacity, memory, own_bell, peer_bell, arenas })
}

/// Receives the answer to an offer, with the peer's word on arenas. A peer can make this block.
fn receive_answer(socket: &OwnedFd, has_arena: bool) -> io::Result<(u32, Option<Arc<PeerArena>>)> {
    let mut answer = [0; ANSWER];
    let found = receive(socket, &mut answer)?;
    let word = u32::from_be_bytes([answer[1], answer[2], answer[3], answer[4]]);
    Ok((word, arena_of_peer(word, found, has_arena)?))
}

/// Takes what the peer offers.
pub(super) async fn take(socket: &UnixStream, arena: Option<Arena>) -> io::Result<Shared> {
    if socket.async_io(Interest::READABLE, || peek(socket)).await?.is_none() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let own = socket.as_fd().try_clone_to_owned()?;
    let shared = blocking::call(move || receive_offer(&own, arena)).await?;
    Ok(shared)
}

/// Receives an offer, and checks it. A peer can make this block.
fn receive_offer(socket: &OwnedFd, arena: Option<Arena>) -> io::Result<Shared> {
    let mut offer = [0; OFFER];
    let mut found = receive(socket, &mut offer)?;
    let of_arena = found.split_off(found.len().min(DESCRIPTORS));
    let found: [OwnedFd; DESCRIPTORS] = found.try_into().map_err(|found: Vec<OwnedFd>| {
        refused(format!("the peer offers {} descriptors, and not {DESCRIPTORS}", found.len()))
    })?;
    let [file, peer_bell, own_bell] = found;
    let (word, rest) = offer.split_at(8);
    let version = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
    if word != WORD || version != VERSION {
        return Err(refused("the peer offers no shared memory of a version that is known here"));
    }
    let capacity = usize::from_be_bytes(offer[16..].try_into().expect("it is a word"));
    if !is_capacity(capacity) {
        return Err(refused(format!(
            "the peer offers rings of {capacity} bytes: not a power of two from {SMALLEST} to {LARGEST}"
        )));
    }
    is_sound(file.as_fd(), size(capacity))?;
    bell::check(own_bell.as_fd())?;
    bell::check(peer_bell.as_fd())?;
    let memory = Memory::map(file.as_fd(), size(capacity))?;
    let word_of_peer = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]);
    let borrows = arena_of_peer(word_of_peer, of_arena, arena.is_some())?;
    let [own_bell, peer_bell] = [own_bell, peer_bell].map(Deferred::new);

    let lending = arena.map(Lending::of).transpose()?;
    let takes_regions = borrows.is_some() && regions::are_taken();
    abilities::declare(&memory, Side::Taker, takes_regions);
    let mut answer = [TAKEN; ANSWER];
    answer[1..].copy_from_slice(&word_of(lending.as_ref(), borrows.is_some()).to_be_bytes());
    let own_arena: Vec<_> = lending.iter().flat_map(Lending::descriptors).collect();
    send(socket, &answer, &own_arena)?;
    let peer = (word_of_peer, borrows);
    let arenas = Arenas::agreed((&memory, Side::Taker), (lending, takes_regions), peer);
    Ok(Shared { capacity, memory, own_bell, peer_bell, arenas })
}

/// Memory without a name, that cannot change its size.
pub(super) fn make(size: usize) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = match rustix::fs::memfd_create(c"mycelium", flags | MemfdFlags::NOEXEC_SEAL) {
        // A kernel before 6.3 does not know the last one.
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(c"mycelium", flags),
        made => made,
    };
    let file = made?;
    rustix::fs::ftruncate(&file, size as u64)?;
    rustix::fs::fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// Whether a file can be mapped up to `size` without harm, now and later.
fn is_sound(file: BorrowedFd<'_>, size: usize) -> io::Result<()> {
    let seals = rustix::fs::fcntl_get_seals(file)
        .map_err(|error| refused(format!("the peer offers something else than memory: {error}")))?;
    if !seals.contains(SealFlags::SHRINK) {
        return Err(refused("the peer offers memory that it can make shorter"));
    }
    let length = rustix::fs::fstat(file)?.st_size;
    if u64::try_from(length) != Ok(size as u64) {
        return Err(refused(format!("the peer offers {length} bytes of memory, and not {size}")));
    }
    if rustix::fs::fstatfs(file)?.f_type as u64 != TMPFS {
        return Err(refused("the peer offers memory of huge pages"));
    }
    Ok(())
}

/// Sends bytes with descriptors, all or nothing, and never waits.
pub(super) fn send(
    socket: impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS + OF_ARENA))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(refused("there is no room for the descriptors"));
    }
    let parts = [IoSlice::new(bytes)];
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let count =
        rustix::io::retry_on_intr(|| rustix::net::sendmsg(&socket, &parts, &mut control, flags))?;
    if count == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// The first byte that waits, if the peer has not closed the socket. It stays there, with what was
/// passed with it.
fn peek(socket: &UnixStream) -> io::Result<Option<u8>> {
    let mut byte = [0; 1];
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    let (_, count) = rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut byte[..], flags))?;
    Ok((count > 0).then_some(byte[0]))
}

/// Receives as many bytes as there is room for, and what descriptors come with them. A peer can
/// make closing them block.
pub(super) fn receive(socket: &OwnedFd, bytes: &mut [u8]) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let length = bytes.len();
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut parts, &mut control, flags)
    })?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut found = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            found.extend(descriptors);
        }
    }
    // There is room for all that can come: this process may have no more.
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(rustix::io::Errno::MFILE.into());
    }
    if received.bytes != length {
        return Err(refused("what the peer sends over the socket of shared memory is cut short"));
    }
    Ok(found)
}

pub(super) fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
