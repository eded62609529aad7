//! How readers find the feed.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent, pg};
use tokio::sync::Notify;

use super::message::FeedMessage;
use super::plan::FEED_GROUP;

/// Hears of changes in the feed's group.
struct Ear;

/// An [`Ear`] takes no messages.
enum Silence {}

ractor::local_message!(Silence);

impl Actor for Ear {
    type Msg = Silence;
    type State = Arc<Notify>;
    type Arguments = Arc<Notify>;

    async fn pre_start(
        &self,
        myself: ActorRef<Silence>,
        changed: Arc<Notify>,
    ) -> Result<Arc<Notify>, ActorProcessingErr> {
        pg::monitor(FEED_GROUP.to_owned(), myself.get_cell());
        Ok(changed)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Silence>,
        _: SupervisionEvent,
        changed: &mut Arc<Notify>,
    ) -> Result<(), ActorProcessingErr> {
        changed.notify_one();
        Ok(())
    }
}

/// Waits for the feed to appear in its group, for as long as it takes. Cancel safe.
///
/// # Errors
/// A sentence that says why it cannot be waited for.
pub(crate) async fn find_feed() -> Result<ActorRef<FeedMessage>, String> {
    /// Stops it also when the waiting future is dropped.
    struct Listening(ActorRef<Silence>);
    impl Drop for Listening {
        fn drop(&mut self) {
            self.0.stop(None);
        }
    }
    let changed = Arc::new(Notify::new());
    let (ear, _) = Actor::spawn(None, Ear, changed.clone())
        .await
        .map_err(|error| format!("cannot wait for the feed: {error}"))?;
    let _listening = Listening(ear);
    loop {
        if let Some(feed) = pg::get_members(&FEED_GROUP.to_owned()).pop() {
            return Ok(feed.into());
        }
        changed.notified().await;
    }
}
