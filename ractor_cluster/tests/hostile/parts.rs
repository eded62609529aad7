//! Messages in parts, by peers that know the cookie: what continues nothing ends their session, and
//! what never ends costs little.

use ractor::BytesConvertable;
use ractor_cluster::transport::TransportKind;

use crate::common::{peer, until};
use crate::greetings;
use crate::logs::Mark;
use crate::message;
use crate::scene::{Scene, KINDS, MAX_FRAME};
use crate::watchdog::watch;
use crate::wire::{Envelope, Frame};

/// The lane of large messages that may take any link.
const LARGE: u64 = 56;

/// A message that adds to a counter, as the frame of a lane.
fn add(lane: u64, sequence: u64, counter: u64, amount: u64) -> Vec<u8> {
    let envelope = Envelope {
        lane: u32::try_from(lane).expect("it is one"),
        sequence,
        acknowledged: 0,
        body: Some(greetings::add(counter, amount).into()),
    };
    message::encode(&Frame::Envelope(envelope).into()).expect("it is a message")
}

/// A part, with its length.
fn part(lane: u64, sequence: u64, (total, offset): (u64, u64), bytes: &[u8]) -> Vec<u8> {
    let frame = message::part(lane, sequence, (total, offset), bytes);
    [(frame.len() as u64).to_be_bytes().as_slice(), &frame].concat()
}

#[tokio::test]
async fn a_message_in_parts_comes_once_and_others_come_between() {
    let mut scene = Scene::start("parts").await;
    for kind in KINDS {
        let mut guest = scene.guest(kind).await;
        let before = u64::from_bytes(guest.call(scene.counter(), "Sum").await);
        let frame = add(LARGE, 1, scene.counter(), 7);
        let total = frame.len() as u64;
        // A link broke after the first two: they come again.
        for end in [2, frame.len()] {
            for at in 0..end {
                let bytes = part(LARGE, 1, (total, at as u64), &frame[at..=at]);
                guest.send_bytes(&bytes).await.expect("the node takes it");
                if at % 8 == 0 {
                    let between = u64::from_bytes(guest.call(scene.counter(), "Sum").await);
                    assert_eq!(between, before);
                }
            }
        }
        // And once more, as one that had not heard of it.
        guest.send_bytes(&part(LARGE, 1, (total, 0), &frame[..4])).await.expect("it goes on");
        assert_eq!(u64::from_bytes(guest.call(scene.counter(), "Sum").await), before + 7);
    }
    scene.end().await;
}

#[tokio::test]
async fn parts_that_make_no_frame_end_the_session() {
    let mut scene = Scene::start("no-parts").await;
    let counter = scene.counter();
    let whole = add(LARGE, 1, counter, 1);
    let total = whole.len() as u64;
    let head = || part(LARGE, 1, (total, 0), &whole[..10]);
    let two = |second: Vec<u8>| [head(), second].concat();
    let nested = message::part(LARGE, 1, (total, 0), &whole);
    let other = add(LARGE, 2, counter, 1);
    let cases = [
        (part(0, 2, (total, 0), &whole[..10]), "frame 2 may not come in parts"),
        (part(4, 1, (total, 0), &whole[..10]), "frame 1 may not come in parts"),
        (part(LARGE, 1, (0, 0), &[]), "may not come in parts of 0 bytes"),
        (part(LARGE, 1, (u64::MAX, 0), &whole), "may not come in parts of 18446744073709551615"),
        (part(LARGE, 1, (total, 5), &whole[5..]), "begins at byte 5, and 0 have come"),
        (part(LARGE, 2, (total, 0), &whole[..10]), "frame 2 came where 1 was due"),
        (part(LARGE, 1, (total, 0), &[]), "begins at byte 0, and 0 have come"),
        (part(LARGE, 1, (10, 0), &whole[..11]), "begins at byte 0, and 0 have come"),
        (two(part(LARGE, 1, (total, 11), &whole[11..])), "begins at byte 11, and 10 have come"),
        (two(part(LARGE, 1, (total + 1, 10), &whole[10..])), "begins at byte 10, and 10 have come"),
        (two(part(LARGE, 1, (total, 10), &[])), "begins at byte 10, and 10 have come"),
        (two(part(LARGE, 1, (total, u64::MAX), &whole[10..])), "and 10 have come"),
        (part(LARGE, 1, (nested.len() as u64, 0), &nested), "may not come in parts"),
        (part(LARGE, 1, (other.len() as u64, 0), &other), "may not come in parts"),
        (part(LARGE, 1, (3, 0), b"abc"), "may not come in parts"),
    ];
    for kind in KINDS {
        for (number, (bytes, complaint)) in cases.iter().enumerate() {
            let name = format!("parts-{kind}-{number}");
            let mut client = scene.client(kind).await;
            client.join(&name).await;
            let log = Mark::of(&scene.log);
            client.send_bytes(bytes).await.expect("the node takes it");
            client.closed().await;
            log.told(complaint, &name).await;
            until("it is gone", || peer(&name).is_none()).await;
        }
        scene.serves(kind).await;
    }
    scene.end().await;
}

/// Every lane that may carry parts begins a frame as large as there may be, and goes on byte by
/// byte.
#[tokio::test]
async fn frames_that_never_end_keep_nobody_waiting() {
    let mut scene = Scene::start("no-end").await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    watch(async {
        for at in 0..1_000 {
            for lane in LARGE..LARGE + 7 {
                let bytes = part(lane, 1, (MAX_FRAME, at), &[0]);
                guest.send_bytes(&bytes).await.expect("the node takes it");
            }
        }
        guest.call(scene.counter(), "Sum").await;
    })
    .await;
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
}
