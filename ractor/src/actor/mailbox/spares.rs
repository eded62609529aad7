//! Empty boxes that wait for messages, so that a cast of a larger message asks no allocator.
//!
//! Each thread keeps a few boxes of each type of message that it sent or handled. When it has more,
//! it hands a magazine of them to the depot of the process, where a thread that has none gets one:
//! messages go from the threads of senders to those of actors, and their boxes come back this way.
//! Actors keep no boxes, so that one that idles needs no memory for them.
//!
//! Boxes are found by the type of their message, and are downcast: nothing in here is unsafe, and no
//! memory of one type is used for another.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;

use parking_lot::Mutex;

/// Boxes of messages of fewer bytes are used again. A larger message costs more to copy than to
/// allocate.
const MOST_BYTES: usize = 16 * 1024;

/// About the bytes of a magazine. A thread keeps two of each type at most.
const MAGAZINE_BYTES: usize = 16 * 1024;

/// The boxes of a magazine at most.
const MAGAZINE_BOXES: usize = 64;

/// Types of messages that a thread keeps boxes for.
const TYPES: usize = 8;

/// When a thread keeps boxes for that many types, the boxes of one of them make room for a new
/// type after so many boxes of other types.
const STRANGERS: usize = 64;

/// The bytes of all boxes in the depot.
const DEPOT_BYTES: usize = 2 * 1024 * 1024;

/// An empty box, of a message of any type.
type Spare = Box<dyn Any + Send>;

/// Whether boxes of a type are used again.
const fn is_kept<M>() -> bool {
    mem::size_of::<M>() < MOST_BYTES
}

thread_local! {
    static SHELF: RefCell<Shelf> = const { RefCell::new(Shelf::new()) };
}

/// An empty box, if there is one.
#[inline]
pub(super) fn take<M: Send + 'static>() -> Option<Box<Option<M>>> {
    if !is_kept::<M>() {
        return None;
    }
    // A thread that ends has none.
    let spare = SHELF.try_with(|shelf| shelf.borrow_mut().row::<M>()?.take());
    spare.ok()??.downcast().ok()
}

/// Keeps a box, or frees it.
#[inline]
pub(super) fn put<M: Send + 'static>(empty: Box<Option<M>>) {
    if is_kept::<M>() && empty.is_none() {
        let _ = SHELF.try_with(|shelf| {
            if let Some(row) = shelf.borrow_mut().row::<M>() {
                row.put(empty);
            }
        });
    }
}

/// What is to be known of a type of messages.
#[derive(Debug, Clone, Copy)]
struct Kind {
    id: TypeId,
    /// The bytes of one box, at least one.
    bytes: usize,
    /// The boxes of a magazine.
    magazine: usize,
}

impl Kind {
    fn of<M: 'static>() -> Self {
        let bytes = mem::size_of::<Option<M>>().max(1);
        let magazine = (MAGAZINE_BYTES / bytes).clamp(1, MAGAZINE_BOXES);
        Self { id: TypeId::of::<M>(), bytes, magazine }
    }
}

/// The boxes that a thread keeps.
struct Shelf {
    /// One for each type, that of the latest type first.
    rows: Vec<Row>,
    /// Boxes of types without a row that were asked for, or were to be kept.
    strangers: usize,
}

impl Shelf {
    const fn new() -> Self {
        Self { rows: Vec::new(), strangers: 0 }
    }

    /// The boxes of a type, unless the thread keeps none of it.
    #[inline]
    fn row<M: 'static>(&mut self) -> Option<&mut Row> {
        let is_first = self.rows.first().is_some_and(|row| row.kind.id == TypeId::of::<M>());
        if is_first || self.bring_forward(Kind::of::<M>) {
            self.rows.first_mut()
        } else {
            None
        }
    }

    /// Puts the boxes of a type before those of the others, if the thread keeps any.
    #[cold]
    #[inline(never)]
    fn bring_forward(&mut self, kind: fn() -> Kind) -> bool {
        let kind = kind();
        if let Some(place) = self.rows.iter().position(|row| row.kind.id == kind.id) {
            self.rows.swap(0, place);
            return true;
        }
        if self.rows.len() == TYPES {
            self.strangers += 1;
            if self.strangers < STRANGERS {
                return false;
            }
            self.strangers = 0;
            self.rows.pop();
        }
        self.rows.insert(0, Row::new(kind));
        true
    }
}

/// The boxes of one type that a thread keeps: two magazines at most.
struct Row {
    kind: Kind,
    boxes: Vec<Spare>,
    /// So many boxes are kept at most.
    most: usize,
    /// How many boxes are made before the depot is asked again, which had none.
    patience: usize,
}

impl Row {
    fn new(kind: Kind) -> Self {
        let most = 2 * kind.magazine;
        Self { kind, boxes: Vec::with_capacity(most), most, patience: 0 }
    }

    #[inline]
    fn take(&mut self) -> Option<Spare> {
        self.boxes.pop().or_else(|| self.refill())
    }

    #[inline]
    fn put(&mut self, empty: Spare) {
        if self.boxes.len() >= self.most {
            self.hand_over();
        }
        self.boxes.push(empty);
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> Option<Spare> {
        if self.patience > 0 {
            self.patience -= 1;
            return None;
        }
        let from_depot = DEPOT.lock().take(self.kind);
        match from_depot {
            Some(mut magazine) => self.boxes.append(&mut magazine),
            None => self.patience = self.kind.magazine,
        }
        self.boxes.pop()
    }

    #[cold]
    #[inline(never)]
    fn hand_over(&mut self) {
        // The newer ones stay, which the processor's cache has.
        let magazine = self.boxes.drain(..self.kind.magazine).collect();
        // Freed without the lock.
        let given_up = DEPOT.lock().put(self.kind, magazine);
        drop(given_up);
    }
}

static DEPOT: Mutex<Depot> = Mutex::new(Depot::new());

/// The boxes that no thread keeps.
struct Depot {
    stacks: BTreeMap<TypeId, Stack>,
    /// The bytes of all boxes.
    bytes: usize,
}

/// The magazines of one type, each of them full.
struct Stack {
    kind: Kind,
    magazines: Vec<Vec<Spare>>,
}

impl Depot {
    const fn new() -> Self {
        Self { stacks: BTreeMap::new(), bytes: 0 }
    }

    fn take(&mut self, kind: Kind) -> Option<Vec<Spare>> {
        let magazine = self.stacks.get_mut(&kind.id)?.magazines.pop()?;
        self.bytes -= kind.magazine * kind.bytes;
        Some(magazine)
    }

    /// Returns what is given up for want of room: magazines of the type that has most.
    #[must_use]
    fn put(&mut self, kind: Kind, magazine: Vec<Spare>) -> Vec<Vec<Spare>> {
        let new = || Stack { kind, magazines: Vec::new() };
        self.stacks.entry(kind.id).or_insert_with(new).magazines.push(magazine);
        self.bytes += kind.magazine * kind.bytes;
        let mut given_up = Vec::new();
        while self.bytes > DEPOT_BYTES {
            let most = self.stacks.values().max_by_key(|stack| stack.bytes()).map(|it| it.kind);
            let Some(magazine) = most.and_then(|most| self.take(most)) else { break };
            given_up.push(magazine);
        }
        given_up
    }
}

impl Stack {
    fn bytes(&self) -> usize {
        self.magazines.len() * self.kind.magazine * self.kind.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{
        put, take, Depot, Kind, Spare, DEPOT_BYTES, MAGAZINE_BYTES, MOST_BYTES, SHELF, STRANGERS,
        TYPES,
    };

    /// A message of `N` bytes, of a size that only one test has.
    struct Bytes<const N: usize>(#[allow(dead_code)] [u8; N]);

    fn empty<const N: usize>() -> Box<Option<Bytes<N>>> {
        Box::new(None)
    }

    fn address<const N: usize>(empty: &Option<Bytes<N>>) -> usize {
        std::ptr::from_ref(empty) as usize
    }

    /// How many boxes this thread keeps for messages of a size.
    fn kept<const N: usize>() -> usize {
        let id = Kind::of::<Bytes<N>>().id;
        SHELF.with_borrow(|shelf| {
            let row = shelf.rows.iter().find(|row| row.kind.id == id);
            row.map_or(0, |row| row.boxes.len())
        })
    }

    #[test]
    fn the_box_that_was_put_last_is_taken_first() {
        let (first, last) = (empty::<200>(), empty::<200>());
        let (first_address, last_address) = (address(&first), address(&last));
        put(first);
        put(last);
        let taken = [(); 2].map(|()| take::<Bytes<200>>().unwrap());
        assert_eq!(taken.each_ref().map(|it| address(it)), [last_address, first_address]);
        assert!(take::<Bytes<200>>().is_none());
    }

    #[test]
    fn a_box_that_is_not_empty_and_a_large_one_are_freed() {
        put(Box::new(Some(Bytes([0; 201]))));
        assert!(take::<Bytes<201>>().is_none());
        put(empty::<MOST_BYTES>());
        assert!(take::<Bytes<MOST_BYTES>>().is_none());
        put(empty::<{ MOST_BYTES - 1 }>());
        assert!(take::<Bytes<{ MOST_BYTES - 1 }>>().is_some());
    }

    #[test]
    fn a_thread_keeps_two_magazines_and_others_find_the_rest() {
        let magazine = Kind::of::<Bytes<1000>>().magazine;
        assert!(magazine * 1000 <= MAGAZINE_BYTES);
        for _ in 0..3 * magazine {
            put(empty::<1000>());
        }
        assert_eq!(kept::<1000>(), 2 * magazine);
        let other = thread::spawn(move || {
            let taken = [(); 64].map(|()| take::<Bytes<1000>>());
            assert_eq!(taken.iter().flatten().count(), magazine, "the depot had one magazine");
        });
        other.join().unwrap();
    }

    #[test]
    fn a_thread_keeps_boxes_of_some_types_and_lets_a_new_one_in_now_and_then() {
        fn keep<const N: usize>() {
            put(empty::<N>());
        }
        let types = [
            keep::<300>,
            keep::<301>,
            keep::<302>,
            keep::<303>,
            keep::<304>,
            keep::<305>,
            keep::<306>,
            keep::<307>,
        ];
        assert_eq!(types.len(), TYPES);
        types.iter().for_each(|keep| keep());

        (1..STRANGERS).for_each(|_| keep::<308>());
        assert_eq!(kept::<308>(), 0, "the others keep their boxes");
        keep::<308>();
        assert_eq!(kept::<308>(), 1);
        SHELF.with_borrow(|shelf| assert_eq!(shelf.rows.len(), TYPES));
    }

    #[test]
    fn the_depot_has_a_bound_and_gives_up_what_it_has_most_of() {
        let (many, few) = (Kind::of::<Bytes<400>>(), Kind::of::<Bytes<500>>());
        fn full(kind: Kind) -> Vec<Spare> {
            (0..kind.magazine).map(|_| Box::new(kind.bytes) as Spare).collect()
        }
        let mut depot = Depot::new();
        let mut fit = 0;
        while depot.put(many, full(many)).is_empty() {
            fit += 1;
        }
        assert_eq!(fit, DEPOT_BYTES / (many.magazine * many.bytes));

        for magazine in depot.put(few, full(few)) {
            assert_eq!(magazine[0].downcast_ref(), Some(&many.bytes));
        }
        assert!(depot.bytes <= DEPOT_BYTES);
        assert_eq!(depot.bytes, depot.stacks.values().map(|stack| stack.bytes()).sum::<usize>());

        assert_eq!(depot.take(few).map(|magazine| magazine.len()), Some(few.magazine));
        assert!(depot.take(few).is_none());
        while depot.take(many).is_some() {}
        assert_eq!(depot.bytes, 0);
    }
}
