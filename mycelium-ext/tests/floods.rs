//! What strangers can make a node log: a few lines for each cause, however often they come back. In
//! a binary of its own, since the log is the process's.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mycelium_ext::node::Node;

#[path = "refusals/log.rs"]
mod log;

use log::Log;

/// Connections of each kind.
const MANY: usize = 500;

/// Lines of one kind at once, and how far apart the lines behind them are.
const BURST: usize = 8;
const INTERVAL: Duration = Duration::from_secs(10);

/// Eight bytes, and each is a connection's whole life.
const KINDS: [[u8; 8]; 4] = [
    // An empty frame, which is a message of nothing.
    [0; 8],
    // A frame of more bytes than there are.
    [0xff; 8],
    // The length of a frame that never comes.
    [0, 0, 0, 0, 0, 0, 0, 200],
    *b"GET / HT",
];

/// Each kind of line: the message, and the cause if it names one.
fn kinds(lines: &[String]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for line in lines {
        let (_, said) = line.split_once("message=").unwrap_or(("", line));
        // Up to the first number or field.
        let end = said.find(|it: char| it.is_ascii_digit() || it == '=').unwrap_or(said.len());
        let cause = line.split_once("cause=").and_then(|(_, cause)| cause.split(' ').next());
        let kind = match cause.filter(|_| said.contains("is refused")) {
            Some(cause) => format!("refused for {cause}"),
            None => format!("{} {}", &said[..end], cause.unwrap_or_default()),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

fn flood(address: SocketAddr) {
    for bytes in KINDS {
        for _ in 0..MANY {
            let mut stream = TcpStream::connect(address).expect("it listens");
            // The node may have closed it.
            let _ = stream.write_all(&bytes);
        }
    }
    // Behind them all.
    let mut last = TcpStream::connect(address).expect("it listens");
    let _ = last.write_all(&KINDS[1]);
    let _ = last.read_to_end(&mut Vec::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_eight_bytes_make_few_lines() {
    let node = Node::builder("flooded").host("test").cookie("sesame");
    let node = node.start().await.expect("a node");
    let endpoint = node.addresses()[0].endpoint().expect("TCP");
    let address = SocketAddr::new(endpoint.ip().expect("a number"), endpoint.port());
    let log = Log::begin(tracing::Level::INFO);
    let begin = Instant::now();
    tokio::task::spawn_blocking(move || flood(address)).await.expect("no panic");
    node.stop().await;
    let intervals = usize::try_from(begin.elapsed().as_secs() / INTERVAL.as_secs());
    let most = BURST + 1 + intervals.expect("it is short");
    let lines = log.take();
    let kinds = kinds(&lines);
    println!("{} lines of {} connections: {kinds:#?}", lines.len(), KINDS.len() * MANY);
    assert!(kinds.len() >= 3, "the log was not captured: {lines:#?}");
    for (kind, count) in kinds {
        assert!(count <= most, "{count} lines of the kind {kind:?}, where {most} are allowed");
    }
}
