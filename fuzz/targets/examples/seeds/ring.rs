//! What happens in a ring, and what a peer may do to it.

use mycelium_ext::shm::probe::Word;
use mycelium_fuzz_targets::ring::{Step, input};

use super::Seed;
use Step::{Forge, Publish, Put, ReaderSleeps, Scribble, Shift, Take, WriterSleeps};

pub(crate) fn seeds() -> Vec<Seed> {
    let round = [Put(3000), Publish, Take(2000), Take(2000)];
    let full = [Put(5000), Publish, WriterSleeps, Take(2047), Take(1), Take(1), WriterSleeps];
    let scripts: [(&str, bool, Vec<Step>); 10] = [
        ("round-and-round", false, round.repeat(5)),
        ("twice-as-large", true, [Put(8000), Publish, Take(8000)].repeat(3)),
        ("full-and-woken", false, full.to_vec()),
        (
            "empty-and-woken",
            false,
            vec![ReaderSleeps, Put(1), Take(9), Publish, ReaderSleeps, Take(9), ReaderSleeps],
        ),
        ("nothing", false, vec![Put(0), Publish, Take(0), Take(1)]),
        (
            "reader-ahead",
            false,
            vec![Put(100), Publish, Take(50), Shift(Word::Head, 51), Put(4096), Put(1)],
        ),
        (
            "reader-skips",
            false,
            vec![Put(4096), Publish, Forge(Word::Head, 4096), Put(4096), Publish, Take(4096)],
        ),
        (
            "reader-goes-back",
            false,
            vec![Put(99), Publish, Take(99), Put(4096), Shift(Word::Head, -1), Put(4096)],
        ),
        (
            "writer-ahead",
            false,
            vec![
                Put(9),
                Publish,
                Forge(Word::Tail, 4096),
                Take(4000),
                Shift(Word::Tail, 127),
                Take(96),
            ]
            .into_iter()
            .chain([Take(99), Forge(Word::Tail, u64::MAX), Take(65), Take(1), ReaderSleeps])
            .collect(),
        ),
        (
            "false-alarms",
            false,
            vec![Forge(Word::ReaderWaits, 7), Forge(Word::WriterWaits, u64::MAX), Put(9), Publish]
                .into_iter()
                .chain([Scribble(3, 0xff), Take(9), Put(9), Publish, Take(9)])
                .collect(),
        ),
    ];
    let seed = |(name, twice, steps): (&str, bool, Vec<Step>)| {
        ("ring", name.to_owned(), input(twice, &steps))
    };
    scripts.map(seed).into()
}
