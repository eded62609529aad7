//! Nodes that gossip over UDP on loopback.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast::Receiver;

use super::*;
use crate::member::Incarnation;
use crate::options::Secret;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

const INTERVAL: Duration = Duration::from_millis(40);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it takes too long")
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A later start than all before.
fn incarnation() -> Incarnation {
    static STARTED: AtomicU64 = AtomicU64::new(1_000_000);
    let mut bytes: [u8; 16] = rand::random();
    bytes[..8].copy_from_slice(&STARTED.fetch_add(1000, Ordering::Relaxed).to_be_bytes());
    Incarnation::from_bytes(bytes)
}

fn options(name: &str, seeds: &[String]) -> Options {
    let mut options = Options::new(name, incarnation(), Secret::new("sesame"), loopback());
    options.interval = INTERVAL;
    options.seeds = seeds.to_vec();
    options
}

async fn started(options: Options) -> Membership {
    Membership::start(options, Arc::new(())).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn member(name: &str, seeds: &[String]) -> Membership {
    started(options(name, seeds)).await
}

fn alive(members: &[Member]) -> Vec<&str> {
    members.iter().filter(|it| it.state.is_alive()).map(|it| &*it.name).collect()
}

/// Waits until these are alive for `member`, and no others.
async fn sees(member: &Membership, names: &[&str]) -> Arc<[Member]> {
    soon(member.wait_for(|members| alive(members) == names)).await
}

async fn event<T>(
    events: &mut Receiver<MemberEvent>,
    wanted: impl Fn(MemberEvent) -> Option<T>,
) -> T {
    soon(async {
        loop {
            if let Some(found) = wanted(events.recv().await.expect("an event")) {
                return found;
            }
        }
    })
    .await
}

#[tokio::test]
async fn all_are_found_from_one_seed_which_may_be_a_name_and_oneself() {
    // A port that the seed knows before it starts.
    let port = std::net::UdpSocket::bind(loopback()).expect("a port").local_addr().expect("it");
    let seeds = [format!("localhost:{}", port.port())];
    let mut first = options("a@h", &seeds);
    first.listen = port;
    first.addresses = vec!["tcp://127.0.0.1:1".to_owned()];
    first.machine = Some("m".to_owned());
    let a = started(first.clone()).await;
    let mut events = a.events();
    let (b, c) = (member("b@h", &seeds).await, member("c@h", &seeds).await);
    for node in [&a, &b, &c] {
        let members = sees(node, &["a@h", "b@h", "c@h"]).await;
        assert_eq!(&*members[0].addresses, ["tcp://127.0.0.1:1"]);
        assert_eq!(members[0].machine.as_deref(), Some("m"));
        assert_eq!(members[0].incarnation, Some(first.incarnation));
        assert_eq!((members[0].gossip, &members[0].problem), (port, &None));
        let own: Vec<_> = members.iter().filter(|it| it.is_this_node).collect();
        assert_eq!((own.len(), own[0].gossip), (1, node.address()));
    }
    let up = |event| match event {
        MemberEvent::Up(it) => Some(it.name.to_string()),
        _ => None,
    };
    let told = HashSet::from([event(&mut events, up).await, event(&mut events, up).await]);
    assert_eq!(told, HashSet::from(["b@h".to_owned(), "c@h".to_owned()]));
    assert!(a.shared.wire.peers.lock().own().len() <= 2);

    // One goes, and comes back as another start.
    b.stop().await;
    sees(&a, &["a@h", "c@h"]).await;
    sees(&c, &["a@h", "c@h"]).await;
    let again = options("b@h", &seeds);
    let incarnation = again.incarnation;
    let b = started(again).await;
    for node in [&a, &b, &c] {
        let members = sees(node, &["a@h", "b@h", "c@h"]).await;
        assert_eq!(members[1].incarnation, Some(incarnation));
    }
    // And at once, while it still seems to live.
    let mut events = a.events();
    drop(b);
    let b = member("b@h", &seeds).await;
    let replaced = |event| match event {
        MemberEvent::Replaced { old, new } => Some((old.incarnation, new.name.to_string())),
        _ => None,
    };
    let (old, name) = event(&mut events, replaced).await;
    assert_eq!((old, name.as_str()), (Some(incarnation), "b@h"));
    sees(&b, &["a@h", "b@h", "c@h"]).await;
}

#[tokio::test]
async fn without_a_seed_a_node_runs_and_tells_once_until_one_comes() {
    let port = std::net::UdpSocket::bind(loopback()).expect("a port").local_addr().expect("it");
    let seeds = [port.to_string(), "no such host:1".to_owned()];
    let a = member("a@h", &seeds).await;
    let mut events = a.events();
    let nobody = |event| match event {
        MemberEvent::NoSeedAlive { seeds } => Some(seeds),
        _ => None,
    };
    assert_eq!(&*event(&mut events, nobody).await, seeds);
    assert_eq!(alive(&a.members()), ["a@h"]);
    let mut late = options("b@h", &[]);
    late.listen = port;
    let b = started(late).await;
    sees(&a, &["a@h", "b@h"]).await;
    sees(&b, &["a@h", "b@h"]).await;
    while let Ok(event) = events.try_recv() {
        assert!(nobody(event).is_none(), "it is told once");
    }
}

#[tokio::test]
async fn keys_change_while_nodes_run() {
    let with = |name: &str, seeds: &[String], secrets: &[&str]| {
        let mut options = options(name, seeds);
        options.secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        options
    };
    // From those that have not heard of the new one to those that have forgotten the old one.
    let b = started(with("b@h", &[], &["old", "new"])).await;
    let a = started(with("a@h", &[b.address().to_string()], &["old"])).await;
    let c = started(with("c@h", &[b.address().to_string()], &["new", "old"])).await;
    let d = started(with("d@h", &[c.address().to_string()], &["new"])).await;
    let stranger = started(with("e@h", &[c.address().to_string()], &["another"])).await;
    for node in [&a, &b, &c, &d] {
        sees(node, &["a@h", "b@h", "c@h", "d@h"]).await;
    }
    soon(async {
        while c.refused(Refused::Unsealed) == 0 {
            tokio::time::sleep(INTERVAL).await;
        }
    })
    .await;
    assert_eq!(alive(&stranger.members()), ["e@h"]);
}

#[tokio::test]
async fn two_live_processes_of_one_name_are_told_of() {
    let a = member("a@h", &[]).await;
    let mut events = a.events();
    let seeds = [a.address().to_string()];
    let first = member("twin@h", &seeds).await;
    sees(&a, &["a@h", "twin@h"]).await;
    let later = options("twin@h", &seeds);
    let incarnation = later.incarnation;
    let (second, mut of_first) = (started(later).await, first.events());
    let contested = |event| match event {
        MemberEvent::Contested { holder, is_this_node, .. } => Some((holder, is_this_node)),
        _ => None,
    };
    assert_eq!(event(&mut events, contested).await, (incarnation, false));
    assert_eq!(event(&mut of_first, contested).await, (incarnation, true));
    let members = sees(&a, &["a@h", "twin@h"]).await;
    assert_eq!(members[1].incarnation, Some(incarnation));
    drop(second);
    // The other one has the name again.
    soon(a.wait_for(|members| members[1].incarnation != Some(incarnation))).await;
}

#[tokio::test]
async fn gossip_is_larger_than_a_datagram() {
    const MEMBERS: usize = 24;
    let a = member("a@h", &[]).await;
    let seeds = [a.address().to_string()];
    let mut others = Vec::new();
    for number in 0..MEMBERS {
        let mut options = options(&format!("member-{number:02}@{}", "h".repeat(200)), &seeds);
        options.addresses =
            (0..8).map(|port| format!("tls://{}:{port}", "h".repeat(200))).collect();
        others.push(started(options).await);
    }
    let all = |members: &[Member]| {
        members.len() == MEMBERS + 1
            && members
                .iter()
                .all(|it| it.is_this_node || &*it.name == "a@h" || it.addresses.len() == 8)
    };
    for node in others.iter().chain([&a]) {
        soon(node.wait_for(all)).await;
    }
    assert_eq!(a.refused(Refused::TooLarge) + a.refused(Refused::Malformed), 0);
}

/// A socket that passes on what comes for a node, and records it. The node says that it is there.
struct Tap {
    address: SocketAddr,
    recorded: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tap {
    /// Between two nodes, of which one is dialled here.
    async fn to(node: SocketAddr) -> Self {
        let socket = UdpSocket::bind(loopback()).await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        let recorded: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let record = recorded.clone();
        let task = tokio::spawn(async move {
            let (mut buffer, mut other) = ([0; 2000], None);
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                record.lock().push(buffer[..length].to_vec());
                if from != node {
                    other = Some(from);
                }
                let to = if from == node { other } else { Some(node) };
                if let Some(to) = to {
                    let _ = socket.send_to(&buffer[..length], to).await;
                }
            }
        });
        Self { address, recorded, task }
    }
}

#[tokio::test]
async fn a_stranger_is_counted_and_gets_no_more_than_it_sends() {
    let a = member("a@h", &[]).await;
    let tap = Tap::to(a.address()).await;
    let b = member("b@h", &[tap.address.to_string()]).await;
    for node in [&a, &b] {
        sees(node, &["a@h", "b@h"]).await;
    }
    soon(async {
        while tap.recorded.lock().len() < 8 {
            tokio::time::sleep(INTERVAL).await;
        }
    })
    .await;
    b.stop().await;
    sees(&a, &["a@h"]).await;
    let recorded = tap.recorded.lock().clone();
    drop(tap);

    let stranger = UdpSocket::bind(loopback()).await.expect("a socket");
    let wrong_key = ClusterKey::new("mycelium", b"another");
    let mut wrong_key = Peers::new(vec![wrong_key]).expect("a key");
    let mut sent: Vec<Vec<u8>> = vec![vec![], vec![0; 1], vec![1; 200], vec![7; 1500]];
    let hello = wrong_key.send(a.address(), vec![1; 100], Instant::now()).expect("small");
    sent.extend(hello);
    for bit in [0, 9, 100, 300, 1000] {
        let mut flipped = recorded[0].clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        sent.push(flipped);
    }
    let strangers = sent.len() as u64;
    sent.extend(recorded.iter().cycle().take(400).cloned());
    let (mut bytes_out, mut bytes_in) = (0, 0);
    let mut buffer = [0; 2000];
    let before = a.members();
    for datagram in &sent {
        stranger.send_to(datagram, a.address()).await.expect("sent");
        bytes_out += datagram.len();
        // It answers at once, or not at all.
        tokio::task::yield_now().await;
        while let Ok(length) = stranger.try_recv(&mut buffer) {
            bytes_in += length;
        }
    }
    let counted = || {
        let causes = [Refused::NotGossip, Refused::Unsealed];
        causes.into_iter().map(|cause| a.refused(cause)).sum::<u64>()
    };
    soon(async {
        // An empty datagram is one too.
        while counted() < strangers {
            tokio::time::sleep(INTERVAL).await;
        }
    })
    .await;
    tokio::time::sleep(4 * INTERVAL).await;
    while let Ok(length) = stranger.try_recv(&mut buffer) {
        bytes_in += length;
    }
    assert!(bytes_in <= bytes_out, "{bytes_in} bytes for {bytes_out}");
    let replays = [Refused::Replayed, Refused::Unproven, Refused::Unasked, Refused::Misdirected];
    assert!(replays.into_iter().map(|cause| a.refused(cause)).sum::<u64>() > 0);
    let names = |members: &[Member]| -> Vec<_> {
        members.iter().map(|it| (it.name.clone(), it.state, it.incarnation)).collect()
    };
    assert_eq!(names(&before), names(&a.members()));
}

/// A member that tells what it likes.
struct Insider {
    socket: UdpSocket,
    peers: Peers,
}

impl Insider {
    async fn new() -> Self {
        let key = ClusterKey::new("mycelium", b"sesame");
        let socket = UdpSocket::bind(loopback()).await.expect("a socket");
        Self { socket, peers: Peers::new(vec![key]).expect("a key") }
    }

    /// Sends a message of chitchat, and answers what comes for a moment.
    async fn say(&mut self, to: SocketAddr, message: Vec<u8>) {
        let now = Instant::now();
        for datagram in self.peers.send(to, message, now).expect("small enough") {
            self.socket.send_to(&datagram, to).await.expect("sent");
        }
        let mut buffer = [0; 2000];
        while let Ok(Ok((length, from))) =
            tokio::time::timeout(INTERVAL, self.socket.recv_from(&mut buffer)).await
        {
            let received = self.peers.receive(from, &buffer[..length], Instant::now());
            for answer in received.answers {
                self.socket.send_to(&answer, from).await.expect("sent");
            }
            if received.message.is_some() {
                return;
            }
        }
    }
}

/// A message of chitchat that lists members.
fn list(ids: impl Iterator<Item = (ChitchatId, u64)>) -> Vec<u8> {
    let entries: Vec<_> = ids.collect();
    let mut message = 45_139_u16.to_le_bytes().to_vec();
    message.extend([0, 0]);
    message.extend((entries.len() as u16).to_le_bytes());
    for (id, heartbeat) in entries {
        id.serialize(&mut message);
        message.extend([heartbeat, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
    }
    "mycelium".serialize(&mut message);
    message
}

#[tokio::test]
async fn ten_thousand_stale_members_are_no_members_and_keep_none_out() {
    let a = member("a@h", &[]).await;
    let mut insider = Insider::new().await;
    let stale = |number: u64| ChitchatId::new(format!("stale-{number}@h"), number, loopback());
    for chunk in 0..20 {
        let ids = (0..500).map(|number| (stale(500 * chunk + number), 7));
        insider.say(a.address(), list(ids)).await;
    }
    soon(async {
        while a.refused(Refused::Lifeless) < 10_000 {
            tokio::time::sleep(INTERVAL).await;
        }
    })
    .await;
    let b = member("b@h", &[a.address().to_string()]).await;
    for node in [&a, &b] {
        assert_eq!(sees(node, &["a@h", "b@h"]).await.len(), 2);
    }
    // Thousands come to life at once: the list is bounded, and the gossip goes on.
    for heartbeat in [8, 9, 10] {
        for chunk in 0..6 {
            let ids = (0..500).map(|number| (stale(500 * chunk + number), heartbeat));
            insider.say(a.address(), list(ids)).await;
        }
    }
    assert!(a.refused(Refused::TooMany) > 0);
    sees(&b, &["a@h", "b@h"]).await;
    assert_eq!(a.refused(Refused::Malformed) + a.refused(Refused::TooLarge), 0);
    assert!(!a.running.is_finished());
}

#[tokio::test]
async fn what_is_wrong_with_options_is_said() {
    let error = |options: Options| async {
        let error = Membership::start(options, Arc::new(())).await.expect_err("it is wrong");
        (format!("{error:?}"), error.to_string())
    };
    let mut nameless = options("", &[]);
    nameless.name = "a b".to_owned();
    assert!(error(nameless).await.1.contains("white space"));
    let mut secretless = options("a@h", &[]);
    secretless.secrets = vec![Secret::new("")];
    assert!(error(secretless).await.0.contains("NoSecret"));
    let mut everywhere = options("a@h", &[]);
    everywhere.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(error(everywhere.clone()).await.1.contains("advertise"));
    everywhere.advertise = Some(loopback());
    let everywhere = started(everywhere).await;
    assert_ne!(everywhere.address().port(), 0);
    let mut talkative = options("a@h", &[]);
    talkative.addresses = vec!["x".to_owned(); 9];
    assert!(error(talkative).await.1.contains("9 addresses"));
    let mut taken = options("a@h", &[]);
    taken.listen = everywhere.address();
    assert!(error(taken).await.1.contains("by UDP"));
    let shown = format!("{:?}", options("a@h", &[]));
    assert!(!shown.contains("sesame"), "{shown}");
}
