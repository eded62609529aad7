//! Which peer has which number in this process: one that comes back has the one that it had.
//!
//! A number is needed when a connection opens, and who the peer is is known when it is
//! authenticated. So a connection begins with a number of its own, and its session takes that of
//! the name it proved (name and cookie, not the process: a peer that was started anew has the
//! number that it had) before anything of the peer's is told to anybody. Two sessions that live
//! never have the same: while one has a name's number, another of that name keeps its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ractor::ActorId;
use sha2::{Digest, Sha256};

use crate::NodeId;

/// Names that are remembered, at most.
const REMEMBERED: usize = 64 * 1024;

/// The hash of the node's own full name and the peer's. Names are as long as a peer likes, and
/// these are kept when the peer is gone.
type Names = [u8; 32];

fn names(own: &str, peer: &str) -> Names {
    let mut hash = Sha256::new();
    hash.update((own.len() as u64).to_be_bytes());
    hash.update(own);
    hash.update(peer);
    hash.finalize().into()
}

#[derive(Default)]
struct Identities {
    /// A tree: a table of hashes that grows is made anew in one go.
    known: BTreeMap<Names, Identity>,
    /// The sessions that live, and whose number each has.
    sessions: HashMap<ActorId, (NodeId, Option<Names>)>,
}

struct Identity {
    node_id: NodeId,
    /// Whether a session has it.
    taken: bool,
}

static IDENTITIES: Mutex<Option<Identities>> = Mutex::new(None);

fn identities() -> MutexGuard<'static, Option<Identities>> {
    IDENTITIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The session of an authenticated peer takes the number of the peer's name, or keeps its own.
pub(crate) fn take(own: &str, peer: &str, session: ActorId, provisional: NodeId) -> NodeId {
    let mut identities = identities();
    let Identities { known, sessions } = identities.get_or_insert_default();
    if let Some((node_id, _)) = sessions.get(&session) {
        return *node_id;
    }
    let names = names(own, peer);
    let has_room = known.len() < REMEMBERED;
    let (node_id, held) = match known.get_mut(&names) {
        Some(identity) if identity.taken => (provisional, None),
        Some(identity) => {
            identity.taken = true;
            (identity.node_id, Some(names))
        }
        None if has_room => {
            known.insert(names, Identity { node_id: provisional, taken: true });
            (provisional, Some(names))
        }
        None => (provisional, None),
    };
    sessions.insert(session, (node_id, held));
    node_id
}

/// A session has ended. In order: none of its proxies is left, and the next one of that name may
/// have its number. Otherwise the next one gets another.
pub(crate) fn release(session: ActorId, in_order: bool) {
    let mut identities = identities();
    let Some(Identities { known, sessions }) = identities.as_mut() else { return };
    let Some((_, Some(names))) = sessions.remove(&session) else { return };
    if in_order {
        if let Some(identity) = known.get_mut(&names) {
            identity.taken = false;
        }
    } else {
        known.remove(&names);
    }
}

/// No name has a number any more, and the sessions of simulated hosts are gone.
#[cfg(feature = "simulation")]
pub(crate) fn forget() {
    if let Some(Identities { known, sessions }) = identities().as_mut() {
        known.clear();
        sessions.retain(|session, _| session.pid() < ractor::realm::FIRST_PID);
    }
}

#[cfg(test)]
mod tests {
    use ractor::ActorId;

    use super::{release, take};

    /// The sessions of this test are no others'.
    const fn session(number: u64) -> ActorId {
        ActorId::Local(u64::MAX - number)
    }

    #[test]
    fn a_name_keeps_its_number_and_two_that_live_never_share_one() {
        let (one, two, three) = (session(1), session(2), session(3));
        assert_eq!(take("own", "peer", one, 1_000_001), 1_000_001);
        // It is asked by the server and by the session.
        assert_eq!(take("own", "peer", one, 1_000_001), 1_000_001);
        // It lives, so that another one of that name is another.
        assert_eq!(take("own", "peer", two, 1_000_002), 1_000_002);
        // To another node of this process the peer is another.
        assert_eq!(take("other", "peer", three, 1_000_003), 1_000_003);
        release(one, true);
        release(two, true);
        release(three, true);
        assert_eq!(take("own", "peer", one, 1_000_004), 1_000_001);
        // Its proxies may still be there.
        release(one, false);
        assert_eq!(take("own", "peer", one, 1_000_005), 1_000_005);
        release(one, true);
    }
}
