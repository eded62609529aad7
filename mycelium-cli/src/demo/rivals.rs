//! What the fork is compared with in the feed's process: stock ractor, and bare queues as the
//! limit. Their readers do the same work with the same ticks.
//!
//! Their acknowledgements go by a queue to a task that writes the ledger, where the fork's go to an
//! actor: so each has one more step to the feed.

mod queue;
mod stock;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;

use super::clock;
use super::ledger::Ledger;
use super::plan::Place;
use super::reader::{ReaderReport, ReaderState};
use super::tick::Tick;

/// A way to readers of this process that is not the fork's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rival {
    /// Actors of stock ractor: each gets its own clone of a tick, as stock has no other way to
    /// many.
    Stock,
    /// A task with a queue of tokio for each reader, and one `Arc` for all of them.
    Queue,
}

impl Rival {
    pub(crate) const ALL: [Self; 2] = [Self::Stock, Self::Queue];
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stock => "stock ractor",
            Self::Queue => "bare queue",
        })
    }
}

/// The readers of a rival, which end with it.
pub(crate) enum Audience {
    Stock(stock::Readers),
    Queue(queue::Readers),
}

impl Audience {
    /// Starts the readers of a place that is a rival's.
    ///
    /// # Errors
    /// A sentence that says which reader does not start.
    pub(crate) async fn start(
        rival: Rival,
        place: &Place,
        ledger: &Arc<Ledger>,
    ) -> Result<Self, String> {
        let (acknowledged, mut heard) = unbounded_channel();
        let clerk = ledger.clone();
        // It ends when the readers have.
        tokio::spawn(async move {
            while let Some(said) = heard.recv().await {
                clerk.acknowledge(&said, clock::now_ns());
            }
        });
        let states = (0..place.readers.len()).map(|index| {
            let acknowledged = acknowledged.clone();
            // Without the task the feed has ended, and the answer is not waited for.
            let acknowledge = Box::new(move |said| _ = acknowledged.send(said));
            ReaderState::new(super::plan::reader_name(&place.name, index), acknowledge)
        });
        let states: Vec<ReaderState> = states.collect();
        let audience = match rival {
            Rival::Stock => Self::Stock(stock::Readers::start(states).await?),
            Rival::Queue => Self::Queue(queue::Readers::start(states)),
        };
        place.readers.clone().for_each(|reader| ledger.welcome(reader));
        Ok(audience)
    }

    /// Sends a tick to all of them, and returns how many of them it went to.
    pub(crate) fn send(&self, tick: Tick, payload: Bytes) -> usize {
        match self {
            Self::Stock(readers) => readers.send(&tick, &payload),
            Self::Queue(readers) => readers.send(tick, payload),
        }
    }

    /// What each of them found; `None` of one that has ended.
    pub(crate) async fn reports(&self) -> Vec<Option<ReaderReport>> {
        let asked: Vec<oneshot::Receiver<ReaderReport>> = match self {
            Self::Stock(readers) => readers.ask(),
            Self::Queue(readers) => readers.ask(),
        };
        let mut reports = Vec::new();
        for answer in asked {
            reports.push(answer.await.ok());
        }
        reports
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::demo::distance::Distance;
    use crate::demo::tick::FIXED_BYTES;

    #[tokio::test]
    async fn each_rival_gets_ticks_to_its_readers_in_order() {
        let plan = Arc::new(Distance::plan());
        let ledger = Arc::new(Ledger::of(plan.clone()));
        for place in plan.places() {
            let Some(rival) = place.rival else { continue };
            let readers = Audience::start(rival, place, &ledger).await.expect("they start");
            for number in 0..100 {
                let tick = Tick::decode(&[1; FIXED_BYTES]).expect("it is one");
                let tick = Tick { number, last: number == 99, round: 0, ..tick };
                let sent = readers.send(tick, Bytes::from_static(&[7; 100]));
                assert_eq!(sent, place.readers.len(), "{rival}");
            }
            let reports = readers.reports().await;
            assert_eq!(reports.len(), place.readers.len(), "{rival}");
            let all: Vec<usize> = place.readers.clone().collect();
            ledger.wait_for(&all, 0, 100, Duration::from_secs(20)).await;
            for (report, reader) in reports.into_iter().zip(place.readers.clone()) {
                let report = report.expect("it runs");
                let [round] = report.rounds.try_into().expect("one replay");
                assert_eq!((round.received, round.skipped, round.late), (100, 0, 0), "{rival}");
                assert!(ledger.entries()[reader].present);
                assert_eq!(ledger.entries()[reader].acknowledged(0), 100, "{rival}");
            }
        }
    }
}
