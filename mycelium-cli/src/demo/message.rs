//! What feed and readers send each other.

use bytes::Bytes;
use ractor::{BytesConvertable, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

use super::tick::Tick;

/// To a reader.
#[derive(Debug, RactorClusterMessage)]
// A reader decodes a tick once for its whole process, and its neighbours share it.
#[shared]
// Ticks are what readers get; a box would only add an allocation to each.
#[allow(clippy::large_enum_variant)]
pub(crate) enum ReaderMessage {
    /// A tick, and its opaque payload. The payload is the last field, so that it is not copied
    /// where it is encoded and decoded.
    Tick(Tick, Bytes),
    /// Asks for the reader's [`ReaderReport`](super::reader::ReaderReport), as JSON.
    #[rpc]
    Report(RpcReplyPort<Vec<u8>>),
}

/// To the feed.
#[derive(Debug, RactorClusterMessage)]
pub(crate) enum FeedMessage {
    Acknowledged(Acknowledged),
}

/// A reader handled this many ticks of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// Its name: readers of other machines do not know their numbers.
    pub(crate) reader: String,
    pub(crate) round: u16,
    pub(crate) ticks: u64,
    /// When the last of them was sent, as the feed wrote it: by the feed's clock alone it knows how
    /// long tick and acknowledgement were under way.
    pub(crate) sent_ns: u64,
}

/// Bytes of an encoded [`Acknowledged`] before the name.
const ACKNOWLEDGED_BYTES: usize = 18;

impl Acknowledged {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (round, rest) = bytes.split_first_chunk()?;
        let (ticks, rest) = rest.split_first_chunk()?;
        let (sent_ns, reader) = rest.split_first_chunk()?;
        Some(Self {
            reader: std::str::from_utf8(reader).ok()?.to_owned(),
            round: u16::from_le_bytes(*round),
            ticks: u64::from_le_bytes(*ticks),
            sent_ns: u64::from_le_bytes(*sent_ns),
        })
    }
}

impl BytesConvertable for Acknowledged {
    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ACKNOWLEDGED_BYTES + self.reader.len());
        bytes.extend(self.round.to_le_bytes());
        bytes.extend(self.ticks.to_le_bytes());
        bytes.extend(self.sent_ns.to_le_bytes());
        bytes.extend(self.reader.as_bytes());
        bytes
    }

    /// # Panics
    /// The bytes are no acknowledgement. A derived message that holds them is then no message.
    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::decode(&bytes).expect("the bytes of an acknowledgement")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ractor::Message;
    use ractor::message::{SerializedMessage, SharedMessage};

    use super::*;
    use crate::demo::tick::tests::any_tick;

    proptest! {
        #[test]
        fn messages_come_back_from_their_serialised_form(
            tick in any_tick(),
            payload in prop::collection::vec(any::<u8>(), 0..3000),
            (reader, round, ticks, sent_ns) in any::<(String, u16, u64, u64)>(),
        ) {
            let payload = Bytes::from(payload);
            let sent = ReaderMessage::Tick(tick.clone(), payload.clone()).serialize();
            let read = ReaderMessage::deserialize(sent.expect("it can be")).expect("it is one");
            prop_assert!(matches!(read, ReaderMessage::Tick(read, with)
                if read == tick && with == payload));

            let acknowledged = Acknowledged { reader, round, ticks, sent_ns };
            let sent = FeedMessage::Acknowledged(acknowledged.clone()).serialize();
            let FeedMessage::Acknowledged(read) =
                FeedMessage::deserialize(sent.expect("it can be")).expect("it is one");
            prop_assert_eq!(read, acknowledged);
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let cast = |variant: &str, fields: &[&[u8]]| {
            let mut args = Vec::new();
            for field in fields {
                args.extend((field.len() as u64).to_be_bytes());
                args.extend_from_slice(field);
            }
            SerializedMessage::Cast { variant: variant.to_owned(), args, metadata: None }
        };
        let is_tick = |message| ReaderMessage::deserialize(message).is_ok();
        assert!(is_tick(cast("Tick", &[&[1; 700], &[]])), "the variants have these names");
        for fields in [vec![&[1_u8; 20][..], &[]], vec![&[2; 700], &[]], vec![&[1; 700]]] {
            assert!(!is_tick(cast("Tick", &fields)));
        }
        assert!(!is_tick(cast("Other", &[&[1; 700], &[]])));
        assert!(!is_tick(SerializedMessage::CallReply(1, Vec::new())));
        let is_said = |said: &[u8]| FeedMessage::deserialize(cast("Acknowledged", &[said])).is_ok();
        assert!(is_said(&[0; 18]));
        assert!(!is_said(&[0; 17]) && !is_said(&[0xff; 20]));
    }

    #[test]
    fn a_request_is_not_shared() {
        let (port, _answer) = ractor::concurrency::oneshot();
        let request = ReaderMessage::Report(port.into());
        assert!(!request.is_shareable());
        assert!(request.clone_shared().is_none());
    }

    #[test]
    fn a_payload_is_not_copied() {
        let payload = Bytes::from(vec![7; 1 << 20]);
        let tick = Tick::decode(&[1; 700]).expect("it is long enough");
        let outgoing = ReaderMessage::Tick(tick, payload.clone()).into_outgoing();
        let args = outgoing.expect("it can be").args;
        assert_eq!(args.tail.as_ptr(), payload.as_ptr());
    }
}
