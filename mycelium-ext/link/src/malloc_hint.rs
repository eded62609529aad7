//! Keeps glibc's allocator from returning the memory of each large message to the system.
//!
//! glibc returns the top of its heap to the system when more than 128 KiB of it are free, and takes
//! larger blocks from the system in the first place. A stream of large messages is then written
//! into fresh pages, which the kernel has to clear first: this takes several times as long as the
//! way to another process. glibc raises both bounds, once and for all, when a program frees a block
//! above them (mallopt(3), `M_MMAP_THRESHOLD`, "dynamic"). So the hint frees one such block.
//!
//! The bounds belong to the process, and so does the switch
//! (`LinkOptions::malloc_hint` of `ractor_cluster`): one node that turns the hint off turns it off
//! for all nodes of the process.

use std::sync::atomic::{AtomicBool, Ordering};

/// A block of this size makes the bounds 8 MiB, and 16 MiB of free memory at the top: as much as
/// the default replay window.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const BLOCK: usize = 8 * 1024 * 1024;

/// Whether a node of this process has turned the hint off.
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// Turns the hint off, until the process ends. A hint that was given before stays.
pub fn turn_off() {
    IS_OFF.store(true, Ordering::Relaxed);
}

/// Gives the hint, once: a large message is on its way, or many small ones are. From here on the
/// process keeps the memory of such messages, up to 16 MiB an arena, for the next ones. An
/// application that has set one of glibc's bounds itself, by `GLIBC_TUNABLES` or `mallopt`, keeps
/// them. Another allocator than glibc's is not affected.
pub fn expect_much() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        // The switch is never turned on again, so that one look at it is enough.
        ONCE.call_once(|| {
            if !IS_OFF.load(Ordering::Relaxed) {
                // Nothing of it is touched.
                drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK)));
            }
        });
    }
}

/// The bytes of a block that has glibc look at all small pieces when it is freed
/// (`FASTBIN_CONSOLIDATION_THRESHOLD` of its `malloc.c`).
const LOOK: usize = 64 * 1024;

/// Has the allocator put together what was freed in small pieces since the last time. glibc does so
/// by itself when a large block is freed, for all pieces at once: after the ends of 30,000 actors
/// that took 40 ms. Who frees many calls this in between.
pub fn put_together() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LOOK)));
}
