//! What a stranger does, who has no cookie.

use tokio::io::AsyncWriteExt;
use tokio::time::{Duration, sleep, timeout};

use super::attack::{Attack, Stream, closed};
use super::client::Client;
use super::wire::AuthBody;

/// How long a stranger waits until a node has closed a connection.
const CLOSING: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misdeed {
    /// Connections that say nothing.
    Idle,
    /// The same, to Unix sockets.
    IdleUnix,
    /// Connections that begin a frame.
    HalfFrames,
    /// Connections that send eight bytes and are gone.
    EightBytes,
    /// The same, to Unix sockets.
    EightBytesUnix,
    /// Connections that send a byte now and then.
    Drip,
    /// Handshakes with another cookie.
    WrongCookie,
    /// The same, as a stock node.
    WrongCookieAsStock,
    /// Anything but frames of a node.
    Noise,
}

impl Misdeed {
    pub(super) const ALL: &[Self] = &[
        Self::Idle,
        Self::IdleUnix,
        Self::HalfFrames,
        Self::EightBytes,
        Self::EightBytesUnix,
        Self::Drip,
        Self::WrongCookie,
        Self::WrongCookieAsStock,
        Self::Noise,
    ];
}

impl super::Misdeed for Misdeed {
    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle-connections",
            Self::IdleUnix => "idle-unix-connections",
            Self::HalfFrames => "half-first-frames",
            Self::EightBytes => "eight-byte-connections",
            Self::EightBytesUnix => "eight-byte-unix-connections",
            Self::Drip => "dripped-bytes",
            Self::WrongCookie => "wrong-cookies",
            Self::WrongCookieAsStock => "wrong-cookies-as-stock",
            Self::Noise => "connections-of-noise",
        }
    }

    async fn commit(self, attack: &mut Attack<'_>) {
        match self {
            Self::Idle => idle(attack).await,
            Self::IdleUnix => idle_unix(attack).await,
            Self::HalfFrames => half_frames(attack).await,
            Self::EightBytes => eight_bytes(attack).await,
            Self::EightBytesUnix => eight_bytes_unix(attack).await,
            Self::Drip => drip(attack).await,
            Self::WrongCookie | Self::WrongCookieAsStock => {
                wrong_cookies(attack, self == Self::WrongCookieAsStock).await;
            }
            Self::Noise => noise(attack).await,
        }
    }
}

async fn idle(attack: &mut Attack<'_>) {
    let mut streams = Vec::new();
    for _ in 0..attack.times(50, 350) {
        streams.extend(attack.stream().await);
    }
    attack.count += streams.len() as u64;
    let most = attack.milliseconds(500, 4_000);
    attack.keep_open(most, streams);
}

async fn idle_unix(attack: &mut Attack<'_>) {
    let mut streams = Vec::new();
    for _ in 0..attack.times(20, 120) {
        streams.extend(attack.unix_stream().await);
    }
    attack.count += streams.len() as u64;
    let most = attack.milliseconds(500, 4_000);
    attack.keep_open(most, streams);
}

async fn half_frames(attack: &mut Attack<'_>) {
    let frame = Client::encoded(Client::name("stranger"));
    let mut streams = Vec::new();
    for _ in 0..attack.times(20, 150) {
        let bytes = attack.times(1, frame.len() as u64);
        let Some(mut stream) = attack.stream().await else { continue };
        if send(&mut stream, &frame[..usize::try_from(bytes).expect("it is short")]).await {
            attack.count += 1;
            streams.push(stream);
        }
    }
    let most = attack.milliseconds(500, 4_000);
    attack.keep_open(most, streams);
}

/// The system keeps the port of each of these for a minute: they are not many.
async fn eight_bytes(attack: &mut Attack<'_>) {
    for _ in 0..attack.times(50, 400) {
        let bytes = attack.noise(8);
        if let Some(mut stream) = attack.stream().await {
            attack.count += u64::from(send(&mut stream, &bytes).await);
        }
    }
}

async fn eight_bytes_unix(attack: &mut Attack<'_>) {
    for _ in 0..attack.times(50, 400) {
        let bytes = attack.noise(8);
        if let Some(mut stream) = attack.unix_stream().await {
            attack.count += u64::from(send(&mut stream, &bytes).await);
        }
    }
}

async fn drip(attack: &mut Attack<'_>) {
    let frame = Client::encoded(Client::name("stranger"));
    let mut streams = Vec::new();
    for _ in 0..attack.times(5, 40) {
        streams.extend(attack.stream().await);
    }
    let pause = attack.milliseconds(10, 60);
    for byte in frame.iter().take(20) {
        for stream in &mut streams {
            attack.count += u64::from(send(stream, &[*byte]).await);
        }
        sleep(pause).await;
    }
    attack.keep_open(pause, streams);
}

async fn wrong_cookies(attack: &mut Attack<'_>, as_stock: bool) {
    for number in 0..attack.times(3, 20) {
        let Some(client) = attack.client().await else { continue };
        let mut client = client.with_cookie(&format!("a guess, the {number}th"));
        let guess = async {
            if !as_stock {
                client.try_send(client.hello()).await.ok()?;
            }
            client.try_authenticate("stranger").await
        };
        let admitted = timeout(CLOSING, guess).await.ok().flatten();
        assert_eq!(admitted, None, "a node takes a wrong cookie for the right one");
        attack.count += 1;
    }
}

async fn noise(attack: &mut Attack<'_>) {
    for _ in 0..attack.times(5, 40) {
        let bytes = match attack.times(0, 4) {
            0 => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            1 => u64::MAX.to_be_bytes().to_vec(),
            2 => {
                let noise = attack.noise(300);
                [300_u64.to_be_bytes().as_slice(), &noise].concat()
            }
            _ => Client::encoded(AuthBody::Name(Default::default())),
        };
        if attack.times(0, 2) == 0 {
            let Some(mut stream) = attack.stream().await else { continue };
            attack.count += u64::from(send(&mut stream, &bytes).await);
            let _ = timeout(CLOSING / 20, closed(&mut stream)).await;
        } else {
            let Some(mut stream) = attack.unix_stream().await else { continue };
            attack.count += u64::from(send(&mut stream, &bytes).await);
            let _ = timeout(CLOSING / 20, closed(&mut stream)).await;
        }
    }
}

/// Whether the stream took them all.
async fn send(stream: &mut impl Stream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok()
}
