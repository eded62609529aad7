//! How much memory of this process is in use.

use std::fs;

/// The resident bytes of this process, as the kernel counts them.
///
/// # Panics
/// When the kernel does not say so, as on systems other than Linux.
pub(crate) fn bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says what a process needs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB"));
    let kilobytes: Option<usize> = kilobytes.and_then(|it| it.parse().ok());
    1024 * kilobytes.unwrap_or_else(|| panic!("a number of kB in {line:?}"))
}
