//! The receivers that are not simply on the lane of those that are sent little.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Receiver;

/// What is known of such a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) slot: usize,
    /// The last frame that went to it by its lane.
    pub(super) last: u64,
    /// The bytes that it was sent since that lane was congested.
    pub(super) burst: usize,
}

/// All of them. The one that was looked for last stands beside the map: a row of messages to one
/// receiver looks into the map once.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// SipHash, which is what `std` has, costs a flood a tenth of all that its sender does.
    map: HashMap<Receiver, Assigned, RandomState>,
    last: Option<Receiver>,
    /// What is known of the last one. The map may have something older of it.
    of_last: Option<Assigned>,
    /// Whether the map has something of it.
    is_in_map: bool,
}

impl Assignments {
    /// What is known of a receiver.
    #[inline]
    pub(super) fn get(&self, receiver: Receiver) -> Option<Assigned> {
        if self.last == Some(receiver) {
            return self.of_last;
        }
        self.map.get(&receiver).copied()
    }

    /// The same; it is looked for again soon.
    #[inline]
    pub(super) fn find(&mut self, receiver: Receiver) -> Option<Assigned> {
        if self.last != Some(receiver) {
            self.turn_to(receiver);
        }
        self.of_last
    }

    /// From here on this is known of a receiver.
    #[inline]
    pub(super) fn set(&mut self, receiver: Receiver, assigned: Option<Assigned>) {
        if self.last != Some(receiver) {
            self.turn_to(receiver);
        }
        self.of_last = assigned;
    }

    /// Whether none is known. May be false for a while when the last one was given up.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.of_last.is_none() && self.map.is_empty()
    }

    /// Gives up those of a slot.
    pub(super) fn forget_slot(&mut self, slot: usize) {
        self.settle();
        self.map.retain(|_, assigned| assigned.slot != slot);
        self.last = None;
        (self.of_last, self.is_in_map) = (None, false);
    }

    fn turn_to(&mut self, receiver: Receiver) {
        self.settle();
        self.last = Some(receiver);
        self.of_last = self.map.get(&receiver).copied();
        self.is_in_map = self.of_last.is_some();
    }

    /// Has the map know what is known of the last one.
    fn settle(&mut self) {
        match (self.last, self.of_last) {
            (Some(last), Some(assigned)) => _ = self.map.insert(last, assigned),
            (Some(last), None) if self.is_in_map => _ = self.map.remove(&last),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Get(u64),
        Find(u64),
        Set(u64, Option<usize>),
        ForgetSlot(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (pid, slot) = (0..6_u64, 2..5_usize);
        prop_oneof![
            2 => pid.clone().prop_map(Step::Get),
            2 => pid.clone().prop_map(Step::Find),
            4 => (pid, proptest::option::of(slot.clone())).prop_map(|(pid, it)| Step::Set(pid, it)),
            1 => slot.prop_map(Step::ForgetSlot),
        ]
    }

    proptest! {
        /// The one that was looked for last, beside the map, changes no answer.
        #[test]
        fn they_are_as_a_map_has_them(steps in proptest::collection::vec(step(), 0..100)) {
            let (mut assigned, mut model) = (Assignments::default(), HashMap::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Get(pid) => {
                        let got = assigned.get(Receiver::Actor(pid));
                        prop_assert_eq!(got, model.get(&pid).copied());
                    }
                    Step::Find(pid) => {
                        let found = assigned.find(Receiver::Actor(pid));
                        prop_assert_eq!(found, model.get(&pid).copied());
                    }
                    Step::Set(pid, slot) => {
                        let last = number as u64;
                        let it = slot.map(|slot| Assigned { slot, last, burst: 0 });
                        assigned.set(Receiver::Actor(pid), it);
                        match it {
                            Some(it) => _ = model.insert(pid, it),
                            None => _ = model.remove(&pid),
                        }
                    }
                    Step::ForgetSlot(slot) => {
                        assigned.forget_slot(slot);
                        model.retain(|_, it| it.slot != slot);
                    }
                }
                // It may take one for known that is not, until it turns to another.
                prop_assert!(model.is_empty() || !assigned.is_empty());
            }
            (0..6).for_each(|pid| assigned.set(Receiver::Actor(pid), None));
            assigned.find(Receiver::Actor(6));
            prop_assert!(assigned.is_empty());
        }
    }
}
