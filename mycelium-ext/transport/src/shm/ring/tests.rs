//! Over memory of the heap, so that Miri can run them:
//! `cargo +nightly miri test -p mycelium-ext --features cluster --lib shm::ring`.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use proptest::prelude::*;
use tokio::io::ReadBuf;

use super::*;

const CAPACITY: usize = SMALLEST;

/// Both ends of the direction in which the maker writes.
fn ends() -> ((Memory, Inlet), (Memory, Outlet)) {
    let [here, there] = Memory::heap(size(CAPACITY));
    ((here, Inlet::new(Side::Maker, CAPACITY)), (there, Outlet::new(Side::Taker, CAPACITY)))
}

/// Takes up to `count` bytes.
fn taken(memory: &Memory, outlet: &mut Outlet, count: usize) -> Result<(Vec<u8>, bool), Corrupt> {
    let mut bytes = Vec::with_capacity(count);
    let mut buffer = ReadBuf::uninit(&mut bytes.spare_capacity_mut()[..count]);
    let wake = outlet.take(memory, &mut buffer)?;
    let found = buffer.filled().to_vec();
    Ok((found, wake))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_come_out_as_they_went_in_however_often_the_ring_begins_again(
        steps in prop::collection::vec((0..CAPACITY + 100, 0..CAPACITY + 100, any::<bool>()), 1..40)
    ) {
        let ((here, mut inlet), (there, mut outlet)) = ends();
        let (mut hidden, mut visible) = (VecDeque::new(), VecDeque::new());
        let mut next = 0_u8;
        for (put, take, publish) in steps {
            let room = inlet.room(&here, put).unwrap();
            prop_assert!(room <= CAPACITY - hidden.len() - visible.len());
            if put <= CAPACITY - hidden.len() - visible.len() {
                prop_assert!(room >= put);
            }
            let bytes: Vec<u8> = (0..put.min(room)).map(|_| { next = next.wrapping_add(1); next }).collect();
            inlet.put(&here, &bytes);
            hidden.extend(bytes);
            prop_assert_eq!(inlet.unpublished(), hidden.len());
            if publish {
                prop_assert!(!inlet.publish(&here), "nobody waits");
                visible.append(&mut hidden);
            }
            let (found, _) = taken(&there, &mut outlet, take).unwrap();
            prop_assert_eq!(found.len(), take.min(visible.len()));
            prop_assert!(found.iter().copied().eq(visible.drain(..found.len())));
        }
    }

    #[test]
    fn no_position_of_the_peer_is_taken_beyond_what_can_be(
        put in 0..=CAPACITY, take in 0..=CAPACITY, lie in any::<u64>()
    ) {
        let ((here, mut inlet), (there, mut outlet)) = ends();
        inlet.put(&here, &vec![7; put]);
        _ = inlet.publish(&here);
        let take = taken(&there, &mut outlet, take).unwrap().0.len() as u64;
        let put = put as u64;
        // The reader's position, as the writer finds it.
        inlet.place.words(&here).head.store(lie, Relaxed);
        match inlet.room(&here, CAPACITY + 1) {
            Ok(room) => prop_assert!(lie <= put && room == CAPACITY - (put - lie) as usize),
            Err(Corrupt) => prop_assert!(lie > put),
        }
        // And the other way.
        outlet.place.words(&there).tail.store(lie, Relaxed);
        match taken(&there, &mut outlet, CAPACITY) {
            Ok((found, _)) => {
                prop_assert!((put..=take + CAPACITY as u64).contains(&lie));
                prop_assert_eq!(found.len() as u64, lie - take);
            }
            Err(Corrupt) => prop_assert!(!(put..=take + CAPACITY as u64).contains(&lie)),
        }
    }
}

#[test]
fn a_corrupt_position_is_told_again_and_by_every_way_to_look_at_it() {
    let ((here, mut inlet), (there, mut outlet)) = ends();
    inlet.put(&here, &[1; 10]);
    _ = inlet.publish(&here);
    inlet.place.words(&here).head.store(11, Relaxed);
    outlet.place.words(&there).tail.store(CAPACITY as u64 + 1, Relaxed);
    for _ in 0..2 {
        assert_eq!(inlet.room(&here, CAPACITY), Err(Corrupt));
        assert_eq!(inlet.sleep(&here), Err(Corrupt));
        assert_eq!(outlet.is_empty(&there), Err(Corrupt));
        assert_eq!(outlet.sleep(&there), Err(Corrupt));
        assert!(taken(&there, &mut outlet, 1).is_err());
    }
}

#[test]
fn a_position_that_goes_back_is_corrupt() {
    let ((here, mut inlet), (there, mut outlet)) = ends();
    inlet.put(&here, &[1; 10]);
    _ = inlet.publish(&here);
    assert_eq!(taken(&there, &mut outlet, 4).unwrap().0.len(), 4);
    assert_eq!(inlet.room(&here, CAPACITY), Ok(CAPACITY - 6));
    inlet.place.words(&here).head.store(3, Relaxed);
    assert_eq!(inlet.room(&here, CAPACITY), Err(Corrupt));
    outlet.place.words(&there).tail.store(9, Relaxed);
    assert_eq!(outlet.is_empty(&there), Ok(false), "it knows of six bytes, and does not look");
    assert!(taken(&there, &mut outlet, 7).is_err());
}

#[test]
fn who_waits_is_woken_once_and_the_writer_when_half_is_free() {
    let ((here, mut inlet), (there, mut outlet)) = ends();
    assert_eq!(outlet.sleep(&there), Ok(true));
    inlet.put(&here, &[1; CAPACITY]);
    assert!(inlet.publish(&here));
    assert_eq!(outlet.sleep(&there), Ok(false), "there is something");

    assert_eq!(inlet.sleep(&here), Ok(true));
    assert!(!taken(&there, &mut outlet, CAPACITY / 2 - 1).unwrap().1);
    assert!(taken(&there, &mut outlet, 1).unwrap().1);
    assert!(!taken(&there, &mut outlet, 1).unwrap().1, "it was woken");
    assert_eq!(inlet.sleep(&here), Ok(false), "there is room");
}

#[test]
fn two_threads_pass_bytes() {
    let total = if cfg!(miri) { 3 * CAPACITY } else { 1000 * CAPACITY };
    let ((here, mut inlet), (there, mut outlet)) = ends();
    let writer = thread::spawn(move || {
        let mut sent = 0;
        while sent < total {
            let count = inlet.room(&here, 1).unwrap().min(total - sent).min(1000);
            let bytes: Vec<_> = (sent..sent + count).map(|number| number as u8).collect();
            inlet.put(&here, &bytes);
            _ = inlet.publish(&here);
            sent += count;
            if count == 0 {
                thread::yield_now();
            }
        }
    });
    let mut got = 0;
    while got < total {
        let (found, _) = taken(&there, &mut outlet, 1500).unwrap();
        for byte in &found {
            assert_eq!(*byte, got as u8);
            got += 1;
        }
        if found.is_empty() {
            thread::yield_now();
        }
    }
    writer.join().unwrap();
}
