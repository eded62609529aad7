//! The members with which a node of a large cluster needs sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mycelium_transport::changed::Changed;
use parking_lot::Mutex;
use tokio::sync::watch;

/// What is asked for at present.
#[derive(Debug, Default)]
struct Asked {
    /// How often all members are.
    all: usize,
    /// How often each of these is, by the name before the `@`.
    members: HashMap<String, usize>,
}

/// The members with which sessions are kept beyond the size of a full mesh.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    asked: Mutex<Asked>,
    /// Actors of this node have names, ask for some, or are offered as singletons.
    by_names: AtomicBool,
    changed: Changed,
}

impl Demand {
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether sessions with all members are needed.
    pub(super) fn is_of_all(&self) -> bool {
        self.by_names.load(Ordering::Acquire) || self.asked.lock().all > 0
    }

    /// Whether a session with the member of this name (before the `@`) is needed.
    pub(super) fn is_of(&self, name: &str) -> bool {
        self.asked.lock().members.contains_key(name)
    }

    /// Whether this node has names, or asks for some: it then tells all members.
    pub(crate) fn set_by_names(&self, has_names: bool) {
        if self.by_names.swap(has_names, Ordering::AcqRel) != has_names {
            self.changed.tell();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Asked)) {
        change(&mut self.asked.lock());
        self.changed.tell();
    }
}

/// Keeps sessions with a member, or with all members, until it is dropped.
///
/// Sessions that are there then stay until they end by themselves.
#[derive(Debug)]
#[must_use = "the session is kept while this lives"]
pub struct Reach {
    demand: Arc<Demand>,
    /// Of all members, where there is none.
    member: Option<String>,
}

impl Reach {
    pub(super) fn of(demand: Arc<Demand>, member: Option<String>) -> Self {
        demand.change(|asked| match &member {
            Some(name) => *asked.members.entry(name.clone()).or_default() += 1,
            None => asked.all += 1,
        });
        Self { demand, member }
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        self.demand.change(|asked| match &self.member {
            Some(name) => {
                if let Some(count) = asked.members.get_mut(name) {
                    *count -= 1;
                    if *count == 0 {
                        asked.members.remove(name);
                    }
                }
            }
            None => asked.all -= 1,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_as_long_as_the_last_who_asks() {
        let demand = Arc::new(Demand::default());
        let changes = demand.changes();
        let one = || Reach::of(demand.clone(), Some("a".to_owned()));
        let (first, second) = (one(), one());
        assert!(demand.is_of("a") && !demand.is_of("b") && !demand.is_of_all());
        drop(first);
        assert!(demand.is_of("a"));
        drop(second);
        assert!(!demand.is_of("a"));
        let all = [(); 2].map(|()| Reach::of(demand.clone(), None));
        assert!(demand.is_of_all() && !demand.is_of("a"));
        drop(all);
        assert!(!demand.is_of_all());
        demand.set_by_names(true);
        assert!(demand.is_of_all());
        demand.set_by_names(false);
        assert!(!demand.is_of_all());
        assert!(changes.has_changed().expect("it is there"));
    }
}
