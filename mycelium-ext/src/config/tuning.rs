//! `[node.tuning]`: what costs processor time or memory to make messages faster, and can be turned off.

use super::declare::settings;

settings! {
    /// What costs processor time or memory to make messages between nodes faster.
    ///
    /// ```
    /// use mycelium_ext::config::Tuning;
    ///
    /// let mut tuning = Tuning::default();
    /// assert!(*tuning.busy_poll && *tuning.malloc_hint);
    /// tuning.busy_poll = false.into();
    /// ```
    pub struct Tuning over links {
        /// Whether a thread that waits for an answer polls the link before it sleeps: see
        /// [`LinkOptions::busy_poll`](ractor_cluster::link::LinkOptions::busy_poll).
        busy_poll: bool as bool = link links.busy_poll;
        /// Whether this process may raise the bounds of glibc's allocator: see
        /// [`LinkOptions::malloc_hint`](ractor_cluster::link::LinkOptions::malloc_hint).
        malloc_hint: bool as bool = link links.malloc_hint;
    }
}
