//! What a node may make another one keep, send and do.

use std::sync::Arc;
use std::time::Duration;

use super::claim::Claim;
use super::message::{Body, Envelope, Ignored};
use super::number::MAX_TERM;

/// The longest name, in bytes.
pub(crate) const NAME: usize = 255;
/// The longest text for the type of an actor's messages, in bytes.
pub(crate) const KIND: usize = 255;
/// Names that a node may have at a time, those included that it asks for.
pub(crate) const NAMES: usize = 1024;
/// Singletons that a node may offer.
pub(crate) const OFFERS: usize = 256;
/// Messages that a node may send to another one at once.
const BURST: u32 = 8192;
/// Messages that it may send in a second from then on.
const RATE: u32 = 1024;
/// All claims are sent to a peer at most once in this time.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// Whether a name may be so.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME && !text.contains(char::is_control)
}

fn check_claim<R>(claim: &Claim<R>) -> Result<(), Ignored> {
    let is_right = is_name(&claim.name)
        && claim.kind.len() <= KIND
        && [claim.number, claim.asked].iter().all(|it| it.term() <= MAX_TERM);
    if is_right { Ok(()) } else { Err(Ignored::Malformed) }
}

fn check_names<'a>(mut names: impl Iterator<Item = &'a Arc<str>>) -> Result<(), Ignored> {
    if names.all(|name| is_name(name)) { Ok(()) } else { Err(Ignored::Malformed) }
}

/// Whether a message may be handled.
pub(crate) fn check<R>(message: &Envelope<R>) -> Result<(), Ignored> {
    if message.term > MAX_TERM {
        return Err(Ignored::Malformed);
    }
    match &message.body {
        Body::Claim(claim) => check_claim(claim),
        Body::Claims(claims) if claims.len() > NAMES => Err(Ignored::TooLarge),
        Body::Claims(claims) => claims.iter().try_for_each(check_claim),
        Body::Offers(offers) if offers.len() > OFFERS => Err(Ignored::TooLarge),
        Body::Offers(offers) => check_names(offers.iter()),
        Body::Grant { name, number, floor } => {
            let terms = [number.term(), floor.term()];
            if terms.iter().any(|term| *term > MAX_TERM) {
                return Err(Ignored::Malformed);
            }
            check_names(std::iter::once(name))
        }
        Body::Refuse { name, rival, .. } if rival.number.term() <= MAX_TERM => {
            check_names(std::iter::once(name))
        }
        Body::Refuse { .. } => Err(Ignored::Malformed),
        Body::Release { name, .. } => check_names(std::iter::once(name)),
        Body::Digest(_) | Body::Ask => Ok(()),
    }
}

/// A bound of messages in time.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u32,
    since: Duration,
}

impl Budget {
    pub(crate) const fn new(now: Duration) -> Self {
        Self { left: BURST, since: now }
    }

    /// Whether a further message may be handled.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.since);
        let more = (passed.as_millis() * u128::from(RATE) / 1000).min(u128::from(BURST)) as u32;
        if more > 0 {
            self.left = self.left.saturating_add(more).min(BURST);
            self.since = now;
        }
        let is_within = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_sends_without_end_is_heard_at_a_rate() {
        let mut budget = Budget::new(Duration::ZERO);
        let mut heard = |now, tries| (0..tries).filter(|_| budget.take(now)).count();
        assert_eq!(heard(Duration::ZERO, 20_000), BURST as usize);
        assert_eq!(heard(Duration::from_millis(500), 20_000), RATE as usize / 2);
        assert_eq!(heard(Duration::from_secs(1000), 20_000), BURST as usize);
    }
}
