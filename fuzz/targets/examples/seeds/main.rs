//! Writes the seeds of all targets anew: `cargo run -p mycelium-fuzz-targets --example seeds`.
//!
//! For a change of the protocol, and for a new target. What a fuzzer found is added by hand, and
//! stays.

mod codec;
#[cfg(target_os = "linux")]
mod ring;

use std::fs;
use std::path::Path;

use mycelium_fuzz_targets::session::{Depth, counter};
use mycelium_fuzz_targets::wire;
use prost::Message as _;
use wire::{
    Acknowledgement, Actor, ActorPreference, Announcement, Attach, AuthBody, Body, Call, CallReply,
    Cast, ChallengeReply, ClientStatus, Control, ControlBody, Envelope, Enveloped, Flags, Frame,
    Hello, Name, Network, Node, NodeBody, PgJoin, Preferences, Ready, Settled,
};

fn main() {
    let seeds = addresses().into_iter().chain(codec::seeds()).chain(configs()).chain(frames());
    #[cfg(target_os = "linux")]
    let seeds = seeds.chain(ring::seeds());
    let seeds = seeds.chain(sessions());
    for (target, name, bytes) in seeds {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target);
        fs::create_dir_all(&folder).expect("the folder of the seeds");
        fs::write(folder.join(name), bytes).expect("the seed is written");
    }
}

type Seed = (&'static str, String, Vec<u8>);

fn addresses() -> Vec<Seed> {
    let texts = [
        ("tcp", "tcp://127.0.0.1:4697"),
        ("tcp-v6", "tcp://[::1]:0"),
        ("tls", "tls://feed.example.org:4697"),
        ("unix", "unix:///run/mycelium/feed"),
        ("no-scheme", "feed.example.org:4697"),
        ("no-port", "tcp://[::1]"),
        ("relative", "unix://socket"),
    ];
    texts.map(|(name, text)| ("address", name.to_owned(), text.as_bytes().to_vec())).into()
}

fn configs() -> Vec<Seed> {
    let example = include_str!("../../../../mycelium-ext/mycelium.example.toml");
    let texts = [
        ("example", example),
        ("least", "[node]\nname = \"feed\"\n"),
        ("peer", "[node]\nname = \"near\"\n[nodes.feed]\naddress = \"tcp://127.0.0.1:4697\"\n"),
        (
            "limits",
            "[node]\nname = \"n\"\n[node.limits]\nmax_frame = \"1 MiB\"\nbackoff_min = \"1s\"\n",
        ),
        ("unknown", "[node]\nnmae = \"feed\"\n[[listen]]\nudp = \"0.0.0.0:1\"\n"),
        (
            "numbers",
            "[node]\nname = \"n\"\nid = 18446744073709551615\n[nodes.7]\nlocation = \"remote\"\n",
        ),
        ("no-toml", "[node\nname = 'feed\n"),
    ];
    texts.map(|(name, text)| ("config", name.to_owned(), text.as_bytes().to_vec())).into()
}

fn frames() -> Vec<Seed> {
    let stream = |frames: &[Vec<u8>]| -> Vec<u8> {
        let with_length =
            |frame: &Vec<u8>| [&(frame.len() as u64).to_be_bytes(), &frame[..]].concat();
        frames.iter().flat_map(with_length).collect()
    };
    let seed = |name: &str, sizes: [u8; 4], stream: Vec<u8>| -> Seed {
        ("frames", name.to_owned(), [&sizes, &stream[..]].concat())
    };
    let three = stream(&[b"tick".to_vec(), Vec::new(), vec![7; 300]]);
    vec![
        seed("at-once", [255; 4], three.clone()),
        seed("byte-by-byte", [1, 0, 1, 1], three.clone()),
        seed("cut", [3, 9, 0, 80], three[..40].to_vec()),
        seed("large", [250, 1, 0, 33], stream(&[vec![1; 70_000], vec![2; 9]])),
        seed("too-large", [255; 4], (256_u64 * 1024 + 1).to_be_bytes().to_vec()),
        seed("far-too-large", [5; 4], [&three[..], &[0xff; 9]].concat()),
        seed("nothing", [0; 4], Vec::new()),
    ]
}

fn sessions() -> Vec<Seed> {
    let control = |body| Enveloped::Control(Control { body: Some(body) });
    let node = |body| Enveloped::Node(Node { body: Some(body) });
    let envelopes = |bodies: Vec<Enveloped>| -> Vec<Network> {
        // The first was sent on the way to this depth.
        let enveloped = |(sequence, body)| {
            Frame::Envelope(Envelope { lane: 0, sequence, acknowledged: 0, body: Some(body) })
                .into()
        };
        (2..).zip(bodies).map(enveloped).collect()
    };
    let to = counter();
    let text = |text: &str| text.to_owned();
    let actor = |pid| Actor { pid, name: Some(text("guest")) };
    let join = |scope| PgJoin { group: text("guests"), actors: vec![actor(7)], scope: text(scope) };
    let cast = |to, what| NodeBody::Cast(Cast { to, what, variant: text("Add") });
    let call = |to, tag| {
        let (what, variant) = (vec![1], text("Sum"));
        NodeBody::Call(Call { to, what, tag, timeout_ms: Some(3), variant })
    };
    let reply = NodeBody::Reply(CallReply { to, tag: 9, what: vec![5; 40] });
    let name = |name: &str| {
        AuthBody::Name(Name {
            name: text(name),
            flags: Some(Flags { version: 1 }),
            connection_string: text("guest:1"),
            connection_id: 3,
        })
    };
    let announcement = Announcement {
        release: text("0.16.5+mycelium.1"),
        number: Some(4),
        machine: Some(vec![1; 32]),
        process: Some(vec![2; 32]),
        share: vec![3; 32],
        unix_socket: Some(text("/run/nowhere")),
        preference: 4,
        max_frame: None,
        ..Announcement::default()
    };
    let stock = |body| Network { body: Some(body) };
    let preferences = vec![ActorPreference { pid: 7, preference: 3, urgent: false }];
    let hello = |version, bytes| {
        let (nonce, channel) = (vec![1; bytes], text("external"));
        Frame::Hello(Hello { version, nonce, channel, ..Hello::default() })
    };
    let scripts: Vec<(&str, Depth, Vec<Network>)> = vec![
        ("gone-at-once", Depth::Frames, vec![]),
        ("hello-and-name", Depth::Frames, vec![hello(1, 32).into(), name("guest@there").into()]),
        ("hello-twice", Depth::Frames, vec![hello(9, 0).into(), hello(0, 99).into()]),
        ("stock-name", Depth::Frames, vec![name("guest").into()]),
        (
            "attach",
            Depth::Frames,
            vec![Frame::Attach(Attach { session: vec![1; 32], nonce: vec![2; 32] }).into()],
        ),
        (
            "false-digest",
            Depth::Hello,
            vec![
                name("guest@there").into(),
                AuthBody::Reply(ChallengeReply { challenge: 1, digest: vec![0; 32] }).into(),
            ],
        ),
        (
            "no-client",
            Depth::Hello,
            vec![AuthBody::ClientStatus(ClientStatus { status: true }).into()],
        ),
        (
            "early-envelope",
            Depth::Authenticated,
            envelopes(vec![control(ControlBody::Ready(Ready {}))]),
        ),
        (
            "announcement",
            Depth::Authenticated,
            vec![Frame::Announcement(announcement).into(), Frame::Settled(Settled {}).into()],
        ),
        (
            "messages",
            Depth::Joined,
            envelopes(vec![node(cast(to, vec![0; 8])), node(call(to, 1)), node(reply)]),
        ),
        ("no-message", Depth::Joined, envelopes(vec![node(cast(to, vec![0; 3]))])),
        (
            "nobody",
            Depth::Joined,
            envelopes(vec![node(cast(u64::MAX, vec![])), node(call(u64::MAX, 0))]),
        ),
        (
            "groups",
            Depth::Joined,
            envelopes(vec![
                Enveloped::Preferences(Preferences { actors: preferences }),
                control(ControlBody::PgJoin(join("scope"))),
                control(ControlBody::PgJoin(join(""))),
            ]),
        ),
        (
            "stock-messages",
            Depth::Joined,
            vec![stock(Body::Node(Node { body: Some(cast(to, vec![0; 8])) }))],
        ),
        (
            "acknowledges-too-much",
            Depth::Joined,
            vec![
                Frame::Acknowledgement(Acknowledgement { lane: 0, acknowledged: u64::MAX }).into(),
            ],
        ),
    ];
    let mut seeds: Vec<Seed> = scripts
        .into_iter()
        .map(|(name, depth, frames)| {
            let frames: Vec<Vec<u8>> = frames.iter().map(Network::encode_to_vec).collect();
            ("session", name.to_owned(), depth.input(&frames))
        })
        .collect();
    let no_frame = Depth::Joined.input(&[vec![0xff; 20]]);
    let too_large = [&[Depth::Bytes as u8][..], &[0xff; 12]].concat();
    seeds.push(("session", "no-frame".to_owned(), no_frame));
    seeds.push(("session", "too-large".to_owned(), too_large));
    seeds
}
