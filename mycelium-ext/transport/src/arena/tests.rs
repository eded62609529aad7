use super::*;

#[test]
fn a_payload_lies_in_the_arena_until_its_last_reference_is_gone() {
    let arena = Arena::new(1 << 20).unwrap();
    let mut memory = arena.alloc(100_000).unwrap();
    assert!(memory.iter().all(|byte| *byte == 0));
    memory.fill(1);
    let payload = memory.freeze();
    let part = payload.slice(10..20);
    assert!(arena.holds(&payload) && arena.holds(&part));
    assert_eq!(arena.locate(&part).unwrap() - arena.locate(&payload).unwrap(), 10);
    assert!(!arena.holds(&[1, 2, 3]) && !arena.holds(&[]));
    drop(payload);
    assert!(arena.usage().used >= 100_000 && part == [1; 10].as_slice());
    drop(part);
    assert_eq!(arena.usage().used, 0);
}

#[test]
fn what_is_too_large_is_refused_with_the_figures() {
    let arena = Arena::new(8 * PAGE).unwrap();
    let held = arena.copy(&[1; 5 * PAGE]).unwrap();
    let refused = arena.alloc(4 * PAGE).unwrap_err();
    assert_eq!(refused, ArenaFull { asked: 4 * PAGE, used: 5 * PAGE, size: 8 * PAGE });
    assert!(refused.to_string().contains("node.shm.arena"), "{refused}");
    assert_eq!(arena.alloc(usize::MAX).unwrap_err().asked, usize::MAX);
    drop(held);
    assert!(arena.alloc(8 * PAGE).is_ok());
    assert!(arena.alloc(0).unwrap().freeze().is_empty());
    assert_eq!(Arena::new(0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

/// A peer has a descriptor for reading and writing, and still no way to write.
#[test]
fn no_peer_can_write_to_it_or_change_its_size() {
    use rustix::fs::ftruncate;
    let arena = Arena::new(PAGE).unwrap();
    let file = arena.file().try_clone_to_owned().unwrap();
    assert!(ftruncate(&file, 0).is_err() && ftruncate(&file, 2 * PAGE as u64).is_err());
    assert!(rustix::io::pwrite(&file, b"x", 0).is_err());
    let foreign = region::Foreign::map(arena.file(), PAGE).unwrap();
    let payload = arena.copy(b"tick").unwrap();
    assert_eq!(foreign.bytes(arena.locate(&payload).unwrap(), 4), b"tick");
    for (at, length) in [(PAGE as u64, 1), (0, PAGE as u64 + 1), (u64::MAX, 1), (1, u64::MAX)] {
        assert!(!foreign.holds(at, length));
    }
    assert!(region::Foreign::map(arena.file(), 2 * PAGE).is_err());
}
