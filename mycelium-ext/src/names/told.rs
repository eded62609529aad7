//! What agents of nodes are sent: bytes, and who sent them as the session has proven it.

use ractor::Message;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor_cluster::peers;

use super::agent::owner_of;
use super::directory::Owner;

/// The variant of the message in frames.
const VARIANT: &str = "Tell";

/// The bytes of a length.
const LENGTH: usize = size_of::<u64>();

/// Who sent a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A node of this process.
    Here,
    /// The node over whose session it came; `None` where no session has proven one.
    Peer(Option<Owner>),
}

impl Sender {
    /// Whether a message may say that it is of this node.
    pub(super) fn may_be(&self, owner: &Owner) -> bool {
        match self {
            Self::Here => true,
            Self::Peer(peer) => peer.as_ref() == Some(owner),
        }
    }
}

/// A message about names, as bytes.
pub(super) struct Told {
    pub(super) bytes: Vec<u8>,
    pub(super) by: Sender,
}

impl Told {
    /// Of a node of this process.
    pub(super) const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, by: Sender::Here }
    }
}

// Written by hand, since a derived message does not know over which session it came. In frames it
// is as the derived one of an enum with the variant `Tell(Vec<u8>)`.
impl Message for Told {
    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let mut args = (self.bytes.len() as u64).to_be_bytes().to_vec();
        args.extend(self.bytes);
        Ok(SerializedMessage::Cast { variant: VARIANT.to_owned(), args, metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        let SerializedMessage::Cast { variant, args, .. } = message else {
            return Err(BoxedDowncastErr);
        };
        let (length, bytes) = args.split_first_chunk::<LENGTH>().ok_or(BoxedDowncastErr)?;
        if variant != VARIANT || u64::from_be_bytes(*length) != bytes.len() as u64 {
            return Err(BoxedDowncastErr);
        }
        // While the session is there: it may have ended when the actor gets the message.
        let peer = peers::sender().and_then(peers::get);
        let by = Sender::Peer(peer.as_ref().and_then(owner_of));
        Ok(Self { bytes: bytes.to_vec(), by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_a_derived_message_in_frames_and_of_no_proven_node_without_a_session() {
        let serialized = Told::new(vec![7, 8]).serialize().expect("it is bytes");
        let SerializedMessage::Cast { variant, args, metadata: None } = &serialized else {
            panic!("it is a cast");
        };
        assert_eq!(
            (variant.as_str(), args.as_slice()),
            ("Tell", &[0, 0, 0, 0, 0, 0, 0, 2, 7, 8][..])
        );
        let told = Told::deserialize(serialized).expect("it is one");
        assert_eq!((told.bytes, told.by), (vec![7, 8], Sender::Peer(None)));
    }

    #[test]
    fn other_bytes_are_none() {
        let cast = |variant: &str, args: &[u8]| {
            let (variant, args) = (variant.to_owned(), args.to_vec());
            Told::deserialize(SerializedMessage::Cast { variant, args, metadata: None }).is_ok()
        };
        assert!(cast("Tell", &[0; 8]));
        for args in [&[0; 7][..], &[0; 9], &[0, 0, 0, 0, 0, 0, 0, 1], &[0xff; 8]] {
            assert!(!cast("Tell", args), "{args:?}");
        }
        assert!(!cast("Say", &[0; 8]));
    }

    #[test]
    fn a_peer_is_itself_and_nobody_else() {
        let owner = |name: &str, start: u8| Owner { name: name.into(), incarnation: [start; 16] };
        let peer = Sender::Peer(Some(owner("a@test", 1)));
        assert!(peer.may_be(&owner("a@test", 1)));
        assert!(!peer.may_be(&owner("a@test", 2)) && !peer.may_be(&owner("b@test", 1)));
        assert!(!Sender::Peer(None).may_be(&owner("a@test", 1)));
        assert!(Sender::Here.may_be(&owner("a@test", 1)));
    }
}
