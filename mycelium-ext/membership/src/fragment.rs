//! Messages that are larger than a datagram, in parts.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::seal::{HEAD, Session, TAG};

/// The largest datagram, in bytes: it needs no fragments of IP on any network.
pub(crate) const LARGEST: usize = 1200;

/// The smallest one. So an answer of this size is never larger than what it answers.
pub(crate) const SMALLEST: usize = 160;

/// The bytes in front of a part: number of the message, place, count, length.
const PREFIX: usize = 4 + 1 + 1 + 2;

/// The bytes of a message in one datagram.
pub(crate) const PART: usize = LARGEST - HEAD - TAG - PREFIX;

/// Parts of a message, at most.
const PARTS: usize = 64;

/// The largest message, in bytes.
pub(crate) const MESSAGE: usize = PARTS * PART;

/// The least content, so that a datagram is not smaller than [`SMALLEST`].
pub(crate) const LEAST: usize = SMALLEST - HEAD - TAG;

/// Incomplete messages that are kept at a time, of all senders.
const KEPT: usize = 64;

/// How long parts are kept.
const PATIENCE: Duration = Duration::from_secs(3);

/// The contents of the datagrams of a message; `None` when it is too large.
pub(crate) fn split(number: u32, message: &[u8]) -> Option<Vec<Vec<u8>>> {
    let parts = message.chunks(PART).collect::<Vec<_>>();
    let count = u8::try_from(parts.len()).ok().filter(|count| usize::from(*count) <= PARTS)?;
    let content = |(place, part): (u8, &&[u8])| {
        let mut content = Vec::with_capacity((PREFIX + part.len()).max(LEAST));
        content.extend(number.to_be_bytes());
        content.extend([place, count]);
        // A part has fewer than 65,536 bytes.
        content.extend((part.len() as u16).to_be_bytes());
        content.extend(*part);
        content.resize(content.len().max(LEAST), 0);
        content
    };
    Some((0..count).zip(&parts).map(content).collect())
}

/// One part.
struct Part<'a> {
    number: u32,
    place: usize,
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(content: &'a [u8]) -> Option<Self> {
        let (prefix, rest) = content.split_first_chunk::<PREFIX>()?;
        let [n0, n1, n2, n3, place, count, l0, l1] = *prefix;
        let bytes = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
        let (place, count) = (usize::from(place), usize::from(count));
        let fits = place < count && count <= PARTS && bytes.len() <= PART;
        // All but the last are full: so the length of a message is known by its parts.
        let is_full = place + 1 == count || bytes.len() == PART;
        let number = u32::from_be_bytes([n0, n1, n2, n3]);
        (fits && is_full).then_some(Self { number, place, count, bytes })
    }
}

/// A message some of whose parts have come.
#[derive(Debug)]
struct Partial {
    session: Session,
    number: u32,
    since: Instant,
    parts: Vec<Option<Vec<u8>>>,
}

/// What a part led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// The message is complete.
    Message(Vec<u8>),
    /// Parts are missing.
    Waits,
    /// It is no part.
    Malformed,
}

/// Puts messages together. It keeps a bounded number of incomplete ones, the latest.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    partial: VecDeque<Partial>,
    /// Messages that were given up.
    lost: u64,
}

impl Joiner {
    /// Takes the content of one datagram of a session.
    pub(crate) fn join(&mut self, session: Session, content: &[u8], now: Instant) -> Joined {
        let Some(part) = Part::read(content) else { return Joined::Malformed };
        if part.count == 1 {
            return Joined::Message(part.bytes.to_vec());
        }
        let before = self.partial.len();
        self.partial.retain(|it| now.saturating_duration_since(it.since) < PATIENCE);
        self.lost += (before - self.partial.len()) as u64;
        let is_its = |it: &Partial| it.session == session && it.number == part.number;
        let index = self.partial.iter().position(is_its).unwrap_or_else(|| {
            if self.partial.len() == KEPT {
                self.partial.pop_front();
                self.lost += 1;
            }
            let (number, parts) = (part.number, vec![None; part.count]);
            self.partial.push_back(Partial { session, number, since: now, parts });
            self.partial.len() - 1
        });
        let message = &mut self.partial[index];
        if message.parts.len() != part.count {
            return Joined::Malformed;
        }
        message.parts[part.place] = Some(part.bytes.to_vec());
        if message.parts.iter().any(Option::is_none) {
            return Joined::Waits;
        }
        let message = self.partial.remove(index);
        Joined::Message(message.into_iter().flat_map(|it| it.parts).flatten().flatten().collect())
    }

    /// How many messages were given up since it was asked last.
    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SESSION: Session = [1; 16];

    #[test]
    fn sizes_are_bounded_on_both_sides() {
        for length in [0, 1, PART, PART + 1, MESSAGE] {
            let contents = split(1, &vec![5; length]).expect("it fits");
            assert_eq!(contents.len(), length.div_ceil(PART), "{length}");
            let sealed = contents.iter().map(|content| HEAD + content.len() + TAG);
            assert!(sealed.clone().all(|size| (SMALLEST..=LARGEST).contains(&size)), "{length}");
        }
        assert_eq!(split(1, &vec![5; MESSAGE + 1]), None);
    }

    #[test]
    fn what_is_no_part_is_said() {
        let now = Instant::now();
        let whole = split(1, &[5; PART + 1]).expect("it fits");
        let mut joiner = Joiner::default();
        for length in 0..PREFIX {
            assert_eq!(joiner.join(SESSION, &whole[0][..length], now), Joined::Malformed);
        }
        let changed = |at: usize, to: u8| {
            let mut content = whole[0].clone();
            content[at] = to;
            content
        };
        // Behind the last, too many, and a length that is not that of a part in the middle.
        for content in [changed(4, 2), changed(5, 65), changed(7, 1), changed(6, 0xff)] {
            assert_eq!(joiner.join(SESSION, &content, now), Joined::Malformed);
        }
        assert_eq!(joiner.join(SESSION, &whole[0], now), Joined::Waits);
        // Of the same message, and of another count.
        assert_eq!(joiner.join(SESSION, &changed(5, 3), now), Joined::Malformed);
    }

    #[test]
    fn incomplete_messages_are_bounded_and_given_up() {
        let now = Instant::now();
        let mut joiner = Joiner::default();
        for number in 0..1000 {
            let parts = split(number, &[5; PART + 1]).expect("it fits");
            assert_eq!(joiner.join(SESSION, &parts[0], now), Joined::Waits);
        }
        assert_eq!((joiner.partial.len(), joiner.take_lost()), (KEPT, 1000 - KEPT as u64));
        let last = split(999, &[5; PART + 1]).expect("it fits");
        assert_eq!(joiner.join([2; 16], &last[1], now), Joined::Waits);
        assert!(matches!(joiner.join(SESSION, &last[1], now), Joined::Message(_)));
        let later = split(5000, &[5; PART + 1]).expect("it fits");
        assert_eq!(joiner.join(SESSION, &later[0], now + PATIENCE), Joined::Waits);
        assert_eq!(joiner.partial.len(), 1);
    }

    proptest! {
        #[test]
        fn parts_in_any_order_and_more_than_once_are_the_message(
            message in proptest::collection::vec(any::<u8>(), 1..6 * PART),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..12)
        ) {
            let now = Instant::now();
            let parts = split(7, &message).expect("it fits");
            let mut joiner = Joiner::default();
            let again = order.iter().map(|index| index.index(parts.len()));
            let mut joined = Vec::new();
            for place in again.chain((0..parts.len()).rev()) {
                if let Joined::Message(message) = joiner.join(SESSION, &parts[place], now) {
                    joined.push(message);
                }
            }
            prop_assert!(!joined.is_empty());
            prop_assert!(joined.iter().all(|it| *it == message));
        }

        #[test]
        fn no_bytes_make_it_panic(contents in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..40), 0..50)) {
            let mut joiner = Joiner::default();
            for content in contents {
                let _ = joiner.join(SESSION, &content, Instant::now());
            }
        }
    }
}
