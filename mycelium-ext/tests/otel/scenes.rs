//! What a collector gets of nodes that talk to each other.

use libtest_mimic::Failed;
use ractor::{call_t, pg};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tracing::Instrument;
use tracing::subscriber::DefaultGuard;

use super::collector::{Collector, Span};
use super::export;
use super::process::{Process, soon};
use super::worker::{self, PATIENCE, Work, member};

const INTERNAL: u64 = 1;
const SERVER: u64 = 2;
const CONSUMER: u64 = 5;

/// Starts a node in a process of its own, and returns it with its address.
fn node(collector: &Collector, name: &str, rest: &[&str]) -> (Process, String) {
    let process = Process::start(&[&["node", name, &collector.address], rest].concat());
    let address = process.line();
    (process, address)
}

/// Has this thread export its spans as those of the node `a`.
fn exports(collector: &Collector, records: bool) -> DefaultGuard {
    tracing::subscriber::set_default(export::subscriber(&collector.address, "a", records))
}

/// Runs everything of this process's node on this thread.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

fn named<'a>(spans: &'a [Span], node: &str, name: &str) -> &'a Span {
    let found: Vec<_> =
        spans.iter().filter(|span| (&*span.node, &*span.name) == (node, name)).collect();
    let [span] = found[..] else { panic!("{name} of {node}: {spans:#?}") };
    span
}

/// Asks the node `to` in a span, and checks how many nodes had a part in the answer.
async fn ask(to: &str, answer: u64) {
    let asking = async {
        let asked = call_t!(member(&to.to_owned()).await, Work::Ask, PATIENCE);
        assert_eq!(asked.expect("it is answered"), answer);
    };
    soon(asking.instrument(tracing::info_span!("ask"))).await;
}

pub(crate) fn a_call_is_one_trace() -> Result<(), Failed> {
    let collector = Collector::start();
    let (_c, at_c) = node(&collector, "c", &["1", "true"]);
    let (_b, at_b) = node(&collector, "b", &["1", "true", "c", &at_c]);
    let _exports = exports(&collector, true);
    runtime().block_on(async {
        let node = worker::start("a", true, Some(&at_b)).await;
        ask("b", 2).await;
        node.stop().await;
    });
    let spans = collector.take(5);
    let (asked, work) = (|node| named(&spans, node, "Ask"), |node| named(&spans, node, "work"));
    let root = named(&spans, "a", "ask");
    assert!(spans.iter().all(|span| span.trace == root.trace), "{spans:#?}");
    let parents = [
        (root, String::new(), INTERNAL),
        (asked("b"), root.id.clone(), SERVER),
        (work("b"), asked("b").id.clone(), INTERNAL),
        (asked("c"), work("b").id.clone(), SERVER),
        (work("c"), asked("c").id.clone(), INTERNAL),
    ];
    for (span, parent, kind) in parents {
        assert_eq!((&span.parent, span.kind), (&parent, kind), "{span:?} of {spans:#?}");
    }
    Ok(())
}

pub(crate) fn the_actors_of_a_broadcast_share_a_span() -> Result<(), Failed> {
    let collector = Collector::start();
    let (_b, at_b) = node(&collector, "b", &["3", "true"]);
    let _exports = exports(&collector, true);
    runtime().block_on(async {
        let node = worker::start("a", true, Some(&at_b)).await;
        let group = "b".to_owned();
        let all = async {
            while pg::get_members(&group).len() < 3 {
                tokio::task::yield_now().await;
            }
        };
        soon(all).await;
        tracing::info_span!("tell").in_scope(|| {
            assert_eq!(pg::broadcast_arc(&group, Arc::new(Work::Tell(1))).delivered(), 3);
        });
        // Ends what was sent before.
        ask("b", 1).await;
        node.stop().await;
    });
    let spans = collector.take(8);
    let (tell, told) = (named(&spans, "a", "tell"), named(&spans, "b", "Tell"));
    assert_eq!((&told.parent, told.kind), (&tell.id, CONSUMER));
    let of_it: Vec<_> = spans.iter().filter(|span| span.parent == told.id).collect();
    assert_eq!(of_it.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["work"; 3], "{spans:#?}");
    let asked = named(&spans, "b", "Ask");
    assert_eq!(asked.parent, named(&spans, "a", "ask").id);
    assert_ne!(asked.trace, told.trace);
    Ok(())
}

/// Whichever of the two it is.
pub(crate) fn a_node_without_it_begins_a_trace() -> Result<(), Failed> {
    for (ours, theirs) in [(true, "false"), (false, "true")] {
        let collector = Collector::start();
        let (_b, at_b) = node(&collector, "b", &["1", theirs]);
        let _exports = exports(&collector, true);
        runtime().block_on(async {
            let node = worker::start("a", ours, Some(&at_b)).await;
            ask("b", 1).await;
            node.stop().await;
        });
        let spans = collector.take(2);
        let (asks, work) = (named(&spans, "a", "ask"), named(&spans, "b", "work"));
        assert_eq!(work.parent, "");
        assert_ne!(work.trace, asks.trace);
    }
    Ok(())
}

pub(crate) fn the_flag_is_kept() -> Result<(), Failed> {
    let collector = Collector::start();
    let (_b, at_b) = node(&collector, "b", &["1", "true"]);
    let off = exports(&collector, false);
    let runtime = runtime();
    let node = runtime.block_on(async {
        let node = worker::start("a", true, Some(&at_b)).await;
        ask("b", 1).await;
        node
    });
    drop(off);
    // The first that the collector gets is of a trace that is recorded.
    let _on = exports(&collector, true);
    runtime.block_on(async {
        ask("b", 1).await;
        node.stop().await;
    });
    let spans = collector.take(3);
    let asks = named(&spans, "a", "ask");
    assert!(spans.iter().all(|span| span.trace == asks.trace), "{spans:#?}");
    Ok(())
}
