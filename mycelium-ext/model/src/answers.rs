//! A reader that sleeps, a writer of its own process that expects an answer and takes back that the peer is to wake the
//! reader, and the peer, who answers at once: the reader gets the answer.

use std::sync::Arc as StdArc;
use std::task::{Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::expectation::Expectation;
use crate::positions::{Consumer, Producer};
use crate::tests::{Bell, Ring};

/// The reader's task, which either wakes.
#[derive(Default)]
struct Task(Bell);

impl Wake for Task {
    fn wake(self: StdArc<Self>) {
        self.0.ring();
    }
}

#[test]
fn an_expected_answer_is_not_slept_over() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(move || {
        let ring = Ring::new();
        let expectation = Arc::new(Expectation::new());
        let asked = Arc::new(AtomicBool::new(false));
        let task = StdArc::new(Task::default());

        let writer = {
            let (ring, expectation, asked) = (ring.clone(), expectation.clone(), asked.clone());
            thread::spawn(move || {
                ring.words().stay_awake();
                expectation.raise();
                asked.store(true, Ordering::Release);
            })
        };
        let peer = {
            let (ring, task) = (ring.clone(), task.clone());
            thread::spawn(move || {
                while !asked.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                let mut producer = Producer::new(2);
                producer.wrote(1);
                if producer.publish(&ring.words()) {
                    task.0.ring();
                }
            })
        };

        let waker = Waker::from(task.clone());
        let mut consumer = Consumer::new(2);
        while consumer.available(&ring.words(), 1).unwrap() == 0 {
            if expectation.take() && consumer.available(&ring.words(), 1).unwrap() > 0 {
                break;
            }
            expectation.listen(&waker);
            if consumer.sleep(&ring.words()).unwrap() {
                task.0.wait();
            }
        }
        writer.join().unwrap();
        peer.join().unwrap();
    });
}
