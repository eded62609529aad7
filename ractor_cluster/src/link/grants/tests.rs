//! When a peer is told what it was lent.

use ractor::actor::actor_config::Mailbox;
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use mycelium_link::codec::{Kind, Message, What};
use ractor::actor::actor_config::ActorConfig;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::*;
use crate::link::data_plane::{Bounds, Link};
use crate::link::link_table::ADAPTIVE;
use crate::link::round_trip::Pings;
use crate::link::traces::Traces;
use crate::link::turn::LastActor;
use crate::link::writer::FrameSource;
use crate::net::SessionMessage;
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::frame::Body as FrameBody;
use crate::protocol::mycelium::Frame;
use crate::transport::{frames, TransportKind};

/// Takes all messages.
struct Idle<M>(std::marker::PhantomData<fn() -> M>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: ractor::Message> Actor for Idle<M> {
    type Msg = M;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<M>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<M>, _: M, (): &mut ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// The totals that wait in the lane for the peer, and how many frames do.
fn told(traffic: &Arc<DataPlane>, link: ractor::ActorId) -> (Vec<ActorCredit>, u64) {
    let (mut credits, mut frames) = (Vec::new(), 0);
    traffic.lanes_of(link).transmit(|chunk| {
        frames::split(chunk.frames, chunk.tail, |frame, _| {
            frames += 1;
            let decoded = crate::link::decode::decode(frame, Default::default());
            let Ok(decoded) = decoded else { return };
            if let Some(Network::Mycelium(Frame { body: Some(FrameBody::Envelope(it)) })) =
                decoded.message.message
            {
                if let Some(Body::Credits(it)) = it.body {
                    credits.extend(it.actors);
                }
            }
        });
        true
    });
    (credits, frames)
}

/// What such a peer is lent takes no memory for each of its messages, and it is told in the end.
#[tokio::test]
async fn a_peer_that_takes_nothing_is_told_later() {
    const MESSAGES: u64 = 5000;
    let idle = Idle::<SessionMessage>(Default::default());
    let (link, link_ended) = Actor::spawn(None, idle, ()).await.unwrap();
    let one = Mailbox::Bounded { capacity: NonZeroUsize::MIN, overflow: Overflow::Reject };
    let config = ActorConfig::default().with_mailbox(one);
    let (actor, ended) =
        Actor::spawn_with_config(None, Idle::<u64>(Default::default()), (), config).await.unwrap();
    let (cell, pid) = (actor.get_cell(), actor.get_id().pid());

    let bounds = Bounds {
        high: 1 << 18,
        calls: 1,
        write_deadline: Duration::ZERO,
        busy_poll: false,
        max_inbound: 1 << 20,
    };
    let traffic = DataPlane::new(1, bounds, Traces::default(), Arc::default());
    let (peer, local, kind) = (String::new(), String::new(), TransportKind::Tcp);
    traffic.add(Link {
        kind,
        peer,
        local,
        actor: link.clone(),
        lends: None,
        writer: None,
        sent: 0,
        pings: Pings::default(),
    });
    traffic.credits.speak(Some(1));
    traffic.open();
    traffic.announce_mailboxes([&cell]);

    while traffic.takes_answers() {
        let what = What::Cast { to: 1, method: "", metadata: None, trace: None };
        traffic.message(1, &what, (&[7; 60_000], &Bytes::new())).on();
    }
    let (credits, mut frames) = told(&traffic, link.get_id());
    assert!(credits.is_empty());
    for _ in 0..MESSAGES {
        let kind = Kind::Cast { to: pid, method: Cow::Borrowed(""), metadata: None };
        let args = Bytes::copy_from_slice(&7_u64.to_be_bytes());
        let message = Message { kind, args, lent: Bytes::new(), trace: None };
        traffic.deliver(message, &mut LastActor::default());
        while cell.mailbox_len() > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(told(&traffic, link.get_id()), (Vec::new(), 0), "it takes nothing");
    assert_eq!(locked(&traffic.credits.grants.due).len(), 1);

    assert!(traffic.acknowledged(ADAPTIVE, frames).is_ok());
    traffic.tell_grants();
    let (credits, more) = told(&traffic, link.get_id());
    frames += more;
    let total = ActorCredit { pid, granted: MESSAGES + 1, dropped: 0 };
    assert_eq!((credits, more), (vec![total], 1));
    assert!(traffic.acknowledged(ADAPTIVE, frames).is_ok());

    traffic.end();
    actor.stop(None);
    link.stop(None);
    ended.await.unwrap();
    link_ended.await.unwrap();
}
