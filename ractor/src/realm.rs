//! Which registries an actor is in: those of its process, or those of the host that is simulated.
//!
//! Names, pids and groups are tables of the process. A simulation runs many hosts in one process,
//! and each of them has tables of its own, as if it were a process. Its actors are those that run
//! on its runtime.

#[cfg(feature = "cluster")]
pub(crate) use numbers::DashMap;

/// What is kept by actor. Builds that simulate go through it in an order that does not change from
/// run to run.
#[cfg(feature = "simulation")]
pub(crate) type Actors<K, V> = std::collections::BTreeMap<K, V>;
#[cfg(not(feature = "simulation"))]
pub(crate) type Actors<K, V> = std::collections::HashMap<K, V>;

#[cfg(feature = "cluster")]
mod numbers {
    use std::hash::Hash;
    use std::ops::Deref;

    #[cfg(feature = "simulation")]
    type State = foldhash::fast::FixedState;
    #[cfg(not(feature = "simulation"))]
    type State = foldhash::fast::RandomState;

    /// The map of dashmap with a cheap hash, for keys that no peer chooses. In builds that simulate
    /// the order is the same in each run.
    pub(crate) struct DashMap<K, V>(dashmap::DashMap<K, V, State>);

    impl<K: Eq + Hash, V> DashMap<K, V> {
        /// An empty one.
        pub(crate) fn new() -> Self {
            #[cfg(feature = "simulation")]
            let map = dashmap::DashMap::with_hasher_and_shard_amount(State::default(), 2);
            #[cfg(not(feature = "simulation"))]
            let map = dashmap::DashMap::default();
            Self(map)
        }
    }

    impl<K, V> Deref for DashMap<K, V> {
        type Target = dashmap::DashMap<K, V, State>;

        #[inline]
        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }
}

#[cfg(feature = "simulation")]
pub use hosts::{current, enter, Hosts, FIRST_PID};
#[cfg(feature = "simulation")]
pub(crate) use hosts::{next_pid, table};

#[cfg(feature = "simulation")]
mod hosts {
    use std::any::Any;
    use std::collections::HashMap;
    use std::fmt;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use once_cell::sync::OnceCell;
    use tokio::runtime::{Handle, Id};

    /// The tables of one host, by the address of the process's own table of the kind.
    type Tables = HashMap<usize, &'static (dyn Any + Send + Sync)>;

    /// The first pid of a simulation: no other actor of the process has one of these.
    pub const FIRST_PID: u64 = 1 << 32;

    /// Whether there is any simulated host.
    static ANY: AtomicBool = AtomicBool::new(false);
    static HOSTS: Mutex<Option<HashMap<Id, Tables>>> = Mutex::new(None);
    static NEXT_PID: AtomicU64 = AtomicU64::new(FIRST_PID);
    static ALONE: Mutex<()> = Mutex::new(());

    fn hosts() -> MutexGuard<'static, Option<HashMap<Id, Tables>>> {
        HOSTS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts of one simulation, as long as it is held.
    ///
    /// A process has one simulation at a time, since the cluster's own tables are of the process.
    pub struct Hosts(#[allow(dead_code)] MutexGuard<'static, ()>);

    impl Hosts {
        /// Begins a simulation. Blocks the thread until no other one of the process is left. Its
        /// first actor has the same pid as that of any other simulation.
        #[must_use]
        pub fn begin() -> Self {
            let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
            *hosts() = Some(HashMap::new());
            NEXT_PID.store(FIRST_PID, Ordering::Relaxed);
            ANY.store(true, Ordering::Release);
            Self(alone)
        }
    }

    impl Drop for Hosts {
        fn drop(&mut self) {
            ANY.store(false, Ordering::Release);
            *hosts() = None;
        }
    }

    impl fmt::Debug for Hosts {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Hosts")
        }
    }

    /// Makes a host of its own of the runtime that this is called on: its names, pids and groups
    /// are empty from here on. What it has put into them stays in memory until the process ends.
    ///
    /// # Panics
    /// Outside of a runtime, and without [`Hosts`].
    pub fn enter() {
        let id = Handle::current().id();
        hosts().as_mut().expect("a simulation has begun").insert(id, Tables::new());
    }

    /// The simulated host that this is called on.
    #[must_use]
    pub fn current() -> Option<Id> {
        let host = runtime()?;
        hosts().as_ref()?.contains_key(&host).then_some(host)
    }

    /// The runtime, which may be a simulated host.
    fn runtime() -> Option<Id> {
        if !ANY.load(Ordering::Acquire) {
            return None;
        }
        Handle::try_current().ok().map(|handle| handle.id())
    }

    /// The table of the simulated host that this is called on, in place of the process's one.
    pub(crate) fn table<T: Send + Sync + 'static>(
        process: &'static OnceCell<T>,
        make: fn() -> T,
    ) -> Option<&'static T> {
        let host = runtime()?;
        let mut hosts = hosts();
        let tables = hosts.as_mut()?.get_mut(&host)?;
        let key = std::ptr::from_ref(process) as usize;
        let table = *tables.entry(key).or_insert_with(|| Box::leak(Box::new(make())));
        (table as &dyn Any).downcast_ref()
    }

    /// The next pid of the simulation; `None` on a runtime that is no simulated host.
    pub(crate) fn next_pid() -> Option<u64> {
        current().map(|_| NEXT_PID.fetch_add(1, Ordering::Relaxed))
    }
}
