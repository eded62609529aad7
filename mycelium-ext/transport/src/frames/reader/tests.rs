//! Frames around one that has to be opened.

use std::task::Waker;

use super::*;

/// Opens each frame at the second poll, and none that begins with a zero.
#[derive(Default)]
struct Late {
    polled: bool,
    at_once: bool,
}

impl OpenFrame for Late {
    fn is_ready(&self, _frame: &[u8]) -> bool {
        self.at_once
    }

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &Bytes) -> Poll<io::Result<()>> {
        match std::mem::replace(&mut self.polled, true) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn open(&mut self, frame: Bytes, _: u64) -> io::Result<TransportMessage> {
        match frame.first() {
            Some(0) => Err(io::ErrorKind::InvalidData.into()),
            _ => Ok(TransportMessage::Bytes(frame)),
        }
    }
}

/// A stream of frames of a byte each, those marked that say so, whose opener is this.
fn stream(opener: Late, frames: &[(u8, bool)]) -> Box<dyn FrameStream> {
    let mut bytes = Vec::new();
    for (byte, is_marked) in frames {
        bytes.extend((1 | if *is_marked { MARKED } else { 0 }).to_be_bytes());
        bytes.push(*byte);
    }
    let reader = FrameReader::new(std::io::Cursor::new(bytes), 8);
    Box::new(reader.opening(Some(Box::new(opener))))
}

fn poll(stream: &mut dyn FrameStream) -> Poll<io::Result<u8>> {
    stream.poll_frame(&mut Context::from_waker(Waker::noop())).map_ok(|frame| match frame {
        Some(TransportMessage::Bytes(frame)) => frame[0],
        other => panic!("{other:?}"),
    })
}

#[test]
fn no_frame_goes_ahead_of_one_that_is_not_opened() {
    let mut stream = stream(Late::default(), &[(1, false), (2, true), (3, false), (4, false)]);
    assert!(matches!(poll(&mut *stream), Poll::Ready(Ok(1))));
    assert!(stream.take_ready(&mut Bytes::new()).is_none());
    assert!(poll(&mut *stream).is_pending());
    assert!(stream.take_ready(&mut Bytes::new()).is_none());
    for expected in 2..=4 {
        assert!(matches!(poll(&mut *stream), Poll::Ready(Ok(it)) if it == expected));
    }
}

#[test]
fn nothing_comes_behind_one_that_cannot_be_opened() {
    let opener = Late { at_once: true, ..Late::default() };
    let mut stream = stream(opener, &[(1, false), (0, true), (3, false), (4, false)]);
    assert!(matches!(poll(&mut *stream), Poll::Ready(Ok(1))));
    for _ in 0..2 {
        assert!(stream.take_ready(&mut Bytes::new()).is_none());
    }
    assert!(matches!(poll(&mut *stream), Poll::Ready(Err(_))));
}
