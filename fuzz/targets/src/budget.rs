//! How much memory an input may have allocated: what a peer sends must not multiply.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// That of all programs that fuzz.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held while an input is handled. The allocator counts for the whole process, so two inputs at a
/// time (two tests of one program) would be charged with each other's bytes.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A bound on the bytes that are allocated while an input is handled, those that are given back
/// included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// For an input of no length.
    pub(crate) fixed: usize,
    /// For each byte of it.
    pub(crate) each: usize,
}

impl Budget {
    /// Handles an input of so many bytes. All threads count. A second input waits for the first.
    ///
    /// # Panics
    /// When more is allocated.
    pub(crate) fn hold<T>(self, input: usize, handle: impl FnOnce() -> T) -> T {
        // An input that went over its budget panicked with the lock held: nothing is broken by
        // that.
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let region = Region::new(ALLOCATOR);
        let handled = handle();
        let allocated = region.change().bytes_allocated;
        let most = self.fixed + self.each * input;
        assert!(
            allocated <= most,
            "an input of {input} bytes had {allocated} bytes allocated, of at most {most}"
        );
        handled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { fixed: 1 << 20, each: 16 };

    #[test]
    fn what_an_input_may_have_is_no_panic() {
        assert_eq!(BUDGET.hold(1 << 20, || vec![0_u8; 8 << 20].len()), 8 << 20);
    }

    #[test]
    #[should_panic(expected = "of at most 1049600")]
    fn what_multiplies_is_one() {
        BUDGET.hold(64, || (0..64).map(|_| vec![0_u8; 1 << 20]).collect::<Vec<_>>());
    }
}
