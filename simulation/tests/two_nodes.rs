//! Two nodes under virtual time: handshake, casts, calls, and faults of the network between them.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Entry, LEDGERS, Ledger, ledger};
use mycelium_simulation::{Failure, Simulation};
use ractor::{Actor, pg, registry};
use ractor_cluster::link::LinkOptions;

/// Sends so many numbers, one every 10 ms, and asks for an answer in the end.
const NUMBERS: u64 = 300;

/// What the hosts of a scene tell the test.
#[derive(Clone, Default)]
struct Seen {
    notes: Arc<Mutex<Vec<u64>>>,
    answers: Arc<AtomicUsize>,
    starts: Arc<AtomicUsize>,
}

impl Seen {
    fn is_complete(&self) -> bool {
        self.answers.load(Ordering::SeqCst) == 1
    }

    fn notes(&self) -> Vec<u64> {
        self.notes.lock().unwrap().clone()
    }
}

/// A host that keeps a ledger, and one that fills it.
fn scene(simulation: &mut Simulation) -> Seen {
    let seen = Seen::default();
    let of = seen.clone();
    simulation.host("ledger", move |_| {
        let notes = of.notes.clone();
        async move {
            Actor::spawn(Some("ledger".to_owned()), Ledger(notes), ()).await?;
            Ok(())
        }
    });
    let of = seen.clone();
    simulation.host("feed", move |host| {
        let seen = of.clone();
        async move {
            seen.starts.fetch_add(1, Ordering::SeqCst);
            host.keep_connected("ledger");
            let ledger = ledger(&host, "ledger").await?;
            // The groups and names of a host are its own.
            assert_eq!(pg::get_members(&LEDGERS.to_owned()).len(), 1);
            assert!(!ledger.get_id().is_local());
            assert!(registry::where_is("ledger").is_none());
            for number in 0..NUMBERS {
                ledger.cast(Entry::Note(number))?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let answer = ractor::call_t!(ledger, Entry::Twice, 60_000, 21)?;
            assert_eq!(answer, 42);
            seen.answers.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    seen
}

/// All went over, once and in order, though the session may have lost its connection.
fn is_exact(simulation: &mut Simulation, seen: &Seen) -> Result<(), Failure> {
    let complete = simulation.run_until(Duration::from_secs(60), || seen.is_complete())?;
    assert!(complete, "{}", simulation.trace());
    assert_eq!(seen.notes(), (0..NUMBERS).collect::<Vec<_>>());
    Ok(())
}

fn connections(simulation: &Simulation) -> usize {
    let events = simulation.trace().events();
    events.iter().filter(|event| event.what.starts_with("connected to")).count()
}

#[test]
fn they_shake_hands_cast_and_call() -> Result<(), Failure> {
    let mut simulation = Simulation::new(1);
    let seen = scene(&mut simulation);
    is_exact(&mut simulation, &seen)?;
    assert_eq!(connections(&simulation), 1);
    assert!(simulation.now() < Duration::from_secs(5), "{simulation:?}");
    Ok(())
}

#[test]
fn a_partition_within_the_grace_loses_nothing() -> Result<(), Failure> {
    // Silence is noticed after two seconds, and the grace is the default, five.
    let links = LinkOptions::default().with_silence_timeout(Duration::from_secs(2));
    let mut simulation = Simulation::builder(2).links(links).build();
    let seen = scene(&mut simulation);
    simulation.run_for(Duration::from_secs(1))?;
    simulation.partition("feed", "ledger");
    simulation.run_for(Duration::from_secs(4))?;
    assert!(seen.notes().len() < 200, "the network loses nothing");
    simulation.repair("feed", "ledger");
    is_exact(&mut simulation, &seen)?;
    assert!(connections(&simulation) > 1, "{}", simulation.trace());
    Ok(())
}

#[test]
fn what_is_held_back_arrives_in_order() -> Result<(), Failure> {
    let mut simulation = Simulation::new(3);
    let seen = scene(&mut simulation);
    simulation.run_for(Duration::from_secs(1))?;
    simulation.hold("feed", "ledger");
    simulation.run_for(Duration::from_millis(100))?;
    let before = seen.notes().len();
    simulation.run_for(Duration::from_secs(3))?;
    assert_eq!(seen.notes().len(), before);
    simulation.release("feed", "ledger");
    is_exact(&mut simulation, &seen)?;
    assert_eq!(connections(&simulation), 1);
    Ok(())
}

#[test]
fn a_crashed_host_has_nothing_left_and_starts_anew() -> Result<(), Failure> {
    let mut simulation = Simulation::new(4);
    let seen = scene(&mut simulation);
    simulation.run_for(Duration::from_secs(1))?;
    simulation.crash("feed");
    assert!(!simulation.is_running("feed"));
    simulation.run_for(Duration::from_millis(100))?;
    let before = seen.notes();
    simulation.run_for(Duration::from_secs(3))?;
    assert_eq!(seen.notes(), before);
    assert_eq!(before, (0..before.len() as u64).collect::<Vec<_>>());
    simulation.restart("feed");
    let complete = simulation.run_until(Duration::from_secs(60), || seen.is_complete())?;
    assert!(complete, "{}", simulation.trace());
    assert_eq!(seen.starts.load(Ordering::SeqCst), 2);
    // The second start begins at 0 again.
    assert_eq!(seen.notes()[before.len()..], (0..NUMBERS).collect::<Vec<_>>());
    Ok(())
}

/// When a host has at last had an event.
fn last(simulation: &Simulation, host: &str, what: &str) -> Option<Duration> {
    let events = simulation.trace().events();
    let event = events.iter().rfind(|event| event.host == host && event.what == what);
    event.map(|event| event.at)
}

/// The other node hears nothing of the crash, and would believe in the old start for 15 s.
fn replaces_at_once(seed: u64) -> Result<(), Failure> {
    let mut simulation = Simulation::new(seed);
    let seen = scene(&mut simulation);
    simulation.run_for(Duration::from_secs(1))?;
    simulation.partition("feed", "ledger");
    simulation.crash("feed");
    simulation.run_for(Duration::from_millis(200))?;
    assert_eq!(last(&simulation, "ledger", "session with feed has ended"), None);
    simulation.repair("feed", "ledger");
    simulation.restart("feed");
    let again = simulation.now();
    let complete = simulation.run_until(Duration::from_secs(60), || seen.is_complete())?;
    assert!(complete, "{}", simulation.trace());
    for what in ["session with feed has ended", "session with feed is ready"] {
        let at = last(&simulation, "ledger", what).expect("there was one");
        let within = again..again + Duration::from_secs(2);
        assert!(within.contains(&at), "seed {seed}: {what} at {at:?}, and not {within:?}");
    }
    Ok(())
}

/// A rule of stock's ends one of two sessions too, and which one is chance.
#[test]
fn a_start_replaces_the_one_before_it_at_once() -> Result<(), Failure> {
    (10..18).try_for_each(replaces_at_once)
}

#[test]
fn software_that_fails_ends_the_simulation() {
    let mut simulation = Simulation::new(5);
    simulation.host("bad", |_| async { Err("out of luck".into()) });
    let error = simulation.run_for(Duration::from_secs(1)).unwrap_err().to_string();
    assert_eq!(error, "the software of bad has failed: out of luck");

    simulation.host("worse", |_| async { panic!("no luck at all") });
    let error = simulation.run_for(Duration::from_secs(1)).unwrap_err().to_string();
    assert!(error.starts_with("the software of worse has failed: "), "{error}");
    assert!(error.contains("no luck at all"), "{error}");
}
