//! Links by shared memory between processes, and what is left when one is killed: nothing.
//!
//! The test binary is the other process as well: started with `hold`, `node`, `feed`, `reader` or
//! `passes` it is one, and is killed when its parent ends. The tests run one after the other, since
//! they count what this process has open.
//!
//! `MYCELIUM_KILL_SECONDS=300` makes the test `readers_are_killed_under_load` a long run with
//! sixteen readers, and `MYCELIUM_KILL_SEED` repeats its random numbers.

#[cfg(target_os = "linux")]
mod address_space;
#[cfg(target_os = "linux")]
mod arena;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod credits;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod nodes;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod references;
#[cfg(target_os = "linux")]
mod relay;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use libtest_mimic::{Arguments, Failed, Trial};

    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("hold") => return link::hold(&words[1..]),
        Some("node") => return nodes::node(&words[1..]),
        Some("feed") => return kills::feed(&words[1..]),
        Some("reader") => return kills::reader(&words[1..]),
        Some("passes") => return relay::node(&words[1..]),
        _ => {}
    }
    // The first runtime may open what all others then share, and what stays open.
    process::run(async {});
    // So is the arena.
    mycelium_ext::arena::Arena::of_process(64 << 20).expect("there is memory");
    // And what the first node of a process makes.
    process::run(async { nodes::builder("before").start().await.expect("it starts").stop().await });
    type Test = fn() -> Result<(), Failed>;
    let tests: Vec<(&str, Test)> = vec![
        ("a_killed_peer_ends_the_link", link::a_killed_peer_ends_the_link),
        ("frames_cross_between_processes", link::frames_cross_between_processes),
        ("nodes_choose_shared_memory", nodes::nodes_choose_shared_memory),
        ("a_node_without_it_is_reached_otherwise", nodes::a_node_without_it_is_reached_otherwise),
        ("a_link_that_breaks_is_made_again", nodes::a_link_that_breaks_is_made_again),
        ("a_node_may_want_nothing_else", nodes::a_node_may_want_nothing_else),
        ("each_call_is_answered_whoever_looks", nodes::each_call_is_answered_whoever_looks),
        (
            "who_blocks_instead_of_looking_is_answered",
            nodes::who_blocks_instead_of_looking_is_answered,
        ),
        #[cfg(feature = "spinning")]
        ("a_node_has_a_thread_that_never_sleeps", nodes::a_node_has_a_thread_that_never_sleeps),
        #[cfg(feature = "spinning")]
        ("the_thread_of_a_node_ends_with_it", nodes::the_thread_of_a_node_ends_with_it),
        ("a_bounded_mailbox_is_felt", credits::a_bounded_mailbox_is_felt),
        ("processes_read_a_payload_where_it_lies", arena::processes_read_a_payload_where_it_lies),
        ("the_first_payload_is_copied_once", arena::the_first_payload_is_copied_once_for_all),
        ("a_payload_outlives_its_sender", arena::a_payload_outlives_its_sender),
        ("killed_readers_leave_nothing", arena::killed_readers_leave_nothing),
        (
            "calls_and_answers_are_read_where_they_lie",
            calls::calls_and_answers_are_read_where_they_lie,
        ),
        (
            "an_answer_that_nobody_waits_for_is_given_back",
            calls::an_answer_that_nobody_waits_for_is_given_back,
        ),
        (
            "calls_and_answers_arrive_as_they_were_sent",
            calls::calls_and_answers_arrive_as_they_were_sent,
        ),
        ("readers_are_killed_under_load", kills::readers_are_killed_under_load),
        ("readers_outlive_a_killed_feed", kills::readers_outlive_a_killed_feed),
        ("a_payload_is_passed_on_without_a_copy", relay::a_payload_is_passed_on_without_a_copy),
        ("a_payload_outlives_the_process_between", relay::a_payload_outlives_the_process_between),
        (
            "a_payload_that_was_passed_on_outlives_its_sender",
            relay::a_payload_that_was_passed_on_outlives_its_sender,
        ),
        (
            "a_process_without_room_for_an_arena_is_copied_to",
            address_space::a_process_without_room_for_an_arena_is_copied_to,
        ),
        ("references_lead_to_their_actors", references::references_lead_to_their_actors),
        (
            "references_to_unknown_nodes_are_to_nobody",
            references::references_to_unknown_nodes_are_to_nobody,
        ),
        ("all_of_them_leave_nothing", || {
            process::Belongings::are_the_least();
            Ok(())
        }),
    ];
    let trials = tests.into_iter().map(|(name, test)| Trial::test(name, test)).collect();
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("skipped: links by shared memory need Linux");
    ExitCode::SUCCESS
}
