//! Credits of a bounded mailbox: no more messages are sent than were granted, no sender sleeps
//! while there is a credit for it, and a peer has a credit when all its messages were taken.

use std::sync::Arc as StdArc;

use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::credit::{Account, Granter, Window};
use crate::tests::Bell;

impl AsRef<Account> for Account {
    fn as_ref(&self) -> &Account {
        self
    }
}

/// Without a bound they take minutes. What is known of such protocols' mistakes needs two or three.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}

#[test]
fn no_more_is_sent_than_was_granted() {
    check(|| {
        let window = Arc::new(Window::new(2, 1, false).unwrap());
        let sender = |waits| {
            let window = window.clone();
            thread::spawn(move || u64::from(window.take(waits)))
        };
        let senders = [sender(false), sender(true)];
        let peer = window.grant(2, 0);
        let sent: u64 = senders.into_iter().map(|it| it.join().unwrap()).sum();
        let room = u64::from(window.has_room());
        assert!(peer.is_ok());
        assert_eq!(sent + room, 2);
    });
}

/// As a sender waits: it registers, looks, and sleeps.
fn wait(window: &Window, bell: &Bell) {
    window.begin_wait();
    while !window.take(true) {
        bell.wait();
    }
    window.end_wait();
}

#[test]
fn who_waits_learns_of_a_grant() {
    check(|| {
        let (window, bell) =
            (Arc::new(Window::new(1, 0, false).unwrap()), Arc::new(Bell::default()));
        let (theirs, ring) = (window.clone(), bell.clone());
        let peer = thread::spawn(move || {
            if theirs.grant(1, 0).unwrap() > 0 {
                ring.ring();
            }
        });
        wait(&window, &bell);
        peer.join().unwrap();
        assert!(!window.has_room());
    });
}

#[test]
fn who_waits_learns_of_a_credit_that_comes_back() {
    check(|| {
        let (window, bell) =
            (Arc::new(Window::new(1, 1, false).unwrap()), Arc::new(Bell::default()));
        assert!(window.take(false));
        let (theirs, ring) = (window.clone(), bell.clone());
        let other = thread::spawn(move || {
            if theirs.put_back() > 0 {
                ring.ring();
            }
        });
        wait(&window, &bell);
        other.join().unwrap();
        assert!(!window.has_room());
    });
}

/// A mailbox, as far as credits are concerned.
struct Mailbox {
    granter: Granter<Account>,
    waiting: Mutex<u64>,
}

impl Mailbox {
    fn new(capacity: u64) -> Arc<Self> {
        Arc::new(Self { granter: Granter::new(capacity), waiting: Mutex::new(0) })
    }

    fn count(&self) -> u64 {
        *self.waiting.lock().unwrap()
    }

    /// The message is put, and may be taken before it counts as arrived.
    fn arrive(&self, peer: &StdArc<Account>) {
        *self.waiting.lock().unwrap() += 1;
        _ = self.granter.arrived(peer, || self.count());
    }

    fn take(&self) -> bool {
        {
            let mut waiting = self.waiting.lock().unwrap();
            if *waiting == 0 {
                return false;
            }
            *waiting -= 1;
        }
        _ = self.granter.taken(|| self.count());
        true
    }
}

/// Two messages of a peer whose mailbox is emptied meanwhile.
#[test]
fn whose_messages_were_all_taken_has_a_credit() {
    for capacity in [1, 2] {
        check(move || {
            let mailbox = Mailbox::new(capacity);
            let account = StdArc::new(Account::new(mailbox.granter.first(0)));
            let (there, peer) = (mailbox.clone(), account.clone());
            let reader = thread::spawn(move || (0..capacity).for_each(|_| there.arrive(&peer)));
            mailbox.take();
            mailbox.take();
            reader.join().unwrap();
            while mailbox.take() {}
            assert!(account.has_credit(), "its credits are lost");
            assert!(account.held() <= capacity);
        });
    }
}

/// A message comes while the one before it is taken.
#[test]
fn what_waits_and_what_is_held_are_no_more_than_the_capacity() {
    const CAPACITY: u64 = 2;
    check(|| {
        let mailbox = Mailbox::new(CAPACITY);
        let account = StdArc::new(Account::new(CAPACITY));
        // One of the own node, and the peer asks behind it.
        *mailbox.waiting.lock().unwrap() += 1;
        mailbox.arrive(&account);
        mailbox.take();
        assert_eq!((mailbox.count(), account.held()), (1, 1));
        let (there, peer) = (mailbox.clone(), account.clone());
        let reader = thread::spawn(move || there.arrive(&peer));
        mailbox.take();
        reader.join().unwrap();
        let (waiting, held) = (mailbox.count(), account.held());
        assert!(waiting + held <= CAPACITY, "{waiting} wait, {held} are held");
    });
}

/// Two peers whose readers run at the same time.
#[test]
fn each_of_two_peers_has_a_credit_in_the_end() {
    check(|| {
        let mailbox = Mailbox::new(1);
        let accounts = [0, 1].map(|_| StdArc::new(Account::new(1)));
        let readers = accounts.clone().map(|peer| {
            let there = mailbox.clone();
            thread::spawn(move || there.arrive(&peer))
        });
        mailbox.take();
        readers.into_iter().for_each(|it| it.join().unwrap());
        while mailbox.take() {}
        assert!(accounts.iter().all(|it| it.held() == 1));
    });
}
