//! Streams of messages, and an allocator that would take their memory from the system again and again.
//!
//! glibc gives the top of its heap back to the system where more than 128 KiB of it are free, and takes
//! larger blocks from the system in the first place. With large messages, nearly every one is written into pages
//! that the kernel has to clear first, which costs several times as much as the message's way to another
//! process. Both bounds move up, once and for all, when a block is freed that was larger (mallopt(3),
//! `M_MMAP_THRESHOLD`, "dynamic"): so one is.

/// A block of this size makes the bounds 8 MiB, and 16 MiB of free memory at the top: as much as the
/// default replay window.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const BLOCK: usize = 8 * 1024 * 1024;

/// A large message is on its way, or many small ones are: from here on the process keeps the memory that such messages took, up to 16 MiB
/// an arena, for the next ones. An application that has set one of glibc's bounds itself, by
/// `GLIBC_TUNABLES` or `mallopt`, keeps them, and another allocator than glibc's does as it always does.
pub fn expect_much() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        // Nothing of it is touched.
        ONCE.call_once(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK))));
    }
}
