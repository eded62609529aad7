//! What three processes see.

use std::future::Future;
use std::time::Duration;

use libtest_mimic::Failed;
use mycelium_ext::membership::MemberEvent;
use mycelium_ext::names::{Ignored, Names, RegisterError, Registration};
use mycelium_ext::node::Node;
use mycelium_ext::singleton::{self, Fence, FencingNumber, Place, SingletonRef};
use ractor::{ActorRef, ActorStatus, RpcReplyPort};
use ractor_cluster::NodeServerMessage;

use crate::log::Log;
use crate::process::{Process, runtime, soon};
use crate::worker::{Ask, ClockAsk, Worker, offer, start, start_in, worker_of};

/// Forged messages about names.
const FORGED: u64 = 100;

/// This process's node, and two others.
struct Scene {
    node: Node,
    worker: ActorRef<Ask>,
    first: Other,
    second: Other,
}

struct Other {
    process: Process,
    worker: ActorRef<Ask>,
}

impl Other {
    async fn of(process: Process, names: &Names, name: &str) -> Self {
        let worker = soon(names.wait_for(&worker_of(name))).await.expect("its type");
        Self { process, worker }
    }
}

fn run<T: Future<Output = ()>>(test: impl FnOnce(Scene) -> T) -> Result<(), Failed> {
    runtime().block_on(async {
        let node = start("home", None).await;
        let seed = node.membership().expect("it has a cluster").address().to_string();
        let processes = ["first", "second"].map(|name| Process::start(&["node", name, &seed]));
        let [first, second] = processes;
        let names = node.names().expect("it has a cluster").clone();
        let first = Other::of(first, &names, "first").await;
        let second = Other::of(second, &names, "second").await;
        let worker = Worker::spawn(&node).await;
        // The two know each other as well.
        assert_eq!(
            ask(&first.worker, |reply| Ask::Find(worker_of("second"), reply)).await,
            "second@test"
        );
        test(Scene { node, worker, first, second }).await;
        Ok(())
    })
}

async fn ask<T: Send + 'static>(
    actor: &ActorRef<Ask>,
    ask: impl FnOnce(RpcReplyPort<T>) -> Ask,
) -> T {
    soon(actor.call(ask, None)).await.expect("it is sent").expect("an answer")
}

async fn register(actor: &ActorRef<Ask>, name: &str) -> String {
    ask(actor, |reply| Ask::Register(name.to_owned(), reply)).await
}

/// Waits until this finds something.
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

fn names(scene: &Scene) -> &Names {
    scene.node.names().expect("it has a cluster")
}

pub(crate) fn one_of_three_processes_gets_a_name() -> Result<(), Failed> {
    run(async |scene| {
        for round in 0..5 {
            let name = format!("race {round}");
            let workers = [&scene.worker, &scene.first.worker, &scene.second.worker];
            let [home, first, second] = workers.map(|worker| register(worker, &name));
            let answers: [String; 3] = tokio::join!(home, first, second).into();
            let nodes = ["home@test", "first@test", "second@test"];
            let won = |answer: &&String| *answer == "ok";
            assert_eq!(answers.iter().filter(won).count(), 1, "{answers:?}");
            let winner = answers.iter().position(|it| it == "ok").expect("one got it");
            // Each process is led to the same actor.
            for worker in workers {
                let found = ask(worker, |reply| Ask::Find(name.clone(), reply)).await;
                assert_eq!(found, nodes[winner]);
            }
            // From now on the error says who has it.
            for worker in workers {
                let error = register(worker, &name).await;
                assert!(error.contains(nodes[winner]) && error.contains("has the name"), "{error}");
            }
        }
    })
}

/// Gets the name of a process that is gone, or suspended. The other process may not have missed it
/// yet, and is asked until it has. Gossip that was still on its way may bring back the one that is
/// gone, for as long as it takes to miss it again.
async fn register_when_free(names: &Names, worker: &ActorRef<Ask>) -> Registration {
    let registered = async {
        loop {
            until(|| names.holder("archive").is_none().then_some(())).await;
            match names.register("archive", worker).await {
                Ok(registered) => return registered,
                Err(RegisterError::Taken { holder, .. }) => assert_eq!(&*holder, "first@test"),
                Err(error) => panic!("{error}"),
            }
        }
    };
    soon(registered).await
}

pub(crate) fn the_name_of_a_killed_node_is_free() -> Result<(), Failed> {
    run(async |scene| {
        assert_eq!(register(&scene.first.worker, "archive").await, "ok");
        let before = until(|| names(&scene).holder("archive")).await;
        assert_eq!(&*before.node, "first@test");
        let error = soon(names(&scene).register("archive", &scene.worker)).await;
        assert!(matches!(error, Err(RegisterError::Taken { .. })), "{error:?}");

        scene.first.process.kill();
        let names = scene.node.names().expect("it has a cluster");
        let again = register_when_free(names, &scene.worker).await;
        assert!(again.number() > before.number, "{} {}", again.number(), before.number);
        let found = ask(&scene.second.worker, |reply| Ask::Find("archive".to_owned(), reply)).await;
        assert_eq!(found, "home@test");
    })
}

pub(crate) fn a_suspended_holder_is_told() -> Result<(), Failed> {
    run(async |scene| {
        assert_eq!(register(&scene.first.worker, "archive").await, "ok");
        let before = until(|| names(&scene).holder("archive")).await.number;
        scene.first.process.suspend();
        // It is down when both voices miss it.
        let mine = register_when_free(names(&scene), &scene.worker).await;
        assert!(mine.number() > before);
        scene.first.process.go_on();
        let worker: ActorRef<Ask> = soon(async {
            // Its references ended with the session.
            loop {
                let worker = names(&scene).wait_for::<Ask>(&worker_of("first")).await;
                let worker = worker.expect("its type");
                if let Ok(answer) = worker.call(Ask::Node, None).await {
                    if answer.is_success() {
                        return worker;
                    }
                }
            }
        })
        .await;
        let why = ask(&worker, |reply| Ask::Released("archive".to_owned(), reply)).await;
        assert!(why.contains("home@test") && why.contains(&mine.number().to_string()), "{why}");
        let found = ask(&worker, |reply| Ask::Find("archive".to_owned(), reply)).await;
        assert_eq!(found, "home@test");
        let holder = names(&scene).holder("archive").expect("it is held");
        assert_eq!(holder.number, mine.number());
    })
}

/// References end with their session. The member is alive all the time, so that its claims are the
/// same as before.
pub(crate) fn a_new_session_leads_to_the_same_actor() -> Result<(), Failed> {
    run(async |scene| {
        let name = worker_of("first");
        let before = names(&scene).holder(&name).expect("it is held");
        let mut events = scene.node.membership().expect("it has a cluster").events();
        let sessions = scene.node.server().call(NodeServerMessage::GetSessions, None);
        let sessions = soon(sessions).await.expect("it is sent").expect("an answer");
        sessions.into_values().for_each(|session| session.actor.stop(Some("a test".to_owned())));
        until(|| (before.actor.get_status() == ActorStatus::Stopped).then_some(())).await;
        let worker: ActorRef<Ask> = soon(names(&scene).wait_for(&name)).await.expect("its type");
        assert_eq!(ask(&worker, Ask::Node).await, "first@test");
        let after = names(&scene).holder(&name).expect("it is held");
        assert_eq!(after.number, before.number);
        while let Ok(event) = events.try_recv() {
            assert!(!matches!(event, MemberEvent::Down(_)), "{event:?}");
        }
    })
}

/// A node that has the cookie says that another one holds a name, or that it is another start of
/// itself. A number beyond all others would also have the true messages of that node ignored.
pub(crate) fn no_node_speaks_for_another() -> Result<(), Failed> {
    run(async |scene| {
        let forge = |from: &str, other_start, sequence| {
            let (to, from) = ("home@test".to_owned(), from.to_owned());
            ask(&scene.first.worker, move |reply| {
                Ask::Forge(to, from, other_start, sequence, "archive".to_owned(), reply)
            })
        };
        let ignored = |cause| names(&scene).ignored(cause);
        assert_eq!(ignored(Ignored::WrongSession), 0);
        let log = Log::begin(tracing::Level::WARN);
        forge("second@test", false, u64::MAX).await;
        until(|| (ignored(Ignored::WrongSession) == 1).then_some(())).await;
        // The log names both, and has a bound.
        let told = |line: &String| line.contains("a message about names is ignored");
        let line = until(|| log.take().into_iter().find(told)).await;
        let names_both = line.contains("node=\"first@test\"") && line.contains("second@test");
        assert!(names_both, "{line}");
        for _ in 1..FORGED {
            forge("second@test", false, u64::MAX).await;
        }
        until(|| (ignored(Ignored::WrongSession) == FORGED).then_some(())).await;
        let lines = log.take().iter().filter(|line| told(line)).count() as u64;
        assert!(lines < FORGED / 2, "{lines} lines of {FORGED} messages");
        forge("first@test", true, u64::MAX).await;
        until(|| (ignored(Ignored::WrongSession) == FORGED + 1).then_some(())).await;
        forge("home@test", false, u64::MAX).await;
        until(|| (ignored(Ignored::WrongSession) == FORGED + 2).then_some(())).await;
        assert!(names(&scene).holder("archive").is_none());
        // As itself it is heard, and it is found to be late.
        let late = ignored(Ignored::Late);
        forge("first@test", false, 0).await;
        until(|| (ignored(Ignored::Late) > late).then_some(())).await;
        assert_eq!(ignored(Ignored::WrongSession), FORGED + 2);
        // And so is the one for which it spoke.
        assert_eq!(register(&scene.second.worker, "archive").await, "ok");
        let holder = until(|| names(&scene).holder("archive")).await;
        assert_eq!(&*holder.node, "second@test");
    })
}

/// Of four processes without a full mesh, those that have names have sessions with all.
pub(crate) fn names_need_no_full_mesh() -> Result<(), Failed> {
    runtime().block_on(async {
        let node = start_in("home", None, Some(1)).await;
        let membership = node.membership().expect("it has a cluster");
        let seed = membership.address().to_string();
        let start = |name, what| Process::start(&["node", name, &seed, what]);
        let _quiet = ["second", "third"].map(|name| start(name, "quiet"));
        let alive = |count| {
            soon(membership.wait_for(move |members| {
                members.iter().filter(|member| member.state.is_alive()).count() == count
            }))
        };
        alive(3).await;
        let first = start("first", "named");
        let names = node.names().expect("it has a cluster");
        let worker = soon(names.wait_for::<Ask>(&worker_of("first"))).await.expect("its type");
        assert_eq!(ask(&worker, Ask::Node).await, "first@test");
        let peers = || {
            let mut peers: Vec<_> = node.peers().into_iter().map(|peer| peer.name).collect();
            peers.sort();
            peers
        };
        until(|| (peers() == ["first@test"]).then_some(())).await;

        // Names are unique all the same, and a singleton of the other process is found.
        let own = Worker::spawn(&node).await;
        let error = soon(names.register(&worker_of("first"), &own)).await.expect_err("it is taken");
        assert!(matches!(error, RegisterError::Taken { .. }), "{error}");
        assert_eq!(peers(), ["first@test"]);
        ask(&worker, |reply| Ask::Offer("clock".to_owned(), reply)).await;
        let clock = singleton::find::<ClockAsk>(names, "clock");
        assert_eq!(&*later(&clock, None).await.node, "first@test");

        // From now on this node has a name too.
        soon(names.register("archive", &own)).await.expect("it is free");
        until(|| (peers() == ["first@test", "second@test", "third@test"]).then_some(())).await;
        let found = ask(&worker, |reply| Ask::Find("archive".to_owned(), reply)).await;
        assert_eq!(found, "home@test");
        first.kill();
        until(|| names.holder(&worker_of("first")).is_none().then_some(())).await;
        Ok(())
    })
}

/// A later start than this one, and what its actor says.
async fn later(clock: &SingletonRef<ClockAsk>, before: Option<FencingNumber>) -> Place<ClockAsk> {
    let place =
        until(|| clock.place().expect("its type").filter(|it| Some(it.number) > before)).await;
    let said = soon(place.actor.call(ClockAsk::Who, None)).await.expect("it is sent");
    assert_eq!(said.expect("an answer"), (place.node.to_string(), place.number));
    place
}

pub(crate) fn a_singleton_moves() -> Result<(), Failed> {
    run(async |scene| {
        let clock = singleton::find::<ClockAsk>(names(&scene), "clock");
        let fence = Fence::new();
        // The first process runs it, and is killed.
        ask(&scene.first.worker, |reply| Ask::Offer("clock".to_owned(), reply)).await;
        let one = later(&clock, None).await;
        assert_eq!(&*one.node, "first@test");
        ask(&scene.second.worker, |reply| Ask::Offer("clock".to_owned(), reply)).await;
        assert_eq!(ask(&scene.second.worker, Ask::Running).await, 0);
        fence.admit(one.number).expect("it is the first");
        scene.first.process.kill();
        let two = later(&clock, Some(one.number)).await;
        assert_eq!(&*two.node, "second@test");
        assert_eq!(ask(&scene.second.worker, Ask::Running).await, 1);
        fence.admit(two.number).expect("it is later");

        // The second one is suspended, and goes on when another one has it.
        let names = scene.node.names().expect("it has a cluster");
        let kept = offer(names, "home@test", "clock");
        scene.second.process.suspend();
        let three = later(kept.reference(), Some(two.number)).await;
        assert_eq!(&*three.node, "home@test");
        fence.admit(three.number).expect("it is later");
        fence.admit(two.number).expect_err("it is outdated");
        scene.second.process.go_on();
        soon(async {
            loop {
                let worker = names.wait_for::<Ask>(&worker_of("second")).await.expect("its type");
                if let Ok(running) = worker.call(Ask::Running, None).await {
                    if running.is_success() && running.unwrap() == 0 {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        assert_eq!(later(&clock, Some(two.number)).await.number, three.number);
    })
}
