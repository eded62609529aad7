//! One of two processes of a bench: `far CONTENDER FOLDER` serves, `near CONTENDER ADDRESS`
//! measures how it gets there. The folder is the far one's, which removes it.
//!
//! The far one prints its address, the near one that it is connected. Then the near one does what
//! it reads line by line (see `work.rs`), and answers each with a line of figures. Both end
//! with their standard input.

mod bare;
mod cluster;
mod encryption;
mod far;
mod measure;
#[cfg(feature = "shm")]
mod place;
mod work;

use std::io::{BufRead, Write};
use std::path::Path;

use tokio::sync::mpsc;

use crate::work::Work;

/// Whatever goes wrong ends the process.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How the other process is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contender {
    /// The cluster over TCP.
    Tcp,
    /// The cluster over TLS.
    Tls,
    /// The cluster over a Unix socket: stock by its hook, the fork by itself.
    Unix,
    /// The cluster by shared memory.
    #[cfg(feature = "shm")]
    Shm,
    /// The same; a waiting thread spins before it sleeps.
    #[cfg(feature = "shm")]
    ShmSpinning,
    /// The same; each node is on a thread that never sleeps, and so are the actors.
    #[cfg(feature = "shm")]
    ShmThread,
    /// A socket, and no cluster.
    BareTcp,
    /// The same.
    BareUnix,
    /// A socket whose calls block, and no runtime either.
    BlockingTcp,
    /// The same.
    BlockingUnix,
    /// Shared memory, and no cluster.
    #[cfg(feature = "shm")]
    BareShm,
    /// The ring of shared memory alone. Both sides spin, and have no runtime.
    #[cfg(feature = "shm")]
    BareRing,
}

impl Contender {
    fn parse(word: &str) -> Result<Self, Failure> {
        Ok(match word {
            "tcp" => Self::Tcp,
            "tls" => Self::Tls,
            "unix" => Self::Unix,
            #[cfg(feature = "shm")]
            "shm" => Self::Shm,
            #[cfg(feature = "shm")]
            "shm-spinning" => Self::ShmSpinning,
            #[cfg(feature = "shm")]
            "shm-thread" => Self::ShmThread,
            "bare-tcp" => Self::BareTcp,
            "bare-unix" => Self::BareUnix,
            "blocking-tcp" => Self::BlockingTcp,
            "blocking-unix" => Self::BlockingUnix,
            #[cfg(feature = "shm")]
            "bare-shm" => Self::BareShm,
            #[cfg(feature = "shm")]
            "bare-ring" => Self::BareRing,
            _ => return Err(format!("no such contender: {word}").into()),
        })
    }

    /// Whether there is no cluster.
    fn is_bare(self) -> bool {
        match self {
            Self::BareTcp | Self::BareUnix | Self::BlockingTcp | Self::BlockingUnix => true,
            #[cfg(feature = "shm")]
            Self::BareShm | Self::BareRing => true,
            _ => false,
        }
    }
}

fn main() -> Result<(), Failure> {
    // Before there are threads, which are to be there as well.
    #[cfg(feature = "shm")]
    if std::env::args().nth(2).as_deref() == Some("bare-ring") {
        place::pin(std::env::args().nth(1).as_deref() == Some("near"))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // In a task, as actors are: the thread that waits for the runtime is woken from outside of it.
    runtime.block_on(async { tokio::spawn(run()).await? })
}

async fn run() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [role, contender, place] = words.as_slice() else {
        return Err("usage: far CONTENDER FOLDER | near CONTENDER ADDRESS".into());
    };
    let contender = Contender::parse(contender)?;
    let orders = lines();
    match (role.as_str(), contender.is_bare()) {
        ("far", false) => cluster::serve(contender, Path::new(place), orders).await,
        ("far", true) => bare::serve(contender, Path::new(place), orders).await,
        ("near", false) => {
            let cluster = cluster::Cluster::connect(contender, place).await?;
            let runtime = cluster.runtime();
            let obeyed = runtime.spawn(async move {
                let mut cluster = cluster;
                obey(&mut cluster, orders).await.map(|()| cluster)
            });
            obeyed.await??.end().await;
            Ok(())
        }
        ("near", true) => obey(&mut bare::Bare::connect(contender, place).await?, orders).await,
        _ => Err(format!("no such role: {role}").into()),
    }
}

async fn obey(
    peer: &mut (impl measure::Peer + Send),
    mut orders: mpsc::UnboundedReceiver<String>,
) -> Result<(), Failure> {
    say("connected")?;
    while let Some(order) = orders.recv().await {
        let figures = measure::measure(peer, &Work::parse(&order)?).await?;
        say(&figures.to_string())?;
    }
    Ok(())
}

/// The lines of standard input. The channel ends with it.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        drop(sender);
        // Who gave the orders is gone; what is under way shall not outlive it for long.
        std::thread::sleep(std::time::Duration::from_secs(5));
        std::process::exit(1);
    });
    receiver
}

/// Removes the folder of a socket as soon as its two ends have met, so that nothing is left of it,
/// however the processes end.
fn tidy(folder: &Path) -> Result<(), Failure> {
    Ok(std::fs::remove_dir_all(folder)?)
}

/// Prints a line at once.
fn say(line: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}
