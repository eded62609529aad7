//! Takes locks, also after a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock. Nothing that may panic is done with one held that would leave anything half
/// changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
