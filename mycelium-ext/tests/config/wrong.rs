//! What is said of a wrong configuration, and that none does harm.

use std::path::PathBuf;

use mycelium_ext::config::{Config, ConfigError, Environment, Place};
use proptest::prelude::*;

use super::{FILE, NODE, line, mistake, mistakes, nothing};

/// What is wrong with one thing, what it is called, in which line it stands, and what is said of
/// it.
#[test]
fn a_mistake_has_its_line_its_key_and_what_stands_there() {
    let cases: &[(&str, &str, usize, &[&str])] = &[
        ("", "nodes.b", 6, &["[nodes.b]", "a table", "a whole number"]),
        ("id = \"1\"", "node.id", 5, &["a whole number", "found \"1\""]),
        ("id = -1", "node.id", 5, &["not negative", "found \"-1\""]),
        ("id = 99999999999999999999", "node.id", 5, &["99999999999999999999"]),
        ("id = true", "node.id", 5, &["true or false"]),
        ("transport = \"unx\"", "node.transport", 5, &["\"adaptive\"", "did you mean \"unix\"?"]),
        ("transport = 5", "node.transport", 5, &["found 5", "quotation marks"]),
        ("mode = \"all\"", "node.mode", 5, &["\"isolated\" or \"transitive\"", "\"all\""]),
        ("tranport = \"tcp\"", "node.tranport", 5, &["did you mean \"transport\"?"]),
        ("[nde]", "nde", 5, &["did you mean \"node\"?"]),
        (
            "[node.limits]\nmax_frame = \"huge\"",
            "node.limits.max_frame",
            6,
            &["\"16 MiB\"", "huge"],
        ),
        ("[node.limits]\nmax_frame = \"0\"", "node.limits.max_frame", 6, &["not 0"]),
        ("[node.limits]\nmax_frame = 5", "node.limits.max_frame", 6, &["quotation marks"]),
        ("[node.limits]\nconnect_timeout = \"5\"", "node.limits.connect_timeout", 6, &["\"5s\""]),
        ("[node.limits]\nconnect_timeout = \"0s\"", "node.limits.connect_timeout", 6, &["not 0"]),
        ("[node.limits]\nconnect_timeout = \"9y\"", "node.limits.connect_timeout", 6, &["a year"]),
        (
            "[node.limits]\nbackoff_min = \"1m\"",
            "node.limits.backoff_min",
            6,
            &["at most backoff_max", "1m and 30s"],
        ),
        ("[node.local_nodes]\nids = 3", "node.local_nodes.ids", 6, &["a list in brackets", "3"]),
        ("[node.local_nodes]\nids = [1,\n\"2\"]", "node.local_nodes.ids", 7, &["\"2\""]),
        ("[node.local_nodes]\nids = [1,\n1]", "node.local_nodes.ids", 7, &["listed once"]),
        (
            "[node.local_nodes]\nids = [1]\n[node.remote_nodes]\nids = [1]",
            "node.remote_nodes.ids",
            8,
            &["local already (line 6)"],
        ),
        (
            "[node.local_nodes]\nids = [1]\n[nodes.b]\nid = 1\nlocation = \"remote\"",
            "nodes.b.location",
            9,
            &["its id 1 is local (line 6)"],
        ),
        ("[node.remote_nodes]\nids = [1]\n[node.x]", "node.x", 7, &["unknown key"]),
        ("id = 1\n[node.remote_nodes]\nids = [1]", "node.remote_nodes.ids", 7, &["this node"]),
        ("[nodes.feed]\nlocation = \"remote\"", "nodes.feed.location", 6, &["this node"]),
        ("id = 1\n[nodes.feed]\nid = 2", "nodes.feed.id", 7, &["this node's own id", "has 1"]),
        ("id = 1\n[nodes.b]\nid = 1", "nodes.b.id", 7, &["an id of its own"]),
        ("[nodes.a]\nid = 1\n[nodes.b]\nid = 1", "nodes.b.id", 8, &["that of a"]),
        (
            "[nodes.a]\naddress = \"tcp://h:1\"\n[nodes.b]\naddress = \"tcp://h:1\"",
            "nodes.b.address",
            8,
            &["an address of its own", "that of a"],
        ),
        ("[nodes.\"a b\"]", "nodes", 5, &["white space"]),
        ("[nodes.b]\naddress = \"h:1\"", "nodes.b.address", 6, &["does not start with tcp://"]),
        ("[nodes.b]\naddress = \"tcp://h\"", "nodes.b.address", 6, &["the port is missing"]),
        ("[nodes.b]\naddress = \"tcp://::1:5\"", "nodes.b.address", 6, &["brackets"]),
        ("[nodes.b]\naddress = \"udp://h:1\"", "nodes.b.address", 6, &["no transport \"udp\""]),
        ("[nodes.b]\naddress = \"unix://a\"", "nodes.b.address", 6, &["absolute"]),
        (
            "[nodes.b]\naddress = \"unix:///a\"\nlocation = \"remote\"",
            "nodes.b.address",
            6,
            &["location is \"remote\""],
        ),
        (
            "[nodes.b]\ntransport = \"shm\"\nlocation = \"remote\"",
            "nodes.b.transport",
            6,
            &["location is \"remote\"", "\"shm\""],
        ),
        (
            "[nodes.b]\naddress = \"tcp://h:1\"\ntransport = \"tls\"",
            "nodes.b.transport",
            7,
            &["the transport of the address"],
        ),
        ("[nodes.b]\nserver_name = \"b\"", "nodes.b.server_name", 6, &["tls://"]),
        (
            "[nodes.b]\naddress = \"tls://h:1\"",
            "nodes.b.authorities",
            6,
            &["vouches", "[node.tls]"],
        ),
        (
            "[node.tls]\nauthorities = \"no-such.pem\"",
            "node.tls.authorities",
            6,
            &["no-such.pem", "PEM"],
        ),
        ("listen = 3", "node.listen", 5, &["unknown key"]),
        ("[listen]", "listen", 5, &["an array of tables", "[[listen]]"]),
        ("[[listen]]", "listen[0].tcp", 5, &["one of tcp, tls and unix", "none of them"]),
        ("[[listen]]\ntcp = \"1\"\nunix = \"auto\"", "listen[0].tcp", 5, &["more than one"]),
        ("[[listen]]\ntcp = \"h\"", "listen[0].tcp", 6, &["the port is missing"]),
        ("[[listen]]\ntcp = \"h:70000\"", "listen[0].tcp", 6, &["no port"]),
        ("[[listen]]\ntcp = \"h:1\"\n[[listen]]\ntcp = \"h:1\"", "listen[1].tcp", 8, &["again"]),
        (
            "[[listen]]\nunix = \"off\"\n[[listen]]\nunix = \"auto\"",
            "listen[1].unix",
            8,
            &["one Unix socket"],
        ),
        ("[[listen]]\ntcp = \"1\"\nkey = \"k\"", "listen[0].key", 7, &["tls beside it"]),
        ("[[listen]]\nunix = \"a.sock\"", "listen[0].unix", 6, &["absolute"]),
        (
            "[[listen]]\ntls = \"1\"\ncertificate = \"c.pem\"",
            "listen[0].key",
            5,
            &["that tls needs", "nothing"],
        ),
        (
            "[[listen]]\ntls = \"1\"\ncertificate = \"no-such.pem\"\nkey = \"k.pem\"",
            "listen[0].certificate",
            7,
            &["no-such.pem"],
        ),
        ("cookie_env = \"NO_SUCH\"", "node.cookie_env", 5, &["cookie_env beside cookie"]),
        (
            "mode = \"transitive\"",
            "node.mode",
            5,
            &["\"isolated\"", "dial_supplied_addresses = true"],
        ),
        ("[security]\nstrict = \"yes\"", "security.strict", 6, &["true or false", "\"yes\""]),
        ("[security]\nstrict = 1", "security.strict", 6, &["true or false", "found 1"]),
        ("[security]\nstrct = true", "security.strct", 6, &["strict"]),
        ("[node.tls]\nkey = \"node.key\"", "node.tls.certificate", 6, &["belongs to the other"]),
        ("[node.tls]\ncertificate = \"no\"\nkey = \"no\"", "node.tls.certificate", 6, &["no: "]),
        (
            "[nodes.b]\ncertificate_names = [\"c\"]",
            "certificate_names",
            6,
            &["client_authorities, under [node.tls]", "neither"],
        ),
        ("[nodes.b]\ncertificate_names = [\"a b\"]", "nodes.b.certificate_names", 6, &["a b"]),
    ];
    for (more, key, at, said) in cases {
        let text = if more.is_empty() {
            format!("{NODE}[nodes]\nb = 5\n")
        } else {
            format!("{NODE}{more}\n")
        };
        let mistake = mistake(&text);
        let words = mistake.to_string();
        assert_eq!(mistake.key, *key, "{words}\n{text}");
        assert_eq!(line(&mistake), *at, "{words}\n{text}");
        for part in *said {
            assert!(words.contains(part), "{words:?} does not say {part:?}\n{text}");
        }
    }
}

#[test]
fn a_socket_path_that_is_too_long_is_told() {
    let path = format!("/{}", "a".repeat(200));
    let mistake = mistake(&format!("{NODE}[[listen]]\nunix = \"{path}\"\n"));
    assert!(mistake.to_string().contains("too long"), "{mistake}");
}

#[test]
fn all_mistakes_are_told_in_their_order() {
    let text = "[node]\nid = \"x\"\nnaem = \"feed\"\n[node.limits]\nmax_frame = \"x\"\n\
                [[listen]]\n[nodes.b]\naddress = \"x\"\nlocation = \"near\"\n[other]\n";
    let all = mistakes(text, &nothing());
    let keys: Vec<_> = all.iter().map(|mistake| (line(mistake), mistake.key.as_str())).collect();
    assert_eq!(
        keys,
        [
            (1, "node.cookie"),
            (1, "node.name"),
            (2, "node.id"),
            (3, "node.naem"),
            (5, "node.limits.max_frame"),
            (6, "listen[0].tcp"),
            (8, "nodes.b.address"),
            (9, "nodes.b.location"),
            (10, "other"),
        ]
    );
}

#[test]
fn what_is_no_toml_is_told_with_all_its_places_and_no_text() {
    let text = "[node]\ncookie = \"sesame\nname = = 3\n";
    let all = mistakes(text, &nothing());
    let lines: Vec<_> = all.iter().map(line).collect();
    assert!(lines.contains(&2) && lines.contains(&3), "{all:?}");
    assert!(all.iter().all(|mistake| !mistake.to_string().contains("sesame")), "{all:?}");
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value, said) in [
        ("MYCELIUM_NODE_ID", "x", "node.id: expected a whole number"),
        ("MYCELIUM_NODE_NAME", "", "node.name: expected a name"),
        ("MYCELIUM_NODE_TRANPORT", "tcp", "did you mean \"MYCELIUM_NODE_TRANSPORT\"?"),
        ("MYCELIUM_NODES_B_ADDRESS", "tcp://h:1", "stands for none"),
        ("MYCELIUM_LISTEN", "h:1", "does not start with tcp://"),
        ("MYCELIUM_LISTEN", "tls://h:1", "write it as [[listen]]"),
        ("MYCELIUM_NODE_COOKIE_FILE", "/no/such/file", "/no/such/file, which cannot be read"),
    ] {
        let all = mistakes(NODE, &Environment::of([(name, value)]));
        let [mistake] = &all[..] else { panic!("{all:?}") };
        assert_eq!(mistake.place, Place::Environment { variable: name.to_owned() });
        let words = mistake.to_string();
        assert!(words.starts_with(&format!("{name} (environment): ")), "{words}");
        assert!(words.contains(said), "{words:?} does not say {said:?}");
    }
}

#[test]
fn a_variable_for_two_keys_is_refused() {
    let text = format!("{NODE}[nodes.a-b]\n[nodes.a_b]\n");
    let environment = Environment::of([("MYCELIUM_NODES_A_B_ID", "1")]);
    let all = mistakes(&text, &environment);
    assert!(all.iter().any(|mistake| mistake.to_string().contains("as well")), "{all:?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_told() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let value = OsString::from_vec(vec![0xff]);
    let all = mistakes(NODE, &Environment::of([("MYCELIUM_NODE_NAME", value)]));
    assert!(all[0].to_string().contains("not Unicode"), "{all:?}");
}

#[cfg(unix)]
mod cookie_files {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with a cookie file and the configuration that names it.
    fn folder(cookie: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("cookie");
        std::fs::write(&secret, cookie).expect("a file");
        std::fs::set_permissions(&secret, Permissions::from_mode(mode)).expect("a mode");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "[node]\nname = \"feed\"\ncookie_file = \"cookie\"\n")
            .expect("a file");
        (folder, file)
    }

    fn refused(cookie: &[u8], mode: u32, said: &str) {
        let (_folder, file) = folder(cookie, mode);
        let Err(ConfigError::Mistakes(all)) = Config::load_with(&file, &nothing()) else {
            panic!("a file of mode {mode:o} was taken");
        };
        let words = all[0].to_string();
        assert!(words.contains(":3:15: node.cookie_file"), "{words}");
        assert!(words.contains(said), "{words:?} does not say {said:?}");
        assert!(!words.contains("sesame"), "{words}");
    }

    #[test]
    fn the_owner_s_own_is_read_without_its_line_end() {
        let (_folder, file) = folder(b"sesame\r\n", 0o600);
        let config = Config::load_with(&file, &nothing()).expect("a configuration");
        assert_eq!(config.node.cookie.reveal(), "sesame");
    }

    #[test]
    fn one_that_others_may_use_is_refused() {
        refused(b"sesame", 0o640, "mode 0640); run `chmod 600");
        refused(b"sesame", 0o604, "mode 0604");
        refused(b"sesame", 0o602, "mode 0602");
    }

    #[test]
    fn one_that_holds_no_cookie_is_refused() {
        refused(b"\n", 0o600, "which is empty");
        refused(b"\xff\xfe", 0o600, "cannot be read");
        refused(&[b'a'; 70_000], 0o600, "too large");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "[node]\nname = \"feed\"\ncookie_file = \".\"\n";
        let file = folder.path().join(FILE);
        std::fs::write(&file, text).expect("a file");
        let error = Config::load_with(&file, &nothing()).expect_err("a folder is no cookie");
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load_with("no/such.toml", &nothing()).expect_err("there is no such file");
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().contains("no/such.toml"), "{error}");
}

/// Pieces that make nearly right configurations.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "[node]",
        "[node.limits]",
        "[nodes.a]",
        "[[listen]]",
        "[node.local_nodes]",
        "name",
        "id",
        "ids",
        "cookie",
        "cookie_file",
        "address",
        "location",
        "tcp",
        "tls",
        "unix",
        "=",
        "\"\"",
        "\"tcp://a:1\"",
        "\"local\"",
        "3",
        "[1, 2]",
        "[",
        "]",
        "{",
        "}",
        "\n",
        ".",
        "\"",
        "é",
        "#",
        "max_frame",
        "\"1 MiB\"",
        "true",
    ]);
    prop_oneof![8 => words.prop_map(str::to_owned), 1 => ".{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(
        pieces in prop::collection::vec(piece(), 0..40),
        variable in ".{0,12}",
    ) {
        let text = pieces.join(" ");
        let environment = Environment::of([
            ("MYCELIUM_NODE_ID", variable.as_str()),
            ("MYCELIUM_NODE_LIMITS_BACKOFF_MIN", variable.as_str()),
            ("MYCELIUM_LISTEN", variable.as_str()),
        ]);
        if let Err(error) = Config::parse(&text, FILE, &environment) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_arbitrary_text_makes_it_panic(text in "\\PC*") {
        let _ = Config::parse(&text, FILE, &nothing());
    }

    /// Wherever a cookie stands, and whatever else is wrong, nothing shows it.
    #[test]
    fn no_output_shows_the_cookie(
        before in prop::collection::vec(piece(), 0..6),
        after in prop::collection::vec(piece(), 0..6),
    ) {
        let text = format!(
            "{NODE}id = 1\n{}\n[node.limits]\n{}\n",
            before.join(" "),
            after.join(" ")
        );
        let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "open-sesame")]);
        let parsed = Config::parse(&text, FILE, &environment);
        let shown = match &parsed {
            Ok(config) => format!("{config}{config:?}"),
            Err(error) => format!("{error}{error:?}"),
        };
        prop_assert!(!shown.contains("sesame"), "{}", shown);
    }
}
