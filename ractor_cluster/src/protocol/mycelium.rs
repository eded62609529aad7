//! What nodes of the fork say to each other: `mycelium.proto`.
#![allow(unreachable_pub, reason = "generated code is public")]

use bytes::Bytes;
use prost::Message as _;
use ractor::actor::actor_config::TransportPreference;

use super::meta::network_message::Message;
use super::NetworkMessage;
use crate::link::decode::{decode, Caps, Undecodable};
use crate::transport;
use frame::Body;

include!(concat!(env!("OUT_DIR"), "/mycelium.rs"));

/// The version of the fork's protocol that this release speaks.
/// 2 has incarnations, which its proofs cover.
pub(crate) const VERSION: u32 = 2;

impl From<Body> for NetworkMessage {
    fn from(body: Body) -> Self {
        Self { message: Some(Message::Mycelium(Frame { body: Some(body) })) }
    }
}

impl Body {
    /// As it goes over a link.
    pub(crate) fn encoded(self) -> Bytes {
        NetworkMessage::from(self).encode_to_vec().into()
    }

    /// Of a frame of the fork's without lists, if `frame` is one of the fork's.
    ///
    /// # Errors
    /// The frame is no message, or has lists.
    pub(crate) fn decode(frame: Bytes) -> Result<Option<Self>, Undecodable> {
        Ok(match decode(frame, Caps::STRANGER)?.message.message {
            Some(Message::Mycelium(Frame { body })) => body,
            _ => None,
        })
    }
}

impl Envelope {
    /// As it goes over a link.
    pub(crate) fn encoded(self) -> Bytes {
        Body::Envelope(self).encoded()
    }
}

impl From<TransportPreference> for Preference {
    fn from(preference: TransportPreference) -> Self {
        let number = transport::number_of(preference).try_into();
        number.ok().and_then(|number: i32| Self::try_from(number).ok()).unwrap_or_default()
    }
}

impl From<Preference> for TransportPreference {
    fn from(preference: Preference) -> Self {
        transport::preference_of(preference as u32).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::frame::Body;
    use super::{Hello, NetworkMessage, Preference};
    use ractor::actor::actor_config::TransportPreference;

    #[test]
    fn a_frame_survives_the_wire() {
        let hello = Body::Hello(Hello { version: 1, nonce: vec![7; 32], ..Hello::default() });
        assert_eq!(Body::decode(hello.clone().encoded()), Ok(Some(hello)));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the test is of prost's decoder")]
    fn a_stock_node_skips_our_frames() {
        /// As a stock node would have it, which knows no variant of ours.
        #[derive(Clone, PartialEq, prost::Message)]
        struct Stock {
            #[prost(message, optional, tag = "2")]
            node: Option<()>,
        }
        let sent = Body::Hello(Hello::default()).encoded();
        assert_eq!(Stock::decode(sent).unwrap(), Stock::default());
        // And the other way: a frame of a later release of the fork.
        let later = [0xca, 0x3e, 0x00]; // field 1001, an empty message
        assert_eq!(NetworkMessage::decode(later.as_slice()).unwrap(), NetworkMessage::default());
    }

    #[test]
    fn preferences_are_the_same_on_both_sides() {
        for preference in [
            TransportPreference::Adaptive,
            TransportPreference::Arc,
            TransportPreference::SharedMemory,
            TransportPreference::UnixSocket,
            TransportPreference::Tcp,
            TransportPreference::Tls,
            TransportPreference::External,
        ] {
            assert_eq!(TransportPreference::from(Preference::from(preference)), preference);
        }
    }
}
