//! Payloads that are lent, given back and written to again.
#![allow(unsafe_code, reason = "loom sees a race only where there could be one")]

use std::cell::Cell;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::lent::{Forged, Held, Lent};

/// What both processes have mapped.
#[derive(Default)]
struct Shared {
    /// The memory of the one payload, which holds its number.
    payload: UnsafeCell<usize>,
    /// How many payloads have been sent: what the ring is, as far as this is concerned.
    sent: AtomicUsize,
    /// By which payloads are given back.
    word: AtomicU64,
}

// SAFETY: the protocol keeps a writer of the payload from its readers, and loom fails where it does
// not.
unsafe impl Sync for Shared {}

/// The sender writes to a payload's memory again when it has the payload back. Its reader reads the
/// payload until it gives that back, also by another thread than the one that took it.
#[test]
fn memory_is_not_written_to_while_it_is_read() {
    let most = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = most.clone();
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(4));
    model.check(move || {
        let shared = Arc::new(Shared::default());
        let there = shared.clone();
        let reader = loom::thread::spawn(move || {
            let held = Arc::new(Held::default());
            let (mut seen, mut actors) = (0, Vec::new());
            for number in 1..=2 {
                // The reader does not wait: in some of the interleavings it is there.
                if there.sent.load(Ordering::Acquire) < number {
                    break;
                }
                assert!(held.take(0), "it is lent twice");
                seen = there.payload.with(|payload| {
                    // SAFETY: the sender does not write before the payload is given back; loom
                    // fails where it does.
                    unsafe { *payload }
                });
                // The actor that has it drops it while the link is read on.
                let (held, there) = (held.clone(), there.clone());
                actors.push(loom::thread::spawn(move || held.give_back(0, &there.word)));
            }
            actors.into_iter().for_each(|actor| actor.join().unwrap());
            seen
        });
        let mut lent = Lent::default();
        let is_back = Cell::new(true);
        for number in 1..=2 {
            if !is_back.get() {
                lent.take_back(|_| &shared.word, |()| is_back.set(true)).unwrap();
            }
            if !is_back.get() {
                break;
            }
            shared.payload.with_mut(|payload| {
                // SAFETY: the reader has given the payload back; loom fails where it has not.
                unsafe { *payload = number };
            });
            is_back.set(false);
            assert_eq!(lent.lend(()), Some(0));
            shared.sent.store(number, Ordering::Release);
        }
        most.fetch_max(reader.join().unwrap(), std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 2, "the memory is used again");
}

/// Two readers of one process give back at once, into one word: nothing is lost, nothing is twice.
#[test]
fn payloads_that_are_given_back_at_once_all_come_back() {
    loom::model(|| {
        let (held, word) = (Arc::new(Held::default()), Arc::new(AtomicU64::new(0)));
        let mut lent = Lent::default();
        let readers: Vec<_> = (0..2)
            .map(|slot| {
                assert_eq!(lent.lend(slot), Some(slot));
                assert!(held.take(slot));
                let (held, word) = (held.clone(), word.clone());
                loom::thread::spawn(move || held.give_back(slot, &word))
            })
            .collect();
        let mut back = Vec::new();
        lent.take_back(|_| &*word, |slot| back.push(slot)).unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        lent.take_back(|_| &*word, |slot| back.push(slot)).unwrap();
        back.sort_unstable();
        assert_eq!((back, lent.is_empty()), (vec![0, 1], true));
        word.store(1, Ordering::Relaxed);
        assert_eq!(lent.take_back(|_| &*word, |_| {}), Err(Forged { slot: 0 }));
    });
}
