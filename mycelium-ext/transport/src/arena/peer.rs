//! Arenas of peers that this process has mapped, and how a payload of one is found again.
//!
//! A payload that a peer has lent is a [`Bytes`](bytes::Bytes) like any other. When the application
//! sends it on, its address tells in which arena it lies, and the arena has what a third process
//! needs to read it there: the memory, and the end of the pipe that its owner watches.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};

use super::Arena;
use super::region::Foreign;
use crate::blocking::Deferred;

/// All that are mapped, by the address of the first byte.
static MAPPED: RwLock<BTreeMap<usize, Weak<PeerArena>>> = RwLock::new(BTreeMap::new());

/// How often there was no room to map one.
static UNMAPPED: AtomicUsize = AtomicUsize::new(0);

/// How often this process had no room to map the arena of another one.
pub(super) fn unmapped() -> usize {
    UNMAPPED.load(Ordering::Relaxed)
}

/// Whether an error of [`PeerArena::map`] says that there is no room: the process has as much
/// address space, locked memory or as many mappings as it may have.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock)
}

/// The arena of another process, mapped for reading. It is mapped once for each link.
pub(crate) struct PeerArena {
    memory: Foreign,
    file: Deferred<OwnedFd>,
    /// Tells the owner by being closed that nothing is held any more.
    pipe: Deferred<OwnedFd>,
    /// Whether it is the arena of this process, which came back.
    is_own: bool,
}

impl PeerArena {
    /// Maps the memory of `length` bytes that a peer has passed with the end of a pipe.
    ///
    /// # Errors
    /// As [`Foreign::map`]. One without room for it is [counted](unmapped).
    pub(crate) fn map(file: OwnedFd, pipe: OwnedFd, length: usize) -> io::Result<Arc<Self>> {
        let (file, pipe) = (Deferred::new(file), Deferred::new(pipe));
        let memory = Foreign::map(file.as_fd(), length).inspect_err(|error| {
            if is_no_room(error) {
                UNMAPPED.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        let is_own = match Arena::get() {
            Some(own) => is_same(own.file(), file.as_fd())?,
            None => false,
        };
        let made = Arc::new(Self { memory, file, pipe, is_own });
        mapped().insert(made.memory.base(), Arc::downgrade(&made));
        Ok(made)
    }

    /// The arena that a payload lies in, and where, if a peer has lent it.
    pub(crate) fn of(payload: &[u8]) -> Option<(Arc<Self>, usize)> {
        let mapped = MAPPED.read().unwrap_or_else(PoisonError::into_inner);
        let (_, arena) = mapped.range(..=payload.as_ptr().addr()).next_back()?;
        let arena = arena.upgrade();
        // An arena that ends here takes the lock.
        drop(mapped);
        let arena = arena?;
        let at = arena.memory.locate(payload)?;
        Some((arena, at))
    }

    /// The memory, and the end of the pipe.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.file.as_fd(), self.pipe.as_fd()]
    }

    /// In bytes.
    pub(crate) fn length(&self) -> usize {
        self.memory.length()
    }

    /// Whether it is the arena of this process. A peer has passed on what this process lent to it.
    pub(crate) fn is_own(&self) -> bool {
        self.is_own
    }

    /// See [`Foreign::holds`].
    pub(crate) fn holds(&self, at: u64, length: u64) -> bool {
        self.memory.holds(at, length)
    }

    /// See [`Foreign::bytes`].
    pub(crate) fn bytes(&self, at: usize, length: usize) -> &[u8] {
        self.memory.bytes(at, length)
    }
}

fn mapped() -> RwLockWriteGuard<'static, BTreeMap<usize, Weak<PeerArena>>> {
    MAPPED.write().unwrap_or_else(PoisonError::into_inner)
}

fn is_same(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> io::Result<bool> {
    let [a, b] = [rustix::fs::fstat(a)?, rustix::fs::fstat(b)?];
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

impl Drop for PeerArena {
    fn drop(&mut self) {
        // Before the memory is unmapped: another mapping may then have the same address.
        mapped().remove(&self.memory.base());
    }
}

impl fmt::Debug for PeerArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerArena({} bytes)", self.length())
    }
}
