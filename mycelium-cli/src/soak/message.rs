//! What a feed sends its readers.

use ractor::RpcReplyPort;
use ractor_cluster::RactorClusterMessage;

/// To a reader.
#[derive(Debug, RactorClusterMessage)]
#[shared]
pub(crate) enum SoakMessage {
    /// From which incarnation of a feed, its number there, and [`payload`].
    Tick(u64, u64, Vec<u8>),
    /// Answers when all that came before was handled.
    #[rpc]
    Flush(RpcReplyPort<u64>),
}

/// What the message of this number holds: bytes that tell when one of them was lost, changed or
/// mixed up.
pub(crate) fn payload(feed: u64, number: u64, bytes: usize) -> Vec<u8> {
    // A multiplication spreads the seed over all bits; what is behind it need not be random.
    let mut state = (feed << 32 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut payload = Vec::with_capacity(bytes);
    while payload.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = state.to_le_bytes();
        payload.extend_from_slice(&word[..word.len().min(bytes - payload.len())]);
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_tell_messages_apart_and_have_any_length() {
        assert_eq!(payload(1, 2, 100), payload(1, 2, 100));
        assert_ne!(payload(1, 2, 100), payload(1, 3, 100));
        assert_ne!(payload(1, 2, 100), payload(2, 2, 100));
        for bytes in [0, 1, 7, 8, 9, 1000] {
            assert_eq!(payload(3, 4, bytes).len(), bytes);
        }
    }
}
