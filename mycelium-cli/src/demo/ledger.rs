//! Who is there, and who acknowledged what.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::pg::{self, GroupChangeMessage};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::message::Acknowledged;
use super::plan::{ALL_READERS, Distance, FEED_GROUP, GROUP, reader_number};

/// What the feed knows of each reader. Its actor writes, the feed waits.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    readers: Mutex<[Entry; ALL_READERS]>,
    changed: Notify,
}

/// What is known of a reader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Whether it was ever in its group.
    pub(crate) present: bool,
    /// The most ticks of each replay that it said to have handled.
    pub(crate) acknowledged: Vec<u64>,
    /// Why nothing is sent to it any more.
    pub(crate) gone: Option<String>,
}

impl Entry {
    pub(crate) fn acknowledged(&self, round: usize) -> u64 {
        self.acknowledged.get(round).copied().unwrap_or(0)
    }
}

impl Ledger {
    /// All that is known now.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.readers.lock().to_vec()
    }

    fn change(&self, reader: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.readers.lock().get_mut(reader) {
            change(entry);
        }
        self.changed.notify_waiters();
    }

    fn present(&self, reader: usize) {
        self.change(reader, |entry| entry.present = true);
    }

    /// Notes that a reader can no longer be reached. The first reason stays.
    pub(crate) fn lose(&self, reader: usize, why: &str) {
        self.change(reader, |entry| {
            entry.gone.get_or_insert_with(|| why.to_owned());
        });
    }

    /// Notes that the process of a distance ended, which explains whatever was noted before.
    pub(crate) fn lose_process(&self, distance: Distance, why: &str) {
        for reader in distance.readers() {
            self.change(reader, |entry| entry.gone = Some(why.to_owned()));
        }
    }

    fn acknowledge(&self, said: Acknowledged) {
        let round = usize::from(said.round);
        self.change(usize::from(said.reader), |entry| {
            // A peer's number shall not decide how much memory is taken.
            if round < MOST_ROUNDS {
                if entry.acknowledged.len() <= round {
                    entry.acknowledged.resize(round + 1, 0);
                }
                let ticks = &mut entry.acknowledged[round];
                *ticks = said.ticks.max(*ticks);
            }
        });
    }

    /// Waits until all that are asked for are as they should be or gone, and returns those that
    /// are not, when nothing changed among them for `patience`.
    ///
    /// Cancel safe.
    async fn wait_until(
        &self,
        readers: &[usize],
        patience: Duration,
        fine: impl Fn(&Entry) -> bool,
    ) -> Vec<usize> {
        let mut before = Vec::new();
        let mut deadline = Instant::now() + patience;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (behind, now): (Vec<usize>, Vec<Entry>) = {
                let entries = self.readers.lock();
                let behind = readers.iter().copied().filter(|reader| {
                    let entry = &entries[*reader];
                    entry.gone.is_none() && !fine(entry)
                });
                behind.map(|reader| (reader, entries[reader].clone())).unzip()
            };
            if behind.is_empty() {
                return behind;
            }
            // News of others are no sign of life of these.
            if before != now {
                before = now;
                deadline = Instant::now() + patience;
            }
            if timeout_at(deadline, changed).await.is_err() {
                return behind;
            }
        }
    }

    /// Waits until all `readers` are in their groups or gone; who is not after `patience` is lost.
    pub(crate) async fn wait_for_presence(&self, readers: &[usize], patience: Duration) {
        for reader in self.wait_until(readers, patience, |entry| entry.present).await {
            let seconds = patience.as_secs();
            self.lose(reader, &format!("it did not appear within {seconds} s"));
        }
    }

    /// Waits until all `readers` acknowledged so many ticks or are gone; those of a distance of
    /// which one does not for `patience` are lost, since they share a process and a link, and the
    /// next would be waited for as long.
    pub(crate) async fn wait_for(
        &self,
        readers: &[usize],
        round: usize,
        ticks: u64,
        patience: Duration,
    ) {
        let enough = |entry: &Entry| entry.acknowledged(round) >= ticks;
        for reader in self.wait_until(readers, patience, enough).await {
            let seconds = patience.as_secs();
            for neighbour in Distance::of(reader).readers() {
                self.lose(
                    neighbour,
                    &format!("reader {reader} acknowledged nothing for {seconds} s"),
                );
            }
        }
    }
}

/// Above what the demo replays.
const MOST_ROUNDS: usize = 64;

/// Writes the ledger.
pub(crate) struct Clerk;

impl Actor for Clerk {
    type Msg = Acknowledged;
    type State = Arc<Ledger>;
    type Arguments = Arc<Ledger>;

    async fn pre_start(
        &self,
        myself: ActorRef<Acknowledged>,
        ledger: Arc<Ledger>,
    ) -> Result<Arc<Ledger>, ActorProcessingErr> {
        // Readers join this one first: who is in the other is in both.
        for distance in Distance::ALL {
            pg::monitor(distance.group(), myself.get_cell());
        }
        pg::monitor(GROUP.to_owned(), myself.get_cell());
        pg::join(FEED_GROUP.to_owned(), vec![myself.get_cell()]);
        Ok(ledger)
    }

    async fn handle(
        &self,
        _: ActorRef<Acknowledged>,
        said: Acknowledged,
        ledger: &mut Arc<Ledger>,
    ) -> Result<(), ActorProcessingErr> {
        ledger.acknowledge(said);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Acknowledged>,
        event: SupervisionEvent,
        ledger: &mut Arc<Ledger>,
    ) -> Result<(), ActorProcessingErr> {
        let SupervisionEvent::ProcessGroupChanged(change) = event else { return Ok(()) };
        let (joined, group, members) = match change {
            GroupChangeMessage::Join(_, group, members) => (true, group, members),
            GroupChangeMessage::Leave(_, group, members) => (false, group, members),
        };
        for reader in members.iter().filter_map(|it| reader_number(&it.get_name()?)) {
            if !joined {
                ledger.lose(reader, LEFT);
            } else if group == Distance::of(reader).group() {
                ledger.present(reader);
            }
        }
        Ok(())
    }
}

/// Why a reader is gone when no better reason is known.
pub(crate) const LEFT: &str = "the link to it closed";

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(10);

    fn said(reader: u16, round: u16, ticks: u64) -> Acknowledged {
        Acknowledged { reader, round, ticks }
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_the_slowest() {
        let ledger = Arc::new(Ledger::default());
        ledger.acknowledge(said(0, 1, 10));
        let waiting = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.wait_for(&[0, 1], 1, 10, Duration::from_secs(1)).await }
        });
        for ticks in 1..=10 {
            tokio::time::advance(Duration::from_millis(900)).await;
            assert!(!waiting.is_finished(), "before tick {ticks}");
            ledger.acknowledge(said(1, 1, ticks));
            tokio::task::yield_now().await;
        }
        waiting.await.expect("it does not panic");
        assert!(ledger.entries().iter().all(|entry| entry.gone.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_is_lost_with_its_distance_and_who_is_gone_is_not_waited_for() {
        let ledger = Ledger::default();
        for reader in [0, 8, 9] {
            ledger.acknowledge(said(reader, 0, 5));
        }
        ledger.lose(1, "it burnt");
        ledger.wait_for(&[0, 1, 8, 9, 10], 0, 5, PATIENCE).await;
        let entries = ledger.entries();
        assert_eq!(entries[0].gone, None);
        assert_eq!(entries[1].gone.as_deref(), Some("it burnt"));
        for entry in &entries[8..16] {
            let why = entry.gone.as_ref().expect("it is lost");
            assert!(why.starts_with("reader 10 acknowledged nothing"), "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_appear_is_lost() {
        let ledger = Ledger::default();
        ledger.present(3);
        ledger.wait_for_presence(&[3, 4], PATIENCE).await;
        assert_eq!(ledger.entries()[3].gone, None);
        assert!(ledger.entries()[4].gone.is_some());
    }

    #[test]
    fn an_ended_process_explains_a_closed_link() {
        let ledger = Ledger::default();
        ledger.lose(8, LEFT);
        ledger.lose_process(Distance::SameMachine, "it was killed");
        ledger.lose(8, LEFT);
        assert_eq!(ledger.entries()[8].gone.as_deref(), Some("it was killed"));
        assert_eq!(ledger.entries()[16].gone, None);
    }

    #[test]
    fn numbers_from_elsewhere_take_no_memory() {
        let ledger = Ledger::default();
        ledger.acknowledge(said(u16::MAX, 0, 1));
        ledger.acknowledge(said(0, u16::MAX, 1));
        assert_eq!(ledger.entries(), vec![Entry::default(); ALL_READERS]);
    }
}
