//! One payload to many readers, in every way there is. Each publisher keeps its payload until it
//! has sent it to all, as one does that stores what it publishes.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::contender::{Contender, Scheduler};
use crate::readers::{fork, stock, stock_arc};
use crate::window::{Reader, Window};

/// Sends a payload to all readers, which live as long as this does.
pub(crate) type Publish = Arc<dyn Fn(Vec<u8>) + Send + Sync>;

/// Readers that are about to start.
pub(crate) type Starting = Pin<Box<dyn Future<Output = Publish> + Send>>;

/// A contender's name, and how it starts its readers.
pub(crate) type Way = (&'static str, fn(usize, Arc<Window>) -> Starting);

pub(crate) const WAYS: [Way; 5] = [
    ("stock", clones),
    ("stock Arc", arc_inside),
    ("fork Arc", cast_arc),
    ("fork broadcast", broadcast_arc),
    ("bare", bare),
];

/// The contenders. A round of one is one publish. All use one runtime, so that they find the
/// same threads and the same memory, and all but one of them idle.
pub(crate) fn contenders(
    ways: &[Way],
    size: usize,
    readers: usize,
    scheduler: Scheduler,
) -> Vec<Contender> {
    let runtime = Arc::new(scheduler.runtime());
    let contender = |&(name, start): &Way| {
        let window = Arc::new(Window::new(readers));
        let publish = runtime.block_on(start(readers, window.clone()));
        let runtime = runtime.clone();
        Contender::new(name, move |rounds| {
            let publishing = publishing(publish.clone(), window.clone(), size, rounds);
            // A task, as the readers are: the publisher is no thread of its own.
            runtime.block_on(async { tokio::spawn(publishing).await }).expect("it publishes");
        })
    };
    ways.iter().map(contender).collect()
}

/// Publishes a fresh payload in each round, and waits until the last is read.
async fn publishing(publish: Publish, window: Arc<Window>, size: usize, rounds: u64) {
    for round in 0..rounds {
        window.room().await;
        publish(vec![round as u8; size]);
    }
    window.drained().await;
}

fn clones(readers: usize, window: Arc<Window>) -> Starting {
    Box::pin(async move {
        let readers = stock::Readers::start(readers, &window).await;
        Arc::new(move |payload: Vec<u8>| {
            for reader in &readers.0 {
                reader.cast(payload.clone()).expect("it runs");
            }
        }) as Publish
    })
}

fn arc_inside(readers: usize, window: Arc<Window>) -> Starting {
    Box::pin(async move {
        let readers = stock_arc::Readers::start(readers, &window).await;
        Arc::new(move |payload: Vec<u8>| {
            let payload = Arc::new(payload);
            for reader in &readers.0 {
                reader.cast(payload.clone()).expect("it runs");
            }
        }) as Publish
    })
}

fn cast_arc(readers: usize, window: Arc<Window>) -> Starting {
    Box::pin(async move {
        let readers = fork::Readers::start(readers, &window).await;
        Arc::new(move |payload: Vec<u8>| {
            let payload = Arc::new(payload);
            for reader in &readers.0 {
                reader.cast_arc(payload.clone()).expect("it runs");
            }
        }) as Publish
    })
}

fn broadcast_arc(readers: usize, window: Arc<Window>) -> Starting {
    Box::pin(async move {
        let readers = fork::Readers::start(readers, &window).await;
        // Groups are global: each case has its own.
        let group = format!("the readers with {}", readers.0[0].get_id());
        ractor::pg::join(group.clone(), readers.0.iter().map(|it| it.get_cell()).collect());
        Arc::new(move |payload: Vec<u8>| {
            let report = ractor::pg::broadcast_arc(&group, Arc::new(payload));
            assert_eq!(report.delivered(), readers.0.len(), "they run");
        }) as Publish
    })
}

/// What no actor can beat: a channel and a task for each reader.
fn bare(readers: usize, window: Arc<Window>) -> Starting {
    Box::pin(async move {
        let start = |_| {
            let (sender, mut payloads) = mpsc::unbounded_channel::<Arc<Vec<u8>>>();
            let mut reader = Reader::new(&window);
            tokio::spawn(async move {
                while let Some(payload) = payloads.recv().await {
                    reader.read(&payload);
                }
            });
            sender
        };
        let readers: Vec<_> = (0..readers).map(start).collect();
        Arc::new(move |payload: Vec<u8>| {
            let payload = Arc::new(payload);
            for reader in &readers {
                reader.send(payload.clone()).expect("it runs");
            }
        }) as Publish
    })
}
