//! Empty boxes that wait for messages, so that a cast of a larger message asks no allocator.
//!
//! Each thread keeps a few boxes of each type of message that it sent or handled. When it has more,
//! it hands a magazine of them to the depot of the process, where a thread that has none gets one:
//! messages go from the threads of senders to those of actors, and their boxes come back this way.
//! Actors keep no boxes, so that one that idles needs no memory for them.
//!
//! Boxes are found by the type of their message. Nothing in here is unsafe for that, and no memory
//! of one type is ever used for another.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;

use parking_lot::Mutex;

/// Boxes of messages of fewer bytes are used again. A larger message costs more to copy than to
/// allocate.
const MOST_BYTES: usize = 16 * 1024;

/// About the bytes of a magazine. A thread keeps two of each type.
const MAGAZINE_BYTES: usize = 16 * 1024;

/// Types of messages that a thread keeps boxes for.
const TYPES: usize = 8;

/// A thread that keeps boxes for as many types drops those of one for a new type at every so
/// manieth box of another type.
const STRANGERS: usize = 64;

/// The bytes of all boxes in the depot.
const DEPOT_BYTES: usize = 2 * 1024 * 1024;

/// An empty box.
type Empty<M> = Box<Option<M>>;

/// Whether boxes of a type are used again.
const fn is_kept<M>() -> bool {
    mem::size_of::<M>() < MOST_BYTES
}

/// The bytes of one box, at least one.
const fn bytes_of_one<M>() -> usize {
    match mem::size_of::<Option<M>>() {
        0 => 1,
        bytes => bytes,
    }
}

/// The boxes of a magazine.
const fn magazine<M>() -> usize {
    match MAGAZINE_BYTES / bytes_of_one::<M>() {
        0 => 1,
        count if count > 64 => 64,
        count => count,
    }
}

thread_local! {
    static SHELF: RefCell<Shelf> = const { RefCell::new(Shelf::new()) };
}

/// An empty box, if there is one.
#[inline]
pub(super) fn take<M: Send + 'static>() -> Option<Empty<M>> {
    if !is_kept::<M>() {
        return None;
    }
    // A thread that ends has none.
    SHELF.try_with(|shelf| shelf.borrow_mut().with(Row::take)).ok().flatten().flatten()
}

/// Keeps a box, or frees it.
#[inline]
pub(super) fn put<M: Send + 'static>(empty: Empty<M>) {
    if is_kept::<M>() && empty.is_none() {
        let _ = SHELF.try_with(|shelf| shelf.borrow_mut().with(|row| row.put(empty)));
    }
}

/// The boxes that a thread keeps.
struct Shelf {
    /// A [`Row`] for each type, that of the latest type first.
    rows: Vec<Box<dyn Any>>,
    /// Boxes of types without a row that were asked for, or were to be kept.
    strangers: usize,
}

impl Shelf {
    const fn new() -> Self {
        Self { rows: Vec::new(), strangers: 0 }
    }

    /// Does something with the boxes of a type, unless the thread keeps none of it.
    #[inline]
    fn with<M: Send + 'static, R>(&mut self, run: impl FnOnce(&mut Row<M>) -> R) -> Option<R> {
        if let Some(row) = self.rows.first_mut().and_then(|row| row.downcast_mut()) {
            return Some(run(row));
        }
        self.bring_forward().map(run)
    }

    /// Puts the boxes of a type before those of the others.
    #[cold]
    #[inline(never)]
    fn bring_forward<M: Send + 'static>(&mut self) -> Option<&mut Row<M>> {
        if let Some(place) = self.rows.iter().position(|row| row.is::<Row<M>>()) {
            self.rows.swap(0, place);
        } else {
            if self.rows.len() == TYPES {
                self.strangers += 1;
                if self.strangers < STRANGERS {
                    return None;
                }
                self.strangers = 0;
                self.rows.pop();
            }
            self.rows.insert(0, Box::new(Row::<M>::new()));
        }
        self.rows.first_mut()?.downcast_mut()
    }
}

/// The boxes of one type that a thread keeps: two magazines at most.
struct Row<M> {
    boxes: Vec<Empty<M>>,
    /// How many boxes are made before the depot is asked again, which had none.
    patience: usize,
}

impl<M: Send + 'static> Row<M> {
    fn new() -> Self {
        Self { boxes: Vec::with_capacity(2 * magazine::<M>()), patience: 0 }
    }

    #[inline]
    fn take(&mut self) -> Option<Empty<M>> {
        self.boxes.pop().or_else(|| self.refill())
    }

    #[inline]
    fn put(&mut self, empty: Empty<M>) {
        if self.boxes.len() == 2 * magazine::<M>() {
            self.hand_over();
        }
        self.boxes.push(empty);
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> Option<Empty<M>> {
        if self.patience > 0 {
            self.patience -= 1;
            return None;
        }
        let from_depot = DEPOT.lock().take::<M>();
        match from_depot {
            Some(mut boxes) => self.boxes.append(&mut boxes),
            None => self.patience = magazine::<M>(),
        }
        self.boxes.pop()
    }

    #[cold]
    #[inline(never)]
    fn hand_over(&mut self) {
        // The newer ones stay, which the processor's cache has.
        let boxes: Vec<Empty<M>> = self.boxes.drain(..magazine::<M>()).collect();
        let magazine = Box::new(boxes);
        // Freed without the lock.
        let given_up = DEPOT.lock().put::<M>(magazine);
        drop(given_up);
    }
}

static DEPOT: Mutex<Depot> = Mutex::new(Depot::new());

/// The boxes that no thread keeps.
struct Depot {
    stacks: BTreeMap<TypeId, Stack>,
    /// Of all boxes.
    bytes: usize,
}

/// The magazines of one type, all full: a `Vec<Empty<M>>` each.
#[derive(Default)]
struct Stack {
    magazines: Vec<Box<dyn Any + Send>>,
    /// Of all its boxes.
    bytes: usize,
}

impl Depot {
    const fn new() -> Self {
        Self { stacks: BTreeMap::new(), bytes: 0 }
    }

    fn take<M: Send + 'static>(&mut self) -> Option<Vec<Empty<M>>> {
        let stack = self.stacks.get_mut(&TypeId::of::<M>())?;
        let taken = stack.magazines.pop()?;
        let bytes = magazine::<M>() * bytes_of_one::<M>();
        stack.bytes -= bytes;
        self.bytes -= bytes;
        taken.downcast().ok().map(|boxes| *boxes)
    }

    /// Returns what is given up for want of room: a magazine of the type that has most.
    #[must_use]
    fn put<M: Send + 'static>(&mut self, added: Box<Vec<Empty<M>>>) -> Vec<Box<dyn Any + Send>> {
        let bytes = magazine::<M>() * bytes_of_one::<M>();
        let stack = self.stacks.entry(TypeId::of::<M>()).or_default();
        stack.magazines.push(added);
        stack.bytes += bytes;
        self.bytes += bytes;
        let mut given_up = Vec::new();
        while self.bytes > DEPOT_BYTES {
            let Some(most) = self.stacks.values_mut().max_by_key(|stack| stack.bytes) else {
                break;
            };
            let each = most.bytes / most.magazines.len();
            given_up.extend(most.magazines.pop());
            most.bytes -= each;
            self.bytes -= each;
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::thread;

    use super::{
        bytes_of_one, magazine, put, take, Depot, Empty, DEPOT_BYTES, MAGAZINE_BYTES, MOST_BYTES,
        SHELF, TYPES,
    };

    /// A message of `N` bytes, of a type that only one test has.
    struct Bytes<const N: usize>(#[allow(dead_code)] [u8; N]);

    fn empty<M>() -> Empty<M> {
        Box::new(None)
    }

    fn address<M>(empty: &Empty<M>) -> usize {
        std::ptr::from_ref::<Option<M>>(empty) as usize
    }

    /// How many boxes this thread keeps for a type.
    fn kept<M: Send + 'static>() -> usize {
        SHELF.with_borrow_mut(|shelf| shelf.with::<M, _>(|row| row.boxes.len())).unwrap_or(0)
    }

    #[test]
    fn the_box_that_was_put_last_is_taken_first() {
        let (first, last) = (empty::<Bytes<200>>(), empty());
        let addresses = (address(&last), address(&first));
        put(first);
        put(last);
        let taken = (take::<Bytes<200>>().unwrap(), take::<Bytes<200>>().unwrap());
        assert_eq!((address(&taken.0), address(&taken.1)), addresses);
        assert!(take::<Bytes<200>>().is_none());
    }

    #[test]
    fn a_box_that_is_not_empty_and_a_large_one_are_freed() {
        put(Box::new(Some(Bytes([0; 201]))));
        assert!(take::<Bytes<201>>().is_none());
        put(empty::<Bytes<MOST_BYTES>>());
        assert!(take::<Bytes<MOST_BYTES>>().is_none());
        put(empty::<Bytes<{ MOST_BYTES - 1 }>>());
        assert!(take::<Bytes<{ MOST_BYTES - 1 }>>().is_some());
    }

    #[test]
    fn a_thread_keeps_two_magazines_and_others_find_the_rest() {
        type Message = Bytes<1000>;
        let magazine = magazine::<Message>();
        assert!(magazine * bytes_of_one::<Message>() <= MAGAZINE_BYTES);
        for _ in 0..3 * magazine {
            put(empty::<Message>());
        }
        assert_eq!(kept::<Message>(), 2 * magazine);
        let other = thread::spawn(move || {
            (0..magazine).for_each(|_| assert!(take::<Message>().is_some()));
            assert!(take::<Message>().is_none(), "the depot had one magazine");
        });
        other.join().unwrap();
    }

    #[test]
    fn a_thread_keeps_boxes_of_some_types_and_lets_a_new_one_in_now_and_then() {
        fn keep<const N: usize>() {
            put(empty::<Bytes<N>>());
        }
        let others = [keep::<300>, keep::<301>, keep::<302>, keep::<303>];
        let more = [keep::<304>, keep::<305>, keep::<306>, keep::<307>];
        others.iter().chain(&more).for_each(|keep| keep());
        assert_eq!(others.len() + more.len(), TYPES);

        keep::<308>();
        assert_eq!(kept::<Bytes<308>>(), 0, "the others keep their boxes");
        for _ in 0..super::STRANGERS {
            keep::<308>();
        }
        assert!(kept::<Bytes<308>>() > 0);
        SHELF.with_borrow(|shelf| assert_eq!(shelf.rows.len(), TYPES));
    }

    #[test]
    fn the_depot_has_a_bound_and_gives_up_what_it_has_most_of() {
        type Many = Bytes<400>;
        type Few = Bytes<401>;
        fn full<M>() -> Box<Vec<Empty<M>>> {
            Box::new((0..magazine::<M>()).map(|_| empty()).collect())
        }
        let mut depot = Depot::new();
        let mut put = 0;
        while depot.put::<Many>(full()).is_empty() {
            put += 1;
        }
        let each = magazine::<Many>() * bytes_of_one::<Many>();
        assert_eq!(put, DEPOT_BYTES / each);

        let given_up = depot.put::<Few>(full());
        assert!(given_up.len() == 1 && given_up[0].is::<Vec<Empty<Many>>>());
        assert!(depot.bytes <= DEPOT_BYTES);
        let sum: usize = depot.stacks.values().map(|stack| stack.bytes).sum();
        assert_eq!(depot.bytes, sum);

        assert_eq!(depot.take::<Few>().map(|boxes| boxes.len()), Some(magazine::<Few>()));
        assert!(depot.take::<Few>().is_none());
        while depot.take::<Many>().is_some() {}
        assert_eq!((depot.bytes, depot.stacks[&TypeId::of::<Many>()].bytes), (0, 0));
    }
}
