//! What a node tells by `tracing`. In a file of its own, since it listens to the whole process.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium_ext::config::Limits;
use mycelium_ext::node::{Node, NodeEvent};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A node meets a peer, and loses it.
async fn a_life() {
    let started = |name: &str| Node::builder(name).host("test").cookie("sesame");
    let a = started("a").start().await.expect("a node");
    let mut limits = Limits::default();
    limits.backoff_min = Duration::from_millis(1).into();
    let b = started("b").limits(limits);
    let b = b.peer("a".parse().expect("a name"), a.addresses()[0].clone());
    let b = b.start().await.expect("a node");
    let mut events = b.events();
    b.connected("a").await;
    a.stop().await;
    while !matches!(events.recv().await.expect("an event"), NodeEvent::DialFailed { .. }) {}
    b.stop().await;
}

/// Keeps the events of this crate, each as `message{field=value …}` behind its spans.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<(Vec<String>, Vec<String>)>>);

/// Writes fields down.
struct Fields<'a>(&'a mut String);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = std::fmt::Write::write_fmt(self.0, format_args!(" {}={value:?}", field.name()));
    }
}

thread_local! {
    /// The spans that this thread is in, by their ids.
    static SPANS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("mycelium_ext")
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut text = span.metadata().name().to_owned();
        span.record(&mut Fields(&mut text));
        let mut log = self.0.lock().expect("the log");
        log.0.push(text);
        tracing::span::Id::from_u64(log.0.len() as u64)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut log = self.0.lock().expect("the log");
        let spans = SPANS.with_borrow(Clone::clone);
        let mut text: String =
            spans.iter().map(|id| format!("[{}]", log.0[*id as usize - 1])).collect();
        event.record(&mut Fields(&mut text));
        log.1.push(text);
    }

    fn enter(&self, span: &tracing::span::Id) {
        SPANS.with_borrow_mut(|spans| spans.push(span.into_u64()));
    }

    fn exit(&self, _: &tracing::span::Id) {
        SPANS.with_borrow_mut(|spans| spans.truncate(spans.len().saturating_sub(1)));
    }
}

#[tokio::test]
async fn what_happens_is_traced_in_the_span_of_its_node() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).expect("nobody else listens");
    tokio::time::timeout(LONG, a_life()).await.expect("it takes too long");
    let log = log.0.lock().expect("the log");
    for (said, fields) in [
        ("listens", &["address="][..]),
        (
            "connected",
            &[
                "peer=\"a@test\"",
                "peer.node_id=",
                "peer.address=",
                "peer.locality=same process",
                "link.kind=\"arc\"",
                "link.incoming=false",
            ],
        ),
        ("disconnected", &["peer=\"a@test\"", "peer.node_id=", "peer.address="]),
        ("not connected", &["peer=a", "peer.address=tcp://", "error=", "retry_in_ms="]),
    ] {
        let start = "[node node=\"b@test\"]";
        let of_it = |line: &&String| {
            line.starts_with(start) && line.contains(&format!("message={said} "))
                || line.ends_with(&format!("message={said}"))
        };
        let line = log.1.iter().find(of_it);
        let line = line.unwrap_or_else(|| panic!("no {said:?} in {:#?}", log.1));
        for field in fields {
            assert!(line.contains(field), "no {field} in {line}");
        }
    }
}
