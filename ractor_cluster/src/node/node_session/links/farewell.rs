//! The end of a session: it notifies the peer, where it can, and stops the proxies.

use std::time::Duration;

use bytes::Bytes;
use mycelium_link::malloc_hint;
use ractor::concurrency::timeout;
use ractor::remoting::Ending;
use ractor::{pg, ActorCell, ActorRef};

use super::super::{NodeSession, NodeSessionState};
use super::{name_of, Active, Farewell, State};
use crate::link::pace::Pace;
use crate::link::quiet_log::peer_line;
use crate::link::{contest, Incarnation, Refusal};
use crate::net::SessionMessage;
use crate::node::NodeSessionMessage;
use crate::peers::{self, names, PeerEvent, GONE};
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::Goodbye;

/// How long a peer has to close the links after it was told that the session ends.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a few proxies, which wait for nothing, have to stop.
const PROXIES: Duration = Duration::from_secs(5);

/// Proxies that end at a time: others wait behind them for their turns.
const AT_ONCE: usize = 32;

/// Why proxies end with a session without a known cause.
const UNEXPLAINED: &str = "its session ended";

/// The same, where another incarnation of the peer takes its place.
const REPLACED: &str = "replaced by another incarnation";

impl Active {
    /// Sends the last frame of the session, if the peer gets one. Returns the links that carry it,
    /// and why the session ends.
    fn say_goodbye(&mut self) -> (Vec<ActorCell>, String) {
        self.leave(Farewell::Goodbye(None), UNEXPLAINED);
        let State::Leaving(leaving) = &self.state else {
            return (Vec::new(), UNEXPLAINED.to_owned());
        };
        let (why, links) = (leaving.why.clone(), self.traffic.links().into_iter());
        // Each link ends when the answer to the peer's goodbye is written.
        let (ends, superseded_by) = match leaving.farewell {
            Farewell::Answer => (true, None),
            Farewell::Superseded(by) => (false, Some(by)),
            Farewell::Goodbye(by) if self.state.fork().is_some() => (false, by),
            // Until it is told why.
            Farewell::Refused => return (links.map(|(_, link)| link.get_cell()).collect(), why),
            Farewell::Goodbye(_) | Farewell::Nothing => return (Vec::new(), why),
        };
        // What came is handled: the peer need not count it as lost.
        self.traffic.acknowledge(true);
        if !ends {
            self.traffic.finish();
        }
        let told = links.filter(|(_, link)| {
            let frame = goodbye(superseded_by);
            let last = if ends { SessionMessage::Refuse } else { SessionMessage::Last };
            // One that has ended needs none.
            link.cast(last(frame)).is_ok()
        });
        (told.map(|(_, link)| link.get_cell()).collect(), why)
    }
}

impl NodeSession {
    /// The session ends.
    pub(in crate::node::node_session) async fn part(
        &self,
        state: &mut NodeSessionState,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        // This actor handles no more events: what happens to the peer's groups need not wait here.
        pg::demonitor_scope(pg::ALL_SCOPES_NOTIFICATION.to_owned(), myself.get_id());
        self.replaced(state, myself);
        self.explain(state);
        let (links, why) = match state.links.0.as_deref_mut() {
            Some(active) => active.say_goodbye(),
            None => (Vec::new(), UNEXPLAINED.to_owned()),
        };
        let reason = format!("{GONE}: {}: {why}", name_of(&state.name));
        let (pace, node_id) = (Pace::default(), self.known_as(state));
        let active = state.links.0.as_deref_mut();
        let mut announced =
            active.map(|active| std::mem::take(&mut active.announced)).unwrap_or_default();
        let mut proxies: Vec<ActorCell> = Vec::with_capacity(state.remote_actors.len());
        for (_, proxy) in state.remote_actors.drain() {
            proxies.push(proxy.get_cell());
            pace.step().await;
        }
        let mut stopped = true;
        while !proxies.is_empty() {
            let some = proxies.split_off(proxies.len().saturating_sub(AT_ONCE)).into_iter();
            let how = || Ending::Stopped(Some(reason.clone()));
            let some: Vec<_> = some.map(|proxy| (proxy, how())).collect();
            for (proxy, _) in &some {
                announced.leave_groups(proxy, &pace).await;
            }
            // Once they do not stop in time those that are left are not waited for either.
            stopped = end_proxies(&some, myself, stopped).await && stopped;
            some.iter().for_each(|(proxy, _)| names::remove(node_id, proxy));
            drop(some);
            malloc_hint::put_together();
            pace.step().await;
        }
        // Who takes what was sent before the goodbye closes the link after it.
        if timeout(PATIENCE, all_end(links.iter())).await.is_err() {
            tracing::debug!(peer = name_of(&state.name), "a peer did not close its links in time");
        }
        state.links.end(&state.name, stopped);
    }

    /// The session ends because another incarnation of the peer takes its place, if that is why.
    fn replaced(&self, state: &mut NodeSessionState, myself: &ActorRef<NodeSessionMessage>) {
        let Some(by) = contest::replaced_by(myself.get_id()) else { return };
        let (node_id, peer) = (self.known_as(state), name_of(&state.name).to_owned());
        let Some(active) = state.links.0.as_deref_mut() else { return };
        active.leave(Farewell::Goodbye(Some(by)), REPLACED);
        if let State::Leaving(leaving) = &mut active.state {
            // Whatever else is wrong with it.
            leaving.why = REPLACED.to_owned();
        }
        let was = active.proving.incarnation().map(|it| it.to_string());
        peer_line!(
            active.log(),
            Replaced,
            warn,
            node_id,
            peer,
            was,
            %by,
            "a peer is replaced by another process of its name"
        );
        if peers::get(node_id).is_some() {
            peers::tell(PeerEvent::Replaced { node_id, by });
        }
    }

    /// Another process of this node's name has its place at the peer.
    fn superseded(
        &self,
        state: &mut NodeSessionState,
        by: Incarnation,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let peer = name_of(&state.name).to_owned();
        let own = self.this_node_name.name.as_str();
        peer_line!(
            state.links.log(),
            Superseded,
            error,
            peer,
            own,
            %by,
            "another process of this node's name has its place at a peer: end one of the two, or give \
             them different names"
        );
        if let Some(active) = state.links.0.as_deref_mut() {
            active.leave(Farewell::Nothing, "it has another process of this node's name");
        }
        peers::tell(PeerEvent::Superseded { peer, by });
        // A session that was let in has ended, and was not refused.
        let was_let_in = state.links.speaking().is_some();
        myself.stop(Some(match was_let_in {
            true => "superseded_by_another_incarnation".to_owned(),
            false => Refusal::OlderIncarnation.end_by_peer(),
        }));
    }

    /// The peer says that the session ends.
    pub(super) fn left(
        &self,
        state: &mut NodeSessionState,
        goodbye: &Goodbye,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let by = goodbye.superseded_by.as_deref().and_then(Incarnation::from_bytes);
        if let Some(by) = by {
            return self.superseded(state, by, myself);
        }
        let node_id = self.known_as(state);
        peer_line!(
            state.links.log(),
            Left,
            info,
            node_id,
            peer = name_of(&state.name),
            "a peer leaves"
        );
        if let Some(active) = state.links.speaking() {
            active.leave(Farewell::Answer, "it left");
        }
        myself.stop(Some("peer_left".to_owned()));
    }
}

/// The last frame of a link.
fn goodbye(superseded_by: Option<Incarnation>) -> Bytes {
    let superseded_by = superseded_by.map(|it| it.to_bytes().to_vec());
    Body::Goodbye(Goodbye { superseded_by }).encoded()
}

/// Ends a few proxies as their actors ended, and waits for their ends where it `waits`: others have their turns
/// meanwhile, and what is announced next finds none of them. Returns whether they ended in time.
pub(super) async fn end_proxies(
    proxies: &[(ActorCell, Ending)],
    session: &ActorRef<NodeSessionMessage>,
    waits: bool,
) -> bool {
    for (proxy, how) in proxies {
        // An event of each would be no news. A later one of the same number is not unlinked.
        proxy.unlink(session.get_cell());
        proxy.end_as(how.clone());
    }
    waits && timeout(PROXIES, all_end(proxies.iter().map(|(proxy, _)| proxy))).await.is_ok()
}

async fn all_end(actors: impl Iterator<Item = &ActorCell>) {
    for actor in actors {
        // Without a timeout it does not fail. One that has ended is not waited for.
        _ = actor.wait(None).await;
    }
}
