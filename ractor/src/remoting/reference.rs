//! Actors as fields of messages between nodes.
//!
//! An [`ActorCell`] or [`ActorRef`] that goes to another node arrives there as a reference to the
//! same actor: a proxy, or the actor itself where it is one of the receiving node's. Where no
//! session of the receiving node leads to the actor's node, or the actor has ended, it arrives as a
//! reference to an actor that has stopped: what is sent to it comes back.
//!
//! Which bytes mean an actor is the cluster's matter ([`References`]).

use std::future::{ready, Future};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use super::{Outgoing, Outlet, Refused};
use crate::actor::actor_config::TransportPreference;
use crate::errors::UndeliveredReason;
use crate::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, ActorStatus};

static CLUSTER: OnceLock<&'static dyn References> = OnceLock::new();

/// Turns actors into bytes that mean them on other nodes, and back.
pub trait References: Send + Sync {
    /// The bytes of an actor of this process or of a peer.
    fn write(&self, actor: &ActorCell) -> Vec<u8>;

    /// The actor that these bytes mean, if this process knows it.
    fn read(&self, bytes: &[u8]) -> Option<ActorCell>;
}

/// Has references be made by the cluster. The first call decides.
pub fn refer_by(cluster: &'static dyn References) {
    let _ = CLUSTER.set(cluster);
}

fn write(actor: &ActorCell) -> Vec<u8> {
    CLUSTER.get().map(|cluster| cluster.write(actor)).unwrap_or_default()
}

fn read(bytes: &[u8]) -> ActorCell {
    CLUSTER.get().and_then(|cluster| cluster.read(bytes)).unwrap_or_else(stopped)
}

#[cfg(not(feature = "blanket_serde"))]
mod by_bytes {
    use super::{read, write, ActorCell, ActorRef};
    use crate::remoting::{Encoder, Part};
    use crate::BytesConvertable;

    /// As the reference that the cluster makes of it.
    impl BytesConvertable for ActorCell {
        fn into_bytes(self) -> Vec<u8> {
            write(&self)
        }

        fn from_bytes(bytes: Vec<u8>) -> Self {
            read(&bytes)
        }

        fn to_encoder(&self, encoder: &mut Encoder) -> bool {
            encoder.put_slice(&write(self));
            true
        }

        fn from_part(part: Part<'_>) -> Self {
            read(&part)
        }
    }

    /// As its cell. The type of its messages is that of the field: what is sent to an actor of
    /// another type comes back.
    impl<M> BytesConvertable for ActorRef<M> {
        fn into_bytes(self) -> Vec<u8> {
            write(&self)
        }

        fn from_bytes(bytes: Vec<u8>) -> Self {
            read(&bytes).into()
        }

        fn to_encoder(&self, encoder: &mut Encoder) -> bool {
            self.get_cell().to_encoder(encoder)
        }

        fn from_part(part: Part<'_>) -> Self {
            read(&part).into()
        }
    }
}

/// With the feature `blanket_serde`: by serde, as all other fields.
#[cfg(feature = "blanket_serde")]
mod by_serde {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{read, write, ActorCell, ActorRef};

    impl Serialize for ActorCell {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            write(self).serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for ActorCell {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Vec::deserialize(deserializer).map(|bytes| read(&bytes))
        }
    }

    impl<M> Serialize for ActorRef<M> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.get_cell().serialize(serializer)
        }
    }

    impl<'de, M> Deserialize<'de> for ActorRef<M> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            ActorCell::deserialize(deserializer).map(Self::from)
        }
    }
}

/// A reference to an actor that has ended, or of which this process does not know: one for all,
/// since a message may hold as many as a peer likes.
fn stopped() -> ActorCell {
    static STOPPED: OnceLock<ActorCell> = OnceLock::new();
    let stopped = STOPPED.get_or_init(|| {
        // The number of no peer: these count from 1, and the process itself has none.
        let id = ActorId::Remote { node_id: 0, pid: 0 };
        // Its inbox is dropped, and with it whatever would wait there.
        let (cell, _) = ActorCell::new_remote::<Nobody>(None, id)
            .expect("a proxy without a name takes no other's place");
        cell.set_outlet(Arc::new(Stopped));
        cell.set_status(ActorStatus::Stopped);
        cell
    });
    stopped.clone()
}

struct Nobody;

#[cfg_attr(feature = "async-trait", crate::async_trait)]
impl Actor for Nobody {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Of a proxy whose actor has stopped.
struct Stopped;

impl Outlet for Stopped {
    fn session(&self) -> u64 {
        u64::MAX
    }

    fn transport(&self) -> TransportPreference {
        TransportPreference::default()
    }

    fn has_room(&self) -> bool {
        true
    }

    fn reserve(&self, _: bool) -> Result<(), UndeliveredReason> {
        Err(UndeliveredReason::Stopped)
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }

    fn send(&self, message: Outgoing) -> Result<(), Refused> {
        Err(Refused::new(message, UndeliveredReason::Stopped))
    }

    fn takes_many(&self) -> bool {
        false
    }

    fn send_to(&self, _: &[u64], message: Outgoing) -> Result<(), Refused> {
        self.send(message)
    }

    fn close(&self) {}
}
