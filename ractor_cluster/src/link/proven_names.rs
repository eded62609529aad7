//! The names of peers that have proven, since this process began, to be nodes of the fork. A stock
//! node that comes under one of them is a downgrade.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use super::locked::locked;

/// Names that are remembered: as many as there are peers by default. A name costs at most
/// [`Limits::name_bytes`](super::Limits::name_bytes).
const REMEMBERED: usize = 4096;

static NAMES: Mutex<Option<Names>> = Mutex::new(None);

#[derive(Debug, Default)]
struct Names {
    all: HashSet<String>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl Names {
    fn add(&mut self, name: &str, most: usize) {
        if !self.all.insert(name.to_owned()) {
            return;
        }
        self.order.push_back(name.to_owned());
        if self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.all.remove(&oldest);
            }
        }
    }
}

/// A node of this full name (`name@host`) has proven itself.
pub(crate) fn remember(name: &str) {
    locked(&NAMES).get_or_insert_default().add(name, REMEMBERED);
}

/// Whether a node of this full name has proven itself.
pub(crate) fn is_known(name: &str) -> bool {
    locked(&NAMES).as_ref().is_some_and(|names| names.all.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_names_are_forgotten() {
        let mut names = Names::default();
        for name in ["a", "b", "a", "c"] {
            names.add(name, 2);
        }
        let is_known = ["a", "b", "c"].map(|name| names.all.contains(name));
        assert_eq!((is_known, names.order.len()), ([false, true, true], 2));
    }
}
