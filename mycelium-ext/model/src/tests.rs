//! What has to hold in every interleaving: bytes come out as they went in, and no end sleeps while
//! there is something to do. Who is not woken is a deadlock, which loom reports.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::positions::{Consumer, Producer, Words};

const CAPACITY: u64 = 2;

/// A bell: a waiting thread sleeps until it has been rung since.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.ring.notify_one();
    }

    pub(crate) fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.ring.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// The memory of one direction. Bytes are relaxed atomics: it is the positions that have to order
/// them.
pub(crate) struct Ring {
    head: AtomicU64,
    tail: AtomicU64,
    reader_waits: AtomicU64,
    writer_waits: AtomicU64,
    bytes: [AtomicU64; CAPACITY as usize],
    reader: Bell,
    writer: Bell,
}

impl Ring {
    pub(crate) fn new() -> Arc<Self> {
        let word = || AtomicU64::new(0);
        Arc::new(Self {
            head: word(),
            tail: word(),
            reader_waits: word(),
            writer_waits: word(),
            bytes: [word(), word()],
            reader: Bell::default(),
            writer: Bell::default(),
        })
    }

    pub(crate) fn words(&self) -> Words<'_> {
        Words {
            head: &self.head,
            tail: &self.tail,
            reader_waits: &self.reader_waits,
            writer_waits: &self.writer_waits,
        }
    }

    fn byte(&self, position: u64) -> &AtomicU64 {
        &self.bytes[(position % CAPACITY) as usize]
    }

    /// Writes 1, 2 and so on, shows them `at_once`, wakes the reader for `rung` of them, and sleeps
    /// where there is no room.
    fn write(&self, count: u64, at_once: u64, rung: u64) {
        let mut producer = Producer::new(CAPACITY);
        let mut written = 0;
        while written < count {
            let room = producer.room(&self.words(), 1).unwrap().min(at_once).min(count - written);
            for _ in 0..room {
                written += 1;
                self.byte(producer.position()).store(written, Ordering::Relaxed);
                producer.wrote(1);
            }
            producer.show(&self.words());
            let is_due = producer.unrung() >= rung || room == 0 || written == count;
            if is_due && producer.publish(&self.words()) {
                self.reader.ring();
            }
            if room == 0 && producer.sleep(&self.words()).unwrap() {
                self.writer.wait();
            }
        }
    }

    /// Reads as many, up to `at_once` with each look, and sleeps where there is nothing.
    fn read(&self, count: u64, at_once: u64) {
        let mut consumer = Consumer::new(CAPACITY);
        let mut read = 0;
        while read < count {
            let there = consumer.available(&self.words(), 1).unwrap().min(at_once);
            for ahead in 0..there {
                read += 1;
                let found = self.byte(consumer.position() + ahead).load(Ordering::Relaxed);
                assert_eq!(found, read);
            }
            if there > 0 {
                if consumer.consumed(&self.words(), there) {
                    self.writer.ring();
                }
            } else if consumer.sleep(&self.words()).unwrap() {
                self.reader.wait();
            }
        }
    }
}

fn model(count: u64, (shown, rung): (u64, u64), read_at_once: u64) {
    let mut builder = loom::model::Builder::new();
    // Without a bound they take hours. What is known of such protocols' mistakes needs two or
    // three.
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(move || {
        let ring = Ring::new();
        let writer = ring.clone();
        let writer = thread::spawn(move || writer.write(count, shown, rung));
        ring.read(count, read_at_once);
        writer.join().unwrap();
    });
}

#[test]
fn a_sleeping_reader_is_woken() {
    model(2, (1, 1), 1);
}

#[test]
fn a_sleeping_writer_is_woken() {
    model(3, (2, 2), 2);
}

#[test]
fn both_sleep_and_wake_as_the_ring_begins_again() {
    model(4, (2, 2), 1);
}

#[test]
fn who_sleeps_over_what_it_was_shown_is_woken() {
    model(3, (1, 2), 1);
}
