//! The end of actors without children.

use super::SupervisionTree;

impl SupervisionTree {
    /// Refuses children from here on, unless there are some. Returns whether there are none.
    ///
    /// Children are linked under this lock too, so one that comes later is refused. The lock of all
    /// trees is for changes of two of them at once.
    pub(crate) fn close_if_childless(&self) -> bool {
        // As upstream: a panic under this lock is a bug, and ends each actor that meets it.
        let mut children = self.children.lock().unwrap();
        let childless = children.as_ref().is_none_or(|children| children.is_empty());
        if childless {
            *children = None;
        }
        childless
    }
}
