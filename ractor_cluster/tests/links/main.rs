//! Sessions between nodes in processes of their own: where they find each other to be, which links
//! they take, and what becomes of messages when links break.
//!
//! The test binary is the node as well, so that the tests need no other program: started with the
//! argument `node` it does what its standard input says.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

#[cfg(unix)]
mod failures;
#[cfg(target_os = "linux")]
mod namespaces;
mod node;
mod process;
#[path = "../common/witness.rs"]
mod witness;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use process::{Node, Options};

type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("node") {
        return node::run();
    }
    let tests: [(&str, Test); 10] = [
        ("a_broadcast_is_written_once_and_read_once", a_broadcast_is_written_and_read_once),
        ("neighbours_end_on_a_unix_socket", neighbours_end_on_a_unix_socket),
        ("calls_are_answered_by_every_link", calls_are_answered),
        ("nothing_is_lost_or_doubled_when_links_break", nothing_is_lost_or_doubled),
        ("a_broken_link_is_made_again", a_broken_link_is_made_again),
        ("a_peer_configured_remote_stays_on_tcp", a_remote_peer_stays_on_tcp),
        ("a_pinned_transport_moves_no_peer", a_pinned_transport_moves_no_peer),
        ("a_peer_configured_local_has_to_prove_it", a_local_peer_has_to_prove_it),
        ("an_actor_pins_its_transport", an_actor_pins_its_transport),
        ("a_session_ends_with_its_last_link", a_session_ends_with_its_last_link),
    ];
    let mut trials: Vec<_> =
        tests.map(|(name, test)| Trial::test(name, test)).into_iter().collect();
    #[cfg(unix)]
    trials.extend(of_failures());
    trials.extend(of_namespaces());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Those that kill and suspend processes.
#[cfg(unix)]
fn of_failures() -> Vec<Trial> {
    let tests: [(&str, Test); 9] = [
        ("a_call_overtakes_what_others_are_sent", failures::a_call_overtakes_what_others_are_sent),
        ("a_killed_peer_fails_its_calls", failures::a_killed_peer_fails_its_calls),
        ("a_peer_that_leaves_is_not_waited_for", failures::a_peer_that_leaves_is_not_waited_for),
        ("a_session_survives_its_last_link", failures::a_session_survives_its_last_link),
        (
            "a_suspended_peer_is_found_and_recovers",
            failures::a_suspended_peer_is_found_and_recovers,
        ),
        ("a_peer_that_comes_back_has_its_number", failures::a_peer_that_comes_back_has_its_number),
        ("a_waiting_session_gives_way", failures::a_waiting_session_gives_way),
        ("a_frozen_peer_is_replaced_at_once", failures::a_frozen_peer_is_replaced_at_once),
        ("an_older_twin_waits_for_the_newer_one", failures::an_older_twin_waits_for_the_newer_one),
    ];
    tests.map(|(name, test)| Trial::test(name, test)).into_iter().collect()
}

/// Those that need network namespaces, which not everybody may make.
#[cfg(target_os = "linux")]
fn of_namespaces() -> Vec<Trial> {
    let tests: [(&str, Test); 5] = [
        ("nodes_of_two_networks_stay_on_tcp", namespaces::nodes_of_two_networks_stay_on_tcp),
        (
            "a_node_of_another_network_is_not_local",
            namespaces::a_node_of_another_network_is_not_local,
        ),
        ("a_session_outlives_a_cut_wire", namespaces::a_session_outlives_a_cut_wire),
        (
            "a_partition_that_heals_in_time_loses_nothing",
            namespaces::a_partition_that_heals_in_time_loses_nothing,
        ),
        (
            "a_partition_that_lasts_ends_the_session",
            namespaces::a_partition_that_lasts_ends_the_session,
        ),
    ];
    let missing = namespaces::missing();
    if let Some(reason) = &missing {
        eprintln!("skipped: the tests with network namespaces cannot run here: {reason}");
    }
    let trial = |(name, test)| Trial::test(name, test).with_ignored_flag(missing.is_some());
    let mut trials: Vec<_> = tests.map(trial).into_iter().collect();
    let missing = missing.is_none().then(namespaces::spoiling_is_missing).flatten();
    if let Some(reason) = &missing {
        eprintln!("skipped: the test with a bad wire cannot run here: {reason}");
    }
    let bad_wire = Trial::test(
        "a_wire_that_delays_loses_and_reorders_is_no_reason",
        namespaces::a_wire_that_delays_loses_and_reorders_is_no_reason,
    );
    trials.push(bad_wire.with_ignored_flag(missing.is_some()));
    trials
}

#[cfg(not(target_os = "linux"))]
fn of_namespaces() -> Vec<Trial> {
    eprintln!("skipped: the tests with network namespaces need Linux");
    Vec::new()
}

/// Two nodes: the second connected to the first.
fn pair(first: Options, second: Options) -> Result<(Node, Node), Failed> {
    let first = Node::start("first", first)?;
    let mut second = Node::start("second", second)?;
    second.ask(&format!("connect {}", first.address))?;
    Ok((first, second))
}

fn neighbours_end_on_a_unix_socket() -> Result<(), Failed> {
    let (mut first, mut second) = pair(Options::default(), Options::default())?;
    first.ask("await second same-machine unix")?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    assert_eq!(second.ask("ids readers")?, "local-machine");
    second.ask("cast readers 1 100")?;
    assert_eq!(first.ask("received readers 100")?, "100 in order");
    // And calls, the other way.
    second.ask("spawn writers adaptive")?;
    first.ask("members writers 1")?;
    assert_eq!(first.ask("call writers")?, "0");
    // Pings go by each of the links, from both ends.
    assert_eq!(first.ask("round-trips second")?, "2");
    assert_eq!(second.ask("round-trips first")?, "2");
    Ok(())
}

/// To eight readers in each of two processes: no copy here, and one message there for all eight.
fn a_broadcast_is_written_and_read_once() -> Result<(), Failed> {
    let (mut first, mut second) = pair(Options::default(), Options::default())?;
    let mut feed = Node::start("feed", Options::default())?;
    for reader in [&mut first, &mut second] {
        feed.ask(&format!("connect {}", reader.address))?;
        reader.ask("await feed same-machine unix")?;
    }
    feed.ask("await first same-machine unix")?;
    feed.ask("await second same-machine unix")?;
    for reader in [&mut first, &mut second] {
        for _ in 0..8 {
            reader.ask("spawn readers adaptive")?;
        }
    }
    feed.ask("members readers 16")?;
    assert_eq!(feed.ask("share readers 1 300")?, "0");
    for reader in [&mut first, &mut second] {
        assert_eq!(reader.ask("received readers 300")?, "300 in order");
        assert_eq!(reader.ask("read")?, "300");
    }
    Ok(())
}

/// With whatever format the features give to values.
fn calls_are_answered() -> Result<(), Failed> {
    for (location, locality, kind) in
        [("auto", "same-machine", "unix"), ("remote", "remote", "tcp")]
    {
        let options = Options::default().location(location);
        let (mut first, mut second) = pair(options, options)?;
        first.ask(&format!("await second {locality} {kind}"))?;
        second.ask(&format!("await first {locality} {kind}"))?;
        first.ask("spawn readers adaptive")?;
        second.ask("spawn writers adaptive")?;
        second.ask("members readers 1")?;
        first.ask("members writers 1")?;
        second.ask("cast readers 1 10")?;
        assert_eq!(second.ask("echo readers")?, "10");
        assert_eq!(first.ask("echo writers")?, "0");
    }
    Ok(())
}

fn nothing_is_lost_or_doubled() -> Result<(), Failed> {
    let (mut first, mut second) = pair(Options::default(), Options::default())?;
    first.ask("await second same-machine unix")?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    const EACH: u64 = 20_000;
    for round in 0..6 {
        let (from, to) = (round * EACH + 1, (round + 1) * EACH);
        // It answers once all are cast, and not once they have gone.
        second.ask(&format!("cast readers {from} {to}"))?;
        // Either end may close it, in the midst of that.
        let closing = if round % 2 == 0 { &mut second } else { &mut first };
        closing.ask("close unix")?;
        first.ask("await second same-machine unix")?;
        second.ask("await first same-machine unix")?;
    }
    let all = 6 * EACH;
    assert_eq!(first.ask(&format!("received readers {all}"))?, format!("{all} in order"));
    Ok(())
}

fn a_broken_link_is_made_again() -> Result<(), Failed> {
    let (mut first, mut second) = pair(Options::default(), Options::default())?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    // Without the first connection the session lives on the better one.
    second.ask("close tcp")?;
    second.ask("cast readers 1 10")?;
    assert_eq!(first.ask("received readers 10")?, "10 in order");
    second.ask("links first tcp,unix")?;
    second.ask("close unix")?;
    second.ask("await first same-machine unix")?;
    second.ask("cast readers 11 20")?;
    assert_eq!(first.ask("received readers 20")?, "20 in order");
    Ok(())
}

fn a_remote_peer_stays_on_tcp() -> Result<(), Failed> {
    for (here, there) in [("auto", "remote"), ("remote", "auto")] {
        let (mut first, mut second) =
            pair(Options::default().location(here), Options::default().location(there))?;
        second.ask("await first remote tcp")?;
        first.ask("await second remote tcp")?;
        first.ask("spawn readers adaptive")?;
        second.ask("members readers 1")?;
        assert_eq!(second.ask("ids readers")?, "remote");
        second.ask("cast readers 1 10")?;
        assert_eq!(first.ask("received readers 10")?, "10 in order");
        assert_eq!(second.ask("kinds first")?, "tcp");
    }
    Ok(())
}

/// The choice of a transport does not change the locality: the Unix link proves it, and TCP carries
/// the messages.
fn a_pinned_transport_moves_no_peer() -> Result<(), Failed> {
    let (mut first, mut second) =
        pair(Options::default().location("pinned-tcp"), Options::default().location("pinned-tcp"))?;
    second.ask("await first same-machine tcp")?;
    first.ask("await second same-machine tcp")?;
    assert_eq!(second.ask("kinds first")?, "tcp,unix");
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    assert_eq!(second.ask("ids readers")?, "local-machine");
    second.ask("cast readers 1 10")?;
    assert_eq!(first.ask("received readers 10")?, "10 in order");
    // Now the lane has a link, and does not only expect one.
    second.ask("await first same-machine tcp")?;
    Ok(())
}

fn a_local_peer_has_to_prove_it() -> Result<(), Failed> {
    // It is here, and proves it.
    let (mut first, mut second) =
        pair(Options::default().location("local"), Options::default().location("local"))?;
    second.ask("await first same-machine unix")?;
    first.ask("await second same-machine unix")?;
    // It listens at no Unix socket, so that it cannot.
    let mut first = Node::start("first", Options::default().unix(false))?;
    let mut second = Node::start("second", Options::default().location("local"))?;
    let address = first.address.clone();
    second.ask(&format!("refused {address}"))?;
    assert_eq!(first.ask("peers")?, "");
    assert_eq!(second.ask("peers")?, "");
    Ok(())
}

fn an_actor_pins_its_transport() -> Result<(), Failed> {
    let (mut first, mut second) = pair(Options::default(), Options::default())?;
    second.ask("await first same-machine unix")?;
    let pins =
        [("tcp", "Tcp"), ("shm", "SharedMemory"), ("unix", "UnixSocket"), ("adaptive", "Adaptive")];
    for (group, preference) in pins {
        first.ask(&format!("spawn {group} {group}"))?;
        second.ask(&format!("members {group} 1"))?;
        assert_eq!(second.ask(&format!("pin {group}"))?, preference);
    }
    for group in ["tcp", "unix"] {
        second.ask(&format!("cast {group} 1 50"))?;
        assert_eq!(first.ask(&format!("received {group} 50"))?, "50 in order");
    }
    // There is no such link: the message comes back, by value and by `Arc`.
    assert_eq!(second.ask("try shm")?, "returned returned");
    // A link that breaks closes the way, and one that is made again opens it.
    second.ask("close unix")?;
    second.ask("await first same-machine unix")?;
    second.ask("cast unix 51 60")?;
    assert_eq!(first.ask("received unix 60")?, "60 in order");
    Ok(())
}

fn a_session_ends_with_its_last_link() -> Result<(), Failed> {
    let (first, mut second) = pair(Options::default(), Options::default())?;
    second.ask("await first same-machine unix")?;
    drop(first);
    second.ask("gone first")?;
    assert_eq!(second.ask("peers")?, "");
    Ok(())
}
