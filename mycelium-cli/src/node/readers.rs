//! A node with readers.

use std::process::ExitCode;

use mycelium_ext::node::Node;
use ractor::ActorRef;
use ractor_cluster::peers;

use super::screen::Screen;
use crate::demo::figures;
use crate::demo::find::find_feed;
use crate::demo::message::ReaderMessage;
use crate::demo::signals::Signals;
use crate::demo::{reader, reports};

/// Runs readers until the feed has ended, or the node is ended.
///
/// # Errors
/// A sentence that names what does not start.
pub(super) async fn serve(
    count: u16,
    node: &Node,
    screen: &Screen,
    mut signals: Signals,
) -> Result<ExitCode, String> {
    let mut readers = Vec::new();
    let served = async {
        screen.say("waiting for the feed");
        let feed = find_feed().await?;
        readers = reader::start(node.name(), count.into(), &feed)
            .await
            .map_err(|error| format!("a reader does not start: {error}"))?;
        let place = peers::locality_of(&feed.get_cell())
            .map_or_else(|| "gone already".to_owned(), |locality| locality.to_string());
        screen.say(&format!("{count} readers read the feed, which is {place}"));
        // Without a bound it cannot time out.
        let _ = feed.get_cell().wait(None).await;
        Ok::<(), String>(())
    };
    let ended = tokio::select! {
        biased;
        () = signals.wait() => None,
        ended = served => Some(ended?),
    };
    signals.end_at_the_next();
    let asked = summary(&readers).await;
    Ok(match (ended, asked) {
        (Some(()), false) => {
            screen.say(
                "mycelium: the feed is gone, and did not ask the readers for their reports: it did \
                 not come to its end",
            );
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    })
}

/// Prints what the readers here found, and says whether the feed asked for that, too.
async fn summary(readers: &[ActorRef<ReaderMessage>]) -> bool {
    let mut asked = !readers.is_empty();
    for (index, reader) in readers.iter().enumerate() {
        match reports::ask(reader).await {
            Ok(report) => {
                asked &= report.asked > 0;
                let (mut received, mut skipped, mut doubled, mut late) = (0, 0, 0, 0);
                for round in &report.rounds {
                    received += round.received;
                    skipped += round.skipped;
                    doubled += round.doubled;
                    late += round.late;
                }
                println!(
                    "reader {index}: {} ticks, skipped {skipped}, doubled {doubled}, reordered {late}",
                    figures::count(received)
                );
            }
            Err(why) => {
                asked = false;
                println!("reader {index}: {why}");
            }
        }
    }
    asked
}
