//! What those who watch ask for.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::snapshot::READER;

/// What a snapshot is to have in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// How many actors at most: the first ones by [`sort`](Self::sort).
    #[serde(default)]
    pub actors: usize,
    /// Their order.
    #[serde(default)]
    pub sort: Sort,
    /// Leaves out actors in whose name, type and number this text does not occur.
    #[serde(default)]
    pub filter: Option<String>,
    /// Whether groups and peers are to be in it.
    #[serde(default)]
    pub rest: bool,
}

impl Request {
    /// All there is, with at most so many actors: those first whose handler has run the longest.
    #[must_use]
    pub const fn all(actors: usize) -> Self {
        Self { actors, sort: Sort::Handling, filter: None, rest: true }
    }

    /// Which node it is, and nothing else.
    #[must_use]
    pub const fn hello() -> Self {
        Self { actors: 0, sort: Sort::Id, filter: None, rest: false }
    }

    /// In another order.
    #[must_use]
    pub const fn sorted(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Only actors in whose name, type or number this text occurs.
    #[must_use]
    pub fn filtered(mut self, text: impl Into<String>) -> Self {
        self.filter = Some(text.into()).filter(|text: &String| !text.is_empty());
        self
    }

    pub(super) fn takes(&self, actor: &impl Facts) -> bool {
        self.filter.as_ref().is_none_or(|text| {
            actor.name().is_some_and(|name| name.contains(text))
                || actor.actor_type().contains(text)
                || actor.id().to_string().contains(text)
        })
    }
}

/// What of an actor decides whether it is in a snapshot, and where.
pub(super) trait Facts {
    fn id(&self) -> u64;
    fn name(&self) -> Option<&str>;
    fn actor_type(&self) -> &str;
    fn handling_ms(&self) -> Option<u64>;
    fn waiting(&self) -> usize;
    fn handled(&self) -> u64;
    fn lost(&self) -> u64;
}

/// The order of actors. Those that are alike are ordered by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sort {
    /// The lowest number first.
    #[default]
    Id,
    /// The handler that has run the longest first, then by messages that wait. Actors that read a
    /// connection count as without a handler: see
    /// [`ActorView::reads_connection`](super::ActorView::reads_connection).
    Handling,
    /// The most messages that wait first.
    Waiting,
    /// The most messages handled first.
    Handled,
    /// The most lost messages first.
    Lost,
    /// By name; those without one last.
    Name,
}

impl Sort {
    /// Leaves the first `most` actors, in order.
    pub(super) fn first(self, actors: &mut Vec<impl Facts>, most: usize) {
        match self {
            Self::Id => first_by(actors, most, Facts::id),
            Self::Handling => first_by(actors, most, |it| {
                let handling = it.handling_ms().filter(|_| it.actor_type() != READER);
                (Reverse(handling), Reverse(it.waiting()), it.id())
            }),
            Self::Waiting => first_by(actors, most, |it| (Reverse(it.waiting()), it.id())),
            Self::Handled => first_by(actors, most, |it| (Reverse(it.handled()), it.id())),
            Self::Lost => first_by(actors, most, |it| (Reverse(it.lost()), it.id())),
            Self::Name => first_by(actors, most, |it| {
                (it.name().is_none(), it.name().map(str::to_owned), it.id())
            }),
        }
    }
}

fn first_by<T, K: Ord>(actors: &mut Vec<T>, most: usize, key: impl Fn(&T) -> K) {
    if most < actors.len() {
        if most > 0 {
            actors.select_nth_unstable_by_key(most - 1, &key);
        }
        actors.truncate(most);
    }
    actors.sort_by_key(key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::ActorView;

    impl Facts for ActorView {
        fn id(&self) -> u64 {
            self.id
        }

        fn name(&self) -> Option<&str> {
            self.name.as_deref()
        }

        fn actor_type(&self) -> &str {
            &self.actor_type
        }

        fn handling_ms(&self) -> Option<u64> {
            self.handling_ms
        }

        fn waiting(&self) -> usize {
            self.waiting
        }

        fn handled(&self) -> u64 {
            self.handled
        }

        fn lost(&self) -> u64 {
            self.lost
        }
    }

    fn actor(id: u64, waiting: usize, handling_ms: Option<u64>) -> ActorView {
        ActorView {
            id,
            name: (id % 2 == 0).then(|| format!("n{id}")),
            actor_type: "app::Actor".into(),
            status: "Running".into(),
            parent: None,
            waiting,
            capacity: None,
            high_water: waiting,
            handled: id * 10,
            events: 0,
            handling_ms,
            lost: 0,
        }
    }

    #[test]
    fn the_first_of_an_order_are_left_in_order() {
        let all = || vec![actor(3, 1, None), actor(1, 9, None), actor(2, 5, Some(4))];
        let left = |sort: Sort, most| {
            let mut actors = all();
            sort.first(&mut actors, most);
            actors.iter().map(|it| it.id).collect::<Vec<_>>()
        };
        assert_eq!(left(Sort::Id, 2), [1, 2]);
        assert_eq!(left(Sort::Handling, 2), [2, 1]);
        assert_eq!(left(Sort::Waiting, 5), [1, 2, 3]);
        assert_eq!(left(Sort::Handled, 1), [3]);
        assert_eq!(left(Sort::Name, 3), [2, 1, 3]);
        assert_eq!(left(Sort::Lost, 0), [0; 0]);
    }

    #[test]
    fn a_filter_looks_at_name_type_and_number() {
        let takes = |text: &str| Request::all(1).filtered(text).takes(&actor(42, 0, None));
        assert!(takes("n4") && takes("Actor") && takes("42") && takes(""));
        assert!(!takes("feed"));
    }
}
