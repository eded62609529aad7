//! Peers that know the cookie, and the contexts of spans that they send: what both nodes have not
//! agreed on ends the session, what W3C forbids is ignored, and the rest comes with its message.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ractor::BytesConvertable;
use ractor_cluster::link::traces::{Propagator, TraceContext, TracedMessage};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use tracing::Span;

use crate::client::{Client, ANSWER_TAG};
use crate::common::{peer, until};
use crate::greetings::add;
use crate::logs::Mark;
use crate::scene::{Count, Scene};
use crate::ways::announce;
use crate::wire::{Announcement, Call, Frame, NodeBody};

/// The flag of a frame that has a context.
const HAS_TRACE: u8 = 0x40;
/// Where the kind of a message stands in bytes with a length in front.
const KIND: usize = 9;
/// The bytes of the argument of `Add`, with its length.
const ARGUMENT: usize = 16;

/// Returns one context, and writes down with which contexts messages come.
#[derive(Debug)]
struct Recorder {
    current: Option<TraceContext>,
    came: Mutex<Vec<(TraceContext, String, bool)>>,
}

impl Recorder {
    fn with(current: Option<TraceContext>) -> Arc<Self> {
        Arc::new(Self { current, came: Mutex::default() })
    }

    fn came(&self) -> Vec<(TraceContext, String, bool)> {
        std::mem::take(&mut *self.came.lock().expect("it is not poisoned"))
    }
}

impl Propagator for Recorder {
    fn current(&self) -> Option<TraceContext> {
        self.current
    }

    fn span(&self, message: TracedMessage<'_>) -> Span {
        let TracedMessage { context, method, is_call, .. } = message;
        let mut came = self.came.lock().expect("it is not poisoned");
        came.push((context, method.to_owned(), is_call));
        Span::none()
    }
}

fn context(flags: u8) -> TraceContext {
    TraceContext::new([0xa1; 16], [0xb2; 8], flags).expect("it is one")
}

/// As a frame has it.
fn bytes_of(context: TraceContext) -> Vec<u8> {
    [&context.trace()[..], &context.span(), &[context.flags()]].concat()
}

async fn scene(name: &str, recorder: &Arc<Recorder>) -> Scene {
    let options = LinkOptions::default()
        .with_reconnect_grace(Duration::ZERO)
        .with_propagator(recorder.clone());
    Scene::with(name, options).await
}

async fn join(scene: &Scene, name: &str, traces: Option<u32>) -> Client {
    let mut client = scene.client(TransportKind::Tcp).await;
    let announcement = Announcement { traces, ..client.announcement() };
    client.join_as(name, announcement).await;
    client
}

/// Sends a message whose arguments have so many bytes, with these bytes in the place of a context.
async fn send(client: &mut Client, (message, arguments): (NodeBody, usize), trace: &[u8]) {
    let plain = Client::encoded(Frame::Envelope(client.envelope(message)));
    let (head, arguments) = plain.split_at(plain.len() - arguments);
    let mut bytes = [head, trace, arguments].concat();
    let length = (bytes.len() - 8) as u64;
    bytes[..8].copy_from_slice(&length.to_be_bytes());
    bytes[KIND] |= HAS_TRACE;
    client.send_bytes(&bytes).await.expect("the node takes it");
}

fn one_more(to: u64) -> (NodeBody, usize) {
    (add(to, 1), ARGUMENT)
}

#[tokio::test]
async fn a_context_comes_with_its_message() {
    let recorder = Recorder::with(None);
    let scene = scene("traced", &recorder).await;
    // A later version takes those of this one.
    for version in [1, 7] {
        let before = scene.sum().await;
        let mut client = join(&scene, &format!("traced-{version}"), Some(version)).await;
        assert_eq!(client.announced.as_ref().and_then(|it| it.traces), Some(1));
        let to = scene.counter();
        send(&mut client, one_more(to), &bytes_of(context(1))).await;
        // Flags that are not defined are left out.
        let strange = [&[0xa1; 16][..], &[0xb2; 8], &[0xfc]].concat();
        send(&mut client, one_more(to), &strange).await;
        // One without, and one for an actor that there is not.
        let plain = client.envelope(add(to, 1));
        client.send(Frame::Envelope(plain)).await;
        send(&mut client, one_more(1 << 40), &bytes_of(context(1))).await;
        let (what, variant) = (Vec::new(), "Sum".to_owned());
        let call = Call { to, what, tag: ANSWER_TAG, timeout_ms: Some(60_000), variant };
        send(&mut client, (NodeBody::Call(call), 0), &bytes_of(context(2))).await;
        assert_eq!(u64::from_bytes(client.reply(ANSWER_TAG).await), before + 3);
        let came = |flags, method: &str, is_call| (context(flags), method.to_owned(), is_call);
        let casts = [1, 0, 1].map(|flags| came(flags, "Add", false));
        assert_eq!(recorder.came(), [&casts[..], &[came(2, "Sum", true)]].concat());
    }
    scene.end().await;
}

#[tokio::test]
async fn a_context_of_zeros_is_ignored_and_its_message_is_not() {
    let recorder = Recorder::with(None);
    let scene = scene("zeros", &recorder).await;
    let mut client = join(&scene, "zeros", Some(1)).await;
    for zeros in [0..25, 0..16, 16..24] {
        let mut trace = [1; 25];
        trace[zeros].fill(0);
        send(&mut client, one_more(scene.counter()), &trace).await;
    }
    assert_eq!(u64::from_bytes(client.call(scene.counter(), "Sum").await), 3);
    assert_eq!(recorder.came(), []);
    scene.end().await;
}

const NOT_AGREED: &str = "the context of a span, which both nodes have not agreed on";

/// A peer that announced this sends so many bytes for a context, and loses its session.
async fn is_refused(scene: &Scene, (name, traces): (&str, Option<u32>), bytes: usize, why: &str) {
    let mut client = join(scene, name, traces).await;
    let log = Mark::of(&scene.log);
    send(&mut client, one_more(scene.counter()), &[1; 25][..bytes]).await;
    client.closed().await;
    log.told(why, name).await;
    until("it is gone", || peer(name).is_none()).await;
    assert_eq!(scene.sum().await, 0);
}

#[tokio::test]
async fn contexts_of_a_peer_that_announced_nothing_end_its_session() {
    let recorder = Recorder::with(None);
    let scene = scene("agreeing", &recorder).await;
    is_refused(&scene, ("unannounced", None), 25, NOT_AGREED).await;
    is_refused(&scene, ("version-0", Some(0)), 25, NOT_AGREED).await;
    // With the argument, which is taken for the rest of the context, it is one byte short.
    is_refused(&scene, ("short", Some(1)), 8, "a frame ends too early").await;
    assert_eq!(recorder.came(), []);
    scene.end().await;
}

#[tokio::test]
async fn contexts_for_a_node_without_a_propagator_end_the_session() {
    let scene = Scene::start("disagreeing").await;
    let client = join(&scene, "curious", Some(1)).await;
    assert_eq!(client.announced.as_ref().and_then(|it| it.traces), None);
    drop(client);
    is_refused(&scene, ("unasked", Some(1)), 25, NOT_AGREED).await;
    scene.end().await;
}

/// A node with a propagator sends contexts to peers that take them, and to others what it always
/// sent.
#[tokio::test]
async fn contexts_go_to_peers_that_take_them() {
    let current = context(1);
    let scene = scene("tracing", &Recorder::with(Some(current))).await;
    let mut lengths = Vec::new();
    for (name, traces) in [("takes", Some(1)), ("knows-none", None)] {
        let mut client = join(&scene, name, traces).await;
        let group = format!("tracing-{name}");
        let proxies = announce(&mut client, &group, &[700, 701]).await;
        let mut came = Vec::new();
        proxies[0].cast(Count::Add(1)).expect("it is taken");
        came.push(client.sent().await);
        let report = ractor::pg::broadcast_arc(&group, Arc::new(Count::Add(1)));
        assert_eq!(report.delivered(), 2);
        came.push(client.sent().await);
        let is_traced = traces.is_some();
        for (sent, kind) in came.iter().zip([1, 3]) {
            assert_eq!(sent.kind, if is_traced { kind | HAS_TRACE } else { kind });
            let rest = &sent.rest[..sent.rest.len() - ARGUMENT];
            assert_eq!(rest.ends_with(&bytes_of(current)), is_traced);
        }
        lengths.push(came.iter().map(|sent| sent.bytes).collect::<Vec<_>>());
    }
    assert_eq!(lengths[0], lengths[1].iter().map(|bytes| bytes + 25).collect::<Vec<_>>());
    scene.end().await;
}
