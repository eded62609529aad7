//! Names and singletons of a cluster of processes. Some are killed or suspended.
//!
//! The test binary is the other processes as well: started with `node` it is one, and is killed
//! when its parent ends.

#[cfg(target_os = "linux")]
mod forged;
#[cfg(target_os = "linux")]
#[path = "../refusals/log.rs"]
mod log;
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
    if words.first().is_some_and(|word| word == "node") {
        return worker::run(&words[1..]);
    }
    type Test = fn() -> Result<(), Failed>;
    let tests: [(&str, Test); 7] = [
        ("one_of_three_processes_gets_a_name", scenes::one_of_three_processes_gets_a_name),
        ("the_name_of_a_killed_node_is_free", scenes::the_name_of_a_killed_node_is_free),
        ("a_suspended_holder_is_told", scenes::a_suspended_holder_is_told),
        ("no_node_speaks_for_another", scenes::no_node_speaks_for_another),
        ("names_need_no_full_mesh", scenes::names_need_no_full_mesh),
        ("a_singleton_moves", scenes::a_singleton_moves),
        ("a_new_session_leads_to_the_same_actor", scenes::a_new_session_leads_to_the_same_actor),
    ];
    let trials = tests.map(|(name, test)| Trial::test(name, test)).into();
    // In one process all nodes share the actors.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("skipped: signals to other processes need Unix, and are tested on Linux");
    ExitCode::SUCCESS
}
