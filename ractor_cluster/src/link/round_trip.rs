//! The round trip of a link: how long the peer takes to answer a ping that went by it.
//!
//! Both ends of a time are this node's own. A [`Pings`] keeps when each ping was sent, and a pong
//! counts only as the answer to a ping that is kept there. So a peer cannot make a figure up: a
//! pong with a time that was never sent, or a second pong for one ping, changes nothing.

use std::collections::VecDeque;
use std::time::Duration;

/// The pings of a link that are kept until they are answered. One more takes the place of the
/// oldest.
const MOST: usize = 16;

/// An answer that took longer says nothing of the link any more.
const LONGEST: Duration = Duration::from_secs(60);

/// Of the smoothed round trip a new one is one part in so many. RFC 6298, section 2, calls its
/// inverse alpha, and the smoothed round trip SRTT.
const PARTS: u32 = 8;

/// The round trips of a link: from when a ping was sent by it until the session handled the
/// answer.
///
/// A ping goes to the link before all messages that wait for it, and is answered by session
/// control, which messages do not delay either. So it is the round trip of control. Three things
/// are in it that are no distance: what the link's own buffers (those of the kernel, of TLS or of
/// shared memory) held before the ping and before the answer, the session control that was being
/// handled at either end, and the turns of the two sessions in their runtimes.
///
/// The ping goes by the link. A peer answers by the cheapest link that it has, which may be another
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// The last one.
    pub latest: Duration,
    /// All of them, smoothed as in RFC 6298: `smoothed = 7/8 smoothed + 1/8 latest`, from the first
    /// one on.
    pub smoothed: Duration,
    /// The shortest one since the link began.
    pub smallest: Duration,
    /// How many pings were answered.
    pub answered: u64,
}

impl RoundTrip {
    fn first(took: Duration) -> Self {
        Self { latest: took, smoothed: took, smallest: took, answered: 1 }
    }

    fn then(self, took: Duration) -> Self {
        Self {
            latest: took,
            smoothed: self.smoothed - self.smoothed / PARTS + took / PARTS,
            smallest: self.smallest.min(took),
            answered: self.answered + 1,
        }
    }
}

/// The pings of a link, and what their answers took. All times are since the session began.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    /// When those were sent that are not answered, the oldest first.
    sent: VecDeque<Duration>,
    round_trip: Option<RoundTrip>,
}

impl Pings {
    /// A ping is sent at this time, which the peer is to repeat.
    pub(crate) fn sent(&mut self, at: Duration) {
        if self.sent.len() >= MOST {
            self.sent.pop_front();
        }
        self.sent.push_back(at);
    }

    /// The peer has repeated this time. Returns whether it is that of a ping of this link which had
    /// no answer.
    pub(crate) fn answered(&mut self, at: Duration, now: Duration) -> bool {
        let Some(index) = self.sent.iter().position(|sent| *sent == at) else { return false };
        // Those before it got no answer: a peer answers in order.
        self.sent.drain(..=index);
        let took = now.saturating_sub(at);
        if took <= LONGEST {
            self.round_trip =
                Some(self.round_trip.map_or_else(|| RoundTrip::first(took), |it| it.then(took)));
        }
        true
    }

    /// What has been measured, once something has.
    pub(crate) fn round_trip(&self) -> Option<RoundTrip> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_ping_is_answered_once_and_by_its_own_time() {
        let mut pings = Pings::default();
        pings.sent(MS(1000));
        for time in [Duration::ZERO, MS(999), MS(1001), Duration::MAX] {
            assert!(!pings.answered(time, MS(5000)), "{time:?}");
        }
        assert_eq!(pings.round_trip(), None);
        assert!(pings.answered(MS(1000), MS(1004)));
        let first = RoundTrip { latest: MS(4), smoothed: MS(4), smallest: MS(4), answered: 1 };
        assert!(!pings.answered(MS(1000), MS(9000)), "a second time");
        assert_eq!(pings.round_trip(), Some(first));
    }

    #[test]
    fn an_answer_makes_those_before_it_too_late() {
        let mut pings = Pings::default();
        (1..=3).for_each(|at| pings.sent(MS(at)));
        assert!(pings.answered(MS(2), MS(4)));
        assert!(!pings.answered(MS(1), MS(50_000)), "kept back for long");
        assert!(pings.answered(MS(3), MS(4)));
        assert_eq!(pings.round_trip().map(|it| (it.latest, it.answered)), Some((MS(1), 2)));
    }

    #[test]
    fn it_is_smoothed_as_in_rfc_6298() {
        let mut pings = Pings::default();
        for (at, took) in [(0, 80), (1000, 160), (2000, 8)] {
            pings.sent(MS(at));
            assert!(pings.answered(MS(at), MS(at + took)));
        }
        let smoothed = Duration::from_micros(79_750);
        let all = RoundTrip { latest: MS(8), smoothed, smallest: MS(8), answered: 3 };
        assert_eq!(pings.round_trip(), Some(all));
    }

    #[test]
    fn what_is_kept_and_what_counts_have_bounds() {
        let mut pings = Pings::default();
        (0..MOST as u64 + 1).for_each(|at| pings.sent(MS(at)));
        assert_eq!(pings.sent.len(), MOST);
        assert!(!pings.answered(MS(0), MS(100)), "it made room");
        assert!(pings.answered(MS(1), MS(1) + LONGEST + MS(1)), "it is one of ours");
        assert_eq!(pings.round_trip(), None, "and took too long to say anything");
    }
}
