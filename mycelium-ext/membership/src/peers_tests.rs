use super::*;
use crate::fragment::PART;

fn address(number: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], number))
}

fn peers(secrets: &[&str]) -> Peers {
    let keys = secrets.iter().map(|secret| ClusterKey::new("c", secret.as_bytes())).collect();
    Peers::new(keys).expect("a key")
}

/// Two ends, and all that was sent between them.
struct Pair {
    ends: [Peers; 2],
    now: Instant,
    recorded: Vec<(usize, Vec<u8>)>,
}

impl Pair {
    fn new() -> Self {
        Self::of(peers(&["sesame"]), peers(&["sesame"]))
    }

    fn of(one: Peers, other: Peers) -> Self {
        Self { ends: [one, other], now: Instant::now(), recorded: Vec::new() }
    }

    /// Sends from one end, and delivers all that follows: the messages that arrived, by end, and
    /// the causes of what had no effect.
    fn send(&mut self, end: usize, message: &[u8]) -> (Vec<(usize, Vec<u8>)>, Vec<Refused>) {
        let to = address(1 - end as u16);
        let first = self.ends[end].send(to, message.to_vec(), self.now).expect("it is small");
        self.deliver(1 - end, first)
    }

    fn deliver(&mut self, to: usize, sent: Vec<Vec<u8>>) -> (Vec<(usize, Vec<u8>)>, Vec<Refused>) {
        let (mut messages, mut refused) = (Vec::new(), Vec::new());
        let mut under_way: std::collections::VecDeque<_> =
            sent.into_iter().map(|datagram| (to, datagram)).collect();
        while let Some((to, datagram)) = under_way.pop_front() {
            self.recorded.push((to, datagram.clone()));
            let from = address(1 - to as u16);
            let received = self.ends[to].receive(from, &datagram, self.now);
            let out: usize = received.answers.iter().map(Vec::len).sum();
            let waited = received.answers.len() > 1 || received.answers.iter().any(|it| it[1] == 4);
            assert!(out <= datagram.len() || waited, "{out} bytes for {}", datagram.len());
            messages.extend(received.message.map(|message| (to, message)));
            refused.extend(received.refused);
            under_way.extend(received.answers.into_iter().map(|datagram| (1 - to, datagram)));
        }
        (messages, refused)
    }
}

#[test]
fn a_message_follows_the_proof_and_the_answer_needs_none() {
    let mut pair = Pair::new();
    let large = vec![7; 3 * PART];
    assert_eq!(pair.send(0, &large), (vec![(1, large.clone())], vec![]));
    let sizes: Vec<_> = pair.recorded.iter().map(|(_, datagram)| datagram.len()).collect();
    assert_eq!(sizes[..3], [SMALLEST; 3]);
    assert_eq!(sizes.len(), 6);
    assert_eq!(pair.send(1, b"back"), (vec![(0, b"back".to_vec())], vec![]));
    assert_eq!(pair.recorded.len(), 7);
}

#[test]
fn recorded_datagrams_have_no_effect_and_cost_no_more_than_they_are() {
    let mut pair = Pair::new();
    pair.send(0, b"one");
    pair.send(1, b"two");
    pair.send(0, &[7; 2 * PART]);
    let recorded = pair.recorded.clone();
    // To the same ends, a while later, and to another start of the node.
    let fresh = peers(&["sesame"]);
    for receiver in [None, Some(fresh)] {
        let mut receiver = receiver;
        pair.now += Duration::from_secs(60);
        for (to, datagram) in recorded.iter().chain(&recorded) {
            for from in [address(1 - *to as u16), address(77)] {
                let end = receiver.as_mut().unwrap_or(&mut pair.ends[*to]);
                let received = end.receive(from, datagram, pair.now);
                assert_eq!(received.message, None);
                let out: usize = received.answers.iter().map(Vec::len).sum();
                assert!(out <= datagram.len(), "{out} bytes for {}", datagram.len());
                // A Hello is answered with what proves nothing of its sender.
                assert!(received.refused.is_some() || datagram[1] == 1, "{received:?}");
                for answer in &received.answers {
                    assert!(answer[1] <= 2, "{answer:?}");
                }
            }
        }
    }
    // The ends still understand each other.
    let mut rest = pair.send(0, b"three");
    rest.1.clear();
    assert_eq!(rest.0, [(1, b"three".to_vec())]);
}

#[test]
fn a_datagram_for_one_node_is_of_no_use_at_another() {
    let (mut pair, mut third) = (Pair::new(), peers(&["sesame"]));
    pair.send(0, b"one");
    // The third knows the sender too.
    let hello = pair.ends[0].send(address(3), b"x".to_vec(), pair.now).expect("small").remove(0);
    let reply = third.receive(address(0), &hello, pair.now).answers.remove(0);
    for datagram in pair.ends[0].receive(address(3), &reply, pair.now).answers {
        third.receive(address(0), &datagram, pair.now);
    }
    let data =
        pair.ends[0].send(address(1), b"secret".to_vec(), pair.now).expect("small").remove(0);
    let received = third.receive(address(0), &data, pair.now);
    assert_eq!((received.refused, received.message), (Some(Refused::Misdirected), None));
    assert_eq!(pair.deliver(1, vec![data]).0, [(1, b"secret".to_vec())]);
}

#[test]
fn a_datagram_from_another_address_has_no_effect_before_that_is_proven() {
    let mut pair = Pair::new();
    pair.send(0, b"one");
    let data = pair.ends[0].send(address(1), b"two".to_vec(), pair.now).expect("small").remove(0);
    let received = pair.ends[1].receive(address(9), &data, pair.now);
    assert_eq!((received.refused, received.message), (Some(Refused::Unproven), None));
    assert!(received.answers.iter().all(|it| it.len() <= data.len() && it[1] == 1));
    // It is as new as before.
    assert_eq!(pair.deliver(1, vec![data]).0, [(1, b"two".to_vec())]);
}

#[test]
fn a_node_that_starts_anew_is_known_after_one_round() {
    let mut pair = Pair::new();
    pair.send(0, b"one");
    pair.ends[1] = peers(&["sesame"]);
    pair.now += Duration::from_secs(1);
    let (messages, refused) = pair.send(0, b"lost");
    assert_eq!((messages, refused), (vec![], vec![Refused::Misdirected]));
    assert_eq!(pair.send(0, b"two"), (vec![(1, b"two".to_vec())], vec![]));
}

#[test]
fn whoever_has_no_key_gets_no_answer() {
    let mut pair = Pair::new();
    pair.send(0, b"one");
    let mut stranger = peers(&["another"]);
    let hello = stranger.send(address(1), b"x".to_vec(), pair.now).expect("small").remove(0);
    let garbage = [vec![], vec![0; 1], vec![1; SMALLEST], vec![9; 5000]];
    let mut forged = pair.recorded.last().expect("data").1.clone();
    *forged.last_mut().expect("a byte") ^= 1;
    for datagram in garbage.into_iter().chain([hello, forged]) {
        let received = pair.ends[1].receive(address(9), &datagram, pair.now);
        assert!(matches!(received.refused, Some(Refused::NotGossip | Refused::Unsealed)));
        assert_eq!((received.answers, received.message), (vec![], None));
    }
    assert_eq!(pair.ends[1].peers.len(), 1);
    assert!(pair.ends[1].asked.is_empty() && pair.ends[1].hellos.is_empty());
}

#[test]
fn keys_change_without_a_break() {
    // Accepts the new key, and uses the old one; the other way; and the new one alone.
    let stages = [["old", "new"].as_slice(), &["new", "old"], &["new"]];
    for [one, other] in [[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]] {
        let mut pair = Pair::of(peers(stages[one]), peers(stages[other]));
        assert_eq!(pair.send(0, b"one").0.len(), 1, "{one} {other}");
        assert_eq!(pair.send(1, b"two").0.len(), 1, "{one} {other}");
    }
    let mut apart = Pair::of(peers(&["old"]), peers(&["new"]));
    assert_eq!(apart.send(0, b"one"), (vec![], vec![Refused::Unsealed]));
}

#[test]
fn a_node_that_sends_to_itself_notices() {
    let mut node = peers(&["sesame"]);
    let now = Instant::now();
    let hello = node.send(address(5), b"x".to_vec(), now).expect("small").remove(0);
    assert_eq!(node.receive(address(6), &hello, now), Received::default());
    assert_eq!(node.own().iter().collect::<Vec<_>>(), [&address(5)]);
    // A second time it is a replay.
    assert_eq!(node.receive(address(6), &hello, now).refused, Some(Refused::Replayed));
}

#[test]
fn what_is_kept_is_bounded() {
    let now = Instant::now();
    let mut node = peers(&["sesame"]);
    let mut others: Vec<_> = (0..3).map(|_| peers(&["sesame"])).collect();
    for port in 1..4000 {
        let other = &mut others[usize::from(port) % 3];
        let hello = other.hello(address(0), None, now + PATIENCE * u32::from(port)).expect("one");
        node.receive(address(port), &hello, now);
        node.send(address(port), vec![1; 100], now).expect("small");
    }
    assert_eq!((node.asked.len(), node.hellos.len()), (OPEN, OPEN));
    let waiting = node.hellos.values().filter(|hello| hello.message.is_some()).count();
    assert!(waiting <= WAITING, "{waiting}");
    // All others were given up, and that is known.
    assert_eq!(node.take_lost(), (0, 3999 - waiting as u64));
    for number in 0..SESSIONS + 100 {
        let mut pair = Pair::of(peers(&["sesame"]), node);
        pair.now = now + PATIENCE + Duration::from_millis(number as u64);
        pair.send(0, b"x");
        [_, node] = pair.ends;
    }
    assert_eq!(node.peers.len(), SESSIONS);
    assert!(node.routes.len() <= ADDRESSES * SESSIONS);
}
