//! Bytes and frames between two processes, by shared memory and by a Unix socket, each bare and as
//! a transport, in turns: `cargo bench -p mycelium-ext --features cluster --bench shm`.
//!
//! With `--features iceoryx` also by samples of iceoryx2: as many as fit into a
//! ring.
//!
//! A round measures everything once, and the table has the medians of the rounds. `-- ROUNDS RING`
//! says how many there are, and the bytes of a ring.

#[cfg(target_os = "linux")]
#[path = "shm/measure.rs"]
mod measure;

fn main() {
    #[cfg(target_os = "linux")]
    measure::main();
}
