//! Bells: eventfds with which each side of a link wakes the other, by calls that cannot block.
//!
//! The status flags of a descriptor, `O_NONBLOCK` among them, belong to the open file description,
//! which both sides share: the peer can change them after any check, and a `write` to an eventfd
//! has no flag of its own. A `read` has one (`RWF_NOWAIT`), and wakes those that poll the eventfd
//! as well. So a bell begins with more counts than are ever taken, each ring takes one of them, and
//! epoll reports each ring as a new edge. Only the ringing side reads the bell.
//!
//! A peer that takes all counts of its own bell, or lends one that cannot be rung, is not woken,
//! which harms no other link.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::EventfdFlags;
use rustix::io::{Errno, ReadWriteFlags};

use super::share::refused;

/// How often a bell can be rung: for longer than anything lasts. It is less than an eventfd can
/// hold, so that epoll reports write readiness as well with each ring.
const RINGS: u64 = 1 << 63;

/// Makes a bell, and rings it once to see that the kernel can.
pub(super) fn make() -> io::Result<OwnedFd> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK | EventfdFlags::SEMAPHORE;
    let bell = rustix::event::eventfd(0, flags)?;
    rustix::io::write(&bell, &RINGS.to_ne_bytes())?;
    match take_one(bell.as_fd()) {
        Ok(_) => Ok(bell),
        Err(Errno::OPNOTSUPP) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "links by shared memory need Linux 5.8: eventfds are not read with RWF_NOWAIT before",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Checks that a descriptor is an eventfd that can be rung. That it is an eventfd is for ever; how
/// it counts may change.
pub(super) fn check(bell: BorrowedFd<'_>) -> io::Result<()> {
    let found = std::fs::read_link(format!("/proc/self/fd/{}", bell.as_raw_fd()))?;
    if found.as_os_str() != "anon_inode:[eventfd]" {
        return Err(refused(format!(
            "the peer offers {} as a way to wake it, and not an eventfd",
            found.display()
        )));
    }
    take_one(bell).map_err(|error| {
        refused(format!("the peer offers an eventfd that cannot be rung: {error}"))
    })?;
    Ok(())
}

/// Rings a bell. Never blocks, whatever the flags and the count of the eventfd are.
pub(super) fn ring(bell: BorrowedFd<'_>) -> io::Result<()> {
    match take_one(bell) {
        // Its owner shall see to itself how it wakes.
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn take_one(bell: BorrowedFd<'_>) -> rustix::io::Result<usize> {
    let mut count = [0; size_of::<u64>()];
    let mut parts = [IoSliceMut::new(&mut count)];
    rustix::io::retry_on_intr(|| {
        rustix::io::preadv2(bell, &mut parts, u64::MAX, ReadWriteFlags::NOWAIT)
    })
}

#[cfg(test)]
mod tests {
    use rustix::fs::OFlags;

    use super::*;

    #[test]
    fn a_ring_does_not_block_whatever_the_flags_and_the_count_are() {
        let bell = make().unwrap();
        check(bell.as_fd()).unwrap();
        rustix::fs::fcntl_setfl(&bell, OFlags::RDWR).unwrap();
        // As full as it can be, and empty.
        let most = u64::MAX - 1 - (RINGS - 2);
        rustix::io::write(&bell, &most.to_ne_bytes()).unwrap();
        ring(bell.as_fd()).unwrap();

        let empty = rustix::event::eventfd(0, EventfdFlags::empty()).unwrap();
        ring(empty.as_fd()).unwrap();
        check(empty.as_fd()).unwrap_err();
    }
}
