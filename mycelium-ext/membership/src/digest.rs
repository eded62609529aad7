//! What of a message gets to chitchat: the members that it may learn of.
//!
//! Chitchat notes each member that a peer tells of, and lists all of them in each message. So a
//! member gets to it only when it lives: when it is the sender itself, whose address is proven, or
//! when its heartbeat has moved since it was told of first. What would make the list too long is
//! left out.
//!
//! The format is that of chitchat 0.11, which the manifest pins.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::member::is_name;
use crate::refused::Refused;

/// The bytes of all entries that chitchat lists in a message, at most. A message of chitchat has up
/// to 65,507 bytes, and the rest of it is for news.
pub(crate) const LISTED: usize = 48 * 1024;

/// Members that were told of and have given no sign of life, at most.
const CANDIDATES: usize = 4096;

/// Compressed blocks in one message, at most: each may become 64 KiB.
const BLOCKS: usize = 64;

const MAGIC: [u8; 2] = 45_139_u16.to_le_bytes();
const FORMAT: u8 = 0;
const SYN: u8 = 0;
const SYN_ACK: u8 = 1;
const ACK: u8 = 2;
const BAD_CLUSTER: u8 = 3;

/// An entry of a list.
struct Entry<'a> {
    /// Name, generation and address, as bytes.
    id: &'a [u8],
    name: &'a [u8],
    address: SocketAddr,
    heartbeat: u64,
    /// All of it.
    bytes: &'a [u8],
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_le_bytes(take(rest, 2)?.try_into().ok()?))
}

impl<'a> Entry<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let all = *rest;
        let length = take_u16(rest)?;
        let name = take(rest, usize::from(length))?;
        take(rest, 8)?;
        let ip = match take(rest, 1)? {
            [4] => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(take(rest, 4)?).ok()?)),
            [6] => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(take(rest, 16)?).ok()?)),
            _ => return None,
        };
        let address = SocketAddr::new(ip, take_u16(rest)?);
        let id = &all[..all.len() - rest.len()];
        let heartbeat = u64::from_le_bytes(take(rest, 8)?.try_into().ok()?);
        take(rest, 16)?;
        Some(Self { id, name, address, heartbeat, bytes: &all[..all.len() - rest.len()] })
    }
}

/// Whether the blocks of news are few enough. Chitchat reads them.
fn few_blocks(mut rest: &[u8]) -> bool {
    for _ in 0..=BLOCKS {
        match take(&mut rest, 1) {
            Some([0]) => return true,
            Some([1 | 2]) => {}
            _ => return false,
        }
        let length = take_u16(&mut rest).map(usize::from);
        if length.and_then(|length| take(&mut rest, length)).is_none() {
            return false;
        }
    }
    false
}

/// A message as chitchat may have it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) message: Vec<u8>,
    /// How many entries were left out, by cause.
    pub(crate) lifeless: u64,
    pub(crate) bad_names: u64,
    pub(crate) too_many: u64,
}

impl Admitted {
    pub(crate) const fn left_out(&self) -> [(Refused, u64); 3] {
        [
            (Refused::Lifeless, self.lifeless),
            (Refused::BadName, self.bad_names),
            (Refused::TooMany, self.too_many),
        ]
    }
}

/// The members that chitchat knows, and those that it may learn of.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The bytes of the entry of each.
    listed: HashMap<Vec<u8>, usize>,
    bytes: usize,
    candidates: HashMap<Vec<u8>, u64>,
    /// The candidates, the oldest first.
    order: VecDeque<Vec<u8>>,
}

impl Known {
    /// Chitchat has these; their ids are written as in messages.
    pub(crate) fn set(&mut self, ids: impl Iterator<Item = Vec<u8>>) {
        self.listed = ids.map(|id| (id.len() + 24, id)).map(|(size, id)| (id, size)).collect();
        self.bytes = self.listed.values().sum();
    }

    /// The message as chitchat may have it; `None` when it is none.
    pub(crate) fn admit(&mut self, message: &[u8], from: SocketAddr) -> Option<Admitted> {
        let mut rest = message;
        let (magic, format) = (take(&mut rest, 2)?, take(&mut rest, 1)?);
        if magic != MAGIC || format != [FORMAT] {
            return None;
        }
        let kind = *take(&mut rest, 1)?.first()?;
        let mut admitted = Admitted::default();
        match kind {
            ACK => return few_blocks(rest).then(|| self.whole(message)),
            BAD_CLUSTER => return Some(self.whole(message)),
            SYN | SYN_ACK => {}
            _ => return None,
        }
        let count = take_u16(&mut rest)?;
        let mut entries: Vec<u8> = Vec::new();
        let mut kept: u16 = 0;
        for _ in 0..count {
            let entry = Entry::read(&mut rest)?;
            match self.judge(&entry, from) {
                None => {
                    entries.extend(entry.bytes);
                    kept += 1;
                }
                Some(Refused::BadName) => admitted.bad_names += 1,
                Some(Refused::TooMany) => admitted.too_many += 1,
                Some(_) => admitted.lifeless += 1,
            }
        }
        if kind == SYN_ACK && !few_blocks(rest) {
            return None;
        }
        admitted.message.extend(MAGIC);
        admitted.message.extend([FORMAT, kind]);
        admitted.message.extend(kept.to_le_bytes());
        admitted.message.extend(entries);
        admitted.message.extend(rest);
        Some(admitted)
    }

    fn whole(&self, message: &[u8]) -> Admitted {
        Admitted { message: message.to_vec(), ..Admitted::default() }
    }

    /// Why an entry is left out.
    fn judge(&mut self, entry: &Entry<'_>, from: SocketAddr) -> Option<Refused> {
        if self.listed.contains_key(entry.id) {
            return None;
        }
        if !std::str::from_utf8(entry.name).is_ok_and(is_name) {
            return Some(Refused::BadName);
        }
        let is_sender = entry.address == from;
        if !is_sender && !self.has_moved(entry) {
            return Some(Refused::Lifeless);
        }
        let size = entry.bytes.len();
        if self.bytes + size > LISTED {
            return Some(Refused::TooMany);
        }
        self.candidates.remove(entry.id);
        self.listed.insert(entry.id.to_vec(), size);
        self.bytes += size;
        None
    }

    /// Whether the heartbeat of a candidate has moved since it was noted.
    fn has_moved(&mut self, entry: &Entry<'_>) -> bool {
        if let Some(noted) = self.candidates.get(entry.id) {
            return entry.heartbeat > *noted;
        }
        while self.order.len() >= CANDIDATES {
            if let Some(oldest) = self.order.pop_front() {
                self.candidates.remove(&oldest);
            }
        }
        self.candidates.insert(entry.id.to_vec(), entry.heartbeat);
        self.order.push_back(entry.id.to_vec());
        false
    }
}

#[cfg(test)]
mod tests {
    use chitchat::{ChitchatId, Serializable};
    use proptest::prelude::*;

    use super::*;

    fn id(name: &str, generation: u64, port: u16) -> ChitchatId {
        ChitchatId::new(name, generation, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn written(id: &ChitchatId) -> Vec<u8> {
        id.serialize_to_vec()
    }

    /// A message that lists these, with a heartbeat each.
    fn syn(entries: &[(ChitchatId, u64)]) -> Vec<u8> {
        let mut message = [&MAGIC[..], &[FORMAT, SYN]].concat();
        message.extend((entries.len() as u16).to_le_bytes());
        for (id, heartbeat) in entries {
            message.extend(written(id));
            message.extend([*heartbeat, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
        }
        "cluster".serialize(&mut message);
        message
    }

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn chitchat_reads_what_is_written_here() {
        use chitchat::{ChitchatMessage, Deserializable};

        let message = syn(&[(id("a@h", 1, 7), 9), (id("b@h", 1, 8), 9)]);
        let read = ChitchatMessage::deserialize(&mut &message[..]).expect("a message");
        assert!(
            matches!(&read, ChitchatMessage::Syn { cluster_id, .. } if cluster_id == "cluster")
        );
        // And the other way: what it writes is read here, and stays as it is.
        let written = read.serialize_to_vec();
        assert_eq!(written, message);
        let mut known = Known::default();
        known.set([id("a@h", 1, 7), id("b@h", 1, 8)].iter().map(self::written));
        assert_eq!(known.admit(&written, from(9)).expect("a message").message, written);
        let ack = ChitchatMessage::BadCluster.serialize_to_vec();
        assert_eq!(known.admit(&ack, from(9)).expect("a message").message, ack);
    }

    #[test]
    fn a_member_is_learned_of_from_itself_or_when_its_heart_beats() {
        let mut known = Known::default();
        let (own, other) = (id("own@h", 1, 7), id("other@h", 1, 8));
        let first = known.admit(&syn(&[(own.clone(), 5), (other.clone(), 5)]), from(7));
        let first = first.expect("a message");
        assert_eq!((first.message, first.lifeless), (syn(&[(own.clone(), 5)]), 1));
        for stale in [5, 4] {
            let message = syn(&[(other.clone(), stale)]);
            assert_eq!(known.admit(&message, from(7)).expect("a message").lifeless, 1);
        }
        let message = syn(&[(other.clone(), 6)]);
        assert_eq!(known.admit(&message, from(7)).expect("a message").message, message);
        let message = syn(&[(other, 6), (own, 5)]);
        assert_eq!(known.admit(&message, from(9)).expect("a message").message, message);
    }

    #[test]
    fn ten_thousand_stale_members_leave_nothing_behind() {
        let mut known = Known::default();
        let stale = |number: u64| (id(&format!("stale-{number}@h"), number, 9), 5);
        for chunk in 0..20 {
            let entries: Vec<_> = (0..500).map(|number| stale(chunk * 500 + number)).collect();
            for _ in 0..2 {
                let admitted = known.admit(&syn(&entries), from(7)).expect("a message");
                assert_eq!((admitted.message, admitted.lifeless), (syn(&[]), 500));
            }
        }
        assert_eq!((known.listed.len(), known.candidates.len()), (0, CANDIDATES));
        assert_eq!(known.order.len(), CANDIDATES);
        let message = syn(&[(id("alive@h", 1, 7), 5)]);
        assert_eq!(known.admit(&message, from(7)).expect("a message").message, message);
    }

    #[test]
    fn the_list_is_bounded_and_has_room_again() {
        let mut known = Known::default();
        let member = |number: u16| id(&format!("member-{number}@h"), 1, number);
        let mut refused = 0;
        for number in 1..2000 {
            let message = syn(&[(member(number), 1)]);
            refused += known.admit(&message, from(number)).expect("a message").too_many;
        }
        assert!(known.bytes <= LISTED && refused > 0, "{} {refused}", known.bytes);
        let some = known.listed.len();
        assert!(some > 700, "{some}");
        known.set((1..100).map(|number| written(&member(number))));
        let message = syn(&[(member(1999), 1)]);
        assert_eq!(known.admit(&message, from(1999)).expect("a message").message, message);
    }

    #[test]
    fn names_are_checked() {
        let mut known = Known::default();
        for name in ["", "a b@h", "a\n@h", &"a".repeat(300)] {
            let message = syn(&[(id(name, 1, 7), 1)]);
            let admitted = known.admit(&message, from(7)).expect("a message");
            assert_eq!((admitted.bad_names, admitted.message), (1, syn(&[])), "{name:?}");
        }
    }

    #[test]
    fn news_that_would_grow_without_bound_are_no_message() {
        let mut known = Known::default();
        let block = [1_u8, 1, 0, 0];
        let ack =
            |blocks: usize| [&MAGIC[..], &[FORMAT, ACK], &block.repeat(blocks), &[0]].concat();
        assert!(known.admit(&ack(BLOCKS), from(7)).is_some());
        assert!(known.admit(&ack(BLOCKS + 1), from(7)).is_none());
        assert!(known.admit(&ack(3)[..7], from(7)).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(kind in 0_u8..5, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let message = [&MAGIC[..], &[FORMAT, kind], &bytes].concat();
            let _ = Known::default().admit(&message, from(7));
            let _ = Known::default().admit(&bytes, from(7));
        }
    }
}
