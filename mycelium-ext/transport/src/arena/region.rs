//! Memory that peers read where it lies: the one place of the arena with `unsafe`.
//!
//! This process writes to memory of its own as long as one owner has it, a [`Stretch`]. When that
//! is frozen nobody writes to it any more, here or elsewhere: peers cannot map the memory for
//! writing. Of a peer's memory this process has a mapping for reading, a [`Foreign`]. What lies in
//! it the peer could change at any time, so the sender is trusted not to: see the
//! [arena](super).
#![allow(unsafe_code, reason = "memory shared with another process cannot be had without")]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::space::Space;
use crate::blocking::Deferred;

/// What peers rely on: the memory stays as long as it is. A peer that could make it shorter could
/// have its reader killed.
const LENGTH: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);
/// What this process relies on: no other maps it for writing.
const WRITERS: SealFlags = SealFlags::FUTURE_WRITE.union(SealFlags::SEAL);
/// The file system of memory without huge pages, which might be too few.
const TMPFS: u64 = 0x0102_1994;

/// A range of addresses, which is unmapped when this is dropped.
struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to no thread, and to unmap it is allowed on any.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference to it gives access to nothing.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: BorrowedFd<'_>, length: usize, access: ProtFlags) -> io::Result<Self> {
        // SAFETY: the kernel chooses a place where nothing is. The mapping is taken away in
        // `Drop` only.
        let base = unsafe {
            rustix::mm::mmap(ptr::null_mut(), length, access, MapFlags::SHARED, file, 0)?
        };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is what `new` made, and no code uses it any more: who has an address in it
        // holds the `Region` or the `Foreign` that owns this.
        let gone = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.length) };
        if let Err(error) = gone {
            tracing::warn!(%error, "memory of the arena could not be given back");
        }
    }
}

/// Memory of this process, out of which it takes stretches.
pub(super) struct Region {
    mapping: Mapping,
    file: OwnedFd,
    space: Mutex<Space>,
}

impl Region {
    /// Of `length` bytes, which the kernel provides when they are first written to.
    pub(super) fn new(length: usize) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let made =
            match rustix::fs::memfd_create(c"mycelium arena", flags | MemfdFlags::NOEXEC_SEAL) {
                // A kernel before 6.3 does not know the last one.
                Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(c"mycelium arena", flags),
                made => made,
            };
        let file = made?;
        rustix::fs::ftruncate(&file, length as u64)?;
        let mapping = Mapping::new(file.as_fd(), length, ProtFlags::READ | ProtFlags::WRITE)?;
        // A mapping that is there stays writable. A kernel before 5.1 does not know the seal.
        rustix::fs::fcntl_add_seals(&file, LENGTH | WRITERS)?;
        // SAFETY: it is the whole of a mapping that this function made, and the advice changes no
        // byte of it.
        let huge = unsafe {
            rustix::mm::madvise(mapping.base.as_ptr().cast(), length, Advice::LinuxHugepage)
        };
        if let Err(error) = huge {
            tracing::trace!(%error, "the arena has no huge pages");
        }
        Ok(Self { mapping, file, space: Mutex::new(Space::new(length)) })
    }

    /// The memory, for peers.
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// In bytes.
    pub(super) fn length(&self) -> usize {
        self.mapping.length
    }

    /// The bytes of stretches that are held.
    pub(super) fn used(&self) -> usize {
        self.space().used()
    }

    fn space(&self) -> std::sync::MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a stretch of `length` bytes, which is not 0, if there is one.
    pub(super) fn take(self: &Arc<Self>, length: usize) -> Option<Stretch> {
        let at = self.space().take(length)?;
        Some(Stretch { region: self.clone(), at, length })
    }

    /// Where bytes lie in the region, if they do.
    pub(super) fn locate(&self, bytes: &[u8]) -> Option<usize> {
        let at = bytes.as_ptr().addr().checked_sub(self.mapping.base.as_ptr().addr())?;
        let fits = at <= self.length() && bytes.len() <= self.length() - at;
        fits.then_some(at)
    }
}

/// Bytes of a region that nothing else has, given back when they are dropped.
pub(super) struct Stretch {
    region: Arc<Region>,
    at: usize,
    length: usize,
}

impl AsRef<[u8]> for Stretch {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `Space` gave these bytes, which are within the mapping, to this stretch alone,
        // and gets them back in `Drop`. The mapping lives as long as `region`. This process writes
        // to them through `as_mut` only, which borrows the stretch; the seal keeps other processes
        // from it. Bytes of a new mapping are zeros.
        unsafe {
            slice::from_raw_parts(self.region.mapping.base.as_ptr().add(self.at), self.length)
        }
    }
}

impl AsMut<[u8]> for Stretch {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_ref`; the stretch is borrowed by this alone. That a peer may read the
        // bytes meanwhile, which it was not told of, changes nothing here.
        unsafe {
            slice::from_raw_parts_mut(self.region.mapping.base.as_ptr().add(self.at), self.length)
        }
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.region.space().give_back(self.at, self.length);
    }
}

/// Memory of a peer.
pub(crate) struct Foreign {
    mapping: Deferred<Mapping>,
}

impl Foreign {
    /// Maps the memory of `length` bytes that a peer has passed.
    ///
    /// # Errors
    /// It is something else, or of another length, or could get shorter. Or there is no room for
    /// it.
    pub(crate) fn map(file: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        let seals = rustix::fs::fcntl_get_seals(file).map_err(|error| {
            refused(format!("the peer's arena is something else than memory: {error}"))
        })?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(refused("the peer can make its arena shorter".to_owned()));
        }
        let found = rustix::fs::fstat(file)?.st_size;
        if u64::try_from(found) != Ok(length as u64) {
            return Err(refused(format!("the peer's arena has {found} bytes, and not {length}")));
        }
        if rustix::fs::fstatfs(file)?.f_type as u64 != TMPFS {
            return Err(refused(
                "the peer's arena has huge pages, which may be too few".to_owned(),
            ));
        }
        let mapping = Deferred::new(Mapping::new(file, length, ProtFlags::READ)?);
        Ok(Self { mapping })
    }

    /// The address of its first byte.
    pub(super) fn base(&self) -> usize {
        self.mapping.base.as_ptr().addr()
    }

    /// Where bytes lie in it, if they do.
    pub(super) fn locate(&self, bytes: &[u8]) -> Option<usize> {
        let at = bytes.as_ptr().addr().checked_sub(self.base())?;
        self.holds(at as u64, bytes.len() as u64).then_some(at)
    }

    /// In bytes.
    pub(super) fn length(&self) -> usize {
        self.mapping.length
    }

    /// Whether there are `length` bytes from `at` on.
    pub(crate) fn holds(&self, at: u64, length: u64) -> bool {
        let whole = self.mapping.length as u64;
        at <= whole && length <= whole - at
    }

    /// The bytes from `at` on. The peer could change them.
    ///
    /// # Panics
    /// There are not so many.
    pub(crate) fn bytes(&self, at: usize, length: usize) -> &[u8] {
        assert!(self.holds(at as u64, length as u64));
        // SAFETY: they are within the mapping, as was just checked, which lives as long as `self`.
        // The memory cannot get shorter (see `map`), so that every page of it can be read. This
        // process never writes to it. That the peer does not either while this is borrowed is what
        // reading in place trusts it with; a peer that breaks it changes bytes, which have no
        // invalid values, and who decodes them copies them first.
        unsafe { slice::from_raw_parts(self.mapping.base.as_ptr().add(at), length) }
    }
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({} of {} bytes used)", self.used(), self.length())
    }
}

impl fmt::Debug for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stretch({} bytes at {})", self.length, self.at)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foreign({} bytes)", self.mapping.length)
    }
}
