//! A reader that sleeps, a writer of its own process that expects an answer, and the peer, who
//! answers at once: either the writer, which polls in place of the reader, or the reader gets the
//! answer, although the poller withdraws the request to be woken.

use std::sync::Arc as StdArc;
use std::task::{Poll, Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use crate::answer_hint::AnswerHint;
use crate::handoff::Handoff;
use crate::positions::{Consumer, Corrupt, Producer};
use crate::reading::{Looked, Reading, poll_read};
use crate::tests::{Bell, Ring};

/// The reader's task, which anybody may wake.
#[derive(Default)]
struct Task(Bell);

impl Wake for Task {
    fn wake(self: StdArc<Self>) {
        self.0.ring();
    }
}

/// The reading end of a link.
struct Reader {
    ring: Arc<Ring>,
    expectation: AnswerHint,
    consumer: Handoff<Consumer>,
    /// The answers that were read.
    answers: AtomicUsize,
}

impl Reader {
    /// As a transport's stream does it: in the end the peer is asked to wake the reader.
    fn poll(&self, consumer: &mut Consumer) {
        while let Poll::Ready(read) = poll_read(&mut Turn { reader: self, consumer }) {
            read.unwrap();
        }
    }

    fn has_answer(&self) -> bool {
        self.answers.load(Ordering::Relaxed) > 0
    }
}

/// One turn of reading.
struct Turn<'a> {
    reader: &'a Reader,
    consumer: &'a mut Consumer,
}

impl Turn<'_> {
    fn available(&mut self) -> Result<u64, Corrupt> {
        self.consumer.available(&self.reader.ring.words(), 1)
    }
}

impl Reading for Turn<'_> {
    type Error = Corrupt;

    fn take(&mut self) -> Result<bool, Corrupt> {
        let available = self.available()?;
        if available > 0 {
            _ = self.consumer.consumed(&self.reader.ring.words(), available);
            self.reader.answers.fetch_add(1, Ordering::Relaxed);
        }
        Ok(available > 0)
    }

    fn expects_answer(&mut self) -> bool {
        self.reader.expectation.take()
    }

    fn stay_awake(&mut self) {
        self.reader.ring.words().stay_awake();
    }

    /// Once, for an answer only.
    fn look(&mut self, for_answer: bool) -> Result<Looked, Corrupt> {
        Ok(if for_answer && self.available()? > 0 { Looked::Some } else { Looked::None })
    }

    fn sleep(&mut self) -> Result<bool, Corrupt> {
        self.consumer.sleep(&self.reader.ring.words())
    }

    /// The bell is the [`Task`]'s.
    fn poll_woken(&mut self) -> Poll<Result<bool, Corrupt>> {
        Poll::Pending
    }
}

/// What the writer does when it has asked.
#[derive(Clone, Copy)]
enum Then {
    Looks,
    HasTheReaderLook,
    /// As one that is busy with something else does.
    Nothing,
}

fn an_expected_answer_is_not_slept_over(then: Then) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(move || {
        let ring = Ring::new();
        let reader = Arc::new(Reader {
            ring: ring.clone(),
            expectation: AnswerHint::new(),
            consumer: Handoff::new(Consumer::new(2)),
            answers: AtomicUsize::new(0),
        });
        let asked = Arc::new(AtomicBool::new(false));
        let task = StdArc::new(Task::default());

        let writer = {
            let (reader, asked, task) = (reader.clone(), asked.clone(), task.clone());
            thread::spawn(move || {
                reader.expectation.raise();
                asked.store(true, Ordering::Release);
                match then {
                    Then::Looks => {
                        if let Some((mut consumer, _)) = reader.consumer.borrow() {
                            reader.poll(&mut consumer);
                            reader.consumer.give_back(consumer);
                        }
                    }
                    Then::HasTheReaderLook => reader.consumer.wake(),
                    Then::Nothing => {}
                }
                // The waiting task: in the model that is the reader itself.
                if reader.has_answer() {
                    task.0.ring();
                }
            })
        };
        let peer = {
            let task = task.clone();
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
        loop {
            if let Some(mut consumer) = reader.consumer.take(&waker) {
                reader.poll(&mut consumer);
                reader.consumer.give_back(consumer);
            }
            if reader.has_answer() {
                break;
            }
            task.0.wait();
        }
        writer.join().unwrap();
        peer.join().unwrap();
        assert_eq!(reader.answers.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_expected_answer_is_not_slept_over_by_the_reader() {
    an_expected_answer_is_not_slept_over(Then::HasTheReaderLook);
}

#[test]
fn an_expected_answer_is_not_slept_over_by_who_looks_for_it() {
    an_expected_answer_is_not_slept_over(Then::Looks);
}

#[test]
fn an_expected_answer_is_not_slept_over_where_nobody_looks() {
    an_expected_answer_is_not_slept_over(Then::Nothing);
}
