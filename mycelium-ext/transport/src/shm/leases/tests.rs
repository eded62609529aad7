use super::leases::{Forged, Held, Lent, SLOTS, WORDS};
use super::sync::{AtomicU64, Ordering};

fn words() -> [AtomicU64; WORDS] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

#[test]
fn each_slot_is_lent_once_at_a_time_and_comes_back() {
    let (words, held) = (words(), Held::default());
    let mut lent = Lent::default();
    for number in 0..SLOTS {
        let slot = lent.lend(number).unwrap();
        assert!(held.take(slot), "{slot} is held");
    }
    assert!(!lent.has_slot() && lent.lend(0).is_none());
    assert!(!held.take(7) && !held.take(SLOTS) && !held.take(usize::MAX));
    for slot in [1023, 0, 64, 63] {
        held.give_back(slot, &words[slot / 64]);
    }
    let mut back = Vec::new();
    lent.take_back(|number| &words[number], |it| back.push(it)).unwrap();
    assert_eq!(back, [0, 63, 64, 1023]);
    assert_eq!(lent.all().count(), SLOTS - 4);
    let slot = lent.lend(5000).unwrap();
    assert!(back.contains(&slot) && held.take(slot) && !lent.is_empty());
}

#[test]
fn what_was_not_lent_is_not_taken_back() {
    let (words, mut lent) = (words(), Lent::default());
    let slot = lent.lend("tick").unwrap();
    let take_back = |lent: &mut Lent<_>| {
        let mut back = Vec::new();
        lent.take_back(|number| &words[number], |it| back.push(it)).map(|()| back)
    };
    words[0].store(1 << 5, Ordering::Relaxed);
    assert_eq!(take_back(&mut lent), Err(Forged { slot: 5 }));
    words[0].store(1 << slot, Ordering::Relaxed);
    assert_eq!(take_back(&mut lent), Ok(vec!["tick"]));
    // Twice.
    words[0].store(1 << slot, Ordering::Relaxed);
    assert_eq!(take_back(&mut lent), Err(Forged { slot }));
    assert!(lent.is_empty());
}
