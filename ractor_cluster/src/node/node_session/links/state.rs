//! How far a session has come: a handshake, then established, then leaving. It goes one way.

use std::collections::HashMap;

use super::super::AbortOnDropTask;
use super::resume::Waiting;
use crate::link::dial::{Dialler, Redial};
use crate::link::directory::Open;
use crate::link::options::PeerPolicy;
use crate::link::settle::Phase;
use crate::link::{Incarnation, Refusal};
use crate::protocol::mycelium::Announcement;
use crate::transport::TransportKind;

/// What is known of a peer that is a node of the fork, and was let in.
#[derive(Debug)]
pub(super) struct Fork {
    pub(super) policy: PeerPolicy,
    pub(super) announcement: Option<Announcement>,
    /// Further links find the session as long as this is held.
    pub(super) open: Option<Open>,
    pub(super) dialler: Option<Dialler>,
    pub(super) redials: HashMap<TransportKind, Redial>,
}

impl Fork {
    fn with_policy(policy: PeerPolicy) -> Self {
        Self { policy, announcement: None, open: None, dialler: None, redials: HashMap::new() }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum State {
    /// Whether the peer is let in, and then where it is, is being found out.
    Handshake(Handshake),
    /// Actors are announced.
    Established(Established),
    /// The session ends. Why is in the log.
    Leaving(Leaving),
}

#[derive(Debug)]
pub(super) struct Handshake {
    step: Step,
    /// The handshake fails when this is over.
    _deadline: AbortOnDropTask,
}

#[derive(Debug)]
enum Step {
    /// The peer is not authenticated. Whether it is a node of the fork is not known.
    Greeting {
        /// Why the peer is refused, as far as that is found before the session ends.
        found: Option<Refusal>,
    },
    /// It is a node of the fork. Where it is is being found out.
    Holding(Box<Fork>),
}

#[derive(Debug)]
pub(super) enum Established {
    /// With a stock node.
    Stock,
    /// With a node of the fork.
    Fork {
        fork: Box<Fork>,
        /// There is no link, and one may come back.
        waiting: Option<Waiting>,
    },
}

#[derive(Debug)]
pub(super) struct Leaving {
    /// How far it had come.
    was: Phase,
    fork: Option<Box<Fork>>,
    /// Where it waited for a link, it gives way to other sessions with the peer until it has ended.
    _waiting: Option<Waiting>,
    pub(super) farewell: Farewell,
    /// For holders of proxies.
    pub(super) why: String,
    /// No proxy is left.
    pub(super) in_order: bool,
}

/// What the peer is told of the end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// That it has ended in order, or that another incarnation of the peer takes its place. Only a
    /// node of the fork that was let in knows the frame.
    Goodbye(Option<Incarnation>),
    /// That a newer incarnation of it lives, which refuses it a place.
    Superseded(Incarnation),
    /// Nothing: it has no claim to be told. If it asks, it learns.
    Nothing,
    /// Why it is refused, which is being sent.
    Refused,
    /// That its own goodbye was handled.
    Answer,
}

impl State {
    /// A session begins.
    pub(super) fn greeting(deadline: AbortOnDropTask) -> Self {
        Self::Handshake(Handshake { step: Step::Greeting { found: None }, _deadline: deadline })
    }

    /// How far the session has come, or had come before it ended.
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Handshake(Handshake { step: Step::Greeting { .. }, .. }) => Phase::Greeting,
            Self::Handshake(Handshake { step: Step::Holding(_), .. }) => Phase::Holding,
            Self::Established(Established::Stock) => Phase::Stock,
            Self::Established(Established::Fork { .. }) => Phase::Settled,
            Self::Leaving(leaving) => leaving.was,
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self, Self::Leaving(_))
    }

    /// Whether the handshake goes on.
    pub(super) fn is_handshake(&self) -> bool {
        matches!(self, Self::Handshake(_))
    }

    /// What is known of a peer that is a node of the fork, and was let in.
    pub(super) fn fork(&self) -> Option<&Fork> {
        match self {
            Self::Handshake(Handshake { step: Step::Holding(fork), .. })
            | Self::Established(Established::Fork { fork, .. }) => Some(fork),
            Self::Leaving(leaving) => leaving.fork.as_deref(),
            Self::Handshake(_) | Self::Established(Established::Stock) => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn fork_mut(&mut self) -> Option<&mut Fork> {
        match self {
            Self::Handshake(Handshake { step: Step::Holding(fork), .. })
            | Self::Established(Established::Fork { fork, .. }) => Some(fork),
            Self::Leaving(leaving) => leaving.fork.as_deref_mut(),
            Self::Handshake(_) | Self::Established(Established::Stock) => None,
        }
    }

    /// A reason to refuse a peer that is not authenticated. The first one counts.
    pub(super) fn find(&mut self, cause: Refusal) {
        if let Self::Handshake(Handshake { step: Step::Greeting { found }, .. }) = self {
            found.get_or_insert(cause);
        }
    }

    /// The reason that was found, while the peer is not authenticated and the session is not
    /// leaving; `None` otherwise.
    pub(super) fn unauthenticated(&self) -> Option<Option<Refusal>> {
        match self {
            Self::Handshake(Handshake { step: Step::Greeting { found }, .. }) => Some(*found),
            _ => None,
        }
    }

    /// A stock node is let in.
    pub(super) fn admit_stock(&mut self) {
        if self.unauthenticated().is_some() {
            *self = Self::Established(Established::Stock);
        }
    }

    /// A node of the fork is let in.
    pub(super) fn admit_fork(&mut self, policy: PeerPolicy, deadline: AbortOnDropTask) {
        if self.unauthenticated().is_some() {
            let step = Step::Holding(Box::new(Fork::with_policy(policy)));
            *self = Self::Handshake(Handshake { step, _deadline: deadline });
        }
    }

    /// Where a peer is is known, which is a node of the fork and was let in.
    pub(super) fn settle(&mut self) {
        if self.is_handshake() && self.fork().is_some() {
            if let (_, Some(fork), waiting) = self.take() {
                *self = Self::Established(Established::Fork { fork, waiting });
            }
        }
    }

    /// The session ends for this reason. One that does already goes on as it was.
    pub(super) fn leave(&mut self, farewell: Farewell, why: impl FnOnce() -> String) {
        if self.is_leaving() {
            return;
        }
        let why = why();
        let (was, fork, _waiting) = self.take();
        *self = Self::Leaving(Leaving { was, fork, _waiting, farewell, why, in_order: false });
    }

    /// Where the session waits for a link, and where it would note that it does. `None` when it is
    /// not settled, or leaves.
    pub(super) fn waiting(&mut self) -> Option<&mut Option<Waiting>> {
        match self {
            Self::Established(Established::Fork { waiting, .. }) => Some(waiting),
            _ => None,
        }
    }

    /// What goes on in the next state, which replaces this one at once.
    fn take(&mut self) -> (Phase, Option<Box<Fork>>, Option<Waiting>) {
        let was = self.phase();
        match std::mem::replace(self, Self::Established(Established::Stock)) {
            Self::Handshake(Handshake { step: Step::Holding(fork), .. }) => (was, Some(fork), None),
            Self::Established(Established::Fork { fork, waiting }) => (was, Some(fork), waiting),
            Self::Leaving(Leaving { fork, _waiting, .. }) => (was, fork, _waiting),
            Self::Handshake(_) | Self::Established(Established::Stock) => (was, None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline() -> AbortOnDropTask {
        AbortOnDropTask::new(ractor::concurrency::spawn(std::future::pending()))
    }

    fn holding() -> State {
        let mut state = State::greeting(deadline());
        state.admit_fork(PeerPolicy::default(), deadline());
        state
    }

    #[tokio::test]
    async fn a_session_is_established_after_its_handshake_alone() {
        let mut state = State::greeting(deadline());
        state.settle();
        assert!(state.is_handshake() && state.fork().is_none() && state.waiting().is_none());
        state.admit_stock();
        assert_eq!(state.phase(), Phase::Stock);
        state.admit_fork(PeerPolicy::default(), deadline());
        assert_eq!(state.phase(), Phase::Stock);

        let mut state = holding();
        state.admit_stock();
        assert!(state.phase() == Phase::Holding && state.is_handshake());
        state.settle();
        assert_eq!(state.phase(), Phase::Settled);
        assert!(state.fork().is_some() && state.waiting().is_some() && !state.is_handshake());
    }

    #[tokio::test]
    async fn a_session_that_leaves_goes_on_as_it_began_to() {
        let mut settled = holding();
        settled.settle();
        for (mut state, was) in [
            (State::greeting(deadline()), Phase::Greeting),
            (holding(), Phase::Holding),
            (State::Established(Established::Stock), Phase::Stock),
            (settled, Phase::Settled),
        ] {
            state.leave(Farewell::Answer, || "it left".to_owned());
            state.leave(Farewell::Nothing, || unreachable!("why is known"));
            state.admit_stock();
            state.admit_fork(PeerPolicy::default(), deadline());
            state.settle();
            let is_of_fork = matches!(was, Phase::Holding | Phase::Settled);
            assert_eq!((state.phase(), state.fork().is_some()), (was, is_of_fork));
            assert!(!state.is_handshake() && state.waiting().is_none());
            let State::Leaving(leaving) = state else { panic!("it goes on") };
            let Leaving { farewell, why, in_order, .. } = leaving;
            assert_eq!((farewell, why.as_str(), in_order), (Farewell::Answer, "it left", false));
        }
    }

    #[tokio::test]
    async fn the_first_reason_counts_and_only_before_authentication() {
        let mut state = State::greeting(deadline());
        assert_eq!(state.unauthenticated(), Some(None));
        state.find(Refusal::OwnName);
        state.find(Refusal::NameTaken);
        assert_eq!(state.unauthenticated(), Some(Some(Refusal::OwnName)));
        state.leave(Farewell::Nothing, String::new);
        assert_eq!(state.unauthenticated(), None);
        let mut state = holding();
        state.find(Refusal::OwnName);
        assert_eq!(state.unauthenticated(), None);
    }
}
