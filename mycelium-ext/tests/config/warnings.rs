//! What is risky in a right configuration.

use std::sync::{Arc, Mutex};

use mycelium_ext::config::Warning;
use mycelium_ext::node::Node;

use super::*;

/// Long enough.
const COOKIE: &str = "0123456789abcdef";

fn with(cookie: &str, rest: &str) -> Config {
    parsed(&format!("[node]\nname = \"feed\"\nhost = \"h\"\ncookie = \"{cookie}\"\n{rest}"))
}

#[test]
fn a_cookie_of_fewer_than_16_bytes_is_short() {
    assert_eq!(with(COOKIE, "").warnings(), []);
    let short = &COOKIE[1..];
    let config = with(short, "");
    let warnings = config.warnings();
    let [Warning::ShortCookie { place: Some(place) }] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert_eq!(place.to_string(), "mycelium.toml:4:10");
    let words = warnings[0].to_string();
    assert!(words.contains("16 random bytes or more"), "{words}");
    let said = format!("{config}{config:?}{words}{warnings:?}");
    assert!(!said.contains(short), "{said}");
}

#[test]
fn a_listener_for_other_machines_without_tls_is_told() {
    for public in ["0.0.0.0:1", "[::]:1", "192.0.2.7:1", "node.example.org:1"] {
        let warnings = with(COOKIE, &format!("[[listen]]\ntcp = \"{public}\"\n")).warnings();
        let [warning @ Warning::PlainListener { place: Some(_), address }] = &warnings[..] else {
            panic!("{public}: {warnings:?}");
        };
        assert_eq!(address.to_string(), format!("tcp://{public}"));
        let words = warning.to_string();
        assert!(words.starts_with("mycelium.toml:6:7: ") && words.contains("use tls"), "{words}");
    }
    for near in ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
        let warnings = with(COOKIE, &format!("[[listen]]\ntcp = \"{near}\"\n")).warnings();
        assert_eq!(warnings, [], "{near}");
    }
    assert_eq!(with(COOKIE, "[[listen]]\nunix = \"/tmp/socket\"\n").warnings(), []);
}

#[test]
fn metrics_for_other_machines_are_told() {
    let warnings = with(COOKIE, "[metrics]\nlisten = \"0.0.0.0:9464\"\n").warnings();
    let [warning @ Warning::PublicMetrics { place: Some(_), listen }] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert_eq!(listen.to_string(), "0.0.0.0:9464");
    let words = warning.to_string();
    assert!(words.starts_with("mycelium.toml:6:10: ") && words.contains("127.0.0.1"), "{words}");
    assert_eq!(with(COOKIE, "[metrics]\nlisten = \"9464\"\n").warnings(), []);
}

#[test]
fn a_listener_for_other_machines_with_tls_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["feed".to_owned()]).expect("a certificate");
    let (pem, key) = (folder.path().join("feed.pem"), folder.path().join("feed.key"));
    std::fs::write(&pem, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let listen = format!(
        "[[listen]]\ntls = \"0.0.0.0:1\"\ncertificate = '{}'\nkey = '{}'\n",
        pem.display(),
        key.display()
    );
    assert_eq!(with(COOKIE, &listen).warnings(), []);
}

/// Keeps the warnings in the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "warning" {
            self.0.lock().expect("the log").push(format!("{value:?}"));
        }
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("mycelium_ext")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_node_logs_each_once() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let config = with("short", "[[listen]]\nunix = \"off\"\n");
    let node = Node::from_config(&config).expect("a node").start().await.expect("it starts");
    node.stop().await;
    let said: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1);
    assert_eq!(*log.0.lock().expect("the log"), said);
}
