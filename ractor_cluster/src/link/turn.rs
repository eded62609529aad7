//! A turn of reading, and what it leaves to do.

use ractor::{ActorCell, ActorId, ActorStatus};

use super::receiver::Decoding;
use mycelium_link::lane::Due;
use mycelium_link::lanes::LANES;

/// Deliveries in a row before other tasks of the runtime get a turn.
const MOST_DELIVERIES: usize = 512;

/// What turns of reading have left to do.
#[derive(Debug)]
pub(crate) struct Turn {
    /// What the peer has acknowledged.
    pub(super) acknowledged: [u64; LANES],
    /// Of which lanes, a bit each.
    pub(super) seen: u64,
    /// When the peer is to get acknowledgements.
    pub(super) due: Due,
    /// The actors that something was delivered to since others had a turn, and the elements of the
    /// lists that came.
    pub(super) deliveries: usize,
    /// The last frame, while it is decoded elsewhere.
    pub(super) decoding: Option<Decoding>,
    pub(super) last: LastActor,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            acknowledged: [0; LANES],
            seen: 0,
            due: Due::Later,
            deliveries: 0,
            decoding: None,
            last: LastActor::default(),
        }
    }
}

impl Turn {
    /// Whether something is left although no more came.
    pub(crate) fn is_owed(&self) -> bool {
        self.due > Due::Later
    }

    /// The peer has acknowledged a lane up to a frame, if it is not 0.
    #[inline]
    pub(super) fn noted(&mut self, lane: u32, acknowledged: u64) {
        if acknowledged > 0 {
            let seen = &mut self.acknowledged[lane as usize];
            *seen = acknowledged.max(*seen);
            self.seen |= 1 << lane;
        }
    }

    /// A frame came whose lists have so many elements.
    pub(crate) fn listed(&mut self, elements: usize) {
        self.deliveries += elements;
    }

    /// Whether other tasks are to get a turn before the next frame. Begins the next turn then.
    pub(crate) fn is_long(&mut self) -> bool {
        let is_long = self.deliveries >= MOST_DELIVERIES;
        if is_long {
            self.deliveries = 0;
        }
        is_long
    }
}

/// The actor that a turn of reading delivered to last. The next message is often for it too, and a
/// look into the map of all actors takes a lock and two counts. Nothing is kept between turns.
#[derive(Debug, Default)]
pub(crate) struct LastActor(Option<ActorCell>);

impl LastActor {
    /// The local actor of that number, as long as it lives.
    pub(super) fn of(&mut self, pid: u64) -> Option<&ActorCell> {
        let is_it = |actor: &ActorCell| {
            actor.get_id().pid() == pid && actor.get_status() != ActorStatus::Stopped
        };
        if !self.0.as_ref().is_some_and(is_it) {
            self.0 = where_is(pid);
        }
        self.0.as_ref()
    }
}

/// An actor of this node, by its number.
pub(super) fn where_is(pid: u64) -> Option<ActorCell> {
    ractor::registry::where_is_pid(ActorId::Local(pid))
}

#[cfg(test)]
mod tests {
    use ractor::{Actor, ActorProcessingErr, ActorRef};

    use super::*;

    struct Quiet;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Quiet {
        type Msg = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<()>, _: ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_last_actor_is_the_one_that_is_asked_for_and_lives() {
        let (first, first_end) = Actor::spawn(None, Quiet, ()).await.unwrap();
        let (second, second_end) = Actor::spawn(None, Quiet, ()).await.unwrap();
        let mut last = LastActor::default();
        for actor in [&first, &second, &second, &first] {
            let found = last.of(actor.get_id().pid()).map(ActorCell::get_id);
            assert_eq!(found, Some(actor.get_id()));
        }
        first.stop(None);
        first_end.await.unwrap();
        assert!(last.of(first.get_id().pid()).is_none());
        second.stop(None);
        second_end.await.unwrap();
    }
}
