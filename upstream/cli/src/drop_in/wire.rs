//! Stock nodes and nodes of the fork, each in a process of its own, in one cluster.

mod process;

use std::path::PathBuf;

use super::work::{CRATES, Work, ensure, succeed};
use crate::Failure;
use process::{Node, Program};

pub(super) fn prove(work: &Work<'_>) -> Result<(), Failure> {
    let root = &work.repository.root;
    let patch = work.patch(&CRATES, |name| format!("path = {:?}", root.join(name)));
    let stock = Program { name: "stock", path: build(work, "stock node", "")? };
    let fork = Program { name: "fork", path: build(work, "forked node", &patch)? };
    let mut failures = Vec::new();
    // The first pair shows that the application expects nothing but what stock does.
    for (first, second) in [(&stock, &stock), (&stock, &fork), (&fork, &stock), (&fork, &fork)] {
        for (name, scenario) in SCENARIOS {
            let pair = format!("{name}, the {} connected to by the {}", first.name, second.name);
            match scenario(first, second) {
                Ok(()) => println!("{pair}: as it should be"),
                Err(error) => failures.push(format!("{pair}: {error}")),
            }
        }
    }
    ensure(failures.is_empty(), failures.join("\n"))
}

fn build(work: &Work<'_>, name: &str, patch: &str) -> Result<PathBuf, Failure> {
    let app = work.application(name, patch)?;
    // The versions that the tests were compiled with, which are compiled already. The proofs that
    // share nothing take the newest of everything.
    std::fs::copy(work.repository.root.join("Cargo.lock"), app.join("Cargo.lock"))?;
    succeed(&mut work.sharing(&app, &["build", "--features=cluster"]))?;
    let lock = std::fs::read_to_string(app.join("Cargo.lock"))?;
    let forked = lock.contains("+mycelium");
    ensure(forked != patch.is_empty(), format!("the {name} took the wrong ractor"))?;
    let program = work.path(&format!("{name} program"));
    std::fs::copy(work.built("drop-in-app"), &program)?;
    Ok(program)
}

/// Of two programs; the second connects where only one does.
type Scenario = fn(&Program, &Program) -> Result<(), Failure>;

const SCENARIOS: [(&str, Scenario); 6] = [
    ("messages", messages),
    ("process groups", groups),
    ("an actor's end", end_of_an_actor),
    ("a disconnect", disconnect),
    ("a simultaneous connect", simultaneous_connect),
    ("a restart", restart),
];

/// Two nodes with a session.
fn pair(first: &Program, second: &Program) -> Result<(Node, Node), Failure> {
    let (mut first, mut second) = (Node::start(first, "first")?, Node::start(second, "second")?);
    connect(&mut second, &mut first)?;
    Ok((first, second))
}

fn connect(from: &mut Node, to: &mut Node) -> Result<(), Failure> {
    from.expect(&format!("connect {}", to.port), "")?;
    ready(from, to)
}

fn ready(one: &mut Node, other: &mut Node) -> Result<(), Failure> {
    one.expect(&format!("ready {}", other.name), "")?;
    other.expect(&format!("ready {}", one.name), "")
}

/// The owner's actor, which is new, gets what the sender sends it, all of it and in order, and
/// answers.
fn exchange(owner: &mut Node, sender: &mut Node, actor: &str) -> Result<(), Failure> {
    owner.expect(&format!("spawn {actor}"), "")?;
    owner.expect(&format!("join {actor} {actor}s"), "")?;
    sender.expect(&format!("members {actor}s {actor}"), "")?;
    sender.expect(&format!("cast {actor}s 1 1000"), "")?;
    // A call comes after what was cast before it.
    sender.expect(&format!("call {actor}s"), "1000")?;
    sender.expect(&format!("cast {actor}s 1001 1010"), "")?;
    sender.expect(&format!("call-timed {actor}s"), "1010")?;
    owner.expect(&format!("received {actor} 1010"), "1010 in order")
}

fn messages(first: &Program, second: &Program) -> Result<(), Failure> {
    let (mut first, mut second) = pair(first, second)?;
    exchange(&mut first, &mut second, "one")?;
    exchange(&mut second, &mut first, "two")?;
    // A call without an answer ends at its time, and harms no other.
    for (node, group) in [(&mut second, "ones"), (&mut first, "twos")] {
        node.expect(&format!("call-late {group}"), "unanswered")?;
        node.expect(&format!("call {group}"), "1010")?;
    }
    Ok(())
}

/// Members of before the session and of during it, their names, and that they leave.
fn groups(first: &Program, second: &Program) -> Result<(), Failure> {
    let (mut first, mut second) = (Node::start(first, "first")?, Node::start(second, "second")?);
    for (node, actor) in [(&mut first, "early-one"), (&mut second, "early-two")] {
        node.expect(&format!("spawn {actor}"), "")?;
        node.expect(&format!("join {actor} early"), "")?;
    }
    connect(&mut second, &mut first)?;
    second.expect("members early early-one", "")?;
    first.expect("members early early-two", "")?;
    let mut nodes = [first, second];
    for (node, other, actor) in [(0, 1, "late-one"), (1, 0, "late-two")] {
        nodes[node].expect(&format!("spawn {actor}"), "")?;
        nodes[node].expect(&format!("join {actor} late"), "")?;
        nodes[node].expect(&format!("join {actor} early"), "")?;
        nodes[other].expect(&format!("members late {actor}"), "")?;
        let early = actor.replace("late", "early");
        nodes[other].expect(&format!("members early {early} {actor}"), "")?;
        nodes[node].expect(&format!("leave {actor} late"), "")?;
        nodes[node].expect(&format!("leave {early} early"), "")?;
        nodes[other].expect("members late", "")?;
        nodes[other].expect(&format!("members early {actor}"), "")?;
        // It is still there, and comes back.
        nodes[node].expect(&format!("join {early} late"), "")?;
        nodes[other].expect(&format!("members late {early}"), "")?;
        nodes[node].expect(&format!("leave {early} late"), "")?;
        nodes[other].expect("members late", "")?;
    }
    Ok(())
}

fn end_of_an_actor(first: &Program, second: &Program) -> Result<(), Failure> {
    let (mut first, mut second) = pair(first, second)?;
    for round in 0..2 {
        let (owner, other) = match round {
            0 => (&mut first, &mut second),
            _ => (&mut second, &mut first),
        };
        let (stays, goes) = (format!("stays-{round}"), format!("goes-{round}"));
        for actor in [&goes, &stays] {
            owner.expect(&format!("spawn {actor}"), "")?;
            owner.expect(&format!("join {actor} all-{round}"), "")?;
        }
        owner.expect(&format!("join {goes} gone-{round}"), "")?;
        other.expect(&format!("members all-{round} {goes} {stays}"), "")?;
        other.expect(&format!("members gone-{round} {goes}"), "")?;
        other.expect(&format!("hold gone-{round}"), "")?;
        owner.expect(&format!("stop {goes}"), "")?;
        other.expect("held-stopped", "true")?;
        other.expect(&format!("members all-{round} {stays}"), "")?;
        other.expect(&format!("call all-{round}"), "0")?;
    }
    Ok(())
}

/// Both notice, whichever end goes, and nothing of the other is left.
fn disconnect(first: &Program, second: &Program) -> Result<(), Failure> {
    for first_goes in [true, false] {
        let (mut first, mut second) = pair(first, second)?;
        exchange(&mut first, &mut second, "one")?;
        exchange(&mut second, &mut first, "two")?;
        let (goes, mut stays, group) =
            if first_goes { (first, second, "ones") } else { (second, first, "twos") };
        stays.expect(&format!("hold {group}"), "")?;
        let name = goes.name;
        drop(goes);
        stays.expect(&format!("gone {name}"), "")?;
        stays.expect("sessions 0", "")?;
        stays.expect("held-stopped", "true")?;
        stays.expect(&format!("members {group}"), "")?;
    }
    Ok(())
}

/// Of two connections at once, one is given up by both.
fn simultaneous_connect(first: &Program, second: &Program) -> Result<(), Failure> {
    let (mut first, mut second) = (Node::start(first, "first")?, Node::start(second, "second")?);
    first.tell(&format!("connect {}", second.port))?;
    second.tell(&format!("connect {}", first.port))?;
    first.hear("connect")?;
    second.hear("connect")?;
    for node in [&mut first, &mut second] {
        node.expect("elected 2", "")?;
        node.expect("sessions 1", "")?;
    }
    exchange(&mut first, &mut second, "one")?;
    exchange(&mut second, &mut first, "two")
}

/// A peer that comes back is a peer like before, at either end and in either direction.
fn restart(first: &Program, second: &Program) -> Result<(), Failure> {
    let (server, caller) = (first, second);
    let (mut first, mut second) = pair(server, caller)?;
    exchange(&mut first, &mut second, "one")?;
    drop(first);
    second.expect("gone first", "")?;
    let mut first = Node::start(server, "first")?;
    connect(&mut second, &mut first)?;
    exchange(&mut first, &mut second, "one")?;
    exchange(&mut second, &mut first, "two")?;
    drop(second);
    first.expect("gone second", "")?;
    let mut second = Node::start(caller, "second")?;
    connect(&mut first, &mut second)?;
    second.expect("members ones one", "")?;
    exchange(&mut second, &mut first, "two")
}
