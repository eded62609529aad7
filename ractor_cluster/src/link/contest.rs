//! Which of several incarnations of a peer's name has the name: the rule is in the documentation of
//! [`link`](crate::link#several-processes-of-one-name).
//!
//! A session claims an incarnation with its peer's `Hello`, which decides nothing. It enters the
//! contest when the peer's proof, which covers the incarnation, is verified. Stock peers, and nodes
//! of the fork that announce no incarnation, take no part: between these the rule is stock's.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use ractor::{ActorId, ActorRef};

use super::directory::is_suspended;
use super::incarnation::Incarnation;
use super::locked::locked;
use super::settle::{settle, Contestant, Finding, Standing, Verdict};
use super::{Event, LinkEvent};
use crate::transport::Activity;
use crate::NodeSessionMessage;

/// How long a session's peer has to answer before another incarnation takes its name.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often an answer is looked for.
const PAUSE: Duration = Duration::from_millis(10);

/// Incarnations that are remembered for having been silent, at most.
const REMEMBERED: usize = 1024;

/// The reason for which a session stops when another incarnation takes its peer's place.
pub(crate) const REPLACED: &str = "replaced_by_another_incarnation";

/// The node server's id, and the peer's name.
type Name = (ActorId, String);

/// One session's part in it.
#[derive(Debug)]
struct Contender {
    name: Name,
    incarnation: Incarnation,
    activity: Activity,
    session: ActorRef<NodeSessionMessage>,
    /// Its peer has proven its name and its incarnation.
    proven: bool,
    replaced_by: Option<Incarnation>,
}

#[derive(Default)]
struct Contest {
    sessions: HashMap<ActorId, Contender>,
    /// Those that were silent while an older incarnation answered, or had no link: the oldest
    /// first.
    silent: VecDeque<(Name, Incarnation)>,
}

static CONTEST: Mutex<Option<Contest>> = Mutex::new(None);

/// A session that has the name of its peer, and has to answer before another takes it.
pub(crate) struct Rival {
    id: ActorId,
    incarnation: Incarnation,
    activity: Activity,
    session: ActorRef<NodeSessionMessage>,
}

/// What becomes of a session that enters.
pub(crate) enum Outcome {
    /// Its peer has the name. The sessions with its other incarnations have been stopped.
    Enters,
    /// These may have it.
    Contested(Vec<Rival>),
}

impl Contest {
    fn contestant(&self, name: &Name, incarnation: Incarnation, is_there: bool) -> Contestant {
        let was_silent =
            self.silent.iter().any(|(of, silent)| of == name && *silent == incarnation);
        Contestant { incarnation, was_silent, is_there }
    }

    fn enter(&mut self, id: ActorId, silent: &[ActorId]) -> Outcome {
        let Some(newcomer) = self.sessions.get(&id) else { return Outcome::Enters };
        let (name, incarnation) = (newcomer.name.clone(), newcomer.incarnation);
        let own = self.contestant(&name, incarnation, true);
        let (mut ids, mut rivals) = (Vec::new(), Vec::new());
        for (of, it) in &self.sessions {
            let is_rival = it.proven && it.replaced_by.is_none() && it.name == name;
            if is_rival && it.incarnation != incarnation {
                let is_there = !silent.contains(of) && !is_suspended(*of);
                ids.push(*of);
                rivals.push(self.contestant(&name, it.incarnation, is_there));
            }
        }
        // The rule looks at nothing else of the newcomer.
        let finding = Finding::Claim { own, rivals: &rivals };
        if let Verdict::Contested(stronger) = settle(&finding, Standing::ARRIVING) {
            let rival = |number| {
                let id = *ids.get(number)?;
                let it = self.sessions.get(&id)?;
                let (activity, session) = (it.activity.clone(), it.session.clone());
                Some(Rival { id, incarnation: it.incarnation, activity, session })
            };
            return Outcome::Contested(stronger.into_iter().filter_map(rival).collect());
        }
        self.silent.retain(|(of, it)| *of != name || *it != incarnation);
        for of in ids {
            let Some(loser) = self.sessions.get_mut(&of) else { continue };
            loser.replaced_by = Some(incarnation);
            loser.session.stop(Some(REPLACED.to_owned()));
            if loser.incarnation > incarnation {
                self.silent.push_back((name.clone(), loser.incarnation));
            }
        }
        let beyond = self.silent.len().saturating_sub(REMEMBERED);
        self.silent.drain(..beyond);
        if let Some(newcomer) = self.sessions.get_mut(&id) {
            newcomer.proven = true;
        }
        Outcome::Enters
    }
}

/// A session's part in the contest, until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    session: ActorId,
}

/// The peer of `session` says that it is this incarnation of `name`.
pub(crate) fn claim(
    server: ActorId,
    name: &str,
    incarnation: Incarnation,
    activity: &Activity,
    session: &ActorRef<NodeSessionMessage>,
) -> Claim {
    let contender = Contender {
        name: (server, name.to_owned()),
        incarnation,
        activity: activity.clone(),
        session: session.clone(),
        proven: false,
        replaced_by: None,
    };
    locked(&CONTEST).get_or_insert_default().sessions.insert(session.get_id(), contender);
    Claim { session: session.get_id() }
}

impl Drop for Claim {
    fn drop(&mut self) {
        locked(&CONTEST).get_or_insert_default().sessions.remove(&self.session);
    }
}

/// The peer of a session has proven its name and incarnation. The sessions of `silent` were asked,
/// and gave no sign of life.
pub(crate) fn enter(session: ActorId, silent: &[ActorId]) -> Outcome {
    locked(&CONTEST).get_or_insert_default().enter(session, silent)
}

/// Whether the peers of two sessions are two incarnations, as far as they say so: stock's rule is
/// for connections of one.
pub(crate) fn differ(one: ActorId, other: ActorId) -> bool {
    let contest = locked(&CONTEST);
    let of = |id| Some(contest.as_ref()?.sessions.get(&id)?.incarnation);
    matches!((of(one), of(other)), (Some(one), Some(other)) if one != other)
}

/// The incarnation that has taken the place of a session's peer.
pub(crate) fn replaced_by(session: ActorId) -> Option<Incarnation> {
    locked(&CONTEST).as_ref()?.sessions.get(&session)?.replaced_by
}

/// No incarnation was ever silent.
#[cfg(feature = "simulation")]
pub(crate) fn forget() {
    locked(&CONTEST).get_or_insert_default().silent.clear();
}

/// Asks the sessions for a sign of life. Returns those that gave none, and the incarnation that
/// did.
pub(crate) async fn ask(
    rivals: Vec<Rival>,
    within: Duration,
) -> (Vec<ActorId>, Option<Incarnation>) {
    for rival in &rivals {
        rival.activity.begin_probe();
        // It may have ended, and gives no sign then.
        _ = rival.session.cast(NodeSessionMessage::Link(LinkEvent(Event::Probe)));
    }
    let answer = async {
        loop {
            if let Some(rival) = rivals.iter().find(|rival| rival.activity.since_probe()) {
                return rival.incarnation;
            }
            ractor::concurrency::sleep(PAUSE).await;
        }
    };
    let alive = ractor::concurrency::timeout(within.min(PATIENCE), answer).await.ok();
    (rivals.iter().map(|rival| rival.id).collect(), alive)
}
