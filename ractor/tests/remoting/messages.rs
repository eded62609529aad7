//! Messages as applications have written them, by hand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use ractor::message::{ArcMessage, BoxedDowncastErr, BoxedMessage, SerializedMessage};
use ractor::remoting::{Encoder, Fields, Incoming, Outgoing};
use ractor::{ActorId, BytesConvertable, Message, RpcReplyPort};

/// Knows of stock's functions only. Counts how often it was serialised.
pub enum Old {
    Tick(u64, Arc<AtomicUsize>),
    Ask(RpcReplyPort<Vec<u8>>),
    /// Is written, and cannot be read.
    Riddle,
}

impl Old {
    pub fn tick(price: u64) -> (Self, Arc<AtomicUsize>) {
        let count = Arc::default();
        (Self::Tick(price, Arc::clone(&count)), count)
    }
}

impl Message for Old {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let cast = |variant: &str, args: Vec<u8>| SerializedMessage::Cast {
            variant: variant.to_owned(),
            args,
            metadata: Some(b"meta".to_vec()),
        };
        Ok(match self {
            Self::Tick(price, count) => {
                count.fetch_add(1, Ordering::SeqCst);
                cast("tick", price.to_le_bytes().to_vec())
            }
            Self::Ask(reply) => SerializedMessage::Call {
                variant: "ask".to_owned(),
                args: Vec::new(),
                reply,
                metadata: None,
            },
            Self::Riddle => cast("riddle", Vec::new()),
        })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { variant, args, metadata } if variant == "tick" => {
                assert_eq!(metadata.as_deref(), Some(&b"meta"[..]));
                // Panics with fewer bytes.
                Ok(Self::Tick(u64::from_le_bytes(args[..8].try_into().unwrap()), Arc::default()))
            }
            SerializedMessage::Call { variant, reply, .. } if variant == "ask" => {
                Ok(Self::Ask(reply))
            }
            _ => Err(BoxedDowncastErr),
        }
    }
}

/// Stays in its process.
#[derive(Debug, Clone, PartialEq)]
pub struct Homely;

impl Message for Homely {}

/// Knows of stock's two functions of a value only.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair(pub u8, pub u8);

impl BytesConvertable for Pair {
    fn into_bytes(self) -> Vec<u8> {
        vec![self.0, self.1]
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes[0], bytes[1])
    }
}

/// Written by hand, with all there is. Counts its copies.
pub struct New {
    pub name: String,
    pub copies: Arc<AtomicUsize>,
}

impl Clone for New {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::SeqCst);
        Self { name: self.name.clone(), copies: self.copies.clone() }
    }
}

impl Message for New {
    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn into_outgoing(self) -> Result<Outgoing, BoxedDowncastErr> {
        let mut encoder = Encoder::new();
        let name = encoder.begin_field();
        encoder.put_vec(self.name.into_bytes());
        encoder.end_field(name);
        Ok(Outgoing::cast("New", encoder.finish()))
    }

    fn from_incoming(incoming: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
        let mut fields = Fields::of(&incoming.args);
        let name = fields.part()?.to_vec();
        let name = String::from_utf8(name).map_err(|_| BoxedDowncastErr)?;
        fields.end()?;
        Ok(Self { name, copies: Arc::default() })
    }
}

/// Boxes itself: shared on this machine, and as a `far` cast elsewhere. Counts how often it was
/// asked.
#[derive(Clone, Default)]
pub struct Chooser(pub Arc<AtomicUsize>);

impl Message for Chooser {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(cast("near"))
    }

    fn box_message(self, pid: &ActorId) -> Result<BoxedMessage, BoxedDowncastErr> {
        Self::box_arc(Arc::new(self), pid)
    }

    fn box_arc(this: Arc<Self>, pid: &ActorId) -> Result<BoxedMessage, BoxedDowncastErr> {
        this.0.fetch_add(1, Ordering::SeqCst);
        if pid.is_same_machine() {
            return Ok(ArcMessage::new(this).into());
        }
        Far.box_message(pid)
    }
}

/// What a [`Chooser`] goes to other machines as.
struct Far;

impl Message for Far {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(cast("far"))
    }
}

fn cast(variant: &str) -> SerializedMessage {
    SerializedMessage::Cast { variant: variant.to_owned(), args: Vec::new(), metadata: None }
}
