//! A node with readers.

use mycelium_ext::node::Node;
use ractor::ActorRef;
use ractor_cluster::peers;

use super::event::Event;
use super::screen::Screen;
use crate::demo::find::find_feed;
use crate::demo::message::ReaderMessage;
use crate::demo::reader::RoundReport;
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
) -> Result<u8, String> {
    let mut readers = Vec::new();
    let served = async {
        screen.tell(&Event::WaitingForFeed);
        let feed = find_feed().await?;
        readers = reader::start(node.name(), count.into(), &feed)
            .await
            .map_err(|error| format!("a reader does not start: {error}"))?;
        let locality = peers::locality_of(&feed.get_cell()).map(|it| it.to_string());
        screen.tell(&Event::FeedFound { readers: count, locality });
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
    let asked = summary(&readers, screen).await;
    Ok(match (ended, asked) {
        (Some(()), false) => {
            screen.tell(&Event::FeedGone);
            1
        }
        _ => 0,
    })
}

/// Prints what the readers here found, and says whether the feed asked for that, too.
async fn summary(readers: &[ActorRef<ReaderMessage>], screen: &Screen) -> bool {
    let mut asked = !readers.is_empty();
    for (reader, actor) in readers.iter().enumerate() {
        match reports::ask(actor).await {
            Ok(report) => {
                asked &= report.asked > 0;
                let sum =
                    |of: fn(&RoundReport) -> u64| -> u64 { report.rounds.iter().map(of).sum() };
                screen.print(&Event::ReaderReport {
                    reader,
                    ticks: sum(|round| round.received),
                    skipped: sum(|round| round.skipped),
                    doubled: sum(|round| round.doubled),
                    reordered: sum(|round| round.late),
                });
            }
            Err(why) => {
                asked = false;
                screen.print(&Event::ReaderLost { reader, why });
            }
        }
    }
    asked
}
