//! The process that reads.

use std::collections::VecDeque;
use std::process::{ExitCode, exit};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mycelium_ext::address::Address;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;

use crate::arena::is_lent;
use crate::nodes::builder;
use crate::process::{end_with_parent, run, soon};

/// All that read.
pub(super) const READERS: &str = "readers";
/// A reader holds so many of the last payloads.
const KEPT: usize = 4;
/// Every so many bytes of a payload there is a word that is its own.
const STRIDE: usize = 256;

/// The group that the reader of a process is in alone.
pub(super) fn group_of(process: u32) -> String {
    format!("reader {process}")
}

#[derive(RactorClusterMessage)]
#[shared]
pub(super) enum Shown {
    /// To be held until others have come.
    Tick { number: u64, payload: Bytes },
    /// To be held for good. The answer is whether it is read where it lies.
    #[rpc]
    Pin(Bytes, RpcReplyPort<bool>),
}

fn word(number: u64, at: usize) -> [u8; 8] {
    (number ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()
}

/// Writes the payload of a number.
pub(super) fn write(memory: &mut [u8], number: u64) {
    for (part, at) in memory.chunks_exact_mut(STRIDE).zip(0..) {
        part[..8].copy_from_slice(&word(number, at));
    }
}

fn is_whole(payload: &[u8], number: u64) -> bool {
    let mut parts = payload.chunks_exact(STRIDE).zip(0..);
    parts.all(|(part, at)| part[..8] == word(number, at))
}

#[derive(Default)]
struct Kept {
    last: VecDeque<(u64, Bytes)>,
    pins: Vec<Bytes>,
}

/// Keeps the last payloads; or, once it has so many that are lent, no others.
struct Reader {
    kept: Arc<Mutex<Kept>>,
    outlives: bool,
}

impl Kept {
    fn are_lent(&self) -> bool {
        self.last.len() == KEPT && self.last.iter().all(|(_, payload)| is_lent(payload))
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = Shown;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Shown>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Shown>,
        message: Shown,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let mut kept = self.kept.lock().expect("no panic");
        match message {
            Shown::Tick { number, payload } => {
                if !is_whole(&payload, number) {
                    // The feed notices that the process has ended.
                    eprintln!("payload {number} of {} bytes is not what was sent", payload.len());
                    exit(1);
                }
                if self.outlives && kept.are_lent() {
                    return Ok(());
                }
                kept.last.push_back((number, payload));
                if kept.last.len() > KEPT {
                    kept.last.pop_front();
                }
            }
            Shown::Pin(payload, reply) => {
                let is_lent = is_lent(&payload);
                kept.pins.push(payload);
                reply.send(is_lent)?;
            }
        }
        Ok(())
    }
}

/// Whether a peer's arena is mapped.
fn has_foreign_memory() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
    maps.lines().any(|line| line.contains(" r--s ") && line.contains("mycelium arena"))
}

/// A process that holds the last payloads, until it is killed. One that `outlives` its feed holds
/// some, reads them again when the feed is gone, lets go of them, and ends.
pub(crate) fn reader(words: &[String]) -> ExitCode {
    end_with_parent();
    run(async {
        let node = builder(&words[1]).start().await.unwrap();
        let outlives = words.get(2).is_some();
        let kept = Arc::<Mutex<Kept>>::default();
        let (reader, end) =
            Actor::spawn(None, Reader { kept: kept.clone(), outlives }, ()).await.unwrap();
        let cell = vec![reader.get_cell()];
        pg::join(group_of(std::process::id()), cell.clone());
        pg::join(READERS.to_owned(), cell);
        let address: Address = words[0].parse().unwrap();
        node.connect(address).await.unwrap();
        if !outlives {
            return std::future::pending().await;
        }
        soon(async {
            while !kept.lock().expect("no panic").are_lent() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        println!("holds");
        soon(async {
            while node.peers().iter().any(|peer| !peer.links.is_empty()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        reader.stop(None);
        end.await.unwrap();
        let Kept { last, pins } = std::mem::take(&mut *kept.lock().expect("no panic"));
        assert!(pins.is_empty());
        assert_eq!(last.len(), KEPT);
        for (number, payload) in &last {
            assert!(is_lent(payload), "payload {number} was copied");
            assert!(is_whole(payload, *number), "payload {number} has changed");
        }
        drop(last);
        node.stop().await;
        soon(async {
            while has_foreign_memory() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        println!("let go");
        ExitCode::SUCCESS
    })
}
