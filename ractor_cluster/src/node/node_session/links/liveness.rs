//! Whether a peer lives: whatever arrives from it is a sign of life, and one that is silent is
//! asked for one.
//!
//! What counts is rounds in which nothing came, and not the time since something did: a process
//! that was suspended, or whose session was busy, finds the frames of the meantime in its next
//! round.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prost_types::Timestamp;
use ractor::concurrency::Instant;
use ractor::ActorRef;

use super::super::{AbortOnDropTask, NodeSession, NodeSessionState};
use super::{later, name_of, Active, Phase};
use crate::link::data_plane::DataPlane;
use crate::link::quiet_log::peer_line;
use crate::link::Event;
use crate::net::SessionMessage;
use crate::node::NodeSessionMessage;
use crate::protocol::control::control_message::Msg as Control;
use crate::protocol::control::{ControlMessage, Ping, Pong};
use crate::protocol::meta::network_message::Message;
use crate::protocol::NetworkMessage;
use crate::transport::Activity;

/// Into so many rounds a silence is divided. In all but the first the peer is asked.
const ROUNDS: u32 = 5;

/// The nanoseconds of a second.
const NANOSECONDS: u32 = 1_000_000_000;

/// How long a peer has been silent.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    pub(super) activity: Activity,
    /// Rounds in a row in which nothing came.
    silent: u32,
    round: Option<AbortOnDropTask>,
}

/// What is to be done about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Lives,
    Ask,
    Silent,
}

impl Liveness {
    pub(super) fn of(activity: Activity) -> Self {
        Self { activity, ..Self::default() }
    }

    /// A round is over.
    fn judge(&mut self) -> Verdict {
        self.silent = if self.activity.take() { 0 } else { self.silent + 1 };
        match self.silent {
            0 => Verdict::Lives,
            silent if silent < ROUNDS => Verdict::Ask,
            _ => {
                self.silent = 0;
                Verdict::Silent
            }
        }
    }

    /// The peer has all the time again.
    pub(super) fn restart(&mut self) {
        self.silent = 0;
    }
}

impl Active {
    /// The next round begins; none where peers may be silent for ever.
    pub(super) fn begin_round(&mut self, myself: &ActorRef<NodeSessionMessage>) {
        let silence = self.server.options.silence_timeout;
        self.liveness.round = (!silence.is_zero()).then(|| {
            let round = (silence / ROUNDS).max(Duration::from_millis(1));
            later(myself, round, Event::Tick)
        });
    }
}

impl Active {
    /// Asks the peer for a sign of life, by each link.
    fn ask(&self, epoch: Instant) {
        for (number, (_, link)) in (0..).zip(self.traffic.links()) {
            // An answer repeats the time and nothing else: each link has a time of its own.
            ping(&self.traffic, &link, epoch.elapsed() + Duration::from_nanos(number));
        }
    }

    /// The peer repeats a time, which should be that of a ping. `now` is since the session began,
    /// as that is.
    pub(super) fn ponged(&self, pong: &Pong, now: Duration) {
        let Some(Timestamp { seconds, nanos }) = pong.timestamp else { return };
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else {
            return;
        };
        if nanos < NANOSECONDS {
            self.traffic.ponged(Duration::new(seconds, nanos), now);
        }
    }
}

/// Sends a ping by a link, at this time since the session began. It goes before all that waits for
/// the link.
fn ping(traffic: &DataPlane, link: &ActorRef<SessionMessage>, at: Duration) {
    let timestamp = Some((SystemTime::UNIX_EPOCH + at).into());
    let ping = Control::Ping(Ping { timestamp });
    let message = Some(Message::Control(ControlMessage { msg: Some(ping) }));
    traffic.pinged(link.get_id(), at);
    // Its end is an event.
    _ = link.cast(SessionMessage::Send(NetworkMessage { message }));
}

impl NodeSessionState {
    /// Sends a ping as often as upstream does, each by the next link in turn, the cheapest first.
    /// Upstream then sends none: it would use the first link alone. Each link is known to live, and
    /// what its round trip is.
    pub(super) fn start_pings(&mut self) {
        let Some(active) = self.links.0.as_deref().filter(|_| self.ping_task.is_none()) else {
            return;
        };
        let (traffic, epoch) = (Arc::downgrade(&active.traffic), self.epoch);
        self.ping_task = Some(AbortOnDropTask::new(ractor::concurrency::spawn(async move {
            for turn in 0.. {
                ractor::concurrency::sleep(Self::get_send_delay()).await;
                let Some(traffic) = traffic.upgrade() else { break };
                let links = traffic.links();
                if let Some((_, link)) = links.get(turn % links.len().max(1)) {
                    ping(&traffic, link, epoch.elapsed());
                }
            }
        })));
    }
}

impl NodeSession {
    /// Another incarnation of the peer wants its name.
    pub(super) fn ask(&self, state: &mut NodeSessionState) {
        let epoch = state.epoch;
        // Before that it is in the midst of its handshake, which is a sign of life.
        if let Some(active) = state.links.speaking() {
            active.ask(epoch);
        }
    }

    /// A round is over.
    pub(super) fn tick(&self, state: &mut NodeSessionState, myself: &ActorRef<NodeSessionMessage>) {
        let epoch = state.epoch;
        let Some(active) = state.links.0.as_deref_mut() else { return };
        if active.state.phase() == Phase::Greeting {
            return;
        }
        // Who has no link cannot be activity.
        if active.traffic.any().is_some() {
            if active.traffic.backlog().is_full() {
                // Its links are not read while so many frames wait.
                active.liveness.activity.note();
            }
            match active.liveness.judge() {
                Verdict::Lives => {}
                Verdict::Ask => active.ask(epoch),
                Verdict::Silent => {
                    let silence = active.server.options.silence_timeout;
                    let (peer, address) = (name_of(&state.name), active.first.peer.as_str());
                    peer_line!(
                        active.log(),
                        Silent,
                        warn,
                        node_id = active.traffic.node_id(),
                        peer,
                        address,
                        ?silence,
                        "nothing came from a peer for too long: its links are closed"
                    );
                    active.lost = Some(format!("nothing came from it for {silence:?}"));
                    for (_, link) in active.traffic.links() {
                        link.stop(Some("peer_silent".to_owned()));
                    }
                }
            }
        }
        active.begin_round(myself);
    }
}

#[cfg(test)]
mod tests {
    use super::{Liveness, Verdict, ROUNDS};

    #[test]
    fn only_rounds_without_a_sign_of_life_in_a_row_count() {
        let mut liveness = Liveness::default();
        for _ in 0..3 {
            for _ in 1..ROUNDS {
                assert_eq!(liveness.judge(), Verdict::Ask);
            }
            liveness.activity.note();
            assert_eq!(liveness.judge(), Verdict::Lives);
        }
        for _ in 1..ROUNDS {
            assert_eq!(liveness.judge(), Verdict::Ask);
        }
        assert_eq!(liveness.judge(), Verdict::Silent);
        // The next connection has all the time again.
        assert_eq!(liveness.judge(), Verdict::Ask);
    }
}
