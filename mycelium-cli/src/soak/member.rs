//! A process of a soak: the hidden `mycelium soak-member`.
//!
//! The coordinator tells it on standard input what to be, in one line of JSON, and later what to
//! do. The end of that input is the end of this process, however the coordinator ended.

use std::io::{self, BufRead};
use std::process::{ExitCode, exit};
use std::thread;
use std::time::Duration;

use mycelium_ext::address::Address;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::cluster;
use super::crew::{Order, Start, Task};
use super::feed::Feed;
use super::log;
use super::outsiders;
use super::reader::{Readers, Room};
use super::record::Record;
use super::shown::Shown;
use super::watch;

/// How long the node may take to close its connections, before the process ends without it. The
/// coordinator waits for longer, and so learns why.
const PARTING: Duration = Duration::from_secs(15);

/// Serves until standard input ends.
pub(crate) fn run() -> ExitCode {
    let mut line = String::new();
    let start: Start =
        match io::stdin().lock().read_line(&mut line).map(|_| serde_json::from_str(&line)) {
            Ok(Ok(start)) => start,
            Ok(Err(_)) | Err(_) => {
                eprintln!("mycelium: `soak-member` is started by `mycelium soak`");
                return ExitCode::from(2);
            }
        };
    let (give, orders) = unbounded_channel();
    let name = start.name.clone();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str::<Order>(&line) {
                Ok(order) => _ = give.send(order),
                Err(error) => eprintln!("mycelium: no order: {line:?}: {error}"),
            }
        }
        drop(give);
        // Also when the runtime is stuck.
        thread::sleep(PARTING);
        eprintln!("mycelium: {name}: not ended within {} s of the last order", PARTING.as_secs());
        exit(1);
    });
    match run_task(&start, orders) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mycelium: {}: {error}", start.name);
            ExitCode::FAILURE
        }
    }
}

fn run_task(start: &Start, orders: UnboundedReceiver<Order>) -> Result<(), String> {
    let mut runtime = Builder::new_multi_thread();
    if start.lasts {
        // What keeps the only worker is a stall; the others have as many workers as usual.
        runtime.worker_threads(1);
    }
    let runtime = runtime.enable_all().build().map_err(|error| format!("its runtime: {error}"))?;
    runtime.block_on(async {
        if let Task::Attack { seed, by, only } = &start.task {
            outsiders::run((*by, *seed, only), &start.cookie, orders).await;
            return Ok(());
        }
        log::begin();
        if start.lasts {
            watch::begin();
        }
        serve(start, orders).await
    })
}

async fn serve(start: &Start, mut orders: UnboundedReceiver<Order>) -> Result<(), String> {
    let node = cluster::start(start).await?;
    let readers;
    let wrong = |error| format!("a reader does not start: {error}");
    match &start.task {
        Task::Send { seed, calls, .. } => {
            // Beside their feed, which is told of each refusal.
            let readers = Readers::start(start, |_| Room::Little).await.map_err(wrong)?;
            let address = node.addresses().iter().find_map(|address| match address {
                Address::Tcp(endpoint) => endpoint.to_string().parse().ok(),
                _ => None,
            });
            Record::Ready(address).note();
            Feed::new(start.incarnation, *seed).run(calls, &mut orders).await;
            let shown = Shown::begin(start)?;
            shown.note_sessions().await?;
            node.stop().await;
            shown.note_readers(&readers).await?;
            readers.note_replaced();
            // Its dead letters are of outsiders, and explain no message of the soak.
            return Ok(());
        }
        Task::Read { .. } => {
            // Of what the others' mailboxes refuse the process tells in the end, and not the feed.
            let room = |index| if index == 0 { Room::Enough } else { Room::Little };
            readers = Readers::start(start, room).await.map_err(wrong)?;
            Record::Ready(None).note();
            while let Some(order) = orders.recv().await {
                if let Order::CloseLink { peer } = order {
                    cluster::close_link(&peer);
                }
            }
        }
        Task::Attack { .. } => return Err("who attacks is no node".to_owned()),
    }
    let shown = Shown::begin(start)?;
    shown.note_sessions().await?;
    node.stop().await;
    // No more can come.
    shown.note_readers(&readers).await?;
    cluster::note_dead_letters();
    readers.note_replaced();
    Ok(())
}
