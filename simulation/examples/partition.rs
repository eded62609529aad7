//! A feed and an archive, a network that breaks between them, and an archive that crashes: ten
//! seconds of virtual time in some milliseconds.
//!
//! Run it with `cargo run -p mycelium-simulation --example partition`, or with a seed behind it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mycelium_simulation::{Failure, Host, Simulation};
use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::link::LinkOptions;

const ARCHIVES: &str = "archives";

#[derive(RactorClusterMessage)]
enum Trade {
    Number(u64),
}

/// Keeps the numbers of all trades, as a disk would: they outlast a crash.
struct Archive(Arc<Mutex<Vec<u64>>>);

impl Actor for Archive {
    type Msg = Trade;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Trade>, (): ()) -> Result<(), ActorProcessingErr> {
        pg::join(ARCHIVES.to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Trade>,
        Trade::Number(number): Trade,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.lock().unwrap().push(number);
        Ok(())
    }
}

/// Sends a trade every 10 ms. One that comes back is sent again.
async fn feed(host: Host) -> Result<(), Failure> {
    host.keep_connected("archive");
    let mut number = 0;
    loop {
        let archives = pg::get_members(&ARCHIVES.to_owned());
        match archives.into_iter().next().map(ActorRef::<Trade>::from) {
            Some(archive) if archive.cast(Trade::Number(number)).is_ok() => number += 1,
            Some(_) => host.record(format_args!("trade {number} came back")),
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn main() -> Result<(), Failure> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let began = Instant::now();
    let links = LinkOptions::default().with_silence_timeout(Duration::from_secs(1));
    let mut simulation = Simulation::builder(seed).links(links).build();
    let trades = Arc::new(Mutex::new(Vec::new()));
    let disk = trades.clone();
    simulation.host("archive", move |_| {
        let disk = disk.clone();
        async move {
            Actor::spawn(None, Archive(disk), ()).await?;
            Ok(())
        }
    });
    simulation.host("feed", feed);

    simulation.run_for(Duration::from_secs(2))?;
    simulation.partition("feed", "archive");
    simulation.run_for(Duration::from_secs(3))?;
    simulation.repair("feed", "archive");
    simulation.run_for(Duration::from_secs(2))?;
    simulation.crash("archive");
    simulation.run_for(Duration::from_secs(1))?;
    simulation.restart("archive");
    simulation.run_for(Duration::from_secs(2))?;

    let is_frame = |what: &str| what.starts_with("frame");
    for event in simulation.trace().events().iter().filter(|event| !is_frame(&event.what)) {
        println!("{event}");
    }
    let trades = trades.lock().unwrap();
    let gaps: Vec<_> = trades.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    println!("the archive has {} trades, with gaps at {gaps:?}", trades.len());
    println!("seed {seed}, digest {}, {:?}", simulation.trace().digest(), began.elapsed());
    Ok(())
}
