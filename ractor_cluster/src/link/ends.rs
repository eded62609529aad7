//! How actors ended, told to a peer that understands it.

use std::sync::atomic::Ordering;

use ractor::remoting::{Ending, RemoteFailure};
use ractor::ActorCell;

use super::data_plane::DataPlane;
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::{ActorEnd, EndKind, Ends};

/// The version of ends that this release speaks.
pub(crate) const VERSION: u32 = 1;

/// What a frame takes at most beside the text of one end.
const AROUND: usize = 128;

/// The reason of a proxy's end where the peer does not tell how its actor ended.
pub(crate) const UNTOLD: &str = "remote";

impl DataPlane {
    /// The peer has announced the version of ends that it knows, if any.
    pub(crate) fn speak_ends(&self, version: Option<u32>) {
        self.knows_ends.store(version.is_some_and(|it| it >= 1), Ordering::Release);
    }

    /// Tells the peer how an actor of this node ended, if it understands that and the end is known.
    /// Returns whether it was told.
    pub(super) fn tell_end(&self, actor: &ActorCell) -> bool {
        if !self.knows_ends.load(Ordering::Acquire) {
            return false;
        }
        let Some(ending) = actor.ending() else { return false };
        let Some((kind, text)) = told(ending) else { return false };
        let text = text.filter(|it| (it.len() + AROUND) as u64 <= self.frame_bound.get());
        let end = ActorEnd {
            pid: actor.get_id().pid(),
            kind: kind.into(),
            text: text.map(str::to_owned),
        };
        self.control(Body::Ends(Ends { actors: vec![end] }));
        true
    }
}

/// As a peer is told, unless the protocol has no word for it.
fn told(ending: &Ending) -> Option<(EndKind, Option<&str>)> {
    Some(match ending {
        Ending::Stopped(reason) => (EndKind::Stopped, reason.as_deref()),
        Ending::Killed => (EndKind::Killed, None),
        Ending::Failed(failure) if failure.is_panic() => (EndKind::Panicked, Some(failure.text())),
        Ending::Failed(failure) => (EndKind::Failed, Some(failure.text())),
        _ => return None,
    })
}

/// How an actor of a peer ended. A longer text than a node may send is cut.
pub(crate) fn ending_of(end: &ActorEnd) -> Ending {
    let text = end.text.as_deref();
    let failed = |is_panic| Ending::Failed(RemoteFailure::new(text.unwrap_or_default(), is_panic));
    match end.kind() {
        EndKind::Stopped => Ending::stopped(text),
        EndKind::Killed => Ending::Killed,
        EndKind::Failed => failed(false),
        EndKind::Panicked => failed(true),
        EndKind::Other => untold(),
    }
}

/// Of an actor about which the peer says no more.
pub(crate) fn untold() -> Ending {
    Ending::stopped(Some(UNTOLD))
}
