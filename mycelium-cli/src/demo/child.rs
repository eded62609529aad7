//! A process with the readers of one distance: the hidden `mycelium demo-readers`.
//!
//! The coordinator tells it on standard input what to do, in one line of JSON. The end of that
//! input is the end of this process, however the coordinator ended.

use std::io::{self, BufRead, Read};
use std::net::SocketAddr;
use std::process::{ExitCode, exit};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::cluster::Node;
use super::distance::{Distance, READERS};
use super::find::find_feed;
use super::reader;

/// What the coordinator tells.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) distance: Distance,
    pub(crate) cookie: String,
    pub(crate) coordinator: SocketAddr,
}

/// How long the node may take to close its connections, before the process ends without it.
const PARTING: Duration = Duration::from_secs(2);

/// Serves until standard input ends.
pub(crate) fn run() -> ExitCode {
    let mut line = String::new();
    let start = match io::stdin().lock().read_line(&mut line).map(|_| serde_json::from_str(&line)) {
        Ok(Ok(start)) => start,
        Ok(Err(_)) | Err(_) => {
            eprintln!("mycelium: `demo-readers` is started by `mycelium demo`");
            return ExitCode::from(2);
        }
    };
    let (closed, end) = oneshot::channel();
    thread::spawn(move || {
        wait_for_end();
        let _ = closed.send(());
        // Also when the runtime is stuck.
        thread::sleep(PARTING);
        exit(1);
    });
    match serve(start, end) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The coordinator reads it here, and says it in its own words.
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for the end of standard input. An error is an end, too.
fn wait_for_end() {
    let mut stdin = io::stdin().lock();
    let mut ignored = [0; 64];
    loop {
        match stdin.read(&mut ignored) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

#[tokio::main]
async fn serve(start: Start, mut end: oneshot::Receiver<()>) -> Result<(), String> {
    let node = tokio::select! {
        biased;
        _ = &mut end => return Ok(()),
        node = read(start) => node?,
    };
    // The thread that holds the other side ends the process, too.
    let _ = end.await;
    node.stop().await;
    Ok(())
}

/// Starts the node and the readers.
async fn read(start: Start) -> Result<Node, String> {
    let node = Node::join(start.distance, &start.cookie, start.coordinator).await?;
    // The coordinator decides for how long.
    let feed = find_feed().await?;
    reader::start(&start.distance.to_string(), READERS, &feed)
        .await
        .map_err(|error| format!("a reader does not start: {error}"))?;
    Ok(node)
}
