//! What goes wrong in an actor stays there: nothing leaks, nothing hangs, nothing is lost silently.
//!
//! Each message holds a token; how many tokens are left says whether one leaked.

mod common;

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use common::{bounded, let_others_run, Gate, Gated};
use ractor::actor::actor_config::Overflow;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, MessagingErr, SupervisionEvent};

/// A message that can be counted while it lives.
struct Live {
    token: Arc<()>,
    then: Then,
}

/// What becomes of the actor that handles it.
#[derive(Clone, Copy)]
enum Then {
    GoesOn,
    Fails,
    Panics,
    /// Waits, for good.
    Waits,
    /// Sends itself another, for good.
    #[cfg_attr(not(feature = "tokio_runtime"), allow(dead_code))]
    Again,
}

#[cfg(feature = "cluster")]
impl ractor::Message for Live {}

/// Makes messages and counts those that live.
struct Census(Arc<()>);

impl Census {
    fn new() -> Self {
        Self(Arc::new(()))
    }

    fn message(&self, then: Then) -> Live {
        Live { token: self.0.clone(), then }
    }

    fn living(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Does what its messages say, and counts them.
#[derive(Default)]
struct Victim(Arc<AtomicU64>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Victim {
    type Msg = Live;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Live>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Live>,
        message: Live,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match message.then {
            Then::GoesOn => Ok(()),
            Then::Fails => Err("it was told to".into()),
            Then::Panics => panic!("it was told to"),
            Then::Waits => std::future::pending().await,
            Then::Again => {
                // Refused when it drains.
                let _ = myself.cast(Live { token: message.token, then: Then::Again });
                Ok(())
            }
        }
    }
}

/// Tells how its children end.
struct Supervisor(tokio::sync::mpsc::UnboundedSender<String>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Supervisor {
    type Msg = u64;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<u64>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let end = match event {
            SupervisionEvent::ActorFailed(_, error) => format!("failed: {error}"),
            SupervisionEvent::ActorTerminated(_, _, reason) => {
                format!("ended: {}", reason.unwrap_or_default())
            }
            _ => return Ok(()),
        };
        Ok(self.0.send(end)?)
    }
}

#[ractor::concurrency::test]
async fn what_waited_for_an_actor_that_ends_ends_with_it() {
    let (events, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let (supervisor, _) = Actor::spawn(None, Supervisor(events), ()).await.unwrap();
    for (then, end) in [
        (Then::Fails, "failed: it was told to"),
        (Then::Panics, "failed: it was told to"),
        (Then::Waits, "ended: killed"),
    ] {
        let census = Census::new();
        let handled = Arc::new(AtomicU64::new(0));
        let victim = Victim(handled.clone());
        let spawned = Actor::spawn_linked(None, victim, (), supervisor.get_cell()).await;
        let (victim, handle) = spawned.unwrap();
        victim.cast(census.message(then)).unwrap();
        for _ in 0..1000 {
            // Refused by one that has ended already.
            let _ = victim.cast(census.message(Then::GoesOn));
        }
        while handled.load(Ordering::Relaxed) == 0 {
            let_others_run().await;
        }
        if matches!(then, Then::Waits) {
            victim.kill();
        }
        assert_eq!(ends.recv().await.unwrap(), end);
        handle.await.unwrap();
        assert_eq!(census.living(), 0);
        assert_eq!(victim.get_status(), ActorStatus::Stopped);
        assert_eq!(victim.mailbox_len(), 0);
    }
    supervisor.stop(None);
}

#[test]
fn references_may_be_used_after_a_panic() {
    fn is_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    is_unwind_safe::<ractor::ActorCell>();
    is_unwind_safe::<ActorRef<u64>>();
}

#[ractor::concurrency::test]
async fn a_stopped_actor_returns_a_million_messages() {
    let census = Census::new();
    let (victim, handle) = Actor::spawn(None, Victim::default(), ()).await.unwrap();
    victim.stop(None);
    handle.await.unwrap();
    for _ in 0..1_000_000 {
        match victim.cast(census.message(Then::GoesOn)) {
            Err(MessagingErr::SendErr(message)) => assert!(Arc::ptr_eq(&message.token, &census.0)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(census.living(), 0);
    assert_eq!(victim.mailbox_len(), 0);
}

#[ractor::concurrency::test]
async fn a_sender_that_is_cancelled_takes_its_message_along() {
    let census = Census::new();
    let handled = Arc::new(AtomicU64::new(0));
    let config = bounded(1, Overflow::Reject);
    let victim = Victim(handled.clone());
    let (victim, handle) = Actor::spawn_with_config(None, victim, (), config).await.unwrap();
    victim.cast(census.message(Then::Waits)).unwrap();
    while handled.load(Ordering::Relaxed) == 0 {
        let_others_run().await;
    }
    victim.cast(census.message(Then::GoesOn)).unwrap();
    {
        let mut sending = Box::pin(victim.send(census.message(Then::GoesOn)));
        assert!(futures_pending(sending.as_mut()).await, "there is no room");
        assert_eq!(census.living(), 3);
    }
    assert_eq!(census.living(), 2);
    assert_eq!(victim.mailbox_len(), 1);
    victim.kill();
    handle.await.unwrap();
    assert_eq!(census.living(), 0);
}

/// Polls once; whether it waits.
async fn futures_pending<F: std::future::Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
    })
    .await
}

#[ractor::concurrency::test]
async fn a_kill_of_a_full_mailbox_frees_it_and_whoever_waits() {
    let census = Census::new();
    let handled = Arc::new(AtomicU64::new(0));
    let config = bounded(8, Overflow::Reject);
    let victim = Victim(handled.clone());
    let (victim, handle) = Actor::spawn_with_config(None, victim, (), config).await.unwrap();
    victim.cast(census.message(Then::Waits)).unwrap();
    while handled.load(Ordering::Relaxed) == 0 {
        let_others_run().await;
    }
    for _ in 0..8 {
        victim.cast(census.message(Then::GoesOn)).unwrap();
    }
    assert!(victim.cast(census.message(Then::GoesOn)).is_err());
    let waiting = victim.clone();
    let message = census.message(Then::GoesOn);
    let waits = ractor::concurrency::spawn(async move { waiting.send(message).await.is_err() });
    let_others_run().await;
    assert_eq!((victim.mailbox_len(), victim.mailbox_high_water()), (8, 8));
    victim.kill();
    handle.await.unwrap();
    assert!(waits.await.unwrap(), "its message came back");
    assert_eq!(census.living(), 0);
}

#[ractor::concurrency::test]
async fn how_much_waits_can_be_asked() {
    let (mut gate, gated) = Gate::new();
    let (actor, handle) = Actor::spawn(None, Gated, gated).await.unwrap();
    assert_eq!((actor.mailbox_len(), actor.mailbox_high_water()), (0, 0));
    actor.cast(0).unwrap();
    assert_eq!(gate.entered.recv().await, Some(0));
    for number in 1..=100 {
        actor.cast(number).unwrap();
    }
    assert_eq!(actor.mailbox_len(), 100);
    gate.go_on.send(()).unwrap();
    assert_eq!(gate.entered.recv().await, Some(1));
    assert_eq!((actor.mailbox_len(), actor.mailbox_high_water()), (99, 100));
    gate.open();
    actor.drain().unwrap();
    handle.await.unwrap();
    assert_eq!((actor.mailbox_len(), actor.mailbox_high_water()), (0, 100));
}

#[cfg(feature = "tokio_runtime")]
mod runtimes {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;

    use tokio::runtime::{Builder, Runtime};

    fn one_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_runtime_that_goes_takes_its_mail_along() {
        let census = Census::new();
        let runtime = one_thread();
        let (busy, idle) = runtime.block_on(async {
            let busy = Actor::spawn(None, Victim::default(), ()).await.unwrap().0;
            let idle = Actor::spawn(None, Victim::default(), ()).await.unwrap().0;
            busy.cast(census.message(Then::Waits)).unwrap();
            let_others_run().await;
            (busy, idle)
        });
        for _ in 0..1000 {
            busy.cast(census.message(Then::GoesOn)).unwrap();
            idle.cast(census.message(Then::GoesOn)).unwrap();
        }
        assert!(census.living() >= 2000);
        drop(runtime);
        assert_eq!(census.living(), 0);
        for actor in [busy, idle] {
            assert_eq!(actor.get_status(), ActorStatus::Stopped);
            assert!(actor.cast(census.message(Then::GoesOn)).is_err());
        }
        assert_eq!(census.living(), 0);
    }

    #[test]
    fn an_actor_without_end_lets_others_run_and_can_be_stopped() {
        let census = Census::new();
        one_thread().block_on(async {
            let handled = Arc::new(AtomicU64::new(0));
            let (endless, handle) = Actor::spawn(None, Victim(handled.clone()), ()).await.unwrap();
            let (neighbour, _) = Actor::spawn(None, Victim::default(), ()).await.unwrap();
            endless.cast(census.message(Then::Again)).unwrap();
            for _ in 0..100 {
                neighbour.cast(census.message(Then::GoesOn)).unwrap();
                while neighbour.mailbox_len() > 0 {
                    let_others_run().await;
                }
            }
            assert!(handled.load(Ordering::Relaxed) > 100, "it ran all the time");
            endless.stop(None);
            handle.await.unwrap();
            neighbour.stop_and_wait(None, None).await.unwrap();
        });
        assert_eq!(census.living(), 0);
    }

    /// Blocks its thread until it is let go.
    struct Blocker(std::sync::mpsc::SyncSender<()>, Arc<AtomicBool>);

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Blocker {
        type Msg = u64;
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            _: ActorRef<u64>,
            _: u64,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            let _ = self.0.send(());
            while !self.1.load(Ordering::Acquire) {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            Ok(())
        }
    }

    #[test]
    fn a_handler_that_blocks_harms_nobody_else_and_is_stopped_when_it_lets_go() {
        let census = Census::new();
        let (blocks, blocked) = std::sync::mpsc::sync_channel(1);
        let let_go = Arc::new(AtomicBool::new(false));
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let blocker = Blocker(blocks, let_go.clone());
            let (blocker, handle) = Actor::spawn(None, blocker, ()).await.unwrap();
            let (neighbour, neighbours) = Actor::spawn(None, Victim::default(), ()).await.unwrap();
            blocker.cast(1).unwrap();
            tokio::task::spawn_blocking(move || blocked.recv()).await.unwrap().unwrap();
            for _ in 0..1000 {
                neighbour.cast(census.message(Then::GoesOn)).unwrap();
            }
            neighbour.drain().unwrap();
            neighbours.await.unwrap();

            for _ in 0..1000 {
                blocker.cast(2).unwrap();
            }
            blocker.kill();
            assert!(!handle.is_finished());
            let_go.store(true, Ordering::Release);
            handle.await.unwrap();
            assert!(blocker.cast(3).is_err());
        });
        assert_eq!(census.living(), 0);
    }
}
