//! What has to hold in every interleaving: a sender that was told of success is received, one
//! that was told of failure is not, and a receiver never sleeps while there is something for it.
//! A receiver that is not woken is a deadlock, which loom reports.

use std::collections::VecDeque;
use std::future::poll_fn;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use crate::actor::control::{Control, Urgent};
use crate::actor::mailbox::{Bound, KeyOf, Overflow, Queue, Refused, Way};
use crate::actor::receive::{poll_receive, poll_signal, Received};

struct Mailbox {
    control: Control<&'static str, u32>,
    queue: Queue<u32>,
}

impl Mailbox {
    fn new(bound: Option<Bound>) -> Arc<Self> {
        Arc::new(Self { control: Control::new(), queue: Queue::new(bound) })
    }

    /// One that keeps the latest item of each ten.
    fn keyed(capacity: usize, overflow: Overflow) -> Arc<Self> {
        let queue = Queue::keyed::<ByTen>(Bound::new(capacity, overflow));
        Arc::new(Self { control: Control::new(), queue })
    }

    fn next(&self, batch: &mut VecDeque<u32>) -> Received {
        block_on(poll_fn(|context| {
            poll_receive(&self.control, &self.queue, batch, context.waker())
        }))
    }

    /// The next thing, which has to be urgent.
    fn urgent(&self) -> Urgent<&'static str, u32> {
        assert_eq!(self.next(&mut VecDeque::new()), Received::Urgent);
        self.control.take().expect("there is something")
    }

    /// Items until there will be none.
    fn rest(&self) -> Vec<u32> {
        let (mut batch, mut items) = (VecDeque::new(), Vec::new());
        while self.next(&mut batch) == Received::Item {
            items.extend(batch.pop_front());
        }
        items
    }
}

struct ByTen;

impl KeyOf<u32> for ByTen {
    type Key = u32;

    /// Items from 90 on have none.
    fn key(item: &u32) -> Option<u32> {
        (*item < 90).then_some(item / 10)
    }
}

fn spawn<T: 'static>(
    mailbox: &Arc<Mailbox>,
    run: impl FnOnce(&Mailbox) -> T + 'static,
) -> thread::JoinHandle<T> {
    let mailbox = mailbox.clone();
    thread::spawn(move || run(&mailbox))
}

#[test]
fn a_sleeping_receiver_is_woken_and_order_is_kept() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let sender = spawn(&mailbox, |it| {
            it.queue.put(1, Way::ByPolicy).unwrap();
            it.queue.put(2, Way::ByPolicy).unwrap();
            it.queue.drain();
        });
        assert_eq!(mailbox.rest(), [1, 2]);
        sender.join().unwrap();
    });
}

#[test]
fn a_row_wakes_a_sleeping_receiver() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let row = spawn(&mailbox, |it| it.queue.put_row(&mut [Some(1), Some(2), None]));
        let mut batch = VecDeque::new();
        assert_eq!(mailbox.next(&mut batch), Received::Item);
        assert_eq!(batch, [1, 2]);
        assert!(row.join().unwrap());
    });
}

#[test]
fn a_row_comes_whole_or_not_at_all() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let row = spawn(&mailbox, |it| it.queue.put_row(&mut [Some(1), Some(2), None]));
        mailbox.queue.drain();
        let received = mailbox.rest();
        let expected: &[u32] = if row.join().unwrap() { &[1, 2] } else { &[] };
        assert_eq!(received, expected);
    });
}

#[test]
fn a_drain_lets_in_what_was_admitted_and_nothing_later() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        // One puts at once, the other is admitted first and makes its message then.
        let plain = spawn(&mailbox, |it| it.queue.put(1, Way::ByPolicy).is_ok());
        let slow = spawn(&mailbox, |it| {
            let admitted = it.queue.enter();
            if admitted {
                it.queue.put(2, Way::Admitted).unwrap();
            }
            admitted
        });
        mailbox.queue.drain();
        assert_eq!(mailbox.queue.put(3, Way::ByPolicy), Err(Refused::Closed(3)));
        let mut received = mailbox.rest();
        received.sort_unstable();
        let told = (plain.join().unwrap(), slow.join().unwrap());
        assert_eq!(told, (received.contains(&1), received.contains(&2)));
    });
}

#[test]
fn an_admitted_sender_that_leaves_ends_the_drain() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let sender = spawn(&mailbox, |it| {
            if it.queue.enter() {
                it.queue.leave();
            }
        });
        mailbox.queue.drain();
        assert!(mailbox.rest().is_empty());
        sender.join().unwrap();
    });
}

#[test]
fn an_admitted_sender_that_is_refused_ends_the_drain() {
    loom::model(|| {
        let mailbox = Mailbox::new(Some(Bound::new(1, Overflow::Reject)));
        mailbox.queue.put(1, Way::ByPolicy).unwrap();
        assert!(mailbox.queue.enter());
        let sender = spawn(&mailbox, |it| it.queue.put(2, Way::Admitted).is_ok());
        mailbox.queue.drain();
        let received = mailbox.rest();
        assert_eq!(sender.join().unwrap(), received.contains(&2));
        assert!(received.starts_with(&[1]));
    });
}

#[test]
fn what_is_urgent_wakes_an_idle_receiver() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let sender = spawn(&mailbox, |it| {
            it.control.event(7).unwrap();
            it.queue.wake(false);
            it.control.stop("enough").unwrap();
            it.queue.wake(false);
        });
        match mailbox.urgent() {
            Urgent::Event(7) => assert_eq!(mailbox.urgent(), Urgent::Stop("enough")),
            first => {
                assert_eq!(first, Urgent::Stop("enough"));
                assert_eq!(mailbox.urgent(), Urgent::Event(7));
            }
        }
        sender.join().unwrap();
    });
}

#[test]
fn a_signal_comes_before_what_waits() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let sender = spawn(&mailbox, |it| {
            it.control.signal().unwrap();
            it.queue.put(1, Way::ByPolicy).unwrap();
            it.queue.wake(true);
        });
        assert_eq!(mailbox.urgent(), Urgent::Signal);
        sender.join().unwrap();
    });
}

#[test]
fn a_signal_interrupts_a_handler_and_a_message_does_not() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let killer = spawn(&mailbox, |it| {
            it.control.signal().unwrap();
            it.queue.wake(true);
        });
        let sender = spawn(&mailbox, |it| it.queue.put(1, Way::ByPolicy).unwrap());
        // A handler that waits for ever.
        block_on(poll_fn(|context| poll_signal(&mailbox.control, &mailbox.queue, context.waker())));
        killer.join().unwrap();
        assert_eq!(sender.join().unwrap(), None);
    });
}

#[test]
fn a_bound_is_exact_and_room_is_told() {
    loom::model(|| {
        let mailbox = Mailbox::new(Some(Bound::new(1, Overflow::Reject)));
        let sender =
            |item| spawn(&mailbox, move |it: &Mailbox| it.queue.put(item, Way::ByPolicy).is_ok());
        let senders = [sender(1), sender(2)];
        let mut batch = VecDeque::new();
        assert_eq!(mailbox.next(&mut batch), Received::Item);
        let delivered = senders.map(|it| it.join().unwrap());
        mailbox.queue.drain();
        batch.extend(mailbox.rest());
        assert_eq!(batch.len(), delivered.iter().filter(|it| **it).count());
        assert_eq!(mailbox.queue.high_water(), 1);
        assert!(mailbox.queue.bound().unwrap().told_of_room() >= batch.len());
    });
}

/// Puts an item in when there is room: listens, looks, and waits, as senders do.
fn put_when_room(mailbox: &Mailbox, mut item: u32) -> Result<(), u32> {
    let bound = mailbox.queue.bound().expect("it has one");
    loop {
        match mailbox.queue.put(item, Way::IfRoom) {
            Ok(_) => return Ok(()),
            Err(Refused::Full(back)) => item = back,
            Err(Refused::Closed(back) | Refused::NoKey(back)) => return Err(back),
        }
        let told = bound.told_of_room();
        if !mailbox.queue.has_room() {
            bound.wait_for_room(told);
        }
    }
}

#[test]
fn a_sender_that_waits_for_room_is_told_of_it() {
    loom::model(|| {
        let mailbox = Mailbox::new(Some(Bound::new(1, Overflow::DropOldest)));
        assert_eq!(mailbox.queue.put(1, Way::ByPolicy), Ok(None));
        let sender = spawn(&mailbox, |it| put_when_room(it, 2));
        let mut batch = VecDeque::new();
        assert_eq!(mailbox.next(&mut batch), Received::Item);
        sender.join().unwrap().unwrap();
        mailbox.queue.drain();
        batch.extend(mailbox.rest());
        assert_eq!(batch, [1, 2]);
    });
}

#[test]
fn a_sender_that_waits_for_room_is_told_of_the_end() {
    loom::model(|| {
        let mailbox = Mailbox::new(Some(Bound::new(1, Overflow::Reject)));
        mailbox.queue.put(1, Way::ByPolicy).unwrap();
        let sender = spawn(&mailbox, |it| put_when_room(it, 2));
        mailbox.queue.close();
        assert_eq!(sender.join().unwrap(), Err(2));
        assert!(mailbox.queue.has_room(), "it is not worth waiting");
    });
}

#[test]
fn nothing_gets_into_a_closed_one() {
    loom::model(|| {
        let mailbox = Mailbox::new(None);
        let sender = spawn(&mailbox, |it| it.queue.put(1, Way::ByPolicy).is_ok());
        mailbox.queue.clear();
        let waits = mailbox.queue.len();
        assert!(sender.join().unwrap() || waits == 0);
        // Put before it was closed, and dropped with the rest; or refused.
        assert_eq!((waits, mailbox.queue.put(2, Way::ByPolicy)), (0, Err(Refused::Closed(2))));
    });
}

#[test]
fn what_is_urgent_comes_by_priority() {
    loom::model(|| {
        let control = Control::new();
        control.event(1).unwrap();
        control.event(2).unwrap();
        control.stop("now").unwrap();
        control.stop("again").unwrap_err();
        assert!(control.is_pending() && !control.is_signalled());
        assert_eq!(control.take(), Some(Urgent::Stop("now")));
        assert_eq!(control.take(), Some(Urgent::Event(1)));
        assert_eq!(control.take(), Some(Urgent::Event(2)));
        assert!(!control.is_pending());

        control.event(3).unwrap();
        control.signal().unwrap();
        control.signal().unwrap_err();
        assert_eq!(control.take(), Some(Urgent::Signal));
        assert!(control.is_signalled());
    });
}

#[test]
fn closed_control_gives_events_back() {
    loom::model(|| {
        let control = Control::<(), _>::new();
        control.event(1).unwrap();
        control.close();
        assert_eq!(control.event(2), Err(2));
        assert_eq!((control.stop(()), control.signal()), (Err(()), Err(())));
    });
}

#[test]
fn each_item_with_a_key_is_received_or_replaced_and_the_latest_is_received() {
    loom::model(|| {
        let mailbox = Mailbox::keyed(4, Overflow::Reject);
        mailbox.queue.put(10, Way::ByPolicy).unwrap();
        let first = spawn(&mailbox, |it| it.queue.put(11, Way::ByPolicy).unwrap());
        let second = spawn(&mailbox, |it| it.queue.put(15, Way::ByPolicy).unwrap());
        let mut batch = VecDeque::new();
        assert_eq!(mailbox.next(&mut batch), Received::Item);
        first.join().unwrap();
        second.join().unwrap();
        mailbox.queue.drain();
        batch.extend(mailbox.rest());
        assert_eq!(batch.len() as u64 + mailbox.queue.replaced(), 3);
        // The one that was put last is never replaced.
        assert!(batch.back().is_some_and(|last| *last != 10), "{batch:?}");
        assert_eq!(mailbox.queue.len(), 0);
    });
}

#[test]
fn a_sleeping_receiver_is_woken_by_an_item_with_a_key() {
    loom::model(|| {
        let mailbox = Mailbox::keyed(4, Overflow::Reject);
        let sender = spawn(&mailbox, |it| {
            it.queue.put(10, Way::ByPolicy).unwrap();
            it.queue.put(12, Way::ByPolicy).unwrap();
        });
        // Nothing else wakes it.
        let (mut batch, mut items) = (VecDeque::new(), Vec::new());
        while items.last() != Some(&12) {
            assert_eq!(mailbox.next(&mut batch), Received::Item);
            items.extend(batch.pop_front());
        }
        assert!(items == [12] || items == [10, 12], "{items:?}");
        assert_eq!(mailbox.queue.replaced(), 2 - items.len() as u64);
        sender.join().unwrap();
    });
}

#[test]
fn a_drain_with_keys_waits_for_those_that_were_admitted() {
    loom::model(|| {
        let mailbox = Mailbox::keyed(2, Overflow::Reject);
        let plain = spawn(&mailbox, |it| it.queue.put(10, Way::ByPolicy).is_ok());
        let slow = spawn(&mailbox, |it| {
            let admitted = it.queue.enter();
            if admitted {
                it.queue.put(20, Way::Admitted).unwrap();
            }
            admitted
        });
        mailbox.queue.drain();
        assert_eq!(mailbox.queue.put(30, Way::ByPolicy), Err(Refused::Closed(30)));
        let received = mailbox.rest();
        let told = (plain.join().unwrap(), slow.join().unwrap());
        assert_eq!(told, (received.contains(&10), received.contains(&20)));
    });
}

#[test]
fn the_bound_counts_keys_and_room_is_told() {
    loom::model(|| {
        let mailbox = Mailbox::keyed(1, Overflow::Reject);
        mailbox.queue.put(10, Way::ByPolicy).unwrap();
        let same = spawn(&mailbox, |it| it.queue.put(11, Way::ByPolicy).is_ok());
        let other = spawn(&mailbox, |it| it.queue.put(20, Way::IfRoom).is_ok());
        let mut batch = VecDeque::new();
        assert_eq!(mailbox.next(&mut batch), Received::Item);
        let told = [same.join().unwrap(), other.join().unwrap()];
        mailbox.queue.drain();
        batch.extend(mailbox.rest());
        let replaced = usize::try_from(mailbox.queue.replaced()).unwrap();
        assert_eq!(batch.len() + replaced, 1 + told.iter().filter(|it| **it).count());
        assert_eq!(mailbox.queue.high_water(), 1);
        assert!(mailbox.queue.bound().unwrap().told_of_room() >= batch.len());
    });
}

#[test]
fn nothing_with_a_key_gets_into_a_closed_one() {
    loom::model(|| {
        let mailbox = Mailbox::keyed(2, Overflow::DropOldest);
        mailbox.queue.put(10, Way::ByPolicy).unwrap();
        let sender = spawn(&mailbox, |it| it.queue.put(11, Way::ByPolicy).is_ok());
        mailbox.queue.clear();
        let waits = mailbox.queue.len();
        let told = sender.join().unwrap();
        assert_eq!((waits, mailbox.queue.put(20, Way::ByPolicy)), (0, Err(Refused::Closed(20))));
        // The count outlives what waited.
        assert_eq!(mailbox.queue.replaced(), u64::from(told));
    });
}
