//! What feed and readers send each other.

use ractor::message::{BoxedDowncastErr, SerializedMessage, SharedMessage};
use ractor::{Message, RpcReplyPort};

use super::counters;
use super::tick::Tick;

/// To a reader.
#[derive(Debug)]
// Ticks are what readers get; a box would only add an allocation to each.
#[allow(clippy::large_enum_variant)]
pub(crate) enum ReaderMessage {
    Tick(Tick),
    /// Asks for the reader's [`ReaderReport`](super::reader::ReaderReport), as JSON.
    Report(RpcReplyPort<Vec<u8>>),
}

const TICK: &str = "Tick";
const REPORT: &str = "Report";

// By hand and not derived: bytes that are no tick are an error here, and would be a panic there.
impl Message for ReaderMessage {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(match self {
            Self::Tick(tick) => {
                let args = tick.encode();
                counters::count_serialised(args.len());
                SerializedMessage::Cast { variant: TICK.to_owned(), args, metadata: None }
            }
            Self::Report(reply) => SerializedMessage::Call {
                variant: REPORT.to_owned(),
                args: Vec::new(),
                reply,
                metadata: None,
            },
        })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { variant, args, .. } if variant == TICK => {
                counters::count_decoded(args.len());
                Tick::decode(&args).map(Self::Tick).map_err(|_| BoxedDowncastErr)
            }
            SerializedMessage::Call { variant, reply, .. } if variant == REPORT => {
                Ok(Self::Report(reply))
            }
            _ => Err(BoxedDowncastErr),
        }
    }
}

impl SharedMessage for ReaderMessage {
    fn clone_shared(&self) -> Option<Self> {
        match self {
            Self::Tick(tick) => Some(Self::Tick(tick.clone())),
            Self::Report(_) => None,
        }
    }

    fn is_shareable(&self) -> bool {
        matches!(self, Self::Tick(_))
    }
}

/// To the feed: a reader handled this many ticks of a replay.
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

impl Message for Acknowledged {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let mut args = Vec::with_capacity(ACKNOWLEDGED_BYTES + self.reader.len());
        args.extend(self.round.to_le_bytes());
        args.extend(self.ticks.to_le_bytes());
        args.extend(self.sent_ns.to_le_bytes());
        args.extend(self.reader.as_bytes());
        Ok(SerializedMessage::Cast { variant: String::new(), args, metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        let SerializedMessage::Cast { args, .. } = message else { return Err(BoxedDowncastErr) };
        let (round, rest) = args.split_first_chunk().ok_or(BoxedDowncastErr)?;
        let (ticks, rest) = rest.split_first_chunk().ok_or(BoxedDowncastErr)?;
        let (sent_ns, reader) = rest.split_first_chunk().ok_or(BoxedDowncastErr)?;
        Ok(Self {
            reader: std::str::from_utf8(reader).map_err(|_| BoxedDowncastErr)?.to_owned(),
            round: u16::from_le_bytes(*round),
            ticks: u64::from_le_bytes(*ticks),
            sent_ns: u64::from_le_bytes(*sent_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::demo::tick::tests::any_tick;

    proptest! {
        #[test]
        fn messages_come_back_from_their_serialised_form(
            tick in any_tick(),
            (reader, round, ticks, sent_ns) in any::<(String, u16, u64, u64)>(),
        ) {
            let sent = ReaderMessage::Tick(tick.clone()).serialize().expect("it can be");
            let read = ReaderMessage::deserialize(sent).expect("it is one");
            prop_assert!(matches!(read, ReaderMessage::Tick(read) if read == tick));

            let acknowledged = Acknowledged { reader, round, ticks, sent_ns };
            let sent = acknowledged.clone().serialize().expect("it can be");
            prop_assert_eq!(Acknowledged::deserialize(sent).expect("it is one"), acknowledged);
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let cast = |variant: &str, args: Vec<u8>| SerializedMessage::Cast {
            variant: variant.to_owned(),
            args,
            metadata: None,
        };
        assert!(ReaderMessage::deserialize(cast(TICK, vec![1; 20])).is_err());
        assert!(ReaderMessage::deserialize(cast("Other", vec![1; 700])).is_err());
        assert!(ReaderMessage::deserialize(SerializedMessage::CallReply(1, Vec::new())).is_err());
        assert!(Acknowledged::deserialize(cast("", vec![0; 17])).is_err());
        assert!(Acknowledged::deserialize(cast("", vec![0xff; 20])).is_err());
    }

    #[test]
    fn a_request_is_not_shared() {
        let (port, _answer) = ractor::concurrency::oneshot();
        let request = ReaderMessage::Report(port.into());
        assert!(!request.is_shareable());
        assert!(request.clone_shared().is_none());
    }
}
