//! What an actor that does nothing needs, and a message that waits.

use super::{Block, Casts, Life, Round, lane, ractors};
#[cfg(feature = "peers")]
use super::{channels, kameo, xtra};
use crate::Case;
use crate::contender::Scheduler;
use crate::resident;

/// The bytes of resident memory of this process that the case needs for each of its actors or
/// messages; `None` if the contender takes no part.
pub fn resident_bytes(case: Case, contender: &str) -> Option<f64> {
    let of = match case {
        Case::Idle(_) => idle_of(contender)?,
        Case::Queued(_) => queued_of(contender)?,
        _ => return None,
    };
    let count = case.deliveries();
    Some(of(count) as f64 / count as f64)
}

fn idle_of(contender: &str) -> Option<fn(u64) -> usize> {
    match contender {
        "stock" => Some(idle::<ractors::Stock>),
        "fork" => Some(idle::<ractors::Fork>),
        #[cfg(feature = "peers")]
        "kameo" => Some(idle::<kameo::Kameo>),
        #[cfg(feature = "peers")]
        "xtra" => Some(idle::<xtra::Xtra>),
        #[cfg(feature = "peers")]
        "tokio" => Some(idle::<channels::Tokio>),
        _ => None,
    }
}

fn queued_of(contender: &str) -> Option<fn(u64) -> usize> {
    match contender {
        "stock" => Some(queued::<ractors::Stock>),
        "fork" => Some(queued::<ractors::Fork>),
        "fast lane" => Some(queued::<lane::Lane<{ 1 << 20 }>>),
        #[cfg(feature = "peers")]
        "kameo" => Some(queued::<kameo::Kameo>),
        #[cfg(feature = "peers")]
        "xtra" => Some(queued::<xtra::Xtra>),
        #[cfg(feature = "peers")]
        "tokio" => Some(queued::<channels::Tokio>),
        #[cfg(feature = "peers")]
        "flume" => Some(queued::<channels::Flume>),
        #[cfg(feature = "peers")]
        "crossfire" => Some(queued::<channels::Crossfire>),
        _ => None,
    }
}

fn idle<S: Life>(actors: u64) -> usize {
    let runtime = Scheduler::Workers.runtime();
    runtime.block_on(async move {
        let spawning = async move {
            // What the process itself needs, and every thread's first actor.
            let mut idle = vec![S::spawn().await];
            idle.reserve(actors as usize);
            let before = resident::bytes();
            for _ in 0..actors {
                idle.push(S::spawn().await);
            }
            // The list of them is no actor's.
            let list = actors as usize * size_of::<S::Idle>();
            let after = resident::bytes();
            drop(idle);
            after.saturating_sub(before).saturating_sub(list)
        };
        tokio::spawn(spawning).await.expect("they live")
    })
}

fn queued<S: Casts<8>>(messages: u64) -> usize {
    // The actor's own thread is this one, so that it handles nothing meanwhile.
    let runtime = Scheduler::Current.runtime();
    let (round, _completed) = Round::of(messages + 1);
    let counter = runtime.block_on(async { tokio::spawn(S::counter(round)).await });
    let counter = counter.expect("it starts");
    let _entered = runtime.enter();
    S::cast(&counter, Block::new(0));
    let before = resident::bytes();
    for number in 0..messages {
        S::cast(&counter, Block::new(number));
    }
    resident::bytes().saturating_sub(before)
}
