//! One message to readers of many processes: `cargo bench -p mycelium-ext --features cluster
//! --bench fan`. With `--features cluster,iceoryx` also by samples of iceoryx2.
//!
//! A feed sends each message to all readers of all processes of a crew, for a time and with few
//! messages under way; every reader checks number, length and some words of each. In a round each
//! contender does each case once, in processes that are started anew for each crew. A figure is the
//! median of the rounds, with the least and the most; per delivery, that is per message and reader:
//! the time until all was handled, and the processor time of all processes.
//!
//! The feed writes each payload once into a buffer, whatever the contender. What is copied then:
//!
//! * `stock TCP`: the payload for each reader, into the message, into the frame, and into and out
//!   of the kernel. A cast to each reader is all that stock offers.
//! * `TCP`, `Unix`: the payload once into a `Bytes`, and for each process into and out of the
//!   kernel.
//! * `ring`: once into a `Bytes`, and for each process into and out of the ring.
//! * `arena`: shared memory, with payloads that the application makes in memory that peers map.
//! * `iceoryx2`, `bare memory`: once into memory that the readers map.
//! * `arena, placed` and `bare, placed`: nothing. Their feed writes only the words that readers
//!   check, where they lie, and leaves the others as they were: what a message costs whatever its
//!   size.
//!
//! As many messages are under way to each process as make 16 MiB for all of them, from 2 to 256. So
//! a wake-up of a process serves fewer large messages than small ones. With `--window 16` it is so
//! many of each size.
//!
//! `-- --rounds 3 --sizes 64,4k,64k,1M,4M --processes 1,4,16 --readers 1,8 --milliseconds 40 --plot
//! FILE` are the defaults, apart from the plot, which is written when a file is named;
//! `--contenders ring,arena` leaves out the others.

#[cfg(target_os = "linux")]
#[path = "fan/actors.rs"]
mod actors;
#[cfg(target_os = "linux")]
#[path = "fan/arguments.rs"]
mod arguments;
#[cfg(target_os = "linux")]
#[path = "fan/child.rs"]
mod child;
#[cfg(target_os = "linux")]
#[path = "fan/crew.rs"]
mod crew;
#[cfg(target_os = "linux")]
#[path = "fan/fork.rs"]
mod flavour;
#[cfg(all(target_os = "linux", feature = "iceoryx"))]
#[path = "fan/iceoryx.rs"]
mod iceoryx;
#[cfg(target_os = "linux")]
#[path = "fan/memory.rs"]
mod memory;
#[cfg(target_os = "linux")]
#[path = "fan/message.rs"]
mod message;
#[cfg(target_os = "linux")]
#[path = "fan/report.rs"]
mod report;
#[cfg(target_os = "linux")]
#[path = "fan/run.rs"]
mod run;
#[cfg(target_os = "linux")]
#[path = "fan/stock.rs"]
mod stock;
#[cfg(target_os = "linux")]
#[path = "fan/words.rs"]
mod words;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This bench needs Linux.");
}
