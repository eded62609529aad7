//! Frames of messages, written by hand: the codec's own would not make the wrong ones.

use mycelium_fuzz_targets::pieces;

use super::Seed;

const CAST: u8 = 1;
const CALL: u8 = 2;
const MANY: u8 = 3;
const REPLY: u8 = 4;
const NO_REPLY: u8 = 5;
const METADATA: u8 = 0x10;
const TIMEOUT: u8 = 0x20;
const TRACE: u8 = 0x40;

/// A frame of lane 0, with a sequence of two bytes.
fn frame(kind: u8, rest: &[&[u8]]) -> Vec<u8> {
    [&[0, kind, 0, 0x80, 2, 5], &rest.concat()[..]].concat()
}

/// A method that gets the next number.
fn defined(name: &str) -> Vec<u8> {
    [&[1, name.len() as u8], name.as_bytes()].concat()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let tick = defined("Tick");
    let scripts: [(&str, Vec<Vec<u8>>); 10] = [
        (
            "every-kind",
            vec![
                frame(CAST, &[&[7], &tick, b"payload"]),
                frame(CAST | METADATA, &[&[7, 2, 3], b"abc", b"payload"]),
                frame(CALL, &[&[7, 9], &defined("Ask"), b"?"]),
                frame(CALL | TIMEOUT | METADATA, &[&[7, 10, 50, 3, 0], b"?"]),
                frame(MANY, &[&[3, 7, 8, 0x80, 1, 2], b"to three"]),
                frame(REPLY, &[&[7, 9], b"answer"]),
                frame(NO_REPLY, &[&[7, 10]]),
            ],
        ),
        (
            "with-contexts",
            vec![
                frame(CAST | TRACE, &[&[7], &tick, &[9; 25], b"payload"]),
                frame(
                    CALL | TIMEOUT | METADATA | TRACE,
                    &[&[7, 10, 50, 2, 1], b"m", &[9; 25], b"?"],
                ),
                frame(MANY | TRACE, &[&[2, 7, 8, 2], &[0; 25], b"to two"]),
                frame(CAST | TRACE, &[&[7, 2], &[9; 24]]),
                frame(REPLY | TRACE, &[&[7, 9], &[9; 25]]),
            ],
        ),
        ("by-name", vec![frame(CAST, &[&[7, 0, 4], b"Tick", b"payload"]); 2]),
        ("largest-numbers", vec![frame(REPLY, &[&[0xff; 9], &[1], &[0xff; 9], &[1]])]),
        ("long-way-round", vec![frame(REPLY, &[&[0x87, 0x80, 0], &[9], b"answer"])]),
        ("too-large-a-number", vec![frame(REPLY, &[&[0xff; 9], &[2]])]),
        ("unnamed", vec![frame(CAST, &[&[7, 2]]), frame(CAST, &[&[7], &[0xff; 9], &[1]])]),
        (
            "goes-on-after-an-error",
            vec![
                frame(CAST | METADATA, &[&[7], &tick, &[200]]),
                frame(CAST, &[&[7, 2], b"payload"]),
                frame(9, &[]),
                vec![0, CAST],
                b"\x0a\x00".to_vec(),
                Vec::new(),
            ],
        ),
        (
            "to-more-than-there-is-room-for",
            vec![
                frame(MANY, &[&[0xff; 9], &[1], &[1; 9]]),
                frame(MANY, &[&[0]]),
                frame(MANY, &[&[3, 1, 2]]),
            ],
        ),
        // More than are numbered, and one that came before.
        (
            "many-names",
            (0..1026_u16)
                .map(|name| frame(CAST, &[&[7, 1, 3], format!("{name:03x}").as_bytes()]))
                .chain([frame(CAST, &[&[7, 0x82, 4]])])
                .collect(),
        ),
    ];
    scripts.map(|(name, frames)| ("codec", name.to_owned(), pieces::join(&frames))).into()
}
