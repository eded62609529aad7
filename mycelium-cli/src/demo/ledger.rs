//! Who is there, and who acknowledged what.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::pg::{self, GroupChangeMessage};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::clock;
use super::histogram::Latencies;
use super::message::{Acknowledged, FeedMessage};
use super::plan::{FEED_GROUP, GROUP, Plan, group_at};

/// What the feed knows of each reader. Its actor writes, the feed waits.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Pages {
    plan: Arc<Plan>,
    entries: Vec<Entry>,
    /// Of each reader, for each replay.
    round_trips: Vec<Vec<RoundTrips>>,
}

/// How long ticks and their acknowledgements were under way together, for those ticks that were
/// acknowledged. The feed's clock alone is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoundTrips {
    /// When the last acknowledgement came.
    pub(crate) last_ns: u64,
    pub(crate) times: Latencies,
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
    /// A ledger for the readers of a plan.
    pub(crate) fn of(plan: Arc<Plan>) -> Self {
        let ledger = Self::default();
        ledger.open(plan);
        ledger
    }

    /// Begins anew, for the readers of a plan.
    pub(crate) fn open(&self, plan: Arc<Plan>) {
        let readers = plan.readers().len();
        *self.pages.lock() = Pages {
            plan,
            entries: vec![Entry::default(); readers],
            round_trips: vec![Vec::new(); readers],
        };
    }

    /// All that is known now.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.pages.lock().entries.clone()
    }

    /// How long acknowledgements took, of each reader for each replay.
    pub(crate) fn round_trips(&self) -> Vec<Vec<RoundTrips>> {
        self.pages.lock().round_trips.clone()
    }

    /// Asks `look` now, and whenever an actor joins or leaves a group, until it has an answer.
    /// Cancel safe.
    pub(crate) async fn look_until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = look() {
                return found;
            }
            changed.await;
        }
    }

    fn change(&self, reader: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.pages.lock().entries.get_mut(reader) {
            change(entry);
        }
        self.changed.notify_waiters();
    }

    /// Notes that a reader is there that joins no group.
    pub(crate) fn welcome(&self, reader: usize) {
        self.change(reader, |entry| entry.present = true);
    }

    /// Notes who is in a group of readers, or is not any more.
    fn note(&self, group: &str, members: &[ActorCell], joined: bool) {
        let plan = self.pages.lock().plan.clone();
        for reader in members.iter().filter_map(|member| plan.number_of(&member.get_name()?)) {
            let at = plan.place_of(reader).map(|place| group_at(&place.name));
            // Readers join that of all first: who is in the other is in both.
            match (at.as_deref() == Some(group), joined) {
                (true, true) => self.change(reader, |entry| entry.present = true),
                (false, true) => {}
                (at_its_place, false) if at_its_place || group == GROUP => self.lose(reader, LEFT),
                (_, false) => {}
            }
        }
        // A reader without a number yet may be looked for.
        self.changed.notify_waiters();
    }

    /// Notes that a reader can no longer be reached. The first reason stays.
    pub(crate) fn lose(&self, reader: usize, why: &str) {
        self.change(reader, |entry| {
            entry.gone.get_or_insert_with(|| why.to_owned());
        });
    }

    /// Notes that the process at a place ended, which explains whatever was noted before.
    pub(crate) fn lose_place(&self, place: usize, why: &str) {
        let plan = self.pages.lock().plan.clone();
        for reader in plan.places().get(place).into_iter().flat_map(|it| it.readers.clone()) {
            self.change(reader, |entry| entry.gone = Some(why.to_owned()));
        }
    }

    /// Notes what a reader says, at this moment.
    pub(crate) fn acknowledge(&self, said: &Acknowledged, now_ns: u64) {
        let round = usize::from(said.round);
        {
            let mut pages = self.pages.lock();
            // A peer's number shall not decide how much memory is taken.
            let Some(reader) = pages.plan.number_of(&said.reader).filter(|_| round < MOST_ROUNDS)
            else {
                return;
            };
            let acknowledged = &mut pages.entries[reader].acknowledged;
            if acknowledged.len() <= round {
                acknowledged.resize(round + 1, 0);
            }
            acknowledged[round] = said.ticks.max(acknowledged[round]);
            let round_trips = &mut pages.round_trips[reader];
            if round_trips.len() <= round {
                round_trips.resize_with(round + 1, RoundTrips::default);
            }
            round_trips[round].last_ns = now_ns;
            round_trips[round].times.record(now_ns.saturating_sub(said.sent_ns));
        }
        self.changed.notify_waiters();
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
                let pages = self.pages.lock();
                let entries = &pages.entries;
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

    /// Waits until all `readers` acknowledged so many ticks or are gone; those of a place
    /// where one does not for `patience` are lost, since they share a process and a link, and the
    /// next would be waited for as long.
    pub(crate) async fn wait_for(
        &self,
        readers: &[usize],
        round: usize,
        ticks: u64,
        patience: Duration,
    ) {
        let enough = |entry: &Entry| entry.acknowledged(round) >= ticks;
        let behind = self.wait_until(readers, patience, enough).await;
        let plan = self.pages.lock().plan.clone();
        let seconds = patience.as_secs();
        for reader in behind {
            let why = format!("reader {reader} acknowledged nothing for {seconds} s");
            for neighbour in plan.place_of(reader).into_iter().flat_map(|it| it.readers.clone()) {
                self.lose(neighbour, &why);
            }
        }
    }
}

/// Above what the demo replays.
const MOST_ROUNDS: usize = 64;

/// Writes the ledger.
pub(crate) struct Clerk;

impl Actor for Clerk {
    type Msg = FeedMessage;
    type State = Arc<Ledger>;
    type Arguments = Arc<Ledger>;

    async fn pre_start(
        &self,
        myself: ActorRef<FeedMessage>,
        ledger: Arc<Ledger>,
    ) -> Result<Arc<Ledger>, ActorProcessingErr> {
        // All groups: which places there will be need not be known yet.
        pg::monitor_scope(pg::DEFAULT_SCOPE.to_owned(), myself.get_cell());
        pg::join(FEED_GROUP.to_owned(), vec![myself.get_cell()]);
        Ok(ledger)
    }

    async fn handle(
        &self,
        _: ActorRef<FeedMessage>,
        FeedMessage::Acknowledged(said): FeedMessage,
        ledger: &mut Arc<Ledger>,
    ) -> Result<(), ActorProcessingErr> {
        ledger.acknowledge(&said, clock::now_ns());
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<FeedMessage>,
        event: SupervisionEvent,
        ledger: &mut Arc<Ledger>,
    ) -> Result<(), ActorProcessingErr> {
        let SupervisionEvent::ProcessGroupChanged(change) = event else { return Ok(()) };
        match change {
            GroupChangeMessage::Join(_, group, members) => ledger.note(&group, &members, true),
            GroupChangeMessage::Leave(_, group, members) => ledger.note(&group, &members, false),
        }
        Ok(())
    }
}

/// Why a reader is gone when no better reason is known.
pub(crate) const LEFT: &str = "the link to it closed";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::distance::{Distance, READERS};
    use crate::demo::plan::reader_name;

    const PATIENCE: Duration = Duration::from_millis(10);

    fn said(reader: usize, round: u16, ticks: u64) -> Acknowledged {
        let place = Distance::ALL[reader / READERS].to_string();
        let reader = reader_name(&place, reader % READERS);
        Acknowledged { reader, round, ticks, sent_ns: 1_000 }
    }

    fn ledger() -> Ledger {
        Ledger::of(Arc::new(Distance::plan()))
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_the_slowest() {
        let ledger = Arc::new(ledger());
        ledger.acknowledge(&said(0, 1, 10), 1_500);
        let waiting = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.wait_for(&[0, 1], 1, 10, Duration::from_secs(1)).await }
        });
        for ticks in 1..=10 {
            tokio::time::advance(Duration::from_millis(900)).await;
            assert!(!waiting.is_finished(), "before tick {ticks}");
            ledger.acknowledge(&said(1, 1, ticks), 1_500);
            tokio::task::yield_now().await;
        }
        waiting.await.expect("it does not panic");
        assert!(ledger.entries().iter().all(|entry| entry.gone.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_is_lost_with_its_distance_and_who_is_gone_is_not_waited_for() {
        let ledger = ledger();
        for reader in [0, 8, 9] {
            ledger.acknowledge(&said(reader, 0, 5), 1_500);
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
        let ledger = ledger();
        ledger.change(3, |entry| entry.present = true);
        ledger.wait_for_presence(&[3, 4], PATIENCE).await;
        assert_eq!(ledger.entries()[3].gone, None);
        assert!(ledger.entries()[4].gone.is_some());
    }

    #[test]
    fn an_ended_process_explains_a_closed_link() {
        let ledger = ledger();
        ledger.lose(8, LEFT);
        ledger.lose_place(Distance::SameMachine.index(), "it was killed");
        ledger.lose(8, LEFT);
        assert_eq!(ledger.entries()[8].gone.as_deref(), Some("it was killed"));
        assert_eq!(ledger.entries()[16].gone, None);
    }

    #[test]
    fn words_from_elsewhere_take_no_memory() {
        let ledger = ledger();
        let stranger = Acknowledged { reader: reader_name("elsewhere", 0), ..said(0, 0, 1) };
        ledger.acknowledge(&stranger, 1_500);
        ledger.acknowledge(&said(0, u16::MAX, 1), 1_500);
        assert_eq!(ledger.entries(), vec![Entry::default(); Distance::plan().readers().len()]);
        assert!(ledger.round_trips().iter().all(Vec::is_empty));
    }

    #[test]
    fn round_trips_are_counted_from_the_sending_of_what_is_acknowledged() {
        let ledger = ledger();
        ledger.acknowledge(&said(9, 1, 64), 1_500);
        ledger.acknowledge(&said(9, 1, 128), 1_800);
        let round_trips = &ledger.round_trips()[9];
        assert_eq!((round_trips.len(), round_trips[0].times.len()), (2, 0));
        assert_eq!((round_trips[1].times.len(), round_trips[1].last_ns), (2, 1_800));
        assert_eq!(round_trips[1].times.percentile(100.0), Some(800));
    }
}
