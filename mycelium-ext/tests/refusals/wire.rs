//! What a peer of the tests' own making says, written by hand.

use tokio::io::{AsyncRead, AsyncReadExt};

/// The version of stock's protocol.
pub const VERSION: u8 = 1;

/// A field of a protobuf message that holds bytes.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut key = number << 3 | 2;
    while key >= 0x80 {
        out.push(0x80 | (key & 0x7f) as u8);
        key >>= 7;
    }
    out.push(key as u8);
    out.push(u8::try_from(bytes.len()).expect("it is short"));
    out.extend_from_slice(bytes);
    assert!(bytes.len() < 0x80, "its length has one byte");
    out
}

/// A frame with its length.
pub fn framed(frame: &[u8]) -> Vec<u8> {
    [(frame.len() as u64).to_be_bytes().as_slice(), frame].concat()
}

/// A frame of the fork's.
fn ours(body: u32, message: &[u8]) -> Vec<u8> {
    framed(&field(1000, &field(body, message)))
}

/// A frame of stock's handshake.
fn auth(body: u32, message: &[u8]) -> Vec<u8> {
    framed(&field(1, &field(body, message)))
}

/// A list of one actor that has ended, which only an authenticated peer may send.
pub fn list() -> Vec<u8> {
    framed(&field(3, &field(2, &field(1, &[5]))))
}

pub fn hello() -> Vec<u8> {
    ours(1, &[&[1 << 3, 2], field(2, &[7; 32]).as_slice(), &field(3, b"tcp")].concat())
}

/// A further link of a session that does not exist.
pub fn attach() -> Vec<u8> {
    ours(6, &[field(1, &[7; 32]), field(2, &[7; 32])].concat())
}

/// How one who dials names itself.
pub fn name(name: &str, version: u8) -> Vec<u8> {
    let flags = field(2, &[1 << 3, version]);
    auth(1, &[field(1, name.as_bytes()), flags, field(3, b"elsewhere:1")].concat())
}

/// How one who listens goes on: it lets the other go on, and names itself with a challenge.
pub fn challenge(name: &str, version: u8) -> Vec<u8> {
    let flags = field(2, &[1 << 3, version]);
    let named = [field(1, name.as_bytes()), flags, vec![3 << 3, 7], field(4, b"elsewhere:1")];
    [auth(2, &[]), auth(4, &named.concat())].concat()
}

/// Reads a frame with its length; `None` at the end.
pub async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = stream.read_u64().await.ok()?;
    let mut frame = vec![0; usize::try_from(length).expect("it is a length")];
    stream.read_exact(&mut frame).await.ok()?;
    Some(framed(&frame))
}

/// Reads to the end, and returns the code of the cause that was told on the way, if one was.
pub async fn told(stream: &mut (impl AsyncRead + Unpin)) -> Option<u32> {
    let mut told = None;
    while let Some(frame) = frame(stream).await {
        if let [0xc2, 0x3e, 5, 0xba, 1, 2, 8, code] = frame[8..] {
            told = Some(u32::from(code));
        }
    }
    told
}
