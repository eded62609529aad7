//! A queue in which an item that waits can be found by its key, and have another one put in its
//! place.
//!
//! Items lie in slots. A free slot is used again. Two lists lead through them: one in order of
//! arrival, and one for each bucket of keys. Neither a key's `Hash` nor its `Eq` is asked when an
//! item is put in or taken out, so that nothing of the application runs while the lists change.

/// No slot.
const NONE: usize = usize::MAX;

/// Slots up to so many stay when the queue is empty.
const KEPT: usize = 64;

struct Slot<K, T> {
    entry: Option<(Option<K>, T)>,
    /// Of the key, if there is one.
    hash: u64,
    /// The slot that is next in order, or the next free one.
    next: usize,
    /// The slot that is next in the bucket.
    chained: usize,
}

/// First in, first out, with keys.
pub(crate) struct Slots<K, T> {
    slots: Vec<Slot<K, T>>,
    /// The first slot of each bucket. A power of two, and as many as slots at least.
    buckets: Vec<usize>,
    first: usize,
    last: usize,
    free: usize,
    len: usize,
}

impl<K: Eq, T> Slots<K, T> {
    /// The slot of the item with this key, if one waits.
    ///
    /// # Panics
    /// When the key's `eq` does. Nothing has changed then.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &K) -> Option<usize> {
        let mut place = *self.buckets.get(self.bucket(hash))?;
        while let Some(slot) = self.slots.get(place) {
            if slot.hash == hash {
                if let Some((Some(waiting), _)) = &slot.entry {
                    if waiting == key {
                        return Some(place);
                    }
                }
            }
            place = slot.chained;
        }
        None
    }
}

impl<K, T> Slots<K, T> {
    /// An empty queue, which holds no memory.
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), buckets: Vec::new(), first: NONE, last: NONE, free: NONE, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Puts an item in the place of the one that was [found](Self::find), which is returned.
    #[inline]
    pub(crate) fn replace(&mut self, place: usize, item: T) -> T {
        let entry = self.slots[place].entry.as_mut().expect("an item was found there");
        std::mem::replace(&mut entry.1, item)
    }

    /// Puts an item behind all others, under a key that none of them has, or under none.
    pub(crate) fn push(&mut self, hash: u64, key: Option<K>, item: T) {
        let is_keyed = key.is_some();
        let slot = Slot { entry: Some((key, item)), hash, next: NONE, chained: NONE };
        let place = self.free;
        let place = if place == NONE {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            self.free = self.slots[place].next;
            self.slots[place] = slot;
            place
        };
        match self.slots.get_mut(self.last) {
            Some(last) => last.next = place,
            None => self.first = place,
        }
        self.last = place;
        self.len += 1;
        if self.slots.len() > self.buckets.len() {
            self.chain_all();
        } else if is_keyed {
            self.chain(place);
        }
    }

    /// Takes the oldest item out, and its key.
    pub(crate) fn pop(&mut self) -> Option<(Option<K>, T)> {
        let place = self.first;
        let slot = self.slots.get_mut(place)?;
        let entry = slot.entry.take()?;
        let (hash, chained) = (slot.hash, slot.chained);
        self.first = slot.next;
        slot.next = self.free;
        self.free = place;
        if self.first == NONE {
            self.last = NONE;
        }
        self.len -= 1;
        if entry.0.is_some() {
            self.unchain(place, hash, chained);
        }
        if self.slots.len() > KEPT && self.len <= self.slots.len() / 8 {
            self.shrink();
        }
        Some(entry)
    }

    #[inline]
    fn bucket(&self, hash: u64) -> usize {
        // Truncation takes the low bits, which are what is wanted.
        #[allow(clippy::cast_possible_truncation)]
        let hash = hash as usize;
        hash & self.buckets.len().wrapping_sub(1)
    }

    fn chain(&mut self, place: usize) {
        let bucket = self.bucket(self.slots[place].hash);
        self.slots[place].chained = std::mem::replace(&mut self.buckets[bucket], place);
    }

    /// Takes a slot out of its bucket.
    fn unchain(&mut self, place: usize, hash: u64, after: usize) {
        let bucket = self.bucket(hash);
        if self.buckets[bucket] == place {
            self.buckets[bucket] = after;
            return;
        }
        let mut before = self.buckets[bucket];
        while let Some(slot) = self.slots.get_mut(before) {
            if slot.chained == place {
                slot.chained = after;
                return;
            }
            before = slot.chained;
        }
    }

    /// Makes the buckets again, twice as many as there are slots.
    #[cold]
    fn chain_all(&mut self) {
        self.buckets.clear();
        self.buckets.resize((2 * self.slots.len()).next_power_of_two(), NONE);
        for place in 0..self.slots.len() {
            if matches!(self.slots[place].entry, Some((Some(_), _))) {
                self.chain(place);
            }
        }
    }

    /// Moves what waits together, in order, and gives the rest of the memory back.
    #[cold]
    fn shrink(&mut self) {
        let mut slots = Vec::with_capacity(2 * self.len);
        let mut place = self.first;
        while let Some(slot) = self.slots.get_mut(place) {
            place = slot.next;
            let at = slots.len();
            let (entry, hash) = (slot.entry.take(), slot.hash);
            slots.push(Slot { entry, hash, next: at + 1, chained: NONE });
        }
        if let Some(last) = slots.last_mut() {
            last.next = NONE;
        }
        let ends = if slots.is_empty() { (NONE, NONE) } else { (0, slots.len() - 1) };
        (self.first, self.last) = ends;
        self.free = NONE;
        self.slots = slots;
        self.buckets = Vec::new();
        self.chain_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{Slots, KEPT};

    /// Numbers in no order, the same each time.
    fn numbers(seed: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(seed), |it| {
            let it = it ^ (it << 13);
            let it = it ^ (it >> 7);
            Some(it ^ (it << 17))
        })
    }

    /// Puts an item in as a queue does, into both.
    fn put(slots: &mut Slots<u64, u64>, model: &mut Vec<(Option<u64>, u64)>, key: u64, item: u64) {
        let key = (key % 8 != 0).then_some(key);
        // Few hashes, so that many keys share one.
        let hash = key.map_or(0, |key| key % 5);
        let found = key.and_then(|key| slots.find(hash, &key));
        let waiting = model.iter_mut().find(|it| key.is_some() && it.0 == key);
        assert_eq!(found.is_some(), waiting.is_some());
        match (found, waiting) {
            (Some(place), Some((_, old))) => {
                assert_eq!(slots.replace(place, item), std::mem::replace(old, item));
            }
            _ => {
                slots.push(hash, key, item);
                model.push((key, item));
            }
        }
    }

    #[test]
    fn it_does_as_a_list_that_is_searched() {
        for seed in 1..20 {
            let (mut slots, mut model) = (Slots::new(), Vec::new());
            let keys = 1 << (seed % 9);
            for (item, number) in (0..).zip(numbers(seed).take(3000)) {
                // Grows and shrinks in turns.
                if number >> 32 & 7 < 3 + (item / 300) % 3 {
                    put(&mut slots, &mut model, number % keys, item);
                } else {
                    let oldest = (!model.is_empty()).then(|| model.remove(0));
                    assert_eq!(slots.pop(), oldest);
                }
                assert_eq!(slots.len(), model.len());
            }
            while !model.is_empty() {
                assert_eq!(slots.pop(), Some(model.remove(0)));
            }
            assert_eq!(slots.pop(), None);
        }
    }

    #[test]
    fn memory_goes_with_what_waits() {
        let (mut slots, mut model) = (Slots::new(), Vec::new());
        for key in 1..10_000 {
            put(&mut slots, &mut model, key, key);
        }
        assert_eq!(slots.slots.len(), model.len());
        for waits in (0..model.len()).rev() {
            assert_eq!(slots.pop(), Some(model.remove(0)));
            assert!(slots.slots.len() <= KEPT.max(8 * waits + 8), "{waits}");
            assert!(slots.slots.capacity() <= KEPT.max(2 * 8 * waits + 16), "{waits}");
            assert!(slots.buckets.len() <= 4 * slots.slots.capacity().max(1), "{waits}");
        }
        // Slots are used again.
        let before = slots.slots.len().max(1);
        for round in 0..1000 {
            put(&mut slots, &mut model, 9, round);
            assert_eq!(slots.pop(), model.pop());
        }
        assert!(slots.slots.len() <= before);
    }
}
