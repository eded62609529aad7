//! Two network namespaces with a wire between them: two machines, as far as the network goes, that
//! share all files.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;

use super::process::{Node, Options};

/// The addresses of the two ends, of a network for documentation. There are no others in there.
const ADDRESSES: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

/// A network namespace, which goes with the guard, and its end of the wire with it.
struct Namespace {
    name: String,
    address: &'static str,
}

impl Namespace {
    fn make(name: String, address: &'static str) -> Result<Self, Failed> {
        ip(&["netns", "add", &name])?;
        Ok(Self { name, address })
    }

    /// `ip` in there.
    fn ip(&self, words: &[&str]) -> Result<(), Failed> {
        ip(&[&["-n", self.name.as_str()], words].concat())
    }

    fn start(&self, name: &'static str, options: Options) -> Result<Node, Failed> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(std::env::current_exe()?);
        Node::start_by(command, name, options, self.address)
    }

    /// Runs a program in there.
    fn exec(&self, words: &[&str]) -> Result<(), Failed> {
        ip(&[&["netns", "exec", self.name.as_str()], words].concat())
    }

    /// Has the wire delay, lose and reorder what goes out by this end. A kernel without netem loses
    /// it only, so that what is sent again comes late, and behind what was sent later.
    fn spoil_wire(&self) -> Result<(), Failed> {
        let qdisc = ["tc", "qdisc", "add", "dev", "wire", "root", "netem"];
        let netem = ["delay", "5ms", "4ms", "loss", "5%", "reorder", "25%"];
        let Err(failed) = self.exec(&[&qdisc[..], &netem[..]].concat()) else { return Ok(()) };
        let rules = "add table ip spoil; \
            add chain ip spoil out { type filter hook output priority 0; }; \
            add rule ip spoil out numgen random mod 100 < 5 drop";
        self.exec(&["nft", rules]).map_err(|also| {
            let [one, other] =
                [&failed, &also].map(|it| it.message().unwrap_or("the reason is not known"));
            format!("{one}; {other}").into()
        })
    }

    /// Cuts the wire at this end, or mends it.
    fn set_wire(&self, state: &str) -> Result<(), Failed> {
        self.ip(&["link", "set", "wire", state])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!(
                "the network namespace {} is left behind: {}",
                self.name,
                error.message().unwrap_or("why is not known")
            );
        }
    }
}

/// Both namespaces, connected.
struct Namespaces([Namespace; 2]);

impl Namespaces {
    fn make() -> Result<Self, Failed> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let name = |end| format!("mycelium-{process}-{number}-{end}");
        let [one, other] = ADDRESSES;
        let (one, other) = (Namespace::make(name("a"), one)?, Namespace::make(name("b"), other)?);
        // Made inside, so that the names of its ends collide with no others.
        let wire = ["link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns"];
        one.ip(&[&wire[..], &[other.name.as_str()]].concat())?;
        for end in [&one, &other] {
            end.ip(&["address", "add", &format!("{}/30", end.address), "dev", "wire"])?;
            end.ip(&["link", "set", "lo", "up"])?;
            end.ip(&["link", "set", "wire", "up"])?;
        }
        Ok(Self([one, other]))
    }
}

/// Removes what runs left behind that were killed.
fn sweep() {
    let Ok(listed) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for name in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        let process = name.strip_prefix("mycelium-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another run may have been faster.
            _ = ip(&["netns", "delete", name]);
        }
    }
}

/// Why there can be no namespaces here, if so.
pub fn missing() -> Option<String> {
    sweep();
    // What it made is gone again by then.
    let failed = Namespaces::make().err()?;
    Some(failed.message().unwrap_or("the reason is not known").to_owned())
}

fn ip(words: &[&str]) -> Result<(), Failed> {
    let command = || format!("`ip {}`", words.join(" "));
    let Output { status, stderr, .. } = match Command::new("ip").args(words).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err("there is no `ip`, which iproute2 has".into());
        }
        output => output?,
    };
    match status.success() {
        true => Ok(()),
        false => Err(format!("{}: {}", command(), String::from_utf8_lossy(&stderr).trim()).into()),
    }
}

/// Why a wire cannot be spoilt here, if so.
pub fn spoiling_is_missing() -> Option<String> {
    let failed = Namespaces::make().and_then(|namespaces| namespaces.0[0].spoil_wire()).err()?;
    Some(failed.message().unwrap_or("the reason is not known").to_owned())
}

/// Two nodes that reach each other by TCP, and a reader of the first that the second knows.
fn joined(Namespaces([here, there]): &Namespaces, options: Options) -> Result<[Node; 2], Failed> {
    let mut first = here.start("first", options)?;
    let mut second = there.start("second", options)?;
    second.ask(&format!("connect {}", first.address))?;
    second.ask("await first remote tcp")?;
    first.ask("spawn readers adaptive")?;
    second.ask("members readers 1")?;
    Ok([first, second])
}

/// They have the same files and the same boot id, and each could open the other's socket.
pub fn nodes_of_two_networks_stay_on_tcp() -> Result<(), Failed> {
    let namespaces = Namespaces::make()?;
    let Namespaces([_, there]) = &namespaces;
    let [mut first, mut second] = joined(&namespaces, Options::default())?;
    first.ask("await second remote tcp")?;
    assert_eq!(second.ask("ids readers")?, "remote");
    second.ask("cast readers 1 1000")?;
    assert_eq!(first.ask("received readers 1000")?, "1000 in order");
    assert_eq!(second.ask("kinds first")?, "tcp");
    // A third beside the second is a neighbour of that, and a stranger to the first.
    let mut third = there.start("third", Options::default())?;
    third.ask(&format!("connect {}", second.address))?;
    third.ask("await second same-machine unix")?;
    third.ask(&format!("connect {}", first.address))?;
    third.ask("await first remote tcp")?;
    assert_eq!(third.ask("kinds second")?, "tcp,unix");
    Ok(())
}

/// One that has to be on this machine is refused though it is: it cannot be shown from in there.
pub fn a_node_of_another_network_is_not_local() -> Result<(), Failed> {
    let namespaces = Namespaces::make()?;
    let Namespaces([here, there]) = &namespaces;
    let mut first = here.start("first", Options::default())?;
    let mut second = there.start("second", Options::default().location("local"))?;
    let address = first.address.clone();
    second.ask(&format!("refused {address}"))?;
    assert_eq!(first.ask("peers")?, "");
    Ok(())
}

/// As long as TCP goes on trying, the session does, and what was sent meanwhile arrives.
pub fn a_session_outlives_a_cut_wire() -> Result<(), Failed> {
    let namespaces = Namespaces::make()?;
    let Namespaces([here, there]) = &namespaces;
    let [mut first, mut second] = joined(&namespaces, Options::default())?;
    second.ask("cast readers 1 10")?;
    assert_eq!(first.ask("received readers 10")?, "10 in order");
    let session = second.ask("id first")?;
    let mut sent = 10;
    for end in [here, there] {
        end.set_wire("down")?;
        second.ask(&format!("cast readers {} {}", sent + 1, sent + 5000))?;
        assert_eq!(first.ask("received readers 0")?, format!("{sent} in order"));
        sent += 5000;
        end.set_wire("up")?;
        assert_eq!(first.ask(&format!("received readers {sent}"))?, format!("{sent} in order"));
    }
    assert_eq!(second.ask("id first")?, session);
    assert_eq!(second.ask("call readers")?, sent.to_string());
    Ok(())
}

/// Short for a test, and long enough for a process that waits for its turn on a machine that is
/// busy.
const SILENCE: Duration = Duration::from_secs(3);

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// A wire is cut for longer than either end takes for life: both wait, and go on when it is mended.
pub fn a_partition_that_heals_in_time_loses_nothing() -> Result<(), Failed> {
    let namespaces = Namespaces::make()?;
    let Namespaces([here, there]) = &namespaces;
    let options = Options::default().silence(SILENCE).grace(LONG);
    let mut first = here.start("first", options)?;
    let mut second = there.start("second", options)?;
    second.ask(&format!("connect {}", first.address))?;
    for (node, peer) in [(&mut first, "second"), (&mut second, "first")] {
        node.ask(&format!("await {peer} remote tcp"))?;
        node.ask("spawn readers adaptive")?;
    }
    first.ask("members readers 1")?;
    second.ask("members readers 1")?;
    let session = second.ask("id first")?;
    for (round, end) in [(0_u64, here), (1, there)] {
        end.set_wire("down")?;
        let (from, to) = (round * 2000 + 1, round * 2000 + 1000);
        first.ask(&format!("cast readers {from} {to}"))?;
        second.ask(&format!("cast readers {from} {to}"))?;
        for node in [&mut first, &mut second] {
            node.ask(&format!("happened suspended {}", round + 1))?;
        }
        let (from, to) = (to + 1, to + 1000);
        first.ask(&format!("cast readers {from} {to}"))?;
        second.ask(&format!("cast readers {from} {to}"))?;
        end.set_wire("up")?;
        for node in [&mut first, &mut second] {
            node.ask(&format!("happened resumed {}", round + 1))?;
            let received = node.ask(&format!("received readers {to}"))?;
            assert_eq!(received, format!("{to} in order"));
        }
    }
    assert_eq!(second.ask("id first")?, session);
    Ok(())
}

/// It is cut for good: the session ends, says what was not acknowledged, and the next one is a new
/// one under the same number.
pub fn a_partition_that_lasts_ends_the_session() -> Result<(), Failed> {
    let namespaces = Namespaces::make()?;
    let Namespaces([here, _]) = &namespaces;
    let options = Options::default().silence(SILENCE).grace(Duration::from_millis(100));
    let [mut first, mut second] = joined(&namespaces, options)?;
    second.ask("watch readers")?;
    let id = second.ask("id first")?;
    here.set_wire("down")?;
    second.ask("cast readers 1 100")?;
    second.ask("happened gone 1")?;
    first.ask("happened gone 1")?;
    assert_eq!(second.ask("lost")?, "100");
    let reason = second.ask("reason")?;
    assert!(reason.starts_with("peer gone: first@localhost: nothing came from it"), "{reason}");
    here.set_wire("up")?;
    second.ask(&format!("reach {}", first.address))?;
    second.ask("await first remote tcp")?;
    second.ask("members readers 1")?;
    assert_eq!(second.ask("id first")?, id);
    // Nothing of the old session came by the new one.
    second.ask("cast readers 1 10")?;
    assert_eq!(first.ask("received readers 10")?, "10 in order");
    Ok(())
}

/// A bad wire is not a dead one.
pub fn a_wire_that_delays_loses_and_reorders_is_no_reason() -> Result<(), Failed> {
    let namespaces = Namespaces::make()?;
    let Namespaces([here, there]) = &namespaces;
    here.spoil_wire()?;
    there.spoil_wire()?;
    let [mut first, mut second] = joined(&namespaces, Options::default())?;
    let session = second.ask("id first")?;
    second.ask("cast readers 1 20000")?;
    assert_eq!(first.ask("received readers 20000")?, "20000 in order");
    assert_eq!(second.ask("call readers")?, "20000");
    assert_eq!(second.ask("id first")?, session);
    Ok(())
}
