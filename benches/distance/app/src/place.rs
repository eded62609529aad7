//! The core of a thread that spins: the near process has the first one, the far process the last.

use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};

use crate::Failure;

/// The core of this process, by its number.
pub fn core(is_near: bool) -> Result<usize, Failure> {
    let cores = sched_getaffinity(None)?;
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core));
    let core = if is_near { allowed.next() } else { allowed.last() };
    Ok(core.ok_or("there are no cores")?)
}

/// Keeps this thread there.
pub fn pin(is_near: bool) -> Result<(), Failure> {
    let mut cores = CpuSet::new();
    cores.set(core(is_near)?);
    Ok(sched_setaffinity(None, &cores)?)
}
