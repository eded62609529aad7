//! The peer whose message a thread decodes.

use std::cell::Cell;

use crate::NodeId;

thread_local! {
    static SENDER: Cell<Option<NodeId>> = const { Cell::new(None) };
}

/// The peer whose message this thread decodes at this moment.
///
/// It is of use where a message is read:
/// [`Message::from_incoming`](ractor::Message::from_incoming), `deserialize`, and
/// [`BytesConvertable::from_bytes`](ractor::BytesConvertable::from_bytes). The session over which
/// the message came has proven that it is the peer's ([`get`](super::get) has its name), whatever
/// the message says of itself.
///
/// `None` anywhere else: in an actor's handler, about a message of this process, and about one that
/// came in a frame of stock's, which the actor decodes in its turn.
///
/// ```
/// // This thread decodes no message.
/// assert_eq!(ractor_cluster::peers::sender(), None);
/// ```
#[must_use]
pub fn sender() -> Option<NodeId> {
    SENDER.get()
}

/// Messages of a peer are decoded, until it is dropped.
pub(crate) struct Delivering(Option<NodeId>);

impl Delivering {
    #[inline]
    pub(crate) fn of(peer: NodeId) -> Self {
        Self(SENDER.replace(Some(peer)))
    }
}

impl Drop for Delivering {
    #[inline]
    fn drop(&mut self) {
        SENDER.set(self.0);
    }
}
