//! Peers that are killed, suspended or cut off, and come back.

use std::time::Duration;

use libtest_mimic::Failed;
use rustix::process::Signal;

use super::pair;
use super::process::{Node, Options};

/// Short for a test, and long enough for a process that waits for its turn on a machine that is
/// busy.
const SILENCE: Duration = Duration::from_secs(3);
const SHORT: Duration = Duration::from_millis(100);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// The holder of a proxy learns that its node is gone, and why. No caller waits for an answer for
/// ever.
pub fn a_killed_peer_fails_its_calls() -> Result<(), Failed> {
    let options = Options::default().grace(SHORT);
    let (mut first, mut second) = pair(options, options)?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    second.ask("watch readers")?;
    second.ask("load readers")?;
    first.kill()?;
    second.ask("gone first")?;
    assert_eq!(second.ask("calls")?, "8 of 8 failed");
    let reason = second.ask("reason")?;
    assert_eq!(reason, "peer gone: first@localhost: its last link broke");
    second.ask("members readers 0")?;
    // It serves others.
    let mut third = Node::start("third", options)?;
    third.ask(&format!("connect {}", second.address))?;
    second.ask("spawn others adaptive")?;
    third.ask("members others 1")?;
    third.ask("cast others 1 10")?;
    assert_eq!(second.ask("received others 10")?, "10 in order");
    Ok(())
}

/// A peer that leaves in order says so, and no node waits for it to come back.
pub fn a_peer_that_leaves_is_not_waited_for() -> Result<(), Failed> {
    let options = Options::default().grace(LONG);
    let (mut first, mut second) = pair(options, options)?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    second.ask("watch readers")?;
    first.leave()?;
    second.ask("gone first")?;
    assert_eq!(second.ask("reason")?, "peer gone: first@localhost: it left");
    Ok(())
}

/// The last link breaks, again and again, while messages are under way.
pub fn a_session_survives_its_last_link() -> Result<(), Failed> {
    let options = Options::default().unix(false).grace(LONG);
    let (mut first, mut second) = pair(options, options)?;
    second.ask("await first remote tcp")?;
    first.ask("await second remote tcp")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    second.ask("watch readers")?;
    let session = second.ask("id first")?;
    const EACH: u64 = 10_000;
    for round in 0..6 {
        let (from, to) = (round * EACH + 1, (round + 1) * EACH);
        // It answers once all are cast, and not once they have gone.
        second.ask(&format!("cast readers {from} {to}"))?;
        // Either end may close it, in the midst of that.
        let closing = if round % 2 == 0 { &mut second } else { &mut first };
        closing.ask("close tcp")?;
        second.ask("await first remote tcp")?;
        first.ask("await second remote tcp")?;
    }
    let all = 6 * EACH;
    assert_eq!(first.ask(&format!("received readers {all}"))?, format!("{all} in order"));
    assert_eq!(second.ask("id first")?, session);
    // The proxy is the one that it was.
    assert_eq!(second.ask("call readers")?, all.to_string());
    Ok(())
}

/// A process that is suspended keeps its connections, and does nothing: only its silence tells.
pub fn a_suspended_peer_is_found_and_recovers() -> Result<(), Failed> {
    let options = Options::default().silence(SILENCE).grace(LONG);
    let (mut first, mut second) = pair(options, options)?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    let session = second.ask("id first")?;
    second.ask("cast readers 1 100")?;
    assert_eq!(first.ask("received readers 100")?, "100 in order");
    first.signal(Signal::STOP)?;
    second.ask("cast readers 101 200")?;
    second.ask("happened suspended 1")?;
    second.ask("cast readers 201 300")?;
    first.signal(Signal::CONT)?;
    second.ask("happened resumed 1")?;
    second.ask("cast readers 301 400")?;
    assert_eq!(first.ask("received readers 400")?, "400 in order");
    assert_eq!(second.ask("id first")?, session);
    Ok(())
}

/// A call to one actor does not wait for the casts to another one that were sent before it, and the
/// casts keep their order.
pub fn a_call_overtakes_what_others_are_sent() -> Result<(), Failed> {
    const CASTS: u64 = 200_000;
    for (location, locality, kind) in
        [("auto", "same-machine", "unix"), ("remote", "remote", "tcp")]
    {
        let options = Options::default().location(location);
        let (mut first, mut second) = pair(options, options)?;
        second.ask(&format!("await first {locality} {kind}"))?;
        first.ask("spawn readers adaptive")?;
        first.ask("spawn others adaptive")?;
        second.ask("members readers 1")?;
        second.ask("members others 1")?;
        first.signal(Signal::STOP)?;
        second.ask(&format!("cast readers 1 {CASTS}"))?;
        second.ask("begin others")?;
        first.signal(Signal::CONT)?;
        let before: u64 = second.ask("answer")?.parse()?;
        assert_eq!(first.ask(&format!("received readers {CASTS}"))?, format!("{CASTS} in order"));
        assert!(before < CASTS / 2, "{before} came first by {kind}");
    }
    Ok(())
}

/// Beyond the grace the session is over; the peer comes back as itself.
pub fn a_peer_that_comes_back_has_its_number() -> Result<(), Failed> {
    let options = Options::default().silence(SILENCE).grace(SHORT);
    let (mut first, mut second) = pair(options, options)?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    let id = second.ask("id first")?;
    first.signal(Signal::STOP)?;
    second.ask("gone first")?;
    first.signal(Signal::CONT)?;
    first.ask("gone second")?;
    second.ask(&format!("connect {}", first.address))?;
    second.ask("await first same-machine unix")?;
    second.ask("members readers 1")?;
    assert_eq!(second.ask("id first")?, id);
    second.ask("cast readers 1 10")?;
    assert_eq!(first.ask("received readers 10")?, "10 in order");
    // And another process of that name, too, which need not wait for anybody's grace.
    first.kill()?;
    let mut again = Node::start("first", options)?;
    second.ask("gone first")?;
    again.ask(&format!("connect {}", second.address))?;
    second.ask("await first same-machine unix")?;
    assert_eq!(second.ask("id first")?, id);
    Ok(())
}

/// A session that waits for its links to come back does not keep out its own peer, which knows
/// nothing of it.
pub fn a_waiting_session_gives_way() -> Result<(), Failed> {
    let options = Options::default().grace(LONG);
    let (mut first, mut second) = pair(options, options)?;
    second.ask("await first same-machine unix")?;
    first.kill()?;
    second.ask("happened suspended 1")?;
    let mut again = Node::start("first", options)?;
    again.ask(&format!("connect {}", second.address))?;
    again.ask("await second same-machine unix")?;
    second.ask("happened gone 1")?;
    second.ask("await first same-machine unix")?;
    again.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    second.ask("cast readers 1 10")?;
    assert_eq!(again.ask("received readers 10")?, "10 in order");
    Ok(())
}

/// A process hangs, and keeps its connections; another one takes its name, and keeps it when the
/// first goes on.
pub fn a_frozen_peer_is_replaced_at_once() -> Result<(), Failed> {
    // No peer is closed for its silence during the test.
    let options = Options::default().silence(LONG).grace(LONG);
    let (mut first, mut second) = pair(options, options)?;
    second.ask("await first same-machine unix")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    second.ask("watch readers")?;
    first.signal(Signal::STOP)?;
    let mut again = Node::start("first", options)?;
    again.ask(&format!("connect {}", second.address))?;
    second.ask("happened replaced 1")?;
    let reason = second.ask("reason")?;
    assert_eq!(reason, "peer gone: first@localhost: replaced by another incarnation");
    again.ask("await second same-machine unix")?;
    again.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    second.ask("cast readers 1 10")?;
    assert_eq!(again.ask("received readers 10")?, "10 in order");
    // The first learns why its session is over, and is told again when it comes back.
    first.signal(Signal::CONT)?;
    first.ask("happened superseded 1")?;
    first.ask("gone second")?;
    first.ask(&format!("connect {}", second.address))?;
    first.ask("happened superseded 2")?;
    assert_eq!(first.ask("peers")?, "");
    second.ask("cast readers 11 20")?;
    assert_eq!(again.ask("received readers 20")?, "20 in order");
    // No peer has the name any more: it is welcome.
    again.leave()?;
    second.ask("happened gone 2")?;
    first.ask(&format!("connect {}", second.address))?;
    first.ask("await second same-machine unix")?;
    Ok(())
}

/// Of two processes of a name the one that started later has it, whichever connects first, as long
/// as it answers.
pub fn an_older_twin_waits_for_the_newer_one() -> Result<(), Failed> {
    let options = Options::default().silence(LONG).grace(LONG);
    let mut second = Node::start("second", options)?;
    let connect = format!("connect {}", second.address);
    let mut older = Node::start("first", options)?;
    let mut newer = Node::start("first", options)?;
    newer.ask(&connect)?;
    second.ask("await first same-machine unix")?;
    newer.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    older.ask(&connect)?;
    older.ask("happened superseded 1")?;
    assert_eq!(older.ask("peers")?, "");
    second.ask("cast readers 1 10")?;
    assert_eq!(newer.ask("received readers 10")?, "10 in order");
    // As if the clock of a machine that was started again were behind.
    newer.signal(Signal::STOP)?;
    // What the newer one sent before it stopped may count as its answer once.
    older.ask(&format!("insist {} second", second.address))?;
    older.ask("await second same-machine unix")?;
    second.ask("happened replaced 1")?;
    older.ask("spawn others adaptive")?;
    second.ask("members others 1")?;
    second.ask("members readers 0")?;
    // And the one that was silent does not take it back.
    newer.signal(Signal::CONT)?;
    newer.ask("happened superseded 1")?;
    newer.ask(&connect)?;
    newer.ask("happened superseded 2")?;
    second.ask("cast others 1 10")?;
    assert_eq!(older.ask("received others 10")?, "10 in order");
    Ok(())
}
