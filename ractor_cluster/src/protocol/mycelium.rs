//! What nodes of the fork say to each other: `mycelium.proto`.
#![allow(unreachable_pub, reason = "generated code is public")]

use super::control::control_message::Msg;
use super::control::ControlMessage;

include!(concat!(env!("OUT_DIR"), "/mycelium.rs"));

impl Announcement {
    /// The control message with which this node says that it is one of the fork's.
    pub(crate) fn of_this_node() -> ControlMessage {
        let release = env!("CARGO_PKG_VERSION").to_owned();
        ControlMessage { msg: Some(Msg::Announcement(Self { release })) }
    }

    /// Notes what the peer of the session `node_id` announced.
    pub(crate) fn note(&self, node_id: u64) {
        tracing::info!(node_id, release = self.release, "the peer runs Mycelium's fork");
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::{Announcement, ControlMessage, Msg};

    #[test]
    fn an_announcement_survives_the_wire() {
        let sent = Announcement::of_this_node();
        let received = ControlMessage::decode(sent.encode_to_vec().as_slice()).unwrap();
        let Some(Msg::Announcement(announcement)) = received.msg else {
            panic!("{received:?}");
        };
        assert!(announcement.release.contains("+mycelium"));
    }

    #[test]
    fn a_variant_that_a_node_does_not_know_is_skipped() {
        /// As a stock node would have it, which knows no variant of ours.
        #[derive(Clone, PartialEq, prost::Message)]
        struct Stock {
            #[prost(message, optional, tag = "9")]
            ready: Option<()>,
        }
        let sent = Announcement::of_this_node().encode_to_vec();
        assert_eq!(Stock::decode(sent.as_slice()).unwrap(), Stock::default());
        // And the other way: a variant of a later release of the fork.
        let later = [0xca, 0x3e, 0x00]; // field 1001, an empty message
        assert_eq!(ControlMessage::decode(later.as_slice()).unwrap(), ControlMessage::default());
    }
}
