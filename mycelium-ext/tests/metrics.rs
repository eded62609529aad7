//! What Prometheus gets of a node, and what strangers can do to that.

#[path = "common/watched.rs"]
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

#[cfg(target_os = "linux")]
use bytes::Bytes;
#[cfg(target_os = "linux")]
use mycelium_ext::arena::{Arena, THRESHOLD};
use mycelium_ext::config::{Config, Environment};
use mycelium_ext::metrics::MetricsServer;
use mycelium_ext::node::{Node, StartError};
#[cfg(target_os = "linux")]
use mycelium_ext::shm::{ShmOptions, ShmTransport};
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
#[cfg(target_os = "linux")]
use ractor_cluster::transport::{FrameSink, FrameStream, Transport, TransportMessage};
#[cfg(target_os = "linux")]
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use watched::{Far, Handles, LONG, node, soon, until};

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("it is a socket");
    stream
}

/// The answer to a request.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// What Prometheus gets.
fn scrape(address: SocketAddr) -> String {
    let request = "GET /metrics HTTP/1.1\r\nHost: node\r\nUser-Agent: Prometheus/2.42.0\r\n\
                   Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n";
    let answer = ask(address, request);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: application/openmetrics-text; version=1.0.0;"));
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    body.to_owned()
}

/// A page by series, checked against the rules of OpenMetrics that it may break.
#[derive(Debug)]
struct Page(BTreeMap<String, f64>);

impl Page {
    fn of(address: SocketAddr) -> Self {
        Self::parse(&scrape(address))
    }

    fn parse(page: &str) -> Self {
        let lines = page.strip_suffix("# EOF\n").expect("it ends with EOF").lines();
        let (mut series, mut families) = (BTreeMap::new(), BTreeSet::new());
        let (mut family, mut kind) = ("", "");
        for line in lines {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').expect("a help");
                assert!(!text.is_empty() && families.insert(name), "{line}");
                assert!(name.starts_with("mycelium_"), "{line}");
                assert!(name.chars().all(|it| it == '_' || it.is_ascii_lowercase()), "{line}");
                assert!(!name.ends_with("_total") && !name.ends_with("_info"), "{line}");
                family = name;
            } else if let Some(of) = line.strip_prefix("# TYPE ") {
                let (name, of) = of.split_once(' ').expect("a type");
                assert_eq!(name, family, "{line}");
                kind = of;
            } else if let Some(unit) = line.strip_prefix("# UNIT ") {
                let (name, unit) = unit.split_once(' ').expect("a unit");
                assert_eq!(name, family, "{line}");
                assert!(["seconds", "bytes"].contains(&unit), "{line}");
                assert!(name.ends_with(&format!("_{unit}")), "{line}");
            } else {
                let (of, value) = line.rsplit_once(' ').expect("a value");
                let name = of.split('{').next().expect("a name");
                let suffix = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    "gauge" => "",
                    other => panic!("{other}: {line}"),
                };
                assert_eq!(name, format!("{family}{suffix}"), "{line}");
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(value >= 0.0, "{line}");
                assert!(series.insert(of.to_owned(), value).is_none(), "twice: {line}");
            }
        }
        Self(series)
    }

    /// The value of a series with at most one label, whose value ends so.
    fn get(&self, name: &str, label: &str) -> Option<f64> {
        let mut found = self.0.iter().filter(|(series, _)| {
            series.split('{').next() == Some(name)
                && (label.is_empty() || series.contains(&format!("{label}\"")))
        });
        let (_, value) = found.next()?;
        assert!(found.next().is_none(), "{name} with {label} is there twice");
        Some(*value)
    }

    fn names(&self) -> BTreeSet<&str> {
        self.0.keys().filter_map(|series| series.split('{').next()).collect()
    }
}

/// Figures are of the whole process, so that the tests that compare them take turns.
static ALONE: Mutex<()> = Mutex::const_new(());

fn served() -> (MetricsServer, SocketAddr) {
    let server = MetricsServer::start(([127, 0, 0, 1], 0).into(), "seen@test").expect("a port");
    let address = server.address();
    (server, address)
}

/// Waits in its handler until it is let go.
struct Blocks;

type Gate = (Sender<()>, Arc<std::sync::Mutex<Receiver<()>>>);

struct Block(Option<Gate>);
impl ractor::Message for Block {}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Blocks {
    type Msg = Block;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Block>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Block>,
        Block(gate): Block,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let Some((entered, end)) = gate {
            entered.send(())?;
            let _ = end.lock().expect("no panic").recv();
        }
        Ok(())
    }
}

#[test]
fn a_runtime_whose_threads_all_block_is_scraped_and_says_so() {
    let _alone = ALONE.blocking_lock();
    let (_server, address) = served();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let runtime = runtime.expect("a runtime");
    let two = ActorConfig::default().with_mailbox(Mailbox::bounded(2, Overflow::DropNewest));
    let spawned = Actor::spawn_with_config(Some("never-to-be-named".into()), Blocks, (), two);
    let actor = runtime.block_on(spawned).expect("it starts").0;
    let (entered, entries) = channel();
    let (end, ends) = channel::<()>();
    actor.cast(Block(None)).expect("it lives");
    actor.cast(Block(Some((entered, Arc::new(std::sync::Mutex::new(ends)))))).expect("it lives");
    entries.recv_timeout(LONG).expect("it blocks");
    for _ in 0..5 {
        actor.cast(Block(None)).expect("it lives");
    }
    let page = until(|| {
        let page = Page::of(address);
        let longest = page.get("mycelium_longest_handler_seconds", "::Blocks")?;
        (longest > 0.0).then_some(page)
    });
    let of = |name| page.get(name, "::Blocks");
    assert_eq!(of("mycelium_actors"), Some(1.0));
    assert_eq!(of("mycelium_handling_actors"), Some(1.0));
    assert_eq!(of("mycelium_waiting_messages"), Some(2.0));
    assert_eq!(of("mycelium_fullest_mailbox_messages"), Some(2.0));
    assert_eq!(of("mycelium_handled_messages_total"), Some(1.0));
    assert_eq!(of("mycelium_lost_messages_total"), Some(3.0));
    drop(end);
    // What it did before it ended stays in the counters.
    let page = until(|| {
        let page = Page::of(address);
        (page.get("mycelium_handled_messages_total", "::Blocks") == Some(4.0)).then_some(page)
    });
    assert_eq!(page.get("mycelium_handling_actors", "::Blocks"), Some(0.0));
    runtime.block_on(actor.stop_and_wait(None, None)).expect("it stops");
    let page = until(|| {
        let page = Page::of(address);
        (page.get("mycelium_actors", "::Blocks") == Some(0.0)).then_some(page)
    });
    assert_eq!(page.get("mycelium_handled_messages_total", "::Blocks"), Some(4.0));
    assert_eq!(page.get("mycelium_lost_messages_total", "::Blocks"), Some(3.0));
}

/// An actor of a type of its own.
struct Typed<const N: usize>;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<const N: usize> Actor for Typed<N> {
    type Msg = Block;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Block>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_types_have_series_of_their_own() {
    macro_rules! spawn {
        ($($number:literal)*) => {
            [$(Actor::spawn(None, Typed::<$number>, ()).await.expect("it runs").0),*]
        };
    }
    let _alone = ALONE.lock().await;
    let (_server, address) = served();
    let actors = spawn!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27
        28 29 30 31 32 33 34 35 36 37 38 39);
    let page = until(|| {
        let page = Page::of(address);
        let other = page.get("mycelium_actors", "type=\"other").expect("it is always there");
        (other >= 8.0).then_some(page)
    });
    let types = page.0.keys().filter(|series| series.starts_with("mycelium_actors{"));
    assert_eq!(types.count(), 33);
    let sum: f64 =
        page.0.iter().filter(|it| it.0.starts_with("mycelium_actors{")).map(|it| it.1).sum();
    assert!(sum >= 40.0, "{sum}");
    for actor in actors {
        actor.stop_and_wait(None, Some(LONG)).await.expect("it stops");
    }
}

/// Sends a payload by a link, and returns what arrives.
#[cfg(target_os = "linux")]
async fn sent(
    sink: &mut Box<dyn FrameSink>,
    stream: &mut Box<dyn FrameStream>,
    payload: &Bytes,
) -> Bytes {
    let frame = Bytes::from((payload.len() as u64).to_be_bytes().to_vec());
    sink.queue_framed(frame, payload.clone());
    soon(sink.flush()).await.expect("the link holds");
    match soon(stream.frame()).await.expect("the link holds") {
        Some(TransportMessage::Lent { payload, .. }) => payload,
        other => panic!("it was copied: {other:?}"),
    }
}

/// Both ends of a link are in this process, so that what it passes on is its own.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_payload_that_is_passed_on_is_told_from_one_of_this_process() {
    let _alone = ALONE.lock().await;
    let (_server, address) = served();
    let arena = Arena::of_process(Arena::DEFAULT_BYTES).expect("there is memory");
    let (here, there) = UnixStream::pair().expect("a pair");
    let options = ShmOptions::default();
    let (offered, taken) =
        tokio::try_join!(ShmTransport::offer(here, options), ShmTransport::take(there, options))
            .expect("a link");
    let (mut sink, _kept) = Box::new(offered).split(1 << 20);
    let (_also_kept, mut stream) = Box::new(taken).split(1 << 20);
    // A page is not made anew for each scrape.
    let shows = |figures: [f64; 2]| {
        until(|| {
            let page = Page::of(address);
            let names = ["mycelium_arena_leases", "mycelium_arena_relayed"];
            (names.map(|name| page.get(name, "").expect("it is there")) == figures).then_some(())
        });
    };
    let own = arena.copy(&[7; THRESHOLD]).expect("there is room");
    let first = sent(&mut sink, &mut stream, &own).await;
    shows([1.0, 0.0]);
    let second = sent(&mut sink, &mut stream, &first).await;
    shows([2.0, 1.0]);
    assert_eq!(Page::of(address).get("mycelium_arena_unmapped_total", ""), Some(0.0));
    drop((first, second));
    shows([0.0, 0.0]);
}

/// What the dashboard asks for.
fn of_dashboard() -> BTreeSet<String> {
    let file = repository().join("docs/grafana/mycelium.json");
    let text = std::fs::read_to_string(file).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut names = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
        for target in targets {
            let text = target["expr"].as_str().expect("an expression");
            let words = text.split(|it: char| it != '_' && !it.is_ascii_alphanumeric());
            let ours = words.filter(|word| word.starts_with("mycelium_"));
            let before = names.len();
            names.extend(ours.map(str::to_owned));
            assert!(names.len() > before || text.contains("mycelium_"), "{text}");
        }
    }
    names
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What promtool says of a page, where it is installed.
fn lint(page: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        return println!("skipped: promtool is not installed");
    };
    promtool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_peer_shows_all_that_the_dashboard_asks_for_and_no_secret() {
    let _alone = ALONE.lock().await;
    let actor = Actor::spawn(Some("never-to-be-named-too".into()), Handles, ()).await;
    let actor = actor.expect("it runs").0;
    let group = "never-to-be-grouped".to_owned();
    pg::join(group.clone(), vec![actor.get_cell()]);
    let listen = "127.0.0.1:0".parse().expect("an endpoint");
    let a = soon(node("metrics", "a").metrics(listen).start()).await.expect("it starts");
    let b = soon(node("metrics", "b").start()).await.expect("it starts");
    let address = a.metrics_address().expect("it serves them");
    assert_eq!(b.metrics_address(), None);
    soon(b.connect(a.addresses()[0].clone())).await.expect("a session");
    let proxy = until(|| {
        let members = pg::get_members(&group);
        members.into_iter().find(|actor| !actor.get_id().is_local())
    });
    let proxy: ActorRef<Far> = proxy.into();
    for _ in 0..100 {
        let payload = "never-to-be-shown".to_owned();
        soon(proxy.send(Far::One(payload))).await.expect("there is room");
    }
    let page = until(|| {
        let page = Page::of(address);
        let has = |name, label| page.get(name, label).unwrap_or_default();
        let received = has("mycelium_received_messages_total", "metrics-a@metrics-test")
            + has("mycelium_received_messages_total", "metrics-b@metrics-test");
        let handled = has("mycelium_handled_messages_total", "::Handles");
        let has_round_trip = page.get("mycelium_round_trip_seconds", "metrics-a@metrics-test");
        (received >= 100.0 && handled >= 100.0 && has_round_trip.is_some()).then_some(page)
    });
    assert_eq!(page.get("mycelium_node_info", "name=\"metrics-a@metrics-test"), Some(1.0));
    let connected: f64 =
        page.0.iter().filter(|it| it.0.starts_with("mycelium_peers{")).map(|it| it.1).sum();
    assert!(connected >= 2.0, "{page:#?}");
    assert!(page.get("mycelium_link_sent_bytes_total", "kind=\"tcp") > Some(0.0), "{page:#?}");
    for name in ["metrics-a@metrics-test", "metrics-b@metrics-test"] {
        assert_eq!(page.get("mycelium_missing_frames", name), Some(0.0), "{page:#?}");
    }
    for figure in ["mycelium_round_trip_seconds", "mycelium_smallest_round_trip_seconds"] {
        let figure = page.get(figure, "metrics-a@metrics-test");
        // An answer counts within a minute.
        assert!(figure.is_some_and(|seconds| 0.0 < seconds && seconds <= 60.0), "{page:#?}");
    }
    // Those that have not occurred are there.
    assert!(page.get("mycelium_dead_letters_total", "cause=\"no_actor").is_some(), "{page:#?}");
    assert!(page.get("mycelium_refusals_total", "cause=\"wrong_cookie").is_some(), "{page:#?}");

    let asked = of_dashboard();
    assert!(asked.len() > 10, "{asked:?}");
    let names = page.names();
    let missing: Vec<_> = asked.iter().filter(|name| !names.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "the dashboard asks for {missing:?}, and there are {names:?}");

    let text = scrape(address);
    assert!(!text.contains("never-to-be"), "{text}");
    // The same series in the older format, which promtool reads.
    let answer = ask(address, "GET /metrics HTTP/1.1\r\nHost: node\r\nAccept: */*\r\n\r\n");
    let (head, classic) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4;"), "{head}");
    let series = |page: &str| {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|it| Some(it.rsplit_once(' ')?.0.to_owned())).collect::<BTreeSet<_>>()
    };
    assert!(!series(classic).is_empty());
    assert_eq!(series(classic), series(&scrape(address)));
    lint(classic);
    a.stop().await;
    b.stop().await;
    assert!(TcpStream::connect(address).is_err(), "they end with the node");
    actor.stop_and_wait(None, Some(LONG)).await.expect("it stops");
}

#[test]
fn nothing_but_get_of_metrics_is_answered() {
    let (_server, address) = served();
    for (request, status) in [
        ("POST /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "405"),
        ("GET /debug HTTP/1.1\r\n\r\n", "404"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = ask(address, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        assert!(!answer.contains("mycelium_"), "{answer}");
    }
    let large = format!("GET /metrics HTTP/1.1\r\nCookie: {}", "x".repeat(20_000));
    assert!(ask(address, &large).starts_with("HTTP/1.1 431 "));
}

#[test]
fn strangers_who_say_nothing_or_take_nothing_keep_no_scrape_waiting() {
    let (_server, address) = served();
    let mut silent: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    let mut slow: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    for stream in &mut slow {
        // Some have lost their places by now.
        _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: n");
    }
    // One that comes late gets a place, before it asks. Connections are accepted in order, so that
    // it is when the next one is answered.
    let mut late = connect(address);
    Page::of(address);
    late.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("it has its place");
    let mut answer = String::new();
    late.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // Each other one is closed: for another one, or since its time is over.
    for stream in silent.iter_mut().chain(&mut slow) {
        let read = loop {
            match stream.read(&mut [0; 16]) {
                // By a signal: a process that is stopped and goes on has this too.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => {}
            Ok(_) => panic!("it is answered"),
            // It had written to a closed connection.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    Page::of(address);
}

#[test]
fn a_server_that_is_dropped_frees_its_address() {
    let (server, address) = served();
    let waiting = connect(address);
    drop(server);
    assert!(TcpStream::connect(address).is_err());
    drop(waiting);
}

#[tokio::test]
async fn a_node_serves_its_metrics_where_it_is_configured() {
    let text = |metrics: &str| {
        format!(
            "[node]\nname = \"m\"\nhost = \"h\"\ncookie = \"s\"\n[view]\nsocket = \"off\"\n{metrics}"
        )
    };
    let start = async |metrics: &str| {
        let config = Config::parse(&text(metrics), "mycelium.toml", &Environment::default());
        let node = Node::from_config(&config.expect("it is right")).expect("it is supported");
        soon(node.start()).await
    };
    let node = start("").await.expect("it starts");
    assert_eq!(node.metrics_address(), None);
    node.stop().await;
    let node = start("[metrics]\nlisten = \"0\"\n").await.expect("it starts");
    let address = node.metrics_address().expect("it serves them");
    assert!(address.ip().is_loopback());
    let page = Page::of(address);
    assert_eq!(page.get("mycelium_node_info", "name=\"m@h"), Some(1.0));
    let again = start(&format!("[metrics]\nlisten = \"{address}\"\n")).await;
    let error = again.expect_err("the address is in use");
    assert!(matches!(error, StartError::Metrics { .. }), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    node.stop().await;
}
