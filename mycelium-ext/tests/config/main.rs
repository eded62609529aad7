//! What is read of a configuration, and what is said of a wrong one.

mod cluster;
#[cfg(unix)]
mod files;
mod warnings;
mod wrong;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mycelium_ext::config::{
    Config, ConfigError, ConnectionMode, Environment, GossipSettings, Limits, Location, Mistake,
    Origin, Place, ShmLinks, SpinThread, Tuning, UnixListening, ViewSocket,
};
use ractor::actor::actor_config::TransportPreference;

const FILE: &str = "mycelium.toml";

/// What every right configuration starts with.
const NODE: &str = "[node]\nname = \"feed\"\nhost = \"h\"\ncookie = \"sesame\"\n";

fn nothing() -> Environment {
    Environment::empty()
}

fn parsed(text: &str) -> Config {
    parsed_in(text, &nothing())
}

fn parsed_in(text: &str, environment: &Environment) -> Config {
    Config::parse(text, FILE, environment).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn mistakes(text: &str, environment: &Environment) -> Vec<Mistake> {
    match Config::parse(text, FILE, environment) {
        Err(ConfigError::Mistakes(mistakes)) => mistakes,
        other => panic!("{other:?} where mistakes were expected of\n{text}"),
    }
}

/// The only mistake of `text`.
fn mistake(text: &str) -> Mistake {
    let all = mistakes(text, &nothing());
    let [one] = &all[..] else { panic!("not one mistake, but {all:#?}\n{text}") };
    one.clone()
}

fn line(mistake: &Mistake) -> usize {
    match &mistake.place {
        Place::File { file, line, .. } => {
            assert_eq!(file, Path::new(FILE));
            *line
        }
        other => panic!("{other} is not in the file"),
    }
}

#[test]
fn the_least_has_defaults_for_the_rest() {
    let config = parsed(NODE);
    assert_eq!(config.node.name.as_str(), "feed");
    assert_eq!(*config.node.host, "h");
    assert_eq!(config.node.cookie.reveal(), "sesame");
    assert_eq!(*config.node.transport, TransportPreference::Adaptive);
    assert_eq!(*config.node.mode, ConnectionMode::Isolated);
    assert_eq!(*config.node.limits.max_frame, 16 * 1024 * 1024);
    assert_eq!(config.listen.streams.len(), 1);
    assert_eq!(config.listen.streams[0].address().to_string(), "tcp://127.0.0.1:0");
    assert_eq!(*config.listen.unix, UnixListening::Automatic);
    assert_eq!(*config.listen.unix.origin(), Origin::Default);
    assert!(config.peers.is_empty() && config.numbers.is_empty());
    assert!(!*config.security.strict && !*config.security.dial_supplied_addresses);
    assert!(!config.security.checks_names());
}

#[test]
fn the_host_is_the_machine_unless_it_is_said() {
    let config = parsed("[node]\nname = \"feed\"\ncookie = \"c\"\n");
    assert!(!config.node.host.is_empty());
    assert_eq!(*config.node.host.origin(), Origin::Default);
}

#[test]
fn everything_is_read() {
    let config = parsed(&format!(
        "{NODE}id = 0x10\ntransport = \"shm\"\nmode = \"transitive\"\n\
         [node.limits]\nmax_frame = \"64 MiB\"\nreplay_window = \"1kB\"\nconnect_timeout = \"1m 30s\"\n\
         handshake_timeout = \"250ms\"\nbackoff_min = \"1s\"\nbackoff_max = \"2s\"\nbackoff_reset = \"3s\"\n\
         max_handshakes = 11\nfirst_frame = \"1 KiB\"\nmax_peers = 12\nmax_actors = 13\nmax_groups = 14\n\
         max_memberships = 15\nmax_name = \"16 B\"\nsilence_timeout = \"17s\"\nwrite_deadline = \"18s\"\n\
         reconnect_grace = \"off\"\n\
         [[listen]]\ntcp = \"0.0.0.0:4697\"\n[[listen]]\ntcp = \"4698\"\n[[listen]]\nunix = \"/run/a.sock\"\n\
         [security]\nstrict = true\nrefuse_downgrade = true\ndial_supplied_addresses = true\n\
         [nodes.b]\nid = 3\naddress = \"tcp://[::1]:5\"\nlocation = \"local\"\ntransport = \"unix\"\n"
    ));
    assert_eq!(config.node.id.as_deref(), Some(&16));
    assert_eq!(*config.node.transport, TransportPreference::SharedMemory);
    assert_eq!(*config.node.mode, ConnectionMode::Transitive);
    assert!(*config.security.refuse_downgrade);
    assert!(*config.security.strict && *config.security.dial_supplied_addresses);
    let limits = &config.node.limits;
    assert_eq!((*limits.max_frame, *limits.replay_window), (64 * 1024 * 1024, 1000));
    assert_eq!(*limits.connect_timeout, Duration::from_secs(90));
    assert_eq!(*limits.handshake_timeout, Duration::from_millis(250));
    assert_eq!(*limits.backoff_min, Duration::from_secs(1));
    assert_eq!(*limits.backoff_max, Duration::from_secs(2));
    assert_eq!(*limits.backoff_reset, Duration::from_secs(3));
    let counts = [
        &limits.max_handshakes,
        &limits.max_peers,
        &limits.max_actors,
        &limits.max_groups,
        &limits.max_memberships,
        &limits.max_name,
    ];
    assert_eq!(counts.map(|count| **count), [11, 12, 13, 14, 15, 16]);
    assert_eq!(*limits.first_frame, 1024);
    assert_eq!(*limits.silence_timeout, Duration::from_secs(17));
    assert_eq!(*limits.write_deadline, Duration::from_secs(18));
    assert_eq!(*limits.reconnect_grace, Duration::ZERO);
    let listens: Vec<_> =
        config.listen.streams.iter().map(|listen| listen.address().to_string()).collect();
    assert_eq!(listens, ["tcp://0.0.0.0:4697", "tcp://127.0.0.1:4698"]);
    assert_eq!(*config.listen.unix, UnixListening::At(PathBuf::from("/run/a.sock")));
    let [peer] = &config.peers[..] else { panic!("{:?}", config.peers) };
    assert_eq!(peer.address.as_ref().expect("an address").to_string(), "tcp://[::1]:5");
    assert_eq!(peer.transport.as_deref(), Some(&TransportPreference::UnixSocket));
    assert_eq!((peer.name.as_str(), *peer.location), ("b", Location::Local));
}

#[test]
fn both_spellings_of_a_local_node_are_the_same() {
    let by_list = parsed(&format!("{NODE}[node.local_nodes]\nids = [1, 2]\n[nodes.b]\nid = 2\n"));
    let by_name = parsed(&format!("{NODE}[nodes.b]\nid = 2\nlocation = \"local\"\n"));
    for config in [&by_list, &by_name] {
        assert_eq!(config.location(Some("b"), None), Location::Local);
        assert_eq!(config.location(Some("b"), Some(2)), Location::Local);
        assert_eq!(config.location(None, Some(2)), Location::Local);
        assert_eq!(*config.peers[0].location, Location::Local);
        assert_eq!(config.location(Some("c"), Some(9)), Location::Auto);
    }
    let remote = parsed(&format!("{NODE}[nodes.b]\nlocation = \"remote\"\n"));
    assert_eq!(remote.location(Some("b"), Some(7)), Location::Remote);
}

#[test]
fn all_nodes_may_share_one_list() {
    let text = format!(
        "{NODE}id = 1\n[node.local_nodes]\nids = [1, 2]\n[nodes.feed]\nid = 1\n\
         address = \"tcp://h:1\"\n[nodes.b]\naddress = \"tcp://h:2\"\n"
    );
    let config = parsed(&text);
    let own: Vec<_> =
        config.peers.iter().map(|peer| (peer.name.as_str(), peer.is_this_node)).collect();
    assert_eq!(own, [("b", false), ("feed", true)]);
}

#[test]
fn variables_go_before_the_file() {
    let environment = Environment::of([
        ("MYCELIUM_NODE_NAME", "other"),
        ("MYCELIUM_NODE_ID", "7"),
        ("MYCELIUM_NODE_COOKIE", "elsewhere"),
        ("MYCELIUM_NODE_LIMITS_MAX_FRAME", "1 KiB"),
        ("MYCELIUM_NODES_MY_BOOK_ADDRESS", "tcp://h:2"),
        ("MYCELIUM_LISTEN", "tcp://0.0.0.0:1, unix:///run/b.sock"),
        ("MYCELIUM_UPSTREAM_DIR", "of another tool"),
        ("HOME", "/"),
    ]);
    let text = format!(
        "{NODE}[nodes.my-book]\naddress = \"tcp://h:1\"\n[[listen]]\ntcp = \"h:9\"\n\
         [[listen]]\nunix = \"off\"\n"
    );
    let config = parsed_in(&text, &environment);
    assert_eq!(config.node.name.as_str(), "other");
    assert_eq!(config.node.cookie.reveal(), "elsewhere");
    assert_eq!(config.node.id.as_deref(), Some(&7));
    assert_eq!(*config.node.limits.max_frame, 1024);
    let address = config.peers[0].address.as_ref().expect("an address");
    assert_eq!(address.to_string(), "tcp://h:2 (from MYCELIUM_NODES_MY_BOOK_ADDRESS)");
    let listens: Vec<_> =
        config.listen.streams.iter().map(|listen| listen.address().to_string()).collect();
    assert_eq!(listens, ["tcp://0.0.0.0:1"]);
    assert_eq!(*config.listen.unix, UnixListening::At(PathBuf::from("/run/b.sock")));
    let shown = config.to_string();
    assert!(shown.contains("node other (from MYCELIUM_NODE_NAME)@h"), "{shown}");
    assert!(shown.contains("cookie: set (from MYCELIUM_NODE_COOKIE)"), "{shown}");
    assert!(!shown.contains("elsewhere") && !shown.contains("sesame"), "{shown}");
}

#[test]
fn variables_alone_are_enough() {
    let environment =
        Environment::of([("MYCELIUM_NODE_NAME", "feed"), ("MYCELIUM_NODE_COOKIE", "c")]);
    assert_eq!(parsed_in("", &environment).node.name.as_str(), "feed");
}

#[test]
fn the_cookie_may_be_in_a_variable_of_any_name() {
    let text = "[node]\nname = \"feed\"\ncookie_env = \"MINE\"\n";
    let config = parsed_in(text, &Environment::of([("MINE", "sesame")]));
    assert_eq!(config.node.cookie.reveal(), "sesame");
    let mistake = mistake(text);
    assert_eq!((line(&mistake), mistake.key.as_str()), (3, "node.cookie_env"));
    assert!(mistake.to_string().contains("MINE, which is not set"), "{mistake}");
}

#[test]
fn the_example_is_right() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("mycelium.example.toml");
    let environment = Environment::of([("FEED_COOKIE", "sesame")]);
    let config = Config::load_with(file, &environment).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.location(Some("book"), Some(2)), Location::Local);
    // It says that its limits are the defaults.
    let defaults = mycelium_ext::config::Limits::default();
    assert_eq!(*config.node.limits.max_frame, *defaults.max_frame);
    assert_eq!(*config.node.limits.replay_window, *defaults.replay_window);
    assert_eq!(*config.node.limits.handshake_timeout, *defaults.handshake_timeout);
    let limits = &config.node.limits;
    let counts = |it: &mycelium_ext::config::Limits| {
        [
            *it.max_handshakes,
            *it.first_frame,
            *it.max_peers,
            *it.max_actors,
            *it.max_groups,
            *it.max_memberships,
            *it.max_name,
        ]
    };
    assert_eq!(counts(limits), counts(&defaults));
    let times = |it: &mycelium_ext::config::Limits| {
        [*it.silence_timeout, *it.write_deadline, *it.reconnect_grace]
    };
    assert_eq!(times(limits), times(&defaults));
    assert_eq!(*config.node.limits.connect_timeout, *defaults.connect_timeout);
    assert_eq!(*config.node.limits.backoff_min, *defaults.backoff_min);
    assert_eq!(*config.node.limits.backoff_max, *defaults.backoff_max);
    assert_eq!(*config.node.limits.backoff_reset, *defaults.backoff_reset);
}

#[test]
fn shared_memory_is_set_by_its_section() {
    let shm = |text: &str| Config::parse(&format!("{NODE}{text}"), FILE, &nothing());
    let config = shm("").expect("right");
    assert_eq!(*config.node.shm.links, ShmLinks::Auto);
    assert_eq!((*config.node.shm.ring, *config.node.shm.spin), (1024 * 1024, Duration::ZERO));
    assert_eq!(*config.node.shm.arena, 256 << 20);
    let shown = "shared memory: rings of 1.0 MiB, an arena of 256.0 MiB\n";
    assert!(config.to_string().contains(shown), "{config}");

    let text = "[node.shm]\nring = \"64 KiB\"\narena = \"0 B\"\nspin = \"20us\"\n";
    let config = shm(text).expect("right");
    assert_eq!(*config.node.shm.ring, 64 * 1024);
    assert_eq!(*config.node.shm.spin, Duration::from_micros(20));
    assert_eq!(*config.node.shm.arena, 0);
    let shown = "rings of 64.0 KiB, no arena, spins for 20us\n";
    assert!(config.to_string().contains(shown), "{config}");

    assert!(config.node.shm.spin_thread.is_none());
    for (written, meant) in [("any", SpinThread::Any), ("core 3", SpinThread::Core(3))] {
        let config = shm(&format!("[node.shm]\nspin_thread = \"{written}\"\n")).expect("right");
        assert_eq!(config.node.shm.spin_thread.as_deref(), Some(&meant));
        let shown = format!("spins on a thread of its own ({written})\n");
        assert!(config.to_string().contains(&shown), "{config}");
    }
    for wrong in ["", "core", "core -1", "3", "all"] {
        let error = shm(&format!("[node.shm]\nspin_thread = \"{wrong}\"\n")).unwrap_err();
        assert!(error.to_string().contains("\"core 3\""), "{error}");
    }

    let text = "[node.shm]\nlinks = \"of\"\nring = \"2 GiB\"\narena = \"1 TiB\"\nspin = \"fast\"\n";
    let error = shm(text).unwrap_err();
    let ConfigError::Mistakes(mistakes) = error else { panic!("{error}") };
    assert_eq!(mistakes.len(), 4);

    let error = shm("transport = \"shm\"\n[node.shm]\nlinks = \"off\"\n").unwrap_err();
    assert!(error.to_string().contains("node.shm.links is \"off\" (line"), "{error}");
}

/// Each declared key stands in the example, in its section and with its default.
#[test]
fn the_example_documents_each_declared_key() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("mycelium.example.toml");
    let text = std::fs::read_to_string(&file).expect("the example");
    let environment = Environment::of([("FEED_COOKIE", "sesame")]);
    let config = Config::load_with(file, &environment).expect("it is right");
    let (node, pace) = (config.node, config.cluster.expect("it has a cluster").pace);
    for (section, shown, defaults) in [
        ("node.limits", node.limits.to_string(), Limits::default().to_string()),
        ("node.tuning", node.tuning.to_string(), Tuning::default().to_string()),
        ("cluster", pace.to_string(), GossipSettings::default().to_string()),
    ] {
        assert_eq!(shown, defaults);
        let begin = text.find(&format!("\n[{section}]")).expect("the section") + 1;
        let section = text[begin..].split("\n[").next().expect("its keys");
        let keys: Vec<_> = defaults.lines().filter_map(|line| line.split_once(':')).collect();
        assert!(!keys.is_empty());
        for (key, _) in keys {
            let written = format!("\n{} = ", key.trim());
            assert_eq!(section.matches(&written).count(), 1, "{key} in {section}");
        }
    }
}

#[test]
fn what_is_on_can_be_turned_off() {
    let config = parsed(&format!("{NODE}[node.tuning]\nbusy_poll = false\n"));
    assert!(!*config.node.tuning.busy_poll && *config.node.tuning.malloc_hint);
    let shown = config.to_string();
    assert!(shown.contains("  busy_poll: false\n  malloc_hint: true\n"), "{shown}");
    let environment = Environment::of([("MYCELIUM_NODE_TUNING_MALLOC_HINT", "false")]);
    let shown = parsed_in(NODE, &environment).to_string();
    let line = "malloc_hint: false (from MYCELIUM_NODE_TUNING_MALLOC_HINT)\n";
    assert!(shown.contains(line), "{shown}");

    let spins = "[node.shm]\nspin = \"20us\"\n[node.tuning]\nbusy_poll = false\n";
    let mistake = mistake(&format!("{NODE}{spins}"));
    assert_eq!(mistake.key, "node.shm.spin");
    assert!(mistake.to_string().contains("node.tuning.busy_poll is false (line 8)"), "{mistake}");
    let spins = "[node.shm]\nspin_thread = \"any\"\n[node.tuning]\nbusy_poll = false\n";
    assert_eq!(self::mistake(&format!("{NODE}{spins}")).key, "node.shm.spin_thread");
    let both = "[node.shm]\nspin_thread = \"any\"\nspin = \"20us\"\n";
    let mistake = self::mistake(&format!("{NODE}{both}"));
    assert_eq!(mistake.key, "node.shm.spin");
    assert!(mistake.to_string().contains("spin_thread never sleeps (line 6)"), "{mistake}");
}

#[test]
fn metrics_are_read_where_it_is_said_and_nowhere_else() {
    let config = parsed(NODE);
    assert!(config.metrics.listen.is_none());
    assert!(!config.to_string().contains("metrics"), "{config}");
    for (written, meant) in [("0.0.0.0:9464", "0.0.0.0:9464"), ("9464", "127.0.0.1:9464")] {
        let config = parsed(&format!("{NODE}[metrics]\nlisten = \"{written}\"\n"));
        let listen = config.metrics.listen.as_deref().expect("it is written");
        assert_eq!(listen.to_string(), meant);
        assert!(config.to_string().contains(&format!("  metrics: {meant}\n")), "{config}");
    }
    let environment = Environment::of([("MYCELIUM_METRICS_LISTEN", "[::1]:7")]);
    let config = parsed_in(NODE, &environment);
    assert_eq!(config.metrics.listen.as_deref().expect("it is set").to_string(), "[::1]:7");

    for (key, text) in [
        ("metrics.listen", "listen = \"here\"\n"),
        ("metrics.listen", "listen = 9464\n"),
        ("metrics.liste", "liste = \"9464\"\n"),
    ] {
        assert_eq!(mistake(&format!("{NODE}[metrics]\n{text}")).key, key, "{text}");
    }
    let unknown = Environment::of([("MYCELIUM_METRICS_LISTENS", "7")]);
    let error = Config::parse(NODE, "mycelium.toml", &unknown).expect_err("it stands for none");
    assert!(error.to_string().contains("MYCELIUM_METRICS_LISTEN"), "{error}");
}

#[test]
fn spans_go_on_at_peers_where_it_is_said() {
    let config = parsed(NODE);
    assert!(!*config.traces.propagate);
    assert!(!config.to_string().contains("traces"), "{config}");
    let config = parsed(&format!("{NODE}[traces]\npropagate = true\n"));
    assert!(*config.traces.propagate);
    assert!(config.to_string().contains("  traces: go on at peers\n"), "{config}");
    let environment = Environment::of([("MYCELIUM_TRACES_PROPAGATE", "true")]);
    let config = parsed_in(NODE, &environment);
    let line = "  traces: go on at peers (from MYCELIUM_TRACES_PROPAGATE)\n";
    assert!(config.to_string().contains(line), "{config}");
    for text in ["propagate = \"yes\"\n", "propagate = 1\n"] {
        let mistake = mistake(&format!("{NODE}[traces]\n{text}"));
        assert_eq!(mistake.key, "traces.propagate", "{text}");
    }
    // The example says that this is the default.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("mycelium.example.toml");
    let text = std::fs::read_to_string(file).expect("the example");
    let traces = text.split("\n[traces]\n").nth(1).expect("its section");
    assert!(traces.starts_with("propagate = false "), "{traces}");
}

#[test]
fn the_view_is_served_unless_it_is_turned_off() {
    let config = parsed(NODE);
    assert_eq!(*config.view.socket, ViewSocket::On);
    assert!(config.to_string().contains("  view: on\n"), "{config}");
    let config = parsed(&format!("{NODE}[view]\nsocket = \"off\"\n"));
    assert_eq!(*config.view.socket, ViewSocket::Off);
    let environment = Environment::of([("MYCELIUM_VIEW_SOCKET", "off")]);
    assert_eq!(*parsed_in(NODE, &environment).view.socket, ViewSocket::Off);

    let mistake = mistake(&format!("{NODE}[view]\nsocket = \"of\"\n"));
    assert_eq!(mistake.key, "view.socket");
    assert!(mistake.to_string().contains("\"on\" or \"off\""), "{mistake}");
    // The example says that this is the default.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("mycelium.example.toml");
    let text = std::fs::read_to_string(file).expect("the example");
    let view = text.split("\n[view]\n").nth(1).expect("its section");
    assert!(view.starts_with("socket = \"on\" "), "{view}");
    assert!(view.contains("\nremote = false "), "{view}");
}

#[test]
fn peers_get_snapshots_where_it_is_said() {
    let config = parsed(NODE);
    assert!(!*config.view.remote);
    assert!(!config.to_string().contains("remote view"), "{config}");
    let config = parsed(&format!("{NODE}[view]\nremote = true\n"));
    assert!(*config.view.remote && *config.view.socket == ViewSocket::On);
    assert!(config.to_string().contains("  remote view: to peers\n"), "{config}");
    let environment = Environment::of([("MYCELIUM_VIEW_REMOTE", "true")]);
    assert!(*parsed_in(NODE, &environment).view.remote);
    assert_eq!(mistake(&format!("{NODE}[view]\nremote = \"on\"\n")).key, "view.remote");
}
