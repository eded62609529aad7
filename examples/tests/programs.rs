//! Each program runs to its end, and prints what it is there to show.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Far above what any of them takes; only a hang reaches it.
const HANG: Duration = Duration::from_secs(120);

/// Runs a program, and gives what it printed. One that hangs is killed.
fn printed(program: &str, arguments: &[&str]) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is built");
    let mut output = child.stdout.take().expect("a pipe");
    let (sender, text) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text);
        _ = sender.send(read.map(|_| text));
    });
    let text = text.recv_timeout(HANG);
    if text.is_err() {
        child.kill().expect("it is ours");
    }
    let status = child.wait().expect("it ended");
    let text = text.expect("it takes too long").expect("it is text");
    assert!(status.success(), "{status}: {text}");
    text
}

/// Demands each of these in what is printed, so often.
macro_rules! programs {
    ($($(#[$on:meta])* $name:ident: $($times:literal of $text:literal),+;)*) => {
        $(
            $(#[$on])*
            #[test]
            fn $name() {
                let text = printed(env!(concat!("CARGO_BIN_EXE_", stringify!($name))), &[]);
                $(assert_eq!(text.matches($text).count(), $times, "{}: {text}", $text);)+
            }
        )*
    };
}

programs! {
    ticks: 1 of "8 readers got 10000 ticks each, every tick allocated once";
    market_fanout: 1 of "64 readers: 64000 deliveries, 0 copies\n";
    paced_feed: 1 of "one reader: 200 ticks, at most ";
    slow_reader: 1 of "block          2000     2000         0        0         0          20\n";
    lagging_subscriber: 1 of "late: 1200\n", 0 of "late: 1199";
    dead_letters: 1 of "orders reached the other desk";
    market_lane: 4 of ": 1000000 ticks, ", 4 of "halted, within its limit";
    #[cfg(feature = "cluster")]
    two_nodes: 2 of "delivered: 2, failed: []", 2 of ": that is all\n";
    #[cfg(feature = "cluster")]
    remote_ends: 1 of "retires stopped: the work is done\n", 1 of "fails failed: the ledger is closed\n",
        1 of "panics panicked: there is no such price\n", 1 of "is killed stopped: killed\n",
        1 of "survives is out of reach: peer gone: workers";
    #[cfg(feature = "cluster")]
    order_book: 1 of "1000 books of 1 MiB, ";
    #[cfg(feature = "cluster")]
    shared_memory: 1 of "a call with 65536 bytes, and back: ", 1 of "a ping by tcp, and back: ";
    #[cfg(feature = "tls")]
    strict_nodes: 1 of "the reader is connected to feed@", 1 of "refused this node (certificate)";
    #[cfg(feature = "membership")]
    three_nodes: 1 of "was killed:\n", 1 of " is down\n", 5 of " is alive";
    #[cfg(feature = "membership")]
    rolling_restart: 1 of "3 nodes from the seed ", 3 of " was restarted in ",
        2 of ", 0 times two at once, 0 times a lower number\n", 1 of "each order is written once, and nothing was there twice\n";
    #[cfg(feature = "membership")]
    singleton: 1 of " is killed\n", 2 of " runs the clerk, with the number ", 1 of "book refuses";
    #[cfg(feature = "metrics")]
    metrics: 1 of "mycelium_waiting_messages{type=\"metrics::Slow\"}";
    #[cfg(feature = "spinning")]
    spinning_reader: 2 of "the one that ";
    #[cfg(feature = "otel")]
    traced: 1 of "\norder (desk)\n  Place (book)\n    match (book)\n";
    #[cfg(feature = "view")]
    stuck_handler: 2 of "has not returned from its handler";
}

/// Five are restarted, and the account is looked at here as well.
#[cfg(feature = "membership")]
#[test]
fn five_nodes_are_restarted_and_every_order_is_written_once() {
    let text = printed(env!("CARGO_BIN_EXE_rolling_restart"), &["5"]);
    let account = text.lines().find_map(|line| line.strip_prefix("orders placed: "));
    let (placed, written) = account.expect("an account").split_once(", written: ").expect("both");
    assert_eq!(placed, written, "{text}");
    assert!(placed.parse::<u64>().expect("a number") > 0, "{text}");
    assert_eq!(text.matches(" was restarted in ").count(), 5, "{text}");
    assert_eq!(
        text.matches(", 0 times two at once, 0 times a lower number\n").count(),
        2,
        "{text}"
    );
}
