//! A tick, and its bytes.

use std::fmt;

use ractor::BytesConvertable;
use ractor::remoting::{Encoder, Part};

use super::book::{DEPTH, Level};
use super::checksum::Checksum;
use super::counters;

/// The first byte of an encoded tick; another layout would have another.
const LAYOUT: u8 = 1;

/// Bytes of an encoded tick. A payload goes beside it.
pub(crate) const FIXED_BYTES: usize = 4 + 7 * 8 + 2 * DEPTH * 16;

/// What one trade tells the readers. Cloning it is counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    /// Which replay it belongs to.
    pub(crate) round: u16,
    /// Whether it is the replay's last.
    pub(crate) last: bool,
    /// Its place in the replay, from 0.
    pub(crate) number: u64,
    /// When it was sent, on the clock that all processes share.
    pub(crate) sent_ns: u64,
    /// The trade, in units of [`trades`](super::trades).
    pub(crate) time_ms: i64,
    pub(crate) price: i64,
    pub(crate) size: i64,
    /// What was bought and sold in the replay so far.
    pub(crate) bought: i64,
    pub(crate) sold: i64,
    pub(crate) bids: [Level; DEPTH],
    pub(crate) asks: [Level; DEPTH],
}

impl Clone for Tick {
    fn clone(&self) -> Self {
        counters::count_copy();
        Self { ..*self }
    }
}

/// Why bytes are not a tick.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotATick {
    Layout(u8),
    Length(usize),
}

impl fmt::Display for NotATick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(found) => write!(f, "layout {found} of a tick; known is {LAYOUT}"),
            Self::Length(found) => {
                write!(f, "{found} bytes for a tick; expected are {FIXED_BYTES}")
            }
        }
    }
}

impl Tick {
    /// Its bytes, little-endian.
    pub(crate) fn encode(&self) -> [u8; FIXED_BYTES] {
        let mut bytes = [0; FIXED_BYTES];
        let (head, words) = bytes.split_at_mut(4);
        head[..2].copy_from_slice(&[LAYOUT, u8::from(self.last)]);
        head[2..].copy_from_slice(&self.round.to_le_bytes());
        let mut words = words.chunks_exact_mut(8);
        let mut put = |word: u64| {
            let place = words.next().expect("as many as the fixed part has");
            place.copy_from_slice(&word.to_le_bytes());
        };
        put(self.number);
        put(self.sent_ns);
        for word in [self.time_ms, self.price, self.size, self.bought, self.sold] {
            put(word as u64);
        }
        for level in self.bids.iter().chain(&self.asks) {
            put(level.price as u64);
            put(level.size as u64);
        }
        bytes
    }

    /// The tick that `bytes` are.
    ///
    /// # Errors
    /// They are too few or too many, or of another layout.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NotATick> {
        if let Some(layout) = bytes.first().filter(|layout| **layout != LAYOUT) {
            return Err(NotATick::Layout(*layout));
        }
        if bytes.len() != FIXED_BYTES {
            return Err(NotATick::Length(bytes.len()));
        }
        let (head, words) = bytes.split_at(4);
        let mut words =
            words.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight")));
        let mut word = || words.next().expect("as many as the fixed part has");
        Ok(Self {
            round: u16::from_le_bytes([head[2], head[3]]),
            last: head[1] != 0,
            number: word(),
            sent_ns: word(),
            time_ms: word() as i64,
            price: word() as i64,
            size: word() as i64,
            bought: word() as i64,
            sold: word() as i64,
            bids: side(&mut word),
            asks: side(&mut word),
        })
    }

    /// Folds all of it into `checksum`, but for the time of sending, which each replay sets anew.
    pub(crate) fn fold_into(&self, checksum: &mut Checksum) {
        checksum.fold(u64::from(self.round) << 1 | u64::from(self.last));
        checksum.fold(self.number);
        for word in [self.time_ms, self.price, self.size, self.bought, self.sold] {
            checksum.fold(word as u64);
        }
        for level in self.bids.iter().chain(&self.asks) {
            checksum.fold(level.price as u64);
            checksum.fold(level.size as u64);
        }
    }
}

/// Encoding and decoding are counted.
impl BytesConvertable for Tick {
    fn into_bytes(self) -> Vec<u8> {
        counters::count_serialised(FIXED_BYTES);
        self.encode().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        read(&bytes)
    }

    fn bytes_len(&self) -> Option<usize> {
        Some(FIXED_BYTES)
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        self.to_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        counters::count_serialised(FIXED_BYTES);
        encoder.put_slice(&self.encode());
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        read(&part)
    }
}

/// # Panics
/// The bytes are no tick. A derived message that holds them is then no message.
fn read(bytes: &[u8]) -> Tick {
    counters::count_decoded(bytes.len());
    Tick::decode(bytes).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn side(word: &mut impl FnMut() -> u64) -> [Level; DEPTH] {
    std::array::from_fn(|_| Level { price: word() as i64, size: word() as i64 })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::demo::counters::Counters;

    pub(crate) fn any_tick() -> impl Strategy<Value = Tick> {
        let level = || any::<(i64, i64)>().prop_map(|(price, size)| Level { price, size });
        (
            any::<(u16, bool, u64, u64)>(),
            any::<[i64; 5]>(),
            prop::collection::vec(level(), 2 * DEPTH),
        )
            .prop_map(|((round, last, number, sent_ns), words, levels)| Tick {
                round,
                last,
                number,
                sent_ns,
                time_ms: words[0],
                price: words[1],
                size: words[2],
                bought: words[3],
                sold: words[4],
                bids: levels[..DEPTH].try_into().expect("as many"),
                asks: levels[DEPTH..].try_into().expect("as many"),
            })
    }

    fn checksum(tick: &Tick) -> u64 {
        let mut checksum = Checksum::default();
        tick.fold_into(&mut checksum);
        checksum.value()
    }

    proptest! {
        #[test]
        fn bytes_give_the_tick_back(tick in any_tick()) {
            let bytes = tick.encode();
            let decoded = Tick::decode(&bytes).expect("they are a tick");
            prop_assert_eq!(checksum(&tick), checksum(&decoded));
            prop_assert_eq!(tick, decoded);
        }

        #[test]
        fn every_byte_but_those_of_the_time_counts(tick in any_tick(), at in 4..FIXED_BYTES) {
            prop_assume!(!(12..20).contains(&at));
            let mut bytes = tick.encode();
            bytes[at] ^= 0x10;
            let other = Tick::decode(&bytes).expect("they are a tick");
            prop_assert_ne!(checksum(&tick), checksum(&other));
        }

        #[test]
        fn any_bytes_are_a_tick_or_an_error(bytes in prop::collection::vec(any::<u8>(), FIXED_BYTES - 2..FIXED_BYTES + 3)) {
            if let Ok(tick) = Tick::decode(&bytes) {
                // Not more than whether it is the last one is lost.
                prop_assert_eq!(&tick.encode()[2..], &bytes[2..]);
            }
        }
    }

    #[test]
    fn a_tick_has_about_700_bytes() {
        assert_eq!(FIXED_BYTES, 700);
    }

    #[test]
    fn what_is_no_tick_is_told() {
        assert_eq!(Tick::decode(&[]), Err(NotATick::Length(0)));
        assert_eq!(Tick::decode(&[1; 699]), Err(NotATick::Length(699)));
        assert_eq!(Tick::decode(&[1; 701]), Err(NotATick::Length(701)));
        assert_eq!(Tick::decode(&[2; 700]), Err(NotATick::Layout(2)));
    }

    #[test]
    fn copies_are_counted() {
        let tick = Tick::decode(&[1; 700]).expect("it is long enough");
        let before = Counters::now();
        let copy = tick.clone();
        // Other tests of this process may copy, too.
        assert!((Counters::now() - before).copies >= 1);
        assert_eq!(tick, copy);
    }
}
