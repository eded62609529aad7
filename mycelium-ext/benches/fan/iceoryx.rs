//! The same by iceoryx2: a sample for each message, checked where it lies, and events that wake.
//! Files that all its processes share stay in `/dev/shm` and below `/tmp/iceoryx2`.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

use crate::child::{Run, cpu, fail, say};
use crate::flavour::Failure;
use crate::message::{Checks, write};

type Service = ipc::Service;

const MOST: usize = 64;
/// The most messages under way.
const SLOTS: usize = 256;
/// The largest message.
const LARGEST: usize = 8 << 20;

/// An event that does not come shall cost this, and not the run.
const PATIENCE: Duration = Duration::from_millis(100);

fn node() -> Result<Node<Service>, Failure> {
    // It has no configuration file, which it would warn of.
    set_log_level(LogLevel::Error);
    NodeBuilder::new().create::<Service>().map_err(|error| format!("{error:?}").into())
}

fn named(address: &str, what: &str) -> Result<ServiceName, Failure> {
    let name = format!("mycelium-bench-{address}-{what}");
    ServiceName::new(&name).map_err(|error| format!("{error:?}").into())
}

fn told<T, E: std::fmt::Debug>(result: Result<T, E>) -> Result<T, Failure> {
    result.map_err(|error| format!("iceoryx2: {error:?}").into())
}

/// From the feed to all processes.
fn messages(
    node: &Node<Service>,
    address: &str,
) -> Result<
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<Service, [u8], ()>,
    Failure,
> {
    let builder = node.service_builder(&named(address, "out")?).publish_subscribe::<[u8]>();
    let builder = builder.subscriber_max_buffer_size(SLOTS).enable_safe_overflow(false);
    told(builder.max_publishers(1).max_subscribers(MOST).open_or_create())
}

/// How many messages each process has handled.
fn handled(
    node: &Node<Service>,
    address: &str,
) -> Result<
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<Service, u64, ()>,
    Failure,
> {
    let builder = node.service_builder(&named(address, "back")?).publish_subscribe::<u64>();
    let builder = builder.subscriber_max_buffer_size(SLOTS).enable_safe_overflow(false);
    told(builder.max_publishers(MOST).max_subscribers(1).open_or_create())
}

fn events(
    node: &Node<Service>,
    address: &str,
    what: &str,
) -> Result<(Notifier<Service>, Listener<Service>), Failure> {
    let builder = node.service_builder(&named(address, what)?).event();
    let service = told(builder.max_notifiers(MOST + 1).max_listeners(MOST + 1).open_or_create())?;
    Ok((told(service.notifier_builder().create())?, told(service.listener_builder().create())?))
}

/// Lines of standard input, read by a thread: iceoryx2's ports stay on theirs.
fn orders() -> Receiver<String> {
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        // Unless the other thread sees the end at once.
        drop(sender);
        std::thread::sleep(Duration::from_secs(1));
        std::process::exit(1);
    });
    orders
}

/// The readers of a process.
pub(crate) fn read(address: &str, readers: usize) -> Result<(), Failure> {
    let node = node()?;
    let subscriber: Subscriber<Service, [u8], ()> =
        told(messages(&node, address)?.subscriber_builder().create())?;
    let publisher: Publisher<Service, u64, ()> = told(
        handled(&node, address)?
            .publisher_builder()
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create(),
    )?;
    let (_, wakes) = events(&node, address, "there")?;
    let (wake, _) = events(&node, address, "here")?;
    let orders = orders();
    let mut checks: Vec<Checks> = (0..readers).map(|_| Checks::default()).collect();
    say("there");
    loop {
        while let Some(sample) = told(subscriber.receive())? {
            let mut is_step = false;
            for checks in &mut checks {
                match checks.see(sample.payload()) {
                    Ok(step) => is_step = step,
                    Err(why) => fail(&why),
                }
            }
            if is_step {
                told(publisher.send_copy(1))?;
                told(wake.notify())?;
            }
        }
        match orders.try_recv() {
            Ok(_) => say(&cpu().to_string()),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
            Err(std::sync::mpsc::TryRecvError::Empty) => {
                told(wakes.timed_wait(|_| {}, PATIENCE / 10))?;
            }
        }
    }
}

pub(crate) fn feed(processes: usize) -> Result<(), Failure> {
    let address = std::process::id().to_string();
    let node = node()?;
    let publisher: Publisher<Service, [u8], ()> = told(
        messages(&node, &address)?
            .publisher_builder()
            .initial_max_slice_len(LARGEST)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create(),
    )?;
    let subscriber: Subscriber<Service, u64, ()> =
        told(handled(&node, &address)?.subscriber_builder().create())?;
    let (wake, _) = events(&node, &address, "there")?;
    let (_, wakes) = events(&node, &address, "here")?;
    let orders = orders();
    say(&address);
    say("there");
    for order in orders {
        let Some(run) = Run::parse(&order) else {
            say(&cpu().to_string());
            continue;
        };
        let (step, mut sent, mut steps) = (run.step(), 0_u64, 0_u64);
        let mut payload = vec![7; run.size];
        let wait_for = |steps: &mut u64, least: u64| -> Result<(), Failure> {
            while *steps < least {
                match told(subscriber.receive())? {
                    Some(_) => *steps += 1,
                    None => _ = told(wakes.timed_wait(|_| {}, PATIENCE))?,
                }
            }
            Ok(())
        };
        let start = Instant::now();
        while sent == 0 || start.elapsed() < run.time {
            for _ in 0..step {
                write(&mut payload, sent, step);
                let sample = told(publisher.loan_slice_uninit(run.size))?;
                let reached = told(sample.write_from_slice(&payload).send())?;
                if reached != processes {
                    return Err(format!("iceoryx2: {reached} of {processes} were sent it").into());
                }
                sent += 1;
            }
            told(wake.notify())?;
            let under_way = run.window / step - 1;
            wait_for(&mut steps, (sent / step).saturating_sub(under_way) * processes as u64)?;
        }
        wait_for(&mut steps, sent / step * processes as u64)?;
        say(&format!("{sent} {}", start.elapsed().as_nanos()));
    }
    Ok(())
}
