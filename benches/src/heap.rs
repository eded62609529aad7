//! A heap that keeps what it has.

use std::env;
use std::process::{Command, exit};

/// glibc's settings, which it reads when a process starts.
///
/// Left alone it gives memory back to the system when enough of it is free, and takes it again
/// with the next payload. When that happens depends on sizes and on threads, and what it
/// costs is the kernel's work and no contender's.
pub const STEADY: [(&str, &str); 3] = [
    ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
    // The most that it accepts.
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    // Other threads' heaps are trimmed by this one.
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// Starts this program again with a steady heap, when it has none.
pub fn keep_steady() {
    if STEADY.iter().all(|(name, _)| env::var_os(name).is_some()) {
        return;
    }
    let program = env::current_exe().expect("the program that runs");
    let run = Command::new(program).args(env::args_os().skip(1)).envs(STEADY).status();
    exit(run.expect("the program starts again").code().unwrap_or(1));
}
