//! `[node.tuning]`: means to make messages faster, which have a cost and can be turned off.

use super::declare::settings;

settings! {
    /// Means to make messages between nodes faster, which have a cost and can be turned off.
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
