//! The book of all messages: what was sent, and what became of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::crew::{CONFLATING, key, parse_reader_name};
use super::numbers::Numbers;
use super::record::{Record, Refusal};

/// What the journals of all processes say.
#[derive(Debug, Default)]
pub(crate) struct Account {
    feeds: BTreeMap<u64, Feed>,
    /// By incarnation and index of the reader, and by incarnation of the feed.
    handled: HashMap<(u64, u64), BTreeMap<u64, Handled>>,
    killed: BTreeSet<u64>,
    /// By incarnation of the process that they came to.
    dead_letters: HashMap<u64, DeadLetters>,
    /// By incarnation and index of the reader.
    replaced: HashMap<(u64, u64), u64>,
    /// What the views of processes showed at their ends.
    shown: Shown,
}

/// What views showed.
#[derive(Debug, Default)]
struct Shown {
    /// The messages that a reader has handled, by incarnation and index.
    handled: HashMap<(u64, u64), u64>,
    sessions: u64,
    /// Frames that sessions miss.
    missing: u64,
}

/// Messages that came to a process and reached no actor, by reason.
type DeadLetters = BTreeMap<String, u64>;

/// What one incarnation of a feed did.
#[derive(Debug, Default)]
struct Feed {
    slots: BTreeMap<u64, Slot>,
    /// Those that it sends to.
    open: BTreeSet<u64>,
    flushed: BTreeSet<u64>,
    /// What sessions reported at their end.
    gone: BTreeMap<u64, u64>,
}

/// A way from a feed to a reader, as long as one session lasts.
#[derive(Debug)]
struct Slot {
    session: u64,
    reader: (u64, u64),
    name: String,
    sent: Numbers,
    rejected: Numbers,
    reasons: BTreeMap<String, u64>,
    /// Sent while the reader left: it may have been, or not.
    leaving: Numbers,
}

/// What a reader handled of one incarnation of a feed.
#[derive(Debug, Default)]
struct Handled {
    numbers: Numbers,
    /// The highest, by key where the reader's mailbox conflates.
    highest: BTreeMap<u64, u64>,
    doubled: u64,
    spoilt: u64,
    /// A number, and a higher one that came before it.
    overtaken: Vec<(u64, u64)>,
    /// Overtaken ones beyond what is kept.
    more_overtaken: u64,
}

/// Numbers out of order that are kept one by one: between sessions they are no fault, and few.
const MOST_OVERTAKEN: usize = 10_000;

impl Account {
    /// Takes what a process noted.
    ///
    /// # Errors
    /// A sentence, when it does not go with what it noted before.
    pub(crate) fn note(&mut self, incarnation: u64, record: Record) -> Result<(), String> {
        if let Record::Handled { reader, feed, number, whole } = record {
            let handled = self.handled.entry((incarnation, reader)).or_default();
            let key = if reader == CONFLATING { key(number) } else { 0 };
            handled.entry(feed).or_default().note(number, key, whole);
            return Ok(());
        }
        if let Record::Replaced { reader, count } = record {
            *self.replaced.entry((incarnation, reader)).or_default() += count;
            return Ok(());
        }
        if let Record::DeadLetters { count, reason } = record {
            let dead_letters = self.dead_letters.entry(incarnation).or_default();
            *dead_letters.entry(reason).or_default() += count;
            return Ok(());
        }
        if let Record::Shown { reader, handled } = record {
            self.shown.handled.insert((incarnation, reader), handled);
            return Ok(());
        }
        if let Record::Sessions { count, missing } = record {
            self.shown.sessions += count;
            self.shown.missing += missing;
            return Ok(());
        }
        let feed = self.feeds.entry(incarnation).or_default();
        let known = |slot: u64| format!("feed #{incarnation} has no slot {slot}");
        match record {
            Record::Found { slot, session, reader: name } => {
                let reader = parse_reader_name(&name).ok_or_else(|| format!("reader {name:?}"))?;
                let (sent, rejected, leaving) = Default::default();
                let reasons = BTreeMap::new();
                let new = Slot { session, reader, name, sent, rejected, reasons, leaving };
                feed.slots.insert(slot, new);
                feed.open.insert(slot);
            }
            Record::Left { slot } => {
                feed.open.remove(&slot).then_some(()).ok_or_else(|| known(slot))?;
            }
            Record::Sending { number } => {
                for slot in &feed.open {
                    feed.slots.get_mut(slot).expect("the open are known").sent.insert(number);
                }
            }
            Record::Sent { number, refused } => {
                for (at, why) in refused {
                    let slot = feed.slots.get_mut(&at).ok_or_else(|| known(at))?;
                    match why {
                        Refusal::Left => _ = slot.leaving.insert(number),
                        Refusal::Rejected(reason) => {
                            slot.rejected.insert(number);
                            *slot.reasons.entry(reason).or_default() += 1;
                        }
                    }
                }
            }
            Record::Gone { session, unacknowledged } => {
                *feed.gone.entry(session).or_default() += unacknowledged;
            }
            Record::Flushed { slot } => _ = feed.flushed.insert(slot),
            // What these say is of no message.
            Record::Ready(_)
            | Record::Finished
            | Record::Health(_)
            | Record::CallFailed { .. }
            | Record::Lines { .. }
            | Record::Misdeed { .. }
            | Record::Handled { .. }
            | Record::Replaced { .. }
            | Record::Shown { .. }
            | Record::Sessions { .. }
            | Record::DeadLetters { .. } => {}
        }
        Ok(())
    }

    /// This process was killed: what it held is unknown.
    pub(crate) fn killed(&mut self, incarnation: u64) {
        self.killed.insert(incarnation);
    }

    /// Of these readers, those that this feed does not send to at present.
    pub(crate) fn not_reached(&self, feed: u64, readers: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let reached: BTreeSet<(u64, u64)> = self
            .feeds
            .get(&feed)
            .into_iter()
            .flat_map(|feed| feed.open.iter().map(|slot| feed.slots[slot].reader))
            .collect();
        readers.iter().copied().filter(|reader| !reached.contains(reader)).collect()
    }

    /// What became of all messages.
    pub(crate) fn balance(&self) -> Balance {
        let mut balance = Balance::default();
        let mut explained = 0;
        let mut left =
            Left { dead_letters: self.dead_letters.clone(), replaced: self.replaced.clone() };
        for (incarnation, feed) in &self.feeds {
            explained += self.balance_feed(*incarnation, feed, &mut left, &mut balance);
        }
        let handled = self.handled.values().flat_map(BTreeMap::values);
        for handled in handled {
            balance.doubled += handled.doubled;
            balance.spoilt += handled.spoilt;
            balance.never_sent += handled.numbers.count();
            balance.overtaken += handled.more_overtaken;
        }
        balance.never_sent -= explained;
        balance.shown_readers = self.shown.handled.len() as u64;
        balance.shown_sessions = self.shown.sessions;
        balance.shown_missing = self.shown.missing;
        for (reader, shown) in &self.shown.handled {
            let handled = self.handled.get(reader).into_iter().flat_map(BTreeMap::values);
            let noted: u64 = handled.map(|it| it.numbers.count() + it.doubled).sum();
            balance.shown_otherwise += shown.abs_diff(noted);
        }
        balance
    }

    /// Adds what became of a feed's messages, and gives how many of them were handled. Takes what
    /// explains some from what is left of it.
    fn balance_feed(
        &self,
        incarnation: u64,
        feed: &Feed,
        left: &mut Left,
        balance: &mut Balance,
    ) -> u64 {
        let mut explained = 0;
        let mut unacknowledged = feed.gone.clone();
        for (number, slot) in &feed.slots {
            let nothing = Handled::default();
            let handled = self.handled.get(&slot.reader).and_then(|it| it.get(&incarnation));
            let handled = handled.unwrap_or(&nothing);
            let delivered = slot.sent.and(&handled.numbers);
            explained += delivered.count();
            balance.sent += slot.sent.count();
            balance.delivered += delivered.count();
            balance.rejected_and_delivered += slot.rejected.and(&delivered).count();
            let within = |(late, before): &&(u64, u64)| {
                slot.sent.contains(*late) && slot.sent.contains(*before)
            };
            balance.overtaken += handled.overtaken.iter().filter(within).count() as u64;
            for (reason, count) in &slot.reasons {
                *balance.rejected.entry(reason.clone()).or_default() += count;
            }
            let pending = slot.sent.without(&delivered).without(&slot.rejected);
            let leaving = pending.and(&slot.leaving);
            if leaving.count() > 0 {
                *balance.rejected.entry(LEFT.to_owned()).or_default() += leaving.count();
            }
            let pending = pending.without(&leaving);
            let lost = pending.count();
            let killed = |process| self.killed.contains(&process);
            if killed(incarnation) || killed(slot.reader.0) {
                balance.killed += lost;
                continue;
            }
            let reported = unacknowledged.get_mut(&slot.session);
            let reported = reported.map_or(0, |reported| {
                let of_these = lost.min(*reported);
                *reported -= of_these;
                of_these
            });
            balance.unacknowledged += reported;
            // What a session reports explains messages of it alone, and goes first.
            let unexplained = lost - reported;
            let dead = left
                .dead_letters
                .get_mut(&slot.reader.0)
                .map_or(0, |from| move_up_to(unexplained, from, &mut balance.dead_letters));
            let unexplained = unexplained - dead;
            let replaced = left.replaced.get_mut(&slot.reader).map_or(0, |told| {
                // The last message of a key has none that replaces it.
                let by_later = |number: &u64| {
                    handled.highest.get(&key(*number)).is_some_and(|last| last > number)
                };
                let most = pending.iter().filter(by_later).count() as u64;
                let of_these = unexplained.min(most).min(*told);
                *told -= of_these;
                of_these
            });
            balance.replaced += replaced;
            let missing = unexplained - replaced;
            balance.missing += missing;
            if missing > 0 {
                let (name, session) = (&slot.name, slot.session);
                let flushed =
                    if feed.flushed.contains(number) { ", which has flushed" } else { "" };
                balance.where_missing.push(format!(
                    "{missing} of feed #{incarnation} for {name}{flushed}, by session {session}"
                ));
            }
        }
        explained
    }
}

/// What explains messages that were not handled, and has explained none yet.
struct Left {
    /// By incarnation of the process that they came to.
    dead_letters: HashMap<u64, DeadLetters>,
    /// By incarnation and index of the reader.
    replaced: HashMap<(u64, u64), u64>,
}

/// Moves so many at most, and gives how many.
fn move_up_to(most: u64, from: &mut DeadLetters, to: &mut DeadLetters) -> u64 {
    let mut moved = 0;
    for (reason, left) in from.iter_mut().filter(|(_, left)| **left > 0) {
        let of_these = (most - moved).min(*left);
        if of_these == 0 {
            break;
        }
        *left -= of_these;
        moved += of_these;
        *to.entry(reason.clone()).or_default() += of_these;
    }
    moved
}

impl Handled {
    fn note(&mut self, number: u64, key: u64, whole: bool) {
        let highest = self.highest.entry(key).or_default();
        if !self.numbers.insert(number) {
            self.doubled += 1;
        } else if number < *highest && self.overtaken.len() < MOST_OVERTAKEN {
            self.overtaken.push((number, *highest));
        } else if number < *highest {
            self.more_overtaken += 1;
        }
        *highest = number.max(*highest);
        self.spoilt += u64::from(!whole);
    }
}

/// The reason of what was sent to a reader that left at that moment.
const LEFT: &str = "left_meanwhile";

/// What became of all messages. A message to ten readers counts ten times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    /// Refused, and the sender was told, by reason.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// They came to the reader's process, which says that they reached no actor, by reason.
    pub(crate) dead_letters: DeadLetters,
    /// Not delivered, and later ones of their key were, which replaced them in the mailbox.
    pub(crate) replaced: u64,
    /// Not delivered, and reported when their session ended, both processes living.
    pub(crate) unacknowledged: u64,
    /// Not delivered, and one of the two processes was killed.
    pub(crate) killed: u64,
    /// Not delivered, and not reported.
    pub(crate) missing: u64,
    /// For people: where those are.
    pub(crate) where_missing: Vec<String>,
    pub(crate) doubled: u64,
    /// Handled after a later one of the same session.
    pub(crate) overtaken: u64,
    /// Handled with a content that was not sent.
    pub(crate) spoilt: u64,
    pub(crate) never_sent: u64,
    pub(crate) rejected_and_delivered: u64,
    /// Readers whose process has shown at its end how many messages they had handled.
    pub(crate) shown_readers: u64,
    /// By how many messages that differs from the book.
    pub(crate) shown_otherwise: u64,
    /// Sessions that processes have shown at their ends.
    pub(crate) shown_sessions: u64,
    /// Frames that these have neither kept nor had acknowledged.
    pub(crate) shown_missing: u64,
}

impl Balance {
    /// What of all that was sent is explained.
    pub(crate) fn explained(&self) -> u64 {
        let by_reason = self.rejected.values().chain(self.dead_letters.values());
        self.delivered + by_reason.sum::<u64>() + self.replaced + self.unacknowledged + self.killed
    }

    /// What is wrong, by name.
    pub(crate) fn faults(&self) -> Vec<(&'static str, u64)> {
        let faults = [
            ("missing without a word", self.missing),
            ("handled twice", self.doubled),
            ("overtaken by later ones of their session", self.overtaken),
            ("changed on the way", self.spoilt),
            ("handled and never sent", self.never_sent),
            ("rejected and delivered all the same", self.rejected_and_delivered),
            ("other than the views show", self.shown_otherwise),
            ("missing in sessions, as the views show", self.shown_missing),
            // It follows from the others, unless the book itself is wrong.
            ("not accounted for", self.sent.abs_diff(self.explained() + self.missing)),
        ];
        faults.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
#[path = "account/tests.rs"]
mod tests;
