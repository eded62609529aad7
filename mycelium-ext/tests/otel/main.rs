//! Traces that go on at other nodes: a collector and each node are processes of their own, and
//! speak OTLP.
//!
//! The test binary is the other processes as well: with `collector` it is the collector, with
//! `node` a node. They end with their parent.

#[cfg(target_os = "linux")]
mod collector;
#[cfg(target_os = "linux")]
mod export;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod scenes;
#[cfg(target_os = "linux")]
mod worker;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use libtest_mimic::{Arguments, Failed, Trial};

    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("collector") => return collector::run(),
        Some("node") => return worker::run(&words[1..]),
        _ => {}
    }
    type Test = fn() -> Result<(), Failed>;
    let tests: [(&str, Test); 4] = [
        ("a_call_through_three_processes_is_one_trace", scenes::a_call_is_one_trace),
        ("the_actors_of_a_broadcast_share_a_span", scenes::the_actors_of_a_broadcast_share_a_span),
        ("a_node_without_it_begins_a_trace", scenes::a_node_without_it_begins_a_trace),
        ("a_trace_that_is_not_recorded_is_not_recorded_elsewhere", scenes::the_flag_is_kept),
    ];
    let trials = tests.map(|(name, test)| Trial::test(name, test)).into();
    // In one process all nodes share the actors.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("skipped: processes that end with their parent are tested on Linux");
    ExitCode::SUCCESS
}
