//! What a link brought for the session's actor.

use mycelium_link::codec::Message;

use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::NetworkMessage;

/// What waits for the session's actor.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// A frame that belongs to no lane, or came before the connection was a link.
    Frame(NetworkMessage),
    /// Out of an envelope.
    Control(Enveloped),
    /// A message that came behind control traffic.
    Message(Message<'static>),
    /// Nothing: everything that came before has been handled when this is.
    Nothing,
}
