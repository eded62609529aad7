use prost::Message as _;

use super::*;
use crate::protocol::control::Actor;

fn actors(count: u64) -> Vec<Actor> {
    (0..count).map(|pid| Actor { name: Some(format!("actor {pid}")), pid }).collect()
}

fn control(msg: Msg) -> Body {
    Body::Control(ControlMessage { msg: Some(msg) })
}

/// The pieces, which all fit, and how many did not.
fn pieces(body: Body, max_frame: u64) -> (Vec<Body>, usize) {
    let mut pieces = Vec::new();
    let left_out = of(body, max_frame, |piece| pieces.push(piece));
    for piece in &pieces {
        let envelope = crate::protocol::mycelium::Envelope {
            lane: u32::MAX,
            sequence: u64::MAX,
            acknowledged: u64::MAX,
            body: Some(piece.clone()),
        };
        assert!(envelope.encoded().len() as u64 <= max_frame, "a piece does not fit");
    }
    (pieces, left_out)
}

#[test]
fn a_long_list_goes_in_pieces_in_order_and_none_is_missing() {
    let join = PgJoin { scope: "s".to_owned(), group: "g".to_owned(), actors: actors(1000) };
    let (pieces, left_out) = pieces(control(Msg::PgJoin(join)), 512);
    assert_eq!(left_out, 0);
    assert!(pieces.len() > 1);
    let mut found = Vec::new();
    for piece in pieces {
        let Body::Control(ControlMessage { msg: Some(Msg::PgJoin(join)) }) = piece else {
            panic!("another message");
        };
        assert_eq!((join.scope.as_str(), join.group.as_str()), ("s", "g"));
        found.extend(join.actors);
    }
    assert_eq!(found, actors(1000));
}

#[test]
fn every_list_goes_in_pieces() {
    let ids: Vec<u64> = (0..1000).collect();
    let leave = PgLeave { scope: String::new(), group: String::new(), actors: actors(500) };
    let preferences = (0..500)
        .map(|pid| crate::protocol::mycelium::ActorPreference { pid, preference: 1, urgent: false })
        .collect();
    for body in [
        control(Msg::Spawn(Spawn { actors: actors(500) })),
        control(Msg::Terminate(Terminate { ids })),
        control(Msg::PgLeave(leave)),
        Body::Preferences(Preferences { actors: preferences }),
    ] {
        let (pieces, left_out) = pieces(body, 512);
        assert_eq!(left_out, 0);
        assert!(pieces.len() > 1);
    }
}

#[test]
fn no_list_is_longer_than_a_list_may_be_however_large_a_frame() {
    let count = 3 * MOST_SENT as u64 + 1;
    let preferences = (0..count)
        .map(|pid| crate::protocol::mycelium::ActorPreference { pid, preference: 1, urgent: false })
        .collect();
    let sessions = (0..count).map(|_| crate::protocol::auth::NameMessage::default()).collect();
    let (scope, group) = (String::new(), String::new());
    let (join, leave) = (
        PgJoin { scope: scope.clone(), group: group.clone(), actors: actors(count) },
        PgLeave { scope, group, actors: actors(count) },
    );
    for body in [
        control(Msg::Spawn(Spawn { actors: actors(count) })),
        control(Msg::Terminate(Terminate { ids: (0..count).collect() })),
        control(Msg::PgJoin(join)),
        control(Msg::PgLeave(leave)),
        control(Msg::NodeSessions(NodeSessions { sessions })),
        Body::Preferences(Preferences { actors: preferences }),
    ] {
        let (pieces, left_out) = pieces(body, u64::MAX);
        assert_eq!(left_out, 0);
        assert_eq!(pieces.iter().map(elements).sum::<usize>() as u64, count);
        assert!(pieces.iter().all(|piece| elements(piece) <= MOST_SENT));
    }
}

#[test]
fn what_fits_stays_as_it_is_up_to_the_last_byte() {
    let body = control(Msg::Spawn(Spawn { actors: actors(10) }));
    let Body::Control(message) = &body else { unreachable!() };
    let exact = message.encoded_len() as u64 + AROUND;
    assert_eq!(pieces(body.clone(), exact), (vec![body.clone()], 0));
    let (pieces, left_out) = pieces(body, exact - 1);
    assert_eq!((pieces.len(), left_out), (2, 0));
}

#[test]
fn a_name_that_is_too_long_is_left_out_alone() {
    let mut all = actors(3);
    all[1].name = Some("n".repeat(1000));
    let (found, left_out) = pieces(control(Msg::Spawn(Spawn { actors: all })), 512);
    assert_eq!((found.len(), left_out), (2, 1));

    // Its group would be repeated with every piece.
    let join = PgJoin { scope: String::new(), group: "g".repeat(400), actors: actors(1000) };
    assert_eq!(pieces(control(Msg::PgJoin(join)), 512), (Vec::new(), 1));
}
