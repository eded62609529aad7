//! What is compared.

use std::fmt;
use std::time::Duration;

use crate::contender::{Contender, Scheduler};
use crate::{fan_out, output_port, systems};

/// Work that several contenders do. Shown, it is the name of its criterion group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Casts of that many bytes to one actor, which is never far behind.
    Cast(usize, Scheduler),
    /// Casts of 8 bytes from so many tasks to one actor, as fast as they go.
    Flood(u64),
    /// Calls of that many bytes to one actor, which answers with as many.
    Call(usize, Scheduler),
    /// Calls of 8 bytes with a timeout.
    CallInTime,
    /// A token that goes around many actors.
    Ring(Scheduler),
    /// Actors that are spawned.
    Spawn,
    /// Actors that are stopped.
    Stop,
    /// An actor that has nothing to do; what it needs is counted, not timed.
    Idle(u64),
    /// Messages of 8 bytes that wait in a mailbox; what they need is counted, not timed.
    Queued(u64),
    /// A payload of so many bytes to so many readers.
    FanOut(usize, usize),
    /// A payload of so many bytes to so many subscribers of an output port.
    OutputPort(usize, usize),
}

use Scheduler::{Current, Workers};

impl Case {
    /// Every case, in the report's order.
    pub fn all() -> Vec<Self> {
        [Self::hot_path(), Self::fan_outs(), Self::output_ports(), Self::resident()].concat()
    }

    /// What a message costs, and an actor.
    pub fn hot_path() -> Vec<Self> {
        let each = |case: fn(usize, Scheduler) -> Self| {
            [case(8, Workers), case(8, Current), case(256, Workers), case(4 << 10, Workers)]
        };
        let floods = [1, 4].map(Self::Flood);
        let rest = [Self::CallInTime, Self::Ring(Workers), Self::Ring(Current), Self::Spawn];
        [&each(Self::Cast)[..], &floods, &each(Self::Call), &rest, &[Self::Stop]].concat()
    }

    /// Every size to every number of readers.
    pub fn fan_outs() -> Vec<Self> {
        let readers = |size| [1, 8, 64].map(|readers| Self::FanOut(size, readers));
        [64, 4 << 10, 64 << 10, 1 << 20].into_iter().flat_map(readers).collect()
    }

    /// Output ports with 8 subscribers.
    pub fn output_ports() -> Vec<Self> {
        [64, 4 << 10].map(|size| Self::OutputPort(size, 8)).to_vec()
    }

    /// Actors, and messages, in numbers that show what each needs.
    pub fn resident() -> Vec<Self> {
        vec![Self::Idle(100_000), Self::Idle(1_000_000), Self::Queued(1_000_000)]
    }

    /// Those whose allocations are counted.
    pub fn allocating() -> Vec<Self> {
        let calls = [Self::Cast(8, Current), Self::Cast(256, Current), Self::Call(8, Current)];
        let to_64 = |case: &Self| matches!(case, Self::FanOut(_, 64));
        calls.into_iter().chain(Self::fan_outs().into_iter().filter(to_64)).collect()
    }

    /// Those whose instructions are counted.
    pub fn instructing() -> Vec<Self> {
        let hot = [Self::Cast(8, Current), Self::Call(8, Current), Self::Ring(Current)];
        let many = [Self::FanOut(64, 64), Self::FanOut(64 << 10, 64), Self::OutputPort(64, 8)];
        [hot, many].concat()
    }

    /// Messages that a round delivers, or actors that it starts.
    pub fn deliveries(self) -> u64 {
        match self {
            Self::Cast(..) | Self::Call(..) | Self::CallInTime => systems::ROUND,
            Self::Flood(_) => systems::FLOOD,
            Self::Ring(_) => systems::RING,
            Self::Spawn | Self::Stop => systems::LIVES,
            Self::Idle(count) | Self::Queued(count) => count,
            Self::FanOut(_, readers) | Self::OutputPort(_, readers) => readers as u64,
        }
    }

    /// Whether contenders are compared with actor libraries and channels, and not with ways to
    /// send to many.
    pub(crate) fn is_hot_path(self) -> bool {
        !matches!(self, Self::FanOut(..) | Self::OutputPort(..))
    }

    /// Who takes part, ready to run, on `counted` if that is given: to count what they do.
    pub fn contenders(self, counted: Option<Scheduler>) -> Vec<Contender> {
        let on = |scheduler| counted.unwrap_or(scheduler);
        match self {
            Self::Cast(8, scheduler) => systems::casts::<8>(on(scheduler)),
            Self::Cast(256, scheduler) => systems::casts::<256>(on(scheduler)),
            Self::Cast(_, scheduler) => systems::casts::<4096>(on(scheduler)),
            Self::Flood(senders) => systems::floods(senders),
            Self::Call(8, scheduler) => systems::calls::<8>(on(scheduler), None),
            Self::Call(256, scheduler) => systems::calls::<256>(on(scheduler), None),
            Self::Call(_, scheduler) => systems::calls::<4096>(on(scheduler), None),
            Self::CallInTime => systems::calls::<8>(on(Workers), Some(Duration::from_secs(60))),
            Self::Ring(scheduler) => systems::rings(on(scheduler)),
            Self::Spawn => systems::lives(false),
            Self::Stop => systems::lives(true),
            Self::Idle(_) | Self::Queued(_) => Vec::new(),
            Self::FanOut(size, readers) => {
                fan_out::contenders(&fan_out::WAYS, size, readers, on(Workers))
            }
            Self::OutputPort(size, readers) => {
                fan_out::contenders(&output_port::WAYS, size, readers, on(Workers))
            }
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Cast(size, on) => write!(f, "cast {}{}", Bytes(size), On(on)),
            Self::Flood(senders) => write!(f, "flood from {senders}"),
            Self::Call(size, on) => write!(f, "call {}{}", Bytes(size), On(on)),
            Self::CallInTime => write!(f, "call with a timeout"),
            Self::Ring(on) => write!(f, "ring hop{}", On(on)),
            Self::Spawn => write!(f, "spawn"),
            Self::Stop => write!(f, "stop"),
            Self::Idle(actors) => write!(f, "idle, of {actors}"),
            Self::Queued(messages) => write!(f, "queued, of {messages}"),
            Self::FanOut(size, readers) => write!(f, "fan-out {} to {readers}", Bytes(size)),
            Self::OutputPort(size, readers) => {
                write!(f, "output port {} to {readers}", Bytes(size))
            }
        }
    }
}

struct On(Scheduler);

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == Current { ", one thread" } else { "" })
    }
}

struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn each_case_has_a_folder_of_its_own() {
        let mut names: Vec<_> = Case::all().iter().map(Case::to_string).collect();
        assert!(names.contains(&"fan-out 1 MiB to 64".to_owned()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Case::all().len());
    }
}
