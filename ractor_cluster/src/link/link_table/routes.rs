//! Which link the lanes of a preference take, and when they take another.

use std::net::SocketAddr;

use ractor::ActorId;

use super::{Link, LinkTable, PendingFlush, ADAPTIVE};
use crate::link::writer::FrameSource;
use crate::peers::PeerEvent;
use crate::transport::{Locality, TransportKind};
use mycelium_link::lanes::{Way, PREFERENCES};

/// Bytes that wait to be written, above which senders flush themselves: they may never give the
/// writer's task a turn.
const BEHIND: usize = 128 * 1024;

impl<S: FrameSource> LinkTable<S> {
    pub(super) fn move_gates(&self) {
        // A peer may have many.
        let reached: [bool; PREFERENCES] = std::array::from_fn(|it| self.best(it as u32).is_some());
        for (pid, proxy) in &self.gated {
            proxy.set_reachable(reached[self.lane_of(*pid) as usize]);
        }
    }

    /// Whether a link stays on the machine, as far as its kind, its peer's address and the other
    /// links say.
    fn is_near(&self, link: ActorId) -> bool {
        let is_loopback = |link: &Link<S>| {
            link.peer.parse::<SocketAddr>().is_ok_and(|peer| peer.ip().is_loopback())
        };
        self.locality() != Locality::Remote || self.link(link).is_some_and(is_loopback)
    }

    pub(super) fn way(&self, link: ActorId) -> Way {
        let lends = self.link(link).and_then(|link| link.lends);
        Way { is_near: self.is_near(link), lends }
    }

    /// The link that a lane should take.
    pub(super) fn best(&self, lane: u32) -> Option<ActorId> {
        let fits = |link: &&Link<S>| lane == ADAPTIVE || link.kind.lane() == Some(lane);
        self.links.iter().find(fits).map(|link| link.actor.get_id())
    }

    fn rank(&self, actor: ActorId) -> usize {
        let position = self.links.iter().position(|link| link.actor.get_id() == actor);
        position.unwrap_or(self.links.len())
    }

    /// Takes the best link, once the peer has what went by the present one.
    pub(super) fn improve(&mut self, number: u32) -> PendingFlush<S> {
        let Some(best) = self.best(number) else { return PendingFlush::default() };
        let present = self.family(number).link;
        match present {
            None => {
                self.take(number, Some(best));
                self.push(number)
            }
            Some(present) if self.rank(best) < self.rank(present) => {
                let family = self.family(number);
                if family.lanes.is_idle() {
                    self.switch(number, best);
                } else if family.next.replace(best).is_none() {
                    family.lanes.fence();
                }
                self.push(number)
            }
            Some(_) => PendingFlush::default(),
        }
    }

    /// Has a preference take a link, or none. Returns the one that it took.
    pub(super) fn take(&mut self, number: u32, link: Option<ActorId>) -> Option<ActorId> {
        let way = link.map(|link| self.way(link)).unwrap_or_default();
        let out = link.and_then(|link| self.link(link)?.out());
        let family = self.family(number);
        family.lanes.set_way(way);
        family.out = out;
        std::mem::replace(&mut family.link, link)
    }

    pub(super) fn switch(&mut self, number: u32, to: ActorId) {
        let Some(new) = self.link(to).map(|link| link.kind) else { return };
        let from = self.take(number, Some(to));
        if number != ADAPTIVE {
            return;
        }
        let old = from.and_then(|from| self.link(from)).map(|link| link.kind);
        self.tell_switch(old.unwrap_or(new), new);
    }

    fn tell_switch(&mut self, from: TransportKind, to: TransportKind) {
        let node_id = self.node_id;
        tracing::info!(node_id, %from, %to, "a session takes another link");
        self.news.push(PeerEvent::LinkSwitched { node_id, from, to });
    }

    /// The link `gone` is no more.
    pub(super) fn abandon(
        &mut self,
        number: u32,
        gone: ActorId,
        kind: TransportKind,
    ) -> PendingFlush<S> {
        let best = self.best(number);
        let family = self.family(number);
        if family.next == Some(gone) {
            family.next = None;
        }
        if family.link != Some(gone) {
            return PendingFlush::default();
        }
        family.next = None;
        self.take(number, best);
        // Without a link nothing goes until there is one; then what the peer has not got goes
        // again.
        self.family(number).lanes.rewind();
        if let (Some(best), ADAPTIVE) = (best, number) {
            let to = self.link(best).map_or(kind, |link| link.kind);
            self.tell_switch(kind, to);
        }
        self.push(number)
    }

    /// Who is to send what waits in a lane.
    #[inline]
    pub(super) fn push(&self, number: u32) -> PendingFlush<S> {
        let family = self.families[number as usize].as_ref();
        let Some((family, out)) = family.and_then(|family| Some((family, family.out.as_ref()?)))
        else {
            return PendingFlush::default();
        };
        let has_to_be_told = out.writer.note_of_source();
        // While the link takes nothing, no sender can help.
        let is_behind = family.lanes.unwritten() >= BEHIND && !out.writer.is_blocked();
        if !has_to_be_told && !is_behind {
            return PendingFlush::default();
        }
        let joins = has_to_be_told && out.is_cheap;
        PendingFlush { writer: Some(out.writer.clone()), is_behind, joins }
    }
}
