//! Macros for sending by `Arc`.

/// Sends a message by `Arc` with [`ActorRef::cast_arc`](crate::ActorRef::cast_arc), and the error
/// that [`cast!`](crate::cast) has.
///
/// Takes the `Arc`, or the message itself to put into one.
///
/// ```
/// use std::sync::Arc;
/// use ractor::{cast_arc, ActorRef, RactorErr};
///
/// fn publish(actors: &[ActorRef<u64>], tick: Arc<u64>) -> Result<(), RactorErr<Arc<u64>>> {
///     for actor in actors {
///         cast_arc!(actor, tick.clone())?;
///     }
///     cast_arc!(actors[0], 42)
/// }
/// ```
#[macro_export]
macro_rules! cast_arc {
    ($actor:expr, $message:expr) => {
        $actor.cast_arc(::std::convert::Into::into($message)).map_err($crate::RactorErr::from)
    };
}

/// Sends an `Arc` to all members of a process group, with
/// [`pg::broadcast_arc`](crate::pg::broadcast_arc) or, when a scope is given,
/// [`pg::broadcast_arc_scoped`](crate::pg::broadcast_arc_scoped).
///
/// ```
/// use std::sync::Arc;
/// use ractor::broadcast_arc;
///
/// let tick = Arc::new(42_u64);
/// assert_eq!(broadcast_arc!("readers", tick.clone()).delivered(), 0);
/// assert_eq!(broadcast_arc!("exchange", "readers", tick).delivered(), 0);
/// ```
#[macro_export]
macro_rules! broadcast_arc {
    ($group:expr, $message:expr) => {
        $crate::pg::broadcast_arc(&::std::convert::Into::into($group), $message)
    };
    ($scope:expr, $group:expr, $message:expr) => {
        $crate::pg::broadcast_arc_scoped(
            &::std::convert::Into::into($scope),
            &::std::convert::Into::into($group),
            $message,
        )
    };
}
