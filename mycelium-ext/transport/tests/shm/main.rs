//! Links by shared memory: what holds for every transport, and what is particular to these.
#![cfg(target_os = "linux")]

mod abilities;
mod arena;
#[path = "../transports/conformance.rs"]
mod conformance;
#[path = "../transports/ends.rs"]
mod ends;
mod hostile;
mod idle;
mod regions;

use mycelium_transport::shm::{ShmOptions, ShmTransport};
use tokio::net::UnixStream;

use conformance::suite;
use ends::Ends;

/// Both ends of a link inside this process.
async fn pair(options: ShmOptions) -> Ends {
    let (a, b) = UnixStream::pair().unwrap();
    let (a, b) =
        tokio::try_join!(ShmTransport::offer(a, options), ShmTransport::take(b, options)).unwrap();
    Ends::new(a, b)
}

async fn shm() -> Ends {
    pair(ShmOptions::default()).await
}

/// Hardly a frame fits in as a whole.
async fn tiny() -> Ends {
    pair(ShmOptions::default().with_ring(8 * 1024)).await
}

async fn spinning() -> Ends {
    pair(ShmOptions::default().with_spin(std::time::Duration::from_micros(50))).await
}

async fn sleepless() -> Ends {
    pair(ShmOptions::default().with_sleepless(true)).await
}

suite!(shm, SharedMemory, a_shared_message_comes_back, an_end_within_a_frame_is_told);
suite!(tiny, SharedMemory, a_shared_message_comes_back, an_end_within_a_frame_is_told);
suite!(spinning, SharedMemory, a_shared_message_comes_back, an_end_within_a_frame_is_told);
suite!(sleepless, SharedMemory, a_shared_message_comes_back, an_end_within_a_frame_is_told);
