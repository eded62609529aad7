//! `[cluster]`: what is read, what it means, and what is wrong with it.

use super::*;

fn cluster(text: &str, environment: &Environment) -> mycelium_ext::config::ClusterSettings {
    let config = parsed_in(&format!("{NODE}{text}"), environment);
    config.cluster.unwrap_or_else(|| panic!("no cluster\n{text}"))
}

#[test]
fn there_is_none_unless_the_file_or_a_variable_says_so() {
    assert!(parsed(NODE).cluster.is_none());
    let defaults = cluster("[cluster]\n", &nothing());
    assert_eq!((&**defaults.name, defaults.seeds.len()), ("mycelium", 0));
    assert!(defaults.gossip.is_none() && defaults.advertise.is_none());
    assert!(defaults.also_accept.is_none() && defaults.full_mesh_up_to.is_none());
    assert_eq!(*defaults.pace.interval, Duration::from_millis(500));
    assert_eq!(*defaults.pace.forget_after, Duration::from_secs(600));

    let seeds = [("MYCELIUM_CLUSTER_SEEDS", "h:1, [::1]:2")];
    let config = parsed_in(NODE, &Environment::of(seeds));
    let found = config.cluster.as_ref().expect("a cluster").seeds.iter();
    let found: Vec<_> = found.map(|seed| (seed.host(), seed.port())).collect();
    assert_eq!(found, [("h", 1), ("::1", 2)]);
    let line = "  seed: h:1 (from MYCELIUM_CLUSTER_SEEDS)\n";
    assert!(config.to_string().contains(line), "{config}");
}

#[test]
fn everything_is_read_and_shown_but_secrets() {
    let text = "[cluster]\nname = \"prod\"\nseeds = [\"a.example.org:1\", \"192.0.2.1:2\"]\n\
                gossip = \"0.0.0.0:3\"\nadvertise = \"h.example.org:0\"\nalso_accept = \"older\"\n\
                full_mesh_up_to = 40\ninterval = \"1s\"\nforget_after = \"1h\"\n";
    let settings = cluster(text, &nothing());
    let seeds: Vec<_> = settings.seeds.iter().map(ToString::to_string).collect();
    assert_eq!(seeds, ["a.example.org:1", "192.0.2.1:2"]);
    assert_eq!(settings.gossip.as_deref().map(|it| it.to_string()).as_deref(), Some("0.0.0.0:3"));
    assert_eq!(settings.advertise.as_deref().map(|it| it.port()), Some(0));
    assert_eq!(settings.also_accept.as_ref().map(|it| it.reveal()), Some("older"));
    assert_eq!(settings.full_mesh_up_to.as_deref(), Some(&40));
    let config = parsed(&format!("{NODE}{text}"));
    let shown = format!("{config}{config:?}");
    assert!(!shown.contains("older"), "{shown}");
    let lines = "cluster prod\n  seed: a.example.org:1\n  seed: 192.0.2.1:2\n  \
                 gossips at: 0.0.0.0:3\n  reached at: h.example.org:0\n  a further cookie: set\n  \
                 sessions with all members up to: 40\n  interval: 1s\n  forget_after: 1h\n";
    assert!(shown.contains(lines), "{shown}");

    let by_variables = Environment::of([
        ("MYCELIUM_CLUSTER_NAME", "test"),
        ("MYCELIUM_CLUSTER_GOSSIP", "7"),
        ("MYCELIUM_CLUSTER_ALSO_ACCEPT", "oldest"),
        ("MYCELIUM_CLUSTER_INTERVAL", "100ms"),
        ("MYCELIUM_CLUSTER_FULL_MESH_UP_TO", "0"),
    ]);
    let settings = cluster(text, &by_variables);
    assert_eq!((&**settings.name, *settings.pace.interval), ("test", Duration::from_millis(100)));
    assert_eq!(settings.gossip.as_deref().map(|it| it.to_string()).as_deref(), Some("127.0.0.1:7"));
    assert_eq!(settings.also_accept.as_ref().map(|it| it.reveal()), Some("oldest"));
    assert_eq!(settings.full_mesh_up_to.as_deref(), Some(&0));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let everywhere = "[[listen]]\ntcp = \"0.0.0.0:1\"\n[cluster]\n";
    for (text, key, at, parts) in [
        ("[cluster]\nseeds = [\"h\"]", "cluster.seeds", 6, ["the port is missing", "found \"h\""]),
        ("[cluster]\nseeds = [\"h:0\"]", "cluster.seeds", 6, ["no node is at port 0", "h:0"]),
        ("[cluster]\nseeds = [\"0.0.0.0:1\"]", "cluster.seeds", 6, ["all addresses", "0.0.0.0"]),
        ("[cluster]\nseeds = \"h:1\"", "cluster.seeds", 6, ["a list in brackets", "h:1"]),
        ("[cluster]\nadvertise = \"[::]:1\"", "cluster.advertise", 6, ["all addresses", "[::]"]),
        ("[cluster]\ngossip = \"0.0.0.0:1\"", "cluster.advertise", 6, ["nothing", "HOST:0"]),
        (everywhere, "cluster.advertise", 7, ["nothing", "write advertise"]),
        ("[cluster]\ninterval = \"1ms\"", "cluster.interval", 6, ["\"20ms\" to \"1m\"", "1ms"]),
        ("[cluster]\ninterval = \"2m\"", "cluster.interval", 6, ["\"20ms\" to \"1m\"", "2m"]),
        ("[cluster]\nfull_mesh_up_to = -1", "cluster.full_mesh_up_to", 6, ["number", "-1"]),
        ("[cluster]\nfull_mesh_up_to = \"all\"", "cluster.full_mesh_up_to", 6, ["number", "all"]),
        ("[cluster]\nname = \"\"", "cluster.name", 6, ["1 to 255 bytes", "found \"\""]),
        ("[cluster]\nalso_accept = \"sesame\"", "cluster.also_accept", 6, ["another", "the same"]),
        ("[cluster]\nseed = [\"h:1\"]", "cluster.seed", 6, ["unknown key", "\"seeds\"?"]),
        (
            "[cluster]\nalso_accept = \"a\"\nalso_accept_env = \"B\"",
            "cluster.also_accept_env",
            7,
            ["one of also_accept, also_accept_file and also_accept_env", "beside also_accept"],
        ),
        (
            "[cluster]\nalso_accept_file = \"nowhere\"",
            "cluster.also_accept_file",
            6,
            ["a file with the cookie", "nowhere"],
        ),
    ] {
        let mistake = mistake(&format!("{NODE}{text}\n"));
        assert_eq!((mistake.key.as_str(), line(&mistake)), (key, at), "{mistake}");
        for part in parts {
            assert!(mistake.to_string().contains(part), "{part}: {mistake}");
        }
    }
    // With where others reach it, all addresses of the machine are right.
    parsed(&format!("{NODE}{everywhere}advertise = \"192.0.2.1:0\"\n"));
    // The gossip has a secret: a cookie is needed as ever.
    let without = mistakes("[node]\nname = \"a\"\n[cluster]\nseeds = [\"h:1\"]\n", &nothing());
    assert!(without.iter().any(|it| it.key == "node.cookie"), "{without:?}");
    let unknown = Environment::of([("MYCELIUM_CLUSTER_SEED", "h:1")]);
    let unknown = mistakes(&format!("{NODE}[cluster]\n"), &unknown);
    assert!(unknown[0].to_string().contains("MYCELIUM_CLUSTER_SEED"), "{unknown:?}");
    let port = Environment::of([("MYCELIUM_CLUSTER_SEEDS", "h:1,g")]);
    let port = mistakes(NODE, &port);
    assert!(port[0].to_string().contains("the port is missing"), "{port:?}");
}
