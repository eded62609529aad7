//! What `mycelium top` would show of a process at its end, for the book to compare.

use std::path::Path;
use std::time::Duration;

use mycelium_ext::view::{ActorView, Request, Snapshot, Target, ViewServer};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::crew::Start;
use super::reader::Readers;
use super::record::Record;

/// The pause between two looks at readers that have not handled all yet.
const LOOK: Duration = Duration::from_millis(5);
/// More actors than a process has of this name.
const READERS: usize = 1000;

/// Serves the view of this process as a node does, and asks it as `mycelium top` does.
pub(crate) struct Shown {
    view: ViewServer,
    name: String,
}

impl Shown {
    /// Begins to serve it, in the folder of temporary files.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn begin(start: &Start) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("soak-view-{}", std::process::id()));
        Self::begin_in(&folder, start).map_err(|error| format!("its view: {error}"))
    }

    fn begin_in(folder: &Path, start: &Start) -> std::io::Result<Self> {
        let view = ViewServer::start_in(folder, start.name.as_str(), Vec::new())?;
        Ok(Self { view, name: start.name.clone() })
    }

    async fn snapshot(&self) -> Result<Snapshot, String> {
        let target = Target::at(self.view.path());
        let request = Request::all(READERS).filtered(&self.name);
        let asked = spawn_blocking(move || target.ask(&request)).await;
        asked.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Notes how many frames the sessions of this process miss.
    ///
    /// # Errors
    /// The view does not answer.
    pub(crate) async fn note_sessions(&self) -> Result<(), String> {
        let snapshot = self.snapshot().await?;
        let sessions: Vec<_> = snapshot.peers.iter().filter_map(|peer| peer.session).collect();
        let missing = sessions.iter().map(|it| it.frames.abs_diff(it.acknowledged + it.kept)).sum();
        Record::Sessions { count: sessions.len() as u64, missing }.note();
        Ok(())
    }

    /// Notes how many messages the readers have handled. Nothing more may come to them: waits until
    /// they have handled what has come.
    ///
    /// # Errors
    /// The view does not answer, or does not show a reader.
    pub(crate) async fn note_readers(&self, readers: &Readers) -> Result<(), String> {
        let snapshot = loop {
            let snapshot = self.snapshot().await?;
            let is_done = |it: &ActorView| it.waiting == 0 && it.handling_ms.is_none();
            if snapshot.actors.iter().all(is_done) {
                break snapshot;
            }
            sleep(LOOK).await;
        };
        for (index, id, flushes) in readers.each() {
            let shown = snapshot.actors.iter().find(|actor| actor.id == id);
            let shown = shown.ok_or_else(|| format!("its view shows no reader {index}"))?;
            // The book has no flushes, and the view does not tell messages apart.
            let handled = shown.handled.saturating_sub(flushes);
            Record::Shown { reader: index, handled }.note();
        }
        Ok(())
    }
}
