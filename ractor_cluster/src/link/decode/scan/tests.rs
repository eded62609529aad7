//! The scan beside what prost makes of the same bytes.
#![allow(clippy::disallowed_methods, reason = "prost is what the scan is compared with")]

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::link::decode::Caps;
use crate::protocol::auth::{NameMessage, NodeFlags};
use crate::protocol::control::control_message::Msg;
use crate::protocol::control::{
    Actor, ControlMessage, NodeSessions, PgJoin, PgLeave, Ping, Spawn, Terminate,
};
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{
    ActorPreference, Announcement, Envelope, Frame, Hello, Preferences,
};
use crate::protocol::node::node_message::Msg as NodeMsg;
use crate::protocol::node::{Call, Cast, NodeMessage};
use crate::protocol::NetworkMessage;

const ANY: usize = usize::MAX;

/// The elements of all lists of a message.
fn elements(message: &NetworkMessage) -> usize {
    let control = |message: &ControlMessage| match &message.msg {
        Some(Msg::Spawn(it)) => it.actors.len(),
        Some(Msg::Terminate(it)) => it.ids.len(),
        Some(Msg::PgJoin(it)) => it.actors.len(),
        Some(Msg::PgLeave(it)) => it.actors.len(),
        Some(Msg::NodeSessions(it)) => it.sessions.len(),
        _ => 0,
    };
    match &message.message {
        Some(Network::Control(message)) => control(message),
        Some(Network::Mycelium(Frame { body: Some(Body::Envelope(it)) })) => match &it.body {
            Some(Enveloped::Control(message)) => control(message),
            Some(Enveloped::Preferences(it)) => it.actors.len(),
            _ => 0,
        },
        _ => 0,
    }
}

fn actors() -> impl Strategy<Value = Vec<Actor>> {
    let actor = (any::<u64>(), any::<Option<String>>()).prop_map(|(pid, name)| Actor { pid, name });
    prop::collection::vec(actor, 0..40)
}

fn names() -> impl Strategy<Value = Vec<NameMessage>> {
    let name = (any::<String>(), any::<Option<u32>>(), any::<u64>());
    let name = name.prop_map(|(name, version, connection_id)| NameMessage {
        connection_string: name.clone(),
        name,
        flags: version.map(|version| NodeFlags { version }),
        connection_id,
    });
    prop::collection::vec(name, 0..40)
}

fn control() -> impl Strategy<Value = Msg> {
    prop_oneof![
        actors().prop_map(|actors| Msg::Spawn(Spawn { actors })),
        prop::collection::vec(any::<u64>(), 0..200)
            .prop_map(|ids| Msg::Terminate(Terminate { ids })),
        (any::<String>(), any::<String>(), actors())
            .prop_map(|(scope, group, actors)| Msg::PgJoin(PgJoin { scope, group, actors })),
        (any::<String>(), any::<String>(), actors())
            .prop_map(|(scope, group, actors)| Msg::PgLeave(PgLeave { scope, group, actors })),
        names().prop_map(|sessions| Msg::NodeSessions(NodeSessions { sessions })),
        any::<(i64, i32)>().prop_map(|(seconds, nanos)| {
            let timestamp = Some(prost_types::Timestamp { seconds, nanos });
            Msg::Ping(Ping { timestamp })
        }),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..100)
}

fn message() -> impl Strategy<Value = NetworkMessage> {
    let control = || control().prop_map(|msg| ControlMessage { msg: Some(msg) });
    let preferences = prop::collection::vec(any::<(u64, i32)>(), 0..40).prop_map(|pins| {
        let actor =
            |(pid, preference)| ActorPreference { pid, preference, ..ActorPreference::default() };
        Enveloped::Preferences(Preferences { actors: pins.into_iter().map(actor).collect() })
    });
    let enveloped = prop_oneof![control().prop_map(Enveloped::Control), preferences];
    let ours = prop_oneof![
        (any::<(u32, u64, u64)>(), enveloped).prop_map(|((lane, sequence, acknowledged), body)| {
            Body::Envelope(Envelope { lane, sequence, acknowledged, body: Some(body) })
        }),
        (bytes(), any::<String>()).prop_map(|(nonce, channel)| {
            Body::Hello(Hello { version: 2, nonce, channel, ..Hello::default() })
        }),
        (bytes(), any::<u64>()).prop_map(|(share, number)| {
            let number = Some(number);
            Body::Announcement(Announcement { share, number, ..Announcement::default() })
        }),
    ];
    let node = (any::<u64>(), bytes(), any::<String>(), any::<Option<u64>>()).prop_map(
        |(to, what, variant, timeout_ms)| match timeout_ms {
            None => NodeMsg::Cast(Cast { to, what, variant, metadata: None }),
            Some(_) => NodeMsg::Call(Call { to, what, variant, timeout_ms, ..Call::default() }),
        },
    );
    prop_oneof![
        control().prop_map(Network::Control),
        ours.prop_map(|body| Network::Mycelium(Frame { body: Some(body) })),
        node.prop_map(|msg| Network::Node(NodeMessage { msg: Some(msg) })),
    ]
    .prop_map(|message| NetworkMessage { message: Some(message) })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_counts_what_prost_makes_of_a_message(message in message()) {
        let frame = message.encode_to_vec();
        let found = scan(&frame, ANY).expect("it is a message");
        prop_assert_eq!(found.elements, elements(&message));
        prop_assert!(scan(&frame, found.elements).is_ok());
        if found.elements > 0 {
            let most = found.elements - 1;
            prop_assert_eq!(scan(&frame, most), Err(Undecodable::TooLong { most }));
        }
    }

    /// Messages with bytes changed, cut and repeated: what prost decodes the scan has counted.
    #[test]
    fn no_element_that_prost_decodes_is_missed(
        message in message(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        repeated in 1..3_usize,
    ) {
        let mut frame = message.encode_to_vec().repeat(repeated);
        for (at, byte) in changes {
            if !frame.is_empty() {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
        }
        let cut = &frame[..cut.index(frame.len() + 1)];
        for bytes in [&frame, cut] {
            hold(bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(0..32_u8, 0..300)) {
        hold(&bytes);
    }
}

/// The scan finds no less than prost makes of these bytes, and refuses nothing that prost takes.
fn hold(bytes: &[u8]) {
    let (scanned, decoded) = (scan(bytes, ANY), NetworkMessage::decode(bytes));
    match (scanned, decoded) {
        (Ok(found), Ok(message)) => {
            assert!(found.elements >= elements(&message), "{found:?} of {message:?}");
        }
        (Err(Undecodable::TooDeep), _) | (_, Err(_)) => {}
        (Err(error), Ok(message)) => panic!("{message:?} is refused: {error}"),
    }
}

fn frame(msg: Msg) -> Vec<u8> {
    let message = Some(Network::Control(ControlMessage { msg: Some(msg) }));
    NetworkMessage { message }.encode_to_vec()
}

#[test]
fn lists_that_are_put_together_count_together() {
    let ids = frame(Msg::Terminate(Terminate { ids: vec![1, 300, u64::MAX] }));
    let frame = ids.repeat(100);
    // As prost has it: the same message, to which each adds.
    assert_eq!(elements(&NetworkMessage::decode(&*frame).unwrap()), 300);
    assert_eq!(scan(&frame, ANY).unwrap().elements, 300);
    assert_eq!(scan(&frame, 299), Err(Undecodable::TooLong { most: 299 }));
    // One by one, as old encoders have it.
    let unpacked = [0x1a, 6, 0x12, 4, 8, 1, 8, 2];
    assert_eq!(elements(&NetworkMessage::decode(&unpacked[..]).unwrap()), 2);
    assert_eq!(scan(&unpacked, ANY).unwrap().elements, 2);
}

#[test]
fn what_applications_send_is_stepped_over() {
    // Would be a list of actors, and groups without an end.
    let like = [frame(Msg::Spawn(Spawn { actors: vec![Actor::default(); 100] })), vec![0x7b; 100]];
    let cast = Cast { to: 1, what: like.concat(), variant: "Take".to_owned(), metadata: None };
    let message = Some(Network::Node(NodeMessage { msg: Some(NodeMsg::Cast(cast)) }));
    let bytes = NetworkMessage { message }.encode_to_vec();
    assert_eq!(scan(&bytes, 0), Ok(Found::default()));
}

#[test]
fn the_cost_of_a_list_covers_what_it_becomes() {
    const COUNT: usize = 1000;
    let named = Actor { pid: 1, name: Some("n".to_owned()) };
    let session = NameMessage { name: "n".to_owned(), ..NameMessage::default() };
    let lists = [
        (frame(Msg::Spawn(Spawn { actors: vec![Actor::default(); COUNT] })), size_of::<Actor>()),
        (frame(Msg::Spawn(Spawn { actors: vec![named; COUNT] })), size_of::<Actor>() + 24),
        (frame(Msg::Terminate(Terminate { ids: vec![1; COUNT] })), size_of::<u64>()),
        (
            frame(Msg::NodeSessions(NodeSessions { sessions: vec![session; COUNT] })),
            size_of::<NameMessage>() + 24,
        ),
    ];
    for (bytes, size) in lists {
        let found = scan(&bytes, ANY).unwrap();
        assert_eq!(found.elements, COUNT);
        assert!(found.cost >= COUNT * size && found.cost <= 4 * COUNT * size, "{found:?}");
    }
}

#[test]
fn nesting_has_an_end_also_where_prost_would_go_on() {
    for depth in [DEPTH - 1, DEPTH, 50] {
        // Groups of an unknown field within each other.
        let nested = [[0x7b].repeat(depth), [0x7c].repeat(depth)].concat();
        assert!(NetworkMessage::decode(&*nested).is_ok(), "prost takes {depth}");
        let is_deep = scan(&nested, ANY) == Err(Undecodable::TooDeep);
        assert_eq!(is_deep, depth >= DEPTH, "{depth}");
    }
}

#[test]
fn a_length_beyond_what_holds_it_is_refused_before_anything_is_decoded() {
    // A control message of two bytes with a list that goes on behind it.
    let list = frame(Msg::Spawn(Spawn { actors: vec![Actor::default(); 1000] }));
    let mut lie = list.clone();
    let ends = lie.iter().position(|byte| *byte == 0x0a).expect("the list begins");
    lie.splice(1..ends, [2]);
    assert!(NetworkMessage::decode(&*lie).is_err());
    assert!(matches!(scan(&lie, ANY), Err(Undecodable::Malformed(_))));
}

#[test]
fn a_cap_follows_the_limit_of_actors_and_leaves_room_for_what_is_left_out() {
    use crate::link::Limits;
    assert_eq!(Caps::of(&Limits::default().with_actors(100_000)).elements, 100_000);
    assert_eq!(Caps::of(&Limits::default().with_actors(5)).elements, 16 * 1024);
    assert_eq!(Caps::STRANGER.elements, 0);
}
