//! A peer that knows the cookie, and floods a node with control traffic: the node's memory stays
//! bounded, no turn of its runtime is long, and others are served meanwhile.
//!
//! A test of its own, since what is allocated is counted for the whole process.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]
#![allow(clippy::disallowed_methods, reason = "its client decodes what a node sent")]

#[allow(dead_code, reason = "the tests of hostile peers use all of it")]
#[path = "hostile/client.rs"]
mod client;
#[path = "common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the tests of hostile peers use all of it")]
#[path = "hostile/message.rs"]
mod message;
#[path = "hostile/watchdog/turns.rs"]
mod watchdog;
#[allow(dead_code, reason = "the tests of hostile peers use all of it")]
#[path = "hostile/wire.rs"]
mod wire;

use std::alloc::System;
use std::cell::Cell;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ractor::{pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use ractor_cluster::RactorClusterMessage;
use stats_alloc::{StatsAlloc, INSTRUMENTED_SYSTEM};

use client::Client;
use common::server::member;
use common::{peer, until, watched, Node};
use watchdog::watch;
use wire::{ControlBody, Enveloped, Frame, PgJoin, Terminate};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The frames of a flood.
const FRAMES: usize = 10_000;
/// The elements of the list in each. Decoded, all of them are 20 MB of actors, or of numbers.
const ACTORS: usize = 64;
const IDS: usize = 256;
/// What a flood may make the node hold at any time, in bytes: what waits, and the buffers of
/// connections.
const BOUND: usize = 3 * 512 * 1024;

/// The bytes that are allocated at present.
fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// Counts the calls that it gets.
struct Counter;

#[derive(RactorClusterMessage)]
enum Count {
    #[rpc]
    Sum(RpcReplyPort<u64>),
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Counter {
    type Msg = Count;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Count>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        Count::Sum(reply): Count,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        *sum += 1;
        Ok(reply.send(*sum)?)
    }
}

async fn guest(node: &Node, name: &str) -> Client {
    let mut client = Client::tcp(&node.address(TransportKind::Tcp)).await;
    client.join(name).await;
    client
}

/// Actors without numbers, which take two bytes each.
fn joins() -> ControlBody {
    let actors = vec![wire::Actor { pid: 0, name: None }; ACTORS];
    let (group, scope) = ("flooded".to_owned(), pg::DEFAULT_SCOPE.to_owned());
    ControlBody::PgJoin(PgJoin { group, actors, scope })
}

/// Ends of actors that there are not, of one byte each.
fn ends() -> ControlBody {
    ControlBody::Terminate(Terminate { ids: vec![1; IDS] })
}

#[tokio::test]
async fn a_flood_of_control_traffic_is_bounded_and_stalls_nobody() {
    let options = LinkOptions::default().with_reconnect_grace(Duration::ZERO);
    let node = Node::start("flooded", options).await;
    let (counter, ended) = member(Counter, "counters of flooded").await;
    let pid = counter.get_id().pid();
    let mut innocent = guest(&node, "innocent").await;
    for (name, body) in [("joins", joins()), ("ends", ends())] {
        let mut flooder = guest(&node, name).await;
        let before = live();
        let (most, calls, served) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let flood = async {
            for _ in 0..FRAMES {
                let envelope = flooder.envelope(Enveloped::from(body.clone()));
                flooder.send(Frame::Envelope(envelope)).await;
            }
            // Behind all of it.
            flooder.call(pid, "Sum").await;
            served.set(calls.get());
            // It ends in the middle of the next.
            for _ in 0..FRAMES / 10 {
                let envelope = flooder.envelope(Enveloped::from(body.clone()));
                flooder.send(Frame::Envelope(envelope)).await;
            }
            drop(flooder);
            until("its session has ended", || peer(name).is_none()).await;
            live()
        };
        let after = watch(watched(async {
            let mut flood = pin!(flood);
            let serve = async {
                loop {
                    innocent.call(pid, "Sum").await;
                    calls.set(calls.get() + 1);
                    // Most of the time is the flood's.
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                }
            };
            let mut serve = pin!(serve);
            poll_fn(|context| {
                most.set(live().max(most.get()));
                match serve.as_mut().poll(context) {
                    Poll::Ready(never) => never,
                    Poll::Pending => flood.as_mut().poll(context),
                }
            })
            .await
        }))
        .await;
        let held = most.get().saturating_sub(before);
        assert!(held <= BOUND, "{held} bytes were held at once during {FRAMES} {name}");
        let served = served.get();
        assert!(served >= 100, "{served} calls were answered during {FRAMES} {name}");
        // What had waited for its session is gone with it.
        let left = after.saturating_sub(before);
        assert!(left <= 64 * 1024, "{left} bytes are left of {name}");
    }
    drop(innocent);
    node.stop().await;
    counter.stop(None);
    watched(ended).await.expect("it ends in order");
}
