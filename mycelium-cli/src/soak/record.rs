//! What a process of the soak notes, a line each.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::str::FromStr;

/// A line of a process's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// The process has started; a feed says where it listens.
    Ready(Option<SocketAddr>),
    /// A feed found a reader: from here on it sends to it by this slot.
    Found {
        slot: u64,
        /// The peer's number in the feed's process, which each session has its own of; 0 is the
        /// process itself.
        session: u64,
        reader: String,
    },
    /// The reader of this slot is gone, or another way leads to it.
    Left { slot: u64 },
    /// A feed is about to send a message to all slots that there are.
    Sending { number: u64 },
    /// It has: all took it but these.
    Sent { number: u64, refused: Vec<(u64, Refusal)> },
    /// A session of a feed ended, with so many messages unacknowledged.
    Gone { session: u64, unacknowledged: u64 },
    /// A reader, by its index in its process, handled a message, whose content was what it should
    /// be or not.
    Handled { reader: u64, feed: u64, number: u64, whole: bool },
    /// A reader answered that it has handled all that this feed sent by a slot.
    Flushed { slot: u64 },
    /// So many messages of other processes came to this one, and reached no actor, for this reason.
    DeadLetters { count: u64, reason: String },
    /// So many messages to a reader were replaced in its mailbox by later ones of their key.
    Replaced { reader: u64, count: u64 },
    /// The view of the process shows that a reader has handled so many messages, in the end.
    Shown { reader: u64, handled: u64 },
    /// The view of the process shows so many sessions, which miss so many frames.
    Sessions { count: u64, missing: u64 },
    /// A feed has sent its last, and all readers were asked to flush.
    Finished,
    /// What a process noticed of itself since it noted this last.
    Health(Health),
    /// A call to a reader of this process failed, for this reason.
    CallFailed { to: String, reason: String },
    /// So many lines were logged since this was noted last, at this place of the sources.
    Lines { count: u64, place: String },
    /// An outsider did something to a node so many times.
    Misdeed { count: u64, kind: String, at: String },
}

/// What a process notices of itself. Times are in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// The longest that the runtime's timer was late.
    pub(crate) stall: u64,
    /// The most processor time that the runtime's thread took between two turns of the timer.
    pub(crate) computing: u64,
    /// Calls that were answered.
    pub(crate) calls: u64,
    /// The slowest of them.
    pub(crate) slowest: u64,
    /// Tasks that its runtime has now: one for each actor, proxies included, and each connection.
    pub(crate) tasks: u64,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The sender was told so, in these words.
    Rejected(String),
    /// The reader left while it was sent to: whether it was among the receivers is unknown.
    Left,
}

impl Record {
    /// Writes it to standard output, at once and whole: a line is less than a pipe takes in one
    /// piece.
    pub(crate) fn note(&self) {
        // A coordinator that is gone reads nothing; the end of standard input ends this process.
        let _ = io::stdout().lock().write_all(format!("{self}\n").as_bytes());
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(None) => f.write_str("ready"),
            Self::Ready(Some(address)) => write!(f, "ready {address}"),
            Self::Found { slot, session, reader } => write!(f, "found {slot} {session} {reader}"),
            Self::Left { slot } => write!(f, "left {slot}"),
            Self::Sending { number } => write!(f, "sending {number}"),
            Self::Sent { number, refused } => {
                write!(f, "sent {number}")?;
                refused.iter().try_for_each(|(slot, why)| match why {
                    Refusal::Rejected(reason) => write!(f, " {slot}={reason}"),
                    Refusal::Left => write!(f, " {slot}"),
                })
            }
            Self::Gone { session, unacknowledged } => write!(f, "gone {session} {unacknowledged}"),
            Self::Handled { reader, feed, number, whole } => {
                let how = if *whole { "handled" } else { "spoilt" };
                write!(f, "{how} {reader} {feed} {number}")
            }
            Self::Flushed { slot } => write!(f, "flushed {slot}"),
            Self::DeadLetters { count, reason } => write!(f, "dead-letters {count} {reason}"),
            Self::Replaced { reader, count } => write!(f, "replaced {reader} {count}"),
            Self::Shown { reader, handled } => write!(f, "shown {reader} {handled}"),
            Self::Sessions { count, missing } => write!(f, "sessions {count} {missing}"),
            Self::Finished => f.write_str("finished"),
            Self::Health(Health { stall, computing, calls, slowest, tasks }) => {
                write!(f, "health {stall} {computing} {calls} {slowest} {tasks}")
            }
            Self::CallFailed { to, reason } => write!(f, "call-failed {to} {reason}"),
            Self::Lines { count, place } => write!(f, "lines {count} {place}"),
            Self::Misdeed { count, kind, at } => write!(f, "misdeed {count} {kind} {at}"),
        }
    }
}

impl FromStr for Record {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        read(line).ok_or_else(|| format!("no record: {line:?}"))
    }
}

fn read(line: &str) -> Option<Record> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut rest = rest.splitn(3, ' ').filter(|part| !part.is_empty());
    let mut number = || rest.next()?.parse::<u64>().ok();
    Some(match word {
        "ready" => Record::Ready(rest.next().map(str::parse).transpose().ok()?),
        "found" => {
            Record::Found { slot: number()?, session: number()?, reader: rest.next()?.to_owned() }
        }
        "left" => Record::Left { slot: number()? },
        "sending" => Record::Sending { number: number()? },
        "sent" => {
            let number = number()?;
            let refused = rest.flat_map(|part| part.split(' ')).map(refusal).collect::<Option<_>>();
            Record::Sent { number, refused: refused? }
        }
        "gone" => Record::Gone { session: number()?, unacknowledged: number()? },
        "handled" | "spoilt" => Record::Handled {
            reader: number()?,
            feed: number()?,
            number: number()?,
            whole: word == "handled",
        },
        "flushed" => Record::Flushed { slot: number()? },
        "dead-letters" => Record::DeadLetters { count: number()?, reason: rest.next()?.to_owned() },
        "replaced" => Record::Replaced { reader: number()?, count: number()? },
        "shown" => Record::Shown { reader: number()?, handled: number()? },
        "sessions" => Record::Sessions { count: number()?, missing: number()? },
        "finished" => Record::Finished,
        "health" => {
            let (stall, computing) = (number()?, number()?);
            let mut more = rest.next()?.split(' ').map(|part| part.parse().ok());
            let mut number = || more.next()?;
            let (calls, slowest, tasks) = (number()?, number()?, number()?);
            Record::Health(Health { stall, computing, calls, slowest, tasks })
        }
        "call-failed" => {
            Record::CallFailed { to: rest.next()?.to_owned(), reason: rest.next()?.to_owned() }
        }
        "lines" => Record::Lines { count: number()?, place: rest.next()?.to_owned() },
        "misdeed" => Record::Misdeed {
            count: number()?,
            kind: rest.next()?.to_owned(),
            at: rest.next()?.to_owned(),
        },
        _ => return None,
    })
}

fn refusal(part: &str) -> Option<(u64, Refusal)> {
    Some(match part.split_once('=') {
        Some((slot, reason)) => (slot.parse().ok()?, Refusal::Rejected(reason.to_owned())),
        None => (part.parse().ok()?, Refusal::Left),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_refusal() -> impl Strategy<Value = Refusal> {
        prop_oneof![Just(Refusal::Left), "[A-Za-z]{1,12}".prop_map(Refusal::Rejected)]
    }

    fn any_record() -> impl Strategy<Value = Record> {
        prop_oneof![
            any::<Option<std::net::SocketAddrV4>>()
                .prop_map(|it| Record::Ready(it.map(Into::into))),
            (any::<u64>(), any::<u64>(), "[a-z]{1,5}( [#0-9a-z]{1,4}){0,3}")
                .prop_map(|(slot, session, reader)| Record::Found { slot, session, reader }),
            any::<u64>().prop_map(|slot| Record::Left { slot }),
            any::<u64>().prop_map(|number| Record::Sending { number }),
            (any::<u64>(), prop::collection::vec((any::<u64>(), any_refusal()), 0..6))
                .prop_map(|(number, refused)| Record::Sent { number, refused }),
            any::<(u64, u64)>()
                .prop_map(|(session, unacknowledged)| Record::Gone { session, unacknowledged }),
            any::<(u64, u64, u64, bool)>().prop_map(|(reader, feed, number, whole)| {
                Record::Handled { reader, feed, number, whole }
            }),
            any::<u64>().prop_map(|slot| Record::Flushed { slot }),
            (any::<u64>(), "[A-Za-z]{1,12}")
                .prop_map(|(count, reason)| Record::DeadLetters { count, reason }),
            any::<(u64, u64)>().prop_map(|(reader, count)| Record::Replaced { reader, count }),
            any::<(u64, u64)>().prop_map(|(reader, handled)| Record::Shown { reader, handled }),
            any::<(u64, u64)>().prop_map(|(count, missing)| Record::Sessions { count, missing }),
            Just(Record::Finished),
            any::<[u64; 5]>().prop_map(|[stall, computing, calls, slowest, tasks]| {
                Record::Health(Health { stall, computing, calls, slowest, tasks })
            }),
            ("[a-z]{1,5}-[0-9]", "[A-Za-z]{1,12}")
                .prop_map(|(to, reason)| Record::CallFailed { to, reason }),
            (any::<u64>(), "[A-Z]{4,5}:[a-z:]{1,12}:[0-9]{1,4}")
                .prop_map(|(count, place)| Record::Lines { count, place }),
            (any::<u64>(), "[a-z-]{1,12}", "[a-z]{1,5}-[0-9]")
                .prop_map(|(count, kind, at)| Record::Misdeed { count, kind, at }),
        ]
    }

    proptest! {
        #[test]
        fn records_come_back_from_their_lines(record in any_record()) {
            prop_assert_eq!(record.to_string().parse(), Ok(record));
        }

        #[test]
        fn no_line_is_too_much(line in ".*") {
            let _ = line.parse::<Record>();
        }
    }
}
