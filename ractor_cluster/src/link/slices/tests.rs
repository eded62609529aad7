use super::*;

const NAME_BYTES: usize = 4;

fn actors(count: u64) -> Vec<Actor> {
    (0..count).map(|pid| Actor { pid, name: Some(format!("actor {pid}")) }).collect()
}

fn enveloped(msg: Msg) -> Arrived {
    control(msg, false)
}

/// The slices, the last included.
fn slices(arrived: Arrived) -> Vec<Arrived> {
    let mut waiting = Waiting::of(arrived, NAME_BYTES);
    let mut slices: Vec<_> = std::iter::from_fn(|| waiting.next_slice()).map(|it| it.0).collect();
    slices.push(waiting.rest(0).0);
    slices
}

/// The numbers in a slice, and what it is of.
fn numbers(arrived: &Arrived) -> (String, Vec<u64>) {
    let msg = match arrived {
        Arrived::Control(Enveloped::Preferences(it)) => {
            return ("preferences".to_owned(), it.actors.iter().map(|it| it.pid).collect());
        }
        Arrived::Control(Enveloped::Control(ControlMessage { msg: Some(msg) })) => msg,
        Arrived::Frame(NetworkMessage {
            message: Some(Network::Control(ControlMessage { msg: Some(msg) })),
        }) => msg,
        other => panic!("{other:?}"),
    };
    let pids = |actors: &[Actor]| actors.iter().map(|actor| actor.pid).collect();
    match msg {
        Msg::Spawn(it) => ("spawn".to_owned(), pids(&it.actors)),
        Msg::Terminate(it) => ("terminate".to_owned(), it.ids.clone()),
        Msg::PgJoin(it) => (format!("join {} {}", it.scope, it.group), pids(&it.actors)),
        Msg::PgLeave(it) => (format!("leave {} {}", it.scope, it.group), pids(&it.actors)),
        Msg::NodeSessions(it) => {
            ("sessions".to_owned(), it.sessions.iter().map(|it| it.connection_id).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_list_is_cut_in_order_and_nothing_of_it_is_missing() {
    let count = 3 * SLICE as u64 + 5;
    let (scope, group) = ("s".to_owned(), "g".to_owned());
    let sessions =
        (0..count).map(|id| NameMessage { connection_id: id, ..NameMessage::default() }).collect();
    let lists = [
        Msg::Spawn(Spawn { actors: actors(count) }),
        Msg::Terminate(Terminate { ids: (0..count).collect() }),
        Msg::PgJoin(PgJoin { scope: scope.clone(), group: group.clone(), actors: actors(count) }),
        Msg::PgLeave(PgLeave { scope, group, actors: actors(count) }),
        Msg::NodeSessions(NodeSessions { sessions }),
    ];
    let pins =
        (0..count).map(|pid| ActorPreference { pid, preference: 1, urgent: false }).collect();
    let preferences = Arrived::Control(Enveloped::Preferences(Preferences { actors: pins }));
    let both = lists.into_iter().flat_map(|msg| [control(msg.clone(), false), control(msg, true)]);
    for arrived in both.chain([preferences]) {
        let (what, all) = numbers(&arrived);
        let is_frame = matches!(arrived, Arrived::Frame(_));
        let mut found = Vec::new();
        let slices = slices(arrived);
        assert_eq!(slices.len(), 4);
        for slice in slices {
            assert_eq!(matches!(slice, Arrived::Frame(_)), is_frame);
            let (of, numbers) = numbers(&slice);
            assert_eq!(of, what);
            assert!(numbers.len() <= SLICE);
            found.extend(numbers);
        }
        assert_eq!(found, all);
    }
}

#[test]
fn what_is_short_stays_whole_and_so_does_what_would_repeat_a_long_name() {
    let short = enveloped(Msg::Spawn(Spawn { actors: actors(SLICE as u64) }));
    assert_eq!(slices(short).len(), 1);
    let names = [("12345", ""), ("", "12345")];
    for (scope, group) in names.map(|(scope, group)| (scope.to_owned(), group.to_owned())) {
        let join = PgJoin { scope: scope.clone(), group: group.clone(), actors: actors(1000) };
        assert_eq!(slices(enveloped(Msg::PgJoin(join))).len(), 1);
        let leave = PgLeave { scope, group, actors: actors(1000) };
        assert_eq!(slices(enveloped(Msg::PgLeave(leave))).len(), 1);
    }
}
