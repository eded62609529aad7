//! Both ends of a mailbox's accounts, one step after the other. The model tests interleave them.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::credit::{Account, CROWDED, CreditError, Granter, Window, locked};
use crate::sync::Ordering;

impl AsRef<Account> for Account {
    fn as_ref(&self) -> &Account {
        self
    }
}

/// A mailbox whose policy is to reject, and both ends of each peer's account.
struct Mailbox {
    capacity: u64,
    granter: Granter<Account>,
    /// Which peer each waiting message is of; `None` for one of the own node, or without a credit.
    waiting: Vec<Option<usize>>,
    peers: Vec<(Window, Arc<Account>)>,
    /// Messages that were sent and have not arrived.
    on_the_way: Vec<u64>,
}

impl Mailbox {
    fn new(capacity: u64, peers: usize) -> Self {
        let granter = Granter::new(capacity);
        let first = granter.first(0);
        let peer = |_| {
            let window = Window::new(capacity, first, false).unwrap();
            (window, Arc::new(Account::new(first)))
        };
        let peers: Vec<_> = (0..peers).map(peer).collect();
        Self { capacity, granter, waiting: Vec::new(), on_the_way: vec![0; peers.len()], peers }
    }

    fn tell(&self, lent: &[Arc<Account>]) {
        for account in lent {
            let (window, _) = self.peers.iter().find(|(_, it)| Arc::ptr_eq(it, account)).unwrap();
            // An honest granter breaks no rule.
            window.grant(account.granted(), account.dropped()).unwrap();
        }
    }

    /// Sends, if there is a credit.
    fn send(&mut self, peer: usize) -> bool {
        let sent = self.peers[peer].0.take(false);
        self.on_the_way[peer] += u64::from(sent);
        sent
    }

    fn arrive(&mut self, peer: usize) {
        if self.on_the_way[peer] == 0 {
            return;
        }
        self.on_the_way[peer] -= 1;
        let account = self.peers[peer].1.clone();
        assert!(account.has_credit(), "a message with a credit arrives with one");
        self.waiting.push(Some(peer));
        let waiting = self.waiting.len() as u64;
        let lent = self.granter.arrived(&account, || waiting);
        self.tell(&lent);
    }

    /// A sender of the own node.
    fn put(&mut self) -> bool {
        let fits = (self.waiting.len() as u64) < self.capacity;
        if fits {
            self.waiting.push(None);
        }
        fits
    }

    fn take(&mut self) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        self.waiting.remove(0);
        let waiting = self.waiting.len() as u64;
        let lent = self.granter.taken(|| waiting);
        self.tell(&lent);
        true
    }

    /// Takes all that waits and that comes.
    fn settle(&mut self) {
        for peer in 0..self.peers.len() {
            while self.on_the_way[peer] > 0 {
                self.arrive(peer);
            }
        }
        while self.take() {}
    }

    fn check(&self) {
        let waiting = self.waiting.len() as u64;
        for (peer, (window, account)) in self.peers.iter().enumerate() {
            let its = self.waiting.iter().filter(|it| **it == Some(peer)).count() as u64;
            assert!(its + account.held() <= self.capacity, "{its} wait, {} held", account.held());
            // What the sender may still send is what is held, but for what is on its way.
            let used = window.used.load(Ordering::Acquire);
            let granted = window.granted.load(Ordering::Acquire);
            assert!(used <= granted, "the room of a window is never negative");
            assert_eq!(granted, account.granted());
            assert_eq!(granted - used + self.on_the_way[peer], account.held());
        }
        assert!(waiting <= self.capacity * (1 + self.peers.len() as u64), "{waiting} wait");
    }
}

#[test]
fn a_peer_that_is_alone_fills_the_mailbox_and_no_more() {
    for capacity in [1, 2, 3, 4, 7, 8, 100, 1000] {
        let mut mailbox = Mailbox::new(capacity, 1);
        let sent = (0..2 * capacity).filter(|_| mailbox.send(0)).count() as u64;
        assert_eq!(sent, capacity);
        for _ in 0..capacity {
            mailbox.arrive(0);
        }
        assert!(!mailbox.send(0), "nothing was taken yet");
        // A quarter is lent at once.
        let quarter = (capacity / 4).max(1);
        for _ in 0..quarter + quarter / 2 {
            mailbox.take();
        }
        assert!(mailbox.send(0), "capacity {capacity}");
        mailbox.settle();
        let sent = (0..2 * capacity).filter(|_| mailbox.send(0)).count() as u64;
        assert!(sent > capacity - quarter, "{sent} of {capacity}");
    }
}

#[test]
fn peers_that_ask_share_what_is_free_and_all_get_some() {
    let (capacity, peers) = (2, 5);
    let mut mailbox = Mailbox::new(capacity, peers);
    for round in 0..100 {
        for peer in 0..peers {
            while mailbox.send(peer) {}
            assert!(round > 0 || mailbox.on_the_way[peer] == capacity);
        }
        mailbox.settle();
        mailbox.check();
        for (_, account) in &mailbox.peers {
            assert!(account.held() > 0, "an empty mailbox lends something to each");
        }
    }
}

#[test]
fn what_is_free_is_divided_by_quarters() {
    let capacity = 100;
    let mut mailbox = Mailbox::new(capacity, 2);
    for peer in [0, 1] {
        while mailbox.send(peer) {}
        while mailbox.on_the_way[peer] > 0 {
            mailbox.arrive(peer);
        }
    }
    let held = |mailbox: &Mailbox| [0, 1].map(|peer| mailbox.peers[peer].1.held());
    // Nothing is lent before a quarter is free, and then to both.
    while mailbox.waiting.len() > 76 {
        mailbox.take();
    }
    assert_eq!(held(&mailbox), [0, 0]);
    while held(&mailbox) == [0, 0] {
        assert!(mailbox.take());
    }
    let [first, second] = held(&mailbox);
    let waiting = mailbox.waiting.len() as u64;
    assert!(waiting >= 75 - 12 && first == second, "{waiting} wait, {first} and {second}");
    assert!(first + second + waiting <= capacity, "more is lent than is free");
    // Who comes meanwhile is lent what is free.
    assert_eq!(mailbox.granter.first(60), 40);
    assert_eq!(mailbox.granter.first(1000), 0);
}

#[test]
fn a_peer_that_is_idle_leaves_the_room_to_others() {
    let mut mailbox = Mailbox::new(100, 2);
    for senders in [[0, 1].as_slice(), &[0]] {
        for peer in senders {
            while mailbox.send(*peer) {}
        }
        mailbox.settle();
    }
    let held = mailbox.peers[0].1.held();
    assert!(held > 75, "{held} held");
}

#[test]
fn a_flood_of_others_starves_no_peer() {
    let capacity = 100;
    let mut mailbox = Mailbox::new(capacity, 2);
    while mailbox.send(0) {}
    while mailbox.send(1) {}
    while mailbox.on_the_way.iter().any(|it| *it > 0) {
        mailbox.arrive(0);
        mailbox.arrive(1);
    }
    let mut sent = [0, 0];
    for _ in 0..20 * capacity {
        mailbox.take();
        // The senders of this node are always faster.
        while mailbox.put() {}
        for (peer, sent) in sent.iter_mut().enumerate() {
            *sent += usize::from(mailbox.send(peer));
            mailbox.arrive(peer);
        }
        mailbox.check();
    }
    assert!(sent.iter().all(|it| *it >= 10), "{sent:?}");
}

#[test]
fn a_peer_that_is_gone_leaves_nothing_behind() {
    let granter = Granter::<Account>::new(4);
    for _ in 0..10_000 {
        let account = Arc::new(Account::new(1));
        assert!(granter.arrived(&account, || 4).is_empty());
    }
    assert!(locked(&granter.queue).asking.len() <= 2 * CROWDED);
}

#[test]
fn a_mailbox_that_drops_takes_what_has_no_credit() {
    let window = Window::new(2, 2, true).unwrap();
    assert!((0..5).all(|_| window.take(false)));
    assert!(!window.take(true), "a sender that waits needs a credit");
    assert!(!window.has_room());
    // Three of five found it full, and then all was taken.
    let account = Arc::new(Account::new(2));
    let granter = Granter::new(2);
    for number in 0..5 {
        assert_eq!(account.has_credit(), number < 2);
        if number >= 2 {
            account.drop_one();
        }
        assert!(granter.arrived(&account, || 2).is_empty());
    }
    assert_eq!(granter.taken(|| 1).len(), 1);
    assert_eq!(window.grant(account.granted(), account.dropped()), Ok(0));
    assert_eq!((window.dropped(), window.take(true), window.take(true)), (3, true, false));
}

#[test]
fn what_breaks_the_rules_is_refused_and_changes_nothing() {
    assert_eq!(Window::new(0, 0, false).unwrap_err(), CreditError::NoCapacity);
    let beyond = CreditError::TooMuch { granted: 3, most: 2 };
    assert_eq!(Window::new(2, 3, false).unwrap_err(), beyond);

    let window = Window::new(10, 10, false).unwrap();
    for _ in 0..4 {
        assert!(window.take(false));
    }
    assert_eq!(window.grant(14, 0), Ok(0));
    let back = CreditError::TakenBack { before: 14, now: 13 };
    assert_eq!(window.grant(13, 0), Err(back));
    // A repetition is none.
    assert_eq!(window.grant(14, 0), Ok(0));
    for granted in [15, 1 << 40, u64::MAX] {
        assert_eq!(window.grant(granted, 0), Err(CreditError::TooMuch { granted, most: 14 }));
    }
    let dropped = CreditError::DroppedUnsent { dropped: 5, sent: 4 };
    assert_eq!(window.grant(14, 5), Err(dropped));
    assert_eq!(window.grant(14, 3), Ok(0));
    assert_eq!(window.grant(14, 2), Err(CreditError::TakenBack { before: 3, now: 2 }));
    assert_eq!(window.dropped(), 3);
    assert_eq!((0..20).filter(|_| window.take(true)).count(), 10);
}

#[test]
fn as_many_are_woken_as_got_a_credit() {
    let window = Window::new(3, 3, false).unwrap();
    while window.take(true) {}
    (0..2).for_each(|_| window.begin_wait());
    assert_eq!(window.grant(4, 0), Ok(1));
    assert_eq!(window.grant(6, 0), Ok(2));
    assert!(window.take(true));
    assert_eq!(window.put_back(), 1);
    (0..2).for_each(|_| window.end_wait());
    assert_eq!(window.grant(6, 0), Ok(0));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Send(usize),
    /// A sender that takes a credit, and then does not send.
    Change(usize),
    Arrive(usize),
    Put,
    Take,
    Repeat(usize),
}

fn step(peers: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..peers).prop_map(Step::Send),
        1 => (0..peers).prop_map(Step::Change),
        5 => (0..peers).prop_map(Step::Arrive),
        2 => Just(Step::Put),
        5 => Just(Step::Take),
        1 => (0..peers).prop_map(Step::Repeat),
    ]
}

proptest! {
    #[test]
    fn the_account_holds(
        capacity in prop_oneof![1..12_u64, 12..200_u64],
        (peers, steps) in (1..5_usize).prop_flat_map(|it| (Just(it), vec(step(it), 0..300))),
    ) {
        let mut mailbox = Mailbox::new(capacity, peers);
        for step in steps {
            match step {
                Step::Send(peer) => _ = mailbox.send(peer),
                Step::Change(peer) => {
                    let window = &mailbox.peers[peer].0;
                    if window.take(true) {
                        prop_assert_eq!(window.put_back(), 0);
                    }
                }
                Step::Arrive(peer) => mailbox.arrive(peer),
                Step::Put => _ = mailbox.put(),
                Step::Take => _ = mailbox.take(),
                Step::Repeat(peer) => {
                    let (window, account) = &mailbox.peers[peer];
                    prop_assert_eq!(window.grant(account.granted(), account.dropped()), Ok(0));
                }
            }
            mailbox.check();
        }
        mailbox.settle();
        mailbox.check();
        for (window, account) in &mailbox.peers {
            prop_assert!(account.held() > 0 && window.has_room(), "a peer is left without a credit");
        }
    }
}
