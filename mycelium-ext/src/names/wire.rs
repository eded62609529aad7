//! Messages about names as bytes.
//!
//! Numbers are big-endian. A text has its length in front (2 bytes), and so has a reference; one of
//! no bytes is none. A list has its count in front (2 bytes).

use std::sync::Arc;

use super::directory::{Body, Claim, Envelope, FencingNumber, NAMES, Owner, Rival, Stage};

/// The first byte. Another one is of a release that this one does not know.
const FORMAT: u8 = 1;

const CLAIM: u8 = 1;
const GRANT: u8 = 2;
const REFUSE: u8 = 3;
const RELEASE: u8 = 4;
const DIGEST: u8 = 5;
const ASK: u8 = 6;
const CLAIMS: u8 = 7;
const OFFERS: u8 = 8;

/// A message under way to bytes.
struct Writer<'a, R> {
    bytes: Vec<u8>,
    reference: &'a dyn Fn(&R) -> Vec<u8>,
}

impl<R> Writer<'_, R> {
    /// Nothing that a node tells is longer than 64 KiB; what is longer would be cut.
    fn sized(&mut self, bytes: &[u8]) {
        let count = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.bytes.extend(count.to_be_bytes());
        self.bytes.extend(&bytes[..usize::from(count)]);
    }

    fn text(&mut self, text: &str) {
        self.sized(text.as_bytes());
    }

    fn number(&mut self, number: FencingNumber) {
        self.bytes.extend(number.to_bytes());
    }

    fn owner(&mut self, owner: &Owner) {
        self.text(&owner.name);
        self.bytes.extend(owner.incarnation);
    }

    fn stage(&mut self, stage: Stage) {
        self.bytes.push(u8::from(stage == Stage::Held));
    }

    fn claim(&mut self, claim: &Claim<R>) {
        self.text(&claim.name);
        self.number(claim.number);
        self.number(claim.asked);
        self.stage(claim.stage);
        self.text(&claim.kind);
        let reference = claim.reference.as_ref().map(self.reference).unwrap_or_default();
        self.sized(&reference);
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
        self.bytes.extend(count.to_be_bytes());
        items.iter().take(usize::from(count)).for_each(|item| each(self, item));
    }
}

/// The bytes of a message. `reference` gives those of a reference.
pub(super) fn write<R>(message: &Envelope<R>, reference: &dyn Fn(&R) -> Vec<u8>) -> Vec<u8> {
    let mut to = Writer { bytes: vec![FORMAT], reference };
    to.owner(&message.from);
    to.owner(&message.to);
    to.bytes.extend(message.sequence.to_be_bytes());
    to.bytes.extend(message.term.to_be_bytes());
    match &message.body {
        Body::Claim(claim) => {
            to.bytes.push(CLAIM);
            to.claim(claim);
        }
        Body::Grant { name, number, floor } => {
            to.bytes.push(GRANT);
            to.text(name);
            to.number(*number);
            to.number(*floor);
        }
        Body::Refuse { name, number, rival } => {
            to.bytes.push(REFUSE);
            to.text(name);
            to.number(*number);
            to.owner(&rival.owner);
            to.number(rival.number);
            to.number(rival.asked);
            to.stage(rival.stage);
        }
        Body::Release { name, number } => {
            to.bytes.push(RELEASE);
            to.text(name);
            to.number(*number);
        }
        Body::Digest(digest) => {
            to.bytes.push(DIGEST);
            to.bytes.extend(digest.to_be_bytes());
        }
        Body::Ask => to.bytes.push(ASK),
        Body::Claims(claims) => {
            to.bytes.push(CLAIMS);
            to.list(claims, Writer::claim);
        }
        Body::Offers(offers) => {
            to.bytes.push(OFFERS);
            to.list(offers, |to, name| to.text(name));
        }
    }
    to.bytes
}

/// Bytes under way to a message.
struct Reader<'a, R> {
    rest: &'a [u8],
    reference: &'a dyn Fn(&[u8]) -> R,
}

impl<'a, R> Reader<'a, R> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn count(&mut self) -> Option<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<Arc<str>> {
        std::str::from_utf8(self.sized()?).ok().map(Arc::from)
    }

    fn number(&mut self) -> Option<FencingNumber> {
        self.array().map(FencingNumber::from_bytes)
    }

    fn owner(&mut self) -> Option<Owner> {
        Some(Owner { name: self.text()?, incarnation: self.array()? })
    }

    fn stage(&mut self) -> Option<Stage> {
        match self.byte()? {
            0 => Some(Stage::Pending),
            1 => Some(Stage::Held),
            _ => None,
        }
    }

    fn claim(&mut self) -> Option<Claim<R>> {
        let (name, number, asked) = (self.text()?, self.number()?, self.number()?);
        let (stage, kind, reference) = (self.stage()?, self.text()?, self.sized()?);
        let reference = (!reference.is_empty()).then(|| (self.reference)(reference));
        Some(Claim { name, number, asked, stage, kind, reference })
    }

    /// A list that is too long is read as far as that is known: the directory counts it.
    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        let items: Option<Vec<T>> = (0..count.min(NAMES + 1)).map(|_| each(self)).collect();
        if count > NAMES {
            self.rest = &[];
        }
        items
    }

    fn body(&mut self) -> Option<Body<R>> {
        Some(match self.byte()? {
            CLAIM => Body::Claim(self.claim()?),
            GRANT => {
                let (name, number, floor) = (self.text()?, self.number()?, self.number()?);
                Body::Grant { name, number, floor }
            }
            REFUSE => {
                let (name, mine) = (self.text()?, self.number()?);
                let (owner, number, asked) = (self.owner()?, self.number()?, self.number()?);
                let rival = Rival { owner, number, asked, stage: self.stage()? };
                Body::Refuse { name, number: mine, rival }
            }
            RELEASE => Body::Release { name: self.text()?, number: self.number()? },
            DIGEST => Body::Digest(self.u64()?),
            ASK => Body::Ask,
            CLAIMS => Body::Claims(self.list(Self::claim)?),
            OFFERS => Body::Offers(self.list(Self::text)?),
            _ => return None,
        })
    }
}

/// The message of these bytes, if they are one. `reference` makes a reference of its bytes.
pub(super) fn read<R>(bytes: &[u8], reference: &dyn Fn(&[u8]) -> R) -> Option<Envelope<R>> {
    let mut from = Reader { rest: bytes, reference };
    if from.byte()? != FORMAT {
        return None;
    }
    let (sender, to) = (from.owner()?, from.owner()?);
    let (sequence, term) = (from.u64()?, from.u64()?);
    let body = from.body()?;
    from.rest.is_empty().then_some(Envelope { from: sender, to, sequence, term, body })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(message: &Envelope<u32>) -> Vec<u8> {
        write(message, &|reference| reference.to_be_bytes().to_vec())
    }

    fn read_back(bytes: &[u8]) -> Option<Envelope<u32>> {
        read(bytes, &|bytes| u32::from_be_bytes(bytes.try_into().unwrap_or_default()))
    }

    fn name() -> impl Strategy<Value = Arc<str>> {
        ".{0,20}".prop_map(Arc::from)
    }

    fn number() -> impl Strategy<Value = FencingNumber> {
        any::<[u8; 16]>().prop_map(FencingNumber::from_bytes)
    }

    fn owner() -> impl Strategy<Value = Owner> {
        (name(), any::<[u8; 16]>()).prop_map(|(name, incarnation)| Owner { name, incarnation })
    }

    fn stage() -> impl Strategy<Value = Stage> {
        prop::sample::select(&[Stage::Pending, Stage::Held][..])
    }

    prop_compose! {
        fn claim()(
            name in name(), number in number(), asked in number(), stage in stage(),
            kind in name(), reference in any::<Option<u32>>(),
        ) -> Claim<u32> {
            Claim { name, number, asked, stage, kind, reference }
        }
    }

    fn body() -> BoxedStrategy<Body<u32>> {
        let rival = (owner(), number(), number(), stage())
            .prop_map(|(owner, number, asked, stage)| Rival { owner, number, asked, stage });
        prop_oneof![
            claim().prop_map(Body::Claim),
            (name(), number(), number()).prop_map(|(name, number, floor)| Body::Grant {
                name,
                number,
                floor
            }),
            (name(), number(), rival).prop_map(|(name, number, rival)| Body::Refuse {
                name,
                number,
                rival
            }),
            (name(), number()).prop_map(|(name, number)| Body::Release { name, number }),
            any::<u64>().prop_map(Body::Digest),
            Just(Body::Ask),
            prop::collection::vec(claim(), 0..5).prop_map(Body::Claims),
            prop::collection::vec(name(), 0..5).prop_map(Body::Offers),
        ]
        .boxed()
    }

    prop_compose! {
        fn message()(
            from in owner(), to in owner(), sequence: u64, term: u64, body in body(),
        ) -> Envelope<u32> {
            Envelope { from, to, sequence, term, body }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_written_is_read(message in message()) {
            prop_assert_eq!(read_back(&written(&message)), Some(message));
        }

        #[test]
        fn a_message_that_is_cut_or_longer_is_none(message in message(), cut: u16, more: u8) {
            let mut bytes = written(&message);
            let end = usize::from(cut) % bytes.len();
            prop_assert_eq!(read_back(&bytes[..end]), None);
            bytes.push(more);
            prop_assert_eq!(read_back(&bytes), None);
        }

        #[test]
        fn no_bytes_make_it_panic(
            message in message(), at: u16, byte: u8,
            bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let _ = read_back(&bytes);
            let mut message = written(&message);
            let at = usize::from(at) % message.len();
            message[at] = byte;
            let _ = read_back(&message);
        }
    }

    /// Decision 0019 has this number.
    #[test]
    fn a_hash_is_small() {
        let owner = Owner { name: "x".repeat(20).into(), incarnation: [1; 16] };
        let (from, to) = (owner.clone(), owner);
        let message = Envelope { from, to, sequence: 1, term: 1, body: Body::Digest(1) };
        assert_eq!(written(&message).len(), 102);
    }

    #[test]
    fn a_list_without_end_is_read_so_far_that_it_is_known_to_be_too_long() {
        let owner = Owner { name: "n".into(), incarnation: [1; 16] };
        let offers = (0..5000).map(|it: u32| it.to_string().into()).collect();
        let (from, to, body) = (owner.clone(), owner, Body::Offers(offers));
        let message = Envelope { from, to, sequence: 1, term: 1, body };
        let read = read_back(&written(&message)).expect("a message");
        assert!(matches!(read.body, Body::Offers(offers) if offers.len() == NAMES + 1));
    }
}
