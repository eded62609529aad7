use super::*;

fn session(sent: u64) -> SessionView {
    SessionView {
        sent,
        received: 2 * sent,
        dead_letters: 0,
        frames: 10,
        acknowledged: 6,
        kept: 4,
        kept_bytes: 3,
        unsent_bytes: 2,
        window_bytes: 100,
        calls: 1,
        answering: 0,
    }
}

fn round_trip(smoothed_ns: u64) -> RoundTripView {
    RoundTripView { latest_ns: 7, smoothed_ns, smallest_ns: smoothed_ns / 2, answered: 3 }
}

fn link(sent_bytes: u64) -> LinkView {
    let (peer, local) = ("there".to_owned(), "here".to_owned());
    let round_trip = Some(round_trip(sent_bytes));
    LinkView { kind: "tcp".to_owned(), peer, local, active: true, sent_bytes, round_trip }
}

fn peer(node_id: u64, name: &str, sent: u64) -> PeerView {
    PeerView {
        node_id,
        name: name.to_owned(),
        number: None,
        release: None,
        locality: "remote".to_owned(),
        links: vec![link(sent * 10)],
        session: Some(session(sent)),
    }
}

fn sent(peers: &Peers, name: &str) -> Option<u64> {
    peers.by_name().find(|(it, _)| *it == name).map(|(_, of)| of.counted[0])
}

#[test]
fn so_many_peers_have_sums_of_their_own_and_one_that_goes_makes_room() {
    let mut peers = Peers::default();
    let all = |from: u64| {
        let named = |id| peer(id, &format!("n{id:03}@host"), 1);
        (from..from + MOST_PEERS as u64 + 3).map(named).collect::<Vec<_>>()
    };
    peers.take(&all(0));
    assert_eq!(peers.by_name().count(), MOST_PEERS + 1);
    assert_eq!((sent(&peers, "n000@host"), sent(&peers, OTHER)), (Some(1), Some(3)));
    peers.take(&all(3));
    assert_eq!(peers.by_name().count(), MOST_PEERS + 1);
    assert_eq!((sent(&peers, "n000@host"), sent(&peers, "n066@host")), (None, Some(0)));
    assert_eq!(peers.localities().collect::<Vec<_>>(), [("remote", MOST_PEERS as u64 + 3)]);
}

#[test]
fn counters_go_on_over_sessions_and_states_do_not_add_up() {
    let mut peers = Peers::default();
    peers.take(&[peer(1, "a@host", 5)]);
    peers.take(&[peer(1, "a@host", 7)]);
    // A new session of the same peer begins at 0, by a new link.
    peers.take(&[peer(1, "a@host", 2)]);
    let (_, of) = peers.by_name().next().expect("it is there");
    assert_eq!((of.counted, of.kept, of.calls, of.missing), ([9, 18, 0], 3, 1, 0));
    assert_eq!(peers.kinds().collect::<Vec<_>>(), [("tcp", [1, 90])]);
    peers.take(&[]);
    assert_eq!(peers.kinds().collect::<Vec<_>>(), [("tcp", [0, 90])]);
    assert_eq!(peers.localities().collect::<Vec<_>>(), [("remote", 0)]);
}

#[test]
fn a_round_trip_is_that_of_the_link_that_messages_take_and_the_longest_of_several() {
    let of = |peers: &[PeerView]| {
        let mut sums = Peers::default();
        sums.take(peers);
        let (_, of) = sums.by_name().next().expect("it is there");
        of.round_trip.map(|it| [it.smoothed, it.smallest].map(|it| it.as_nanos()))
    };
    let mut one = peer(1, "a@host", 5);
    assert_eq!(of(std::slice::from_ref(&one)), Some([50, 25]));
    let mut idle = link(900);
    idle.active = false;
    one.links.insert(0, idle);
    assert_eq!(of(std::slice::from_ref(&one)), Some([50, 25]));
    // While it has none of its own.
    one.links[1].round_trip = None;
    assert_eq!(of(std::slice::from_ref(&one)), Some([900, 450]));
    one.links[0].round_trip = None;
    assert_eq!(of(std::slice::from_ref(&one)), None);
    let two = peer(2, "a@host", 7);
    assert_eq!(of(&[peer(3, "a@host", 6), two, one]), Some([70, 35]));
}

#[test]
fn a_label_has_a_bound_and_ends_between_letters() {
    assert_eq!(short("app::Feed"), "app::Feed");
    let long = "ä".repeat(LONGEST);
    assert_eq!(short(&long).len(), LONGEST);
    let odd = format!("x{long}");
    assert_eq!(short(&odd).len(), LONGEST - 1);
}
