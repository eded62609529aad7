//! What was sent, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use ractor_cluster::NodeId;

/// The pid of the actor of a sender's session.
pub(crate) type Session = u64;

/// The messages of one start of a host to another host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream {
    pub(crate) from: &'static str,
    /// Which start of it.
    pub(crate) life: u64,
    pub(crate) to: &'static str,
}

#[derive(Debug, Default)]
struct Sent {
    /// What a cast took.
    taken: u64,
    /// What came back.
    returned: u64,
    /// What arrived, in order: by which of the sender's sessions, and the number.
    arrived: Vec<(Session, u64)>,
    /// How many of these were not what was sent.
    damaged: u64,
    /// What the sender's sessions reported as unacknowledged.
    unacknowledged: u64,
}

#[derive(Debug, Default)]
struct Book {
    streams: BTreeMap<Stream, Sent>,
    /// Whose session a node id stands for.
    sessions: BTreeMap<NodeId, Stream>,
    crashed: BTreeSet<&'static str>,
}

/// The account of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account(Arc<Mutex<Book>>);

impl Account {
    fn locked(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    /// Messages of the stream go over this session from here on.
    pub(crate) fn goes_by(&self, stream: &Stream, node_id: NodeId) {
        self.locked().sessions.insert(node_id, stream.clone());
    }

    pub(crate) fn sent(&self, stream: &Stream, is_taken: bool) {
        let mut book = self.locked();
        let sent = book.streams.entry(stream.clone()).or_default();
        if is_taken {
            sent.taken += 1;
        } else {
            sent.returned += 1;
        }
    }

    pub(crate) fn arrived(&self, stream: &Stream, by: Session, number: u64, is_whole: bool) {
        let mut book = self.locked();
        let sent = book.streams.entry(stream.clone()).or_default();
        sent.arrived.push((by, number));
        sent.damaged += u64::from(!is_whole);
    }

    /// A session has ended, and its peer had not acknowledged so many.
    pub(crate) fn unacknowledged(&self, node_id: NodeId, count: u64) {
        let mut book = self.locked();
        if let Some(stream) = book.sessions.get(&node_id).cloned() {
            book.streams.entry(stream).or_default().unacknowledged += count;
        }
    }

    pub(crate) fn crashed(&self, host: &'static str) {
        self.locked().crashed.insert(host);
    }

    /// How many messages arrived.
    pub(crate) fn arrivals(&self) -> usize {
        self.locked().streams.values().map(|sent| sent.arrived.len()).sum()
    }

    /// What does not hold, with the number of messages that reached no actor.
    pub(crate) fn violations(&self, dead_letters: u64) -> Vec<String> {
        let book = self.locked();
        let mut found = Vec::new();
        let mut missing = 0;
        for (stream, sent) in &book.streams {
            let arrived = &sent.arrived;
            let numbers: BTreeSet<_> = arrived.iter().map(|(_, number)| number).collect();
            // Two sessions may live at once: while a node chooses one of them, both deliver.
            let mut latest = BTreeMap::new();
            let mut is_next =
                |(by, number): &(Session, u64)| latest.insert(*by, *number) < Some(*number);
            if numbers.len() < arrived.len() || !arrived.iter().all(&mut is_next) {
                found.push(format!("{stream:?} arrived twice or out of order: {arrived:?}"));
            }
            if sent.damaged > 0 {
                found.push(format!("{stream:?} has {} damaged messages", sent.damaged));
            }
            let Some(lost) = sent.taken.checked_sub(arrived.len() as u64) else {
                found.push(format!("{stream:?} has more arrivals than messages: {sent:?}"));
                continue;
            };
            // What a crash leaves unhandled is counted nowhere.
            if !book.crashed.contains(stream.from) && !book.crashed.contains(stream.to) {
                missing += lost.saturating_sub(sent.unacknowledged);
            }
        }
        if missing > dead_letters {
            let streams = &book.streams;
            found.push(format!(
                "{missing} messages are missing that nothing counts, beside {dead_letters} dead \
                 letters: {streams:#?}"
            ));
        }
        found
    }
}
