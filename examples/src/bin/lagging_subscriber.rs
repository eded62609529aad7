//! An output port whose capacity the application chose: a subscriber that lags hears how much it
//! missed, one that conflates has the latest of each key, and a late one begins with the last
//! message.
//!
//!     cargo run -p mycelium-examples --bin lagging_subscriber

use ractor::actor::actor_config::Conflate;
use ractor::port::output::{PortOptions, PortOverflow, SubscribeOptions};
use ractor::{Actor, ActorProcessingErr, ActorRef, OutputPort};

enum Feed {
    Price(u64),
    Missed(u64),
}

// It stays in this process.
ractor::local_message!(Feed);

/// Prices of one symbol have the same last digit.
struct BySymbol;

impl Conflate for BySymbol {
    type Message = u64;
    type Key = u64;

    fn key(price: &u64) -> Option<u64> {
        Some(price % 10)
    }
}

/// Says what it gets.
struct Reader(&'static str);

impl Actor for Reader {
    type Msg = Feed;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Feed>, _: ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Feed>,
        feed: Feed,
        _: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match feed {
            Feed::Price(price) => println!("{}: {price}", self.0),
            Feed::Missed(count) => println!("{}: missed {count}", self.0),
        }
        Ok(())
    }
}

// One thread: no subscriber has a turn while the prices are published.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = PortOptions::new(4, PortOverflow::DropOldest)?.keeping_last();
    let plain = OutputPort::with_options(options);
    let latest = OutputPort::with_options(options.conflating::<BySymbol>());
    let mut handles = Vec::new();
    for (name, port) in [("plain", &plain), ("conflating", &latest)] {
        let (reader, handle) = Actor::spawn(None, Reader(name), ()).await?;
        let reports = SubscribeOptions::default().on_lag(|count| Some(Feed::Missed(count)));
        port.subscribe_with(reader.clone(), reports, |price| Some(Feed::Price(*price)));
        handles.push((reader, handle));
    }

    for price in 100..=120 {
        // Two symbols.
        plain.send(10 * price + price % 2);
        latest.send(10 * price + price % 2);
    }
    let (reader, handle) = Actor::spawn(None, Reader("late"), ()).await?;
    let last = SubscribeOptions::default().with_last();
    plain.subscribe_with(reader.clone(), last, |price| Some(Feed::Price(*price)));
    handles.push((reader, handle));

    println!("plain {:?}\nconflating {:?}", plain.losses(), latest.losses());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for (reader, handle) in handles {
        reader.drain()?;
        handle.await.map_err(|_| "an actor panicked")?;
    }
    Ok(())
}
