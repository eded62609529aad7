//! Frames of messages, of a lane whose methods are numbered as they come.

use bytes::Bytes;
use mycelium_link::codec::probe::Probe;

use crate::budget::Budget;
use crate::pieces;

/// The frames are copied, written again and read again, and each method is kept by three lanes.
const BUDGET: Budget = Budget { fixed: 64 * 1024, each: 256 };

/// Whatever comes is a message, a frame of another kind, or an error, and no error ends more than
/// its frame here: a lane that has seen anything reads on. What was a message is one as well when
/// the fork writes it, with numbers of its own.
pub(crate) fn run(bytes: &[u8]) {
    BUDGET.hold(bytes.len(), || read_all(bytes));
}

fn read_all(bytes: &[u8]) {
    let (mut lane, mut writer, mut reader) = (Probe::default(), Probe::default(), Probe::default());
    for frame in pieces::split(bytes).map(Bytes::copy_from_slice) {
        let message = match lane.read(&frame) {
            Ok(Some(message)) => message,
            Ok(None) => {
                assert_ne!(frame.first(), Some(&0), "a frame of messages is taken for another");
                continue;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        assert!(message.args().len() < frame.len(), "there is more in it than there is of it");
        assert!(frame.ends_with(message.args()), "the arguments are not the rest of the frame");
        assert!(message.deliveries() <= frame.len(), "more get it than there are bytes");
        let (written, count) = writer.write(&message);
        assert_eq!(count, message.deliveries(), "it is counted wrong: {message:?}");
        match reader.read(&written) {
            Ok(Some(again)) => assert!(again == message, "{message:?} is read as {again:?}"),
            Ok(None) => panic!("{message:?} is written as a frame of another kind"),
            Err(error) => panic!("{message:?} is not read back: {error}"),
        }
    }
}
