//! Two handlers block both threads of a runtime, and a snapshot from outside names them.
//!
//! Nothing of the runtime gets a turn any more: no timer, no other actor, no node. The thread that
//! serves the node's view is none of the runtime's, so that it still answers.
//!
//! ```text
//! cargo run -p mycelium-examples --features view --bin stuck_handler
//! ```

use std::error::Error;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use mycelium_ext::view::{Request, Target, ViewServer};
use ractor::{Actor, ActorProcessingErr, ActorRef};

/// Waits where no actor should: on a channel that blocks its thread.
struct Blocking {
    entered: Sender<()>,
    end: Arc<Mutex<Receiver<()>>>,
}

struct Block;
impl ractor::Message for Block {}

impl Actor for Blocking {
    type Msg = Block;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Block>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Block>,
        _: Block,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        _ = self.entered.send(());
        _ = self.end.lock().map(|end| end.recv());
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let view = ViewServer::start("stuck@localhost", Vec::new())?;
    let (entered, entries) = channel();
    let (end, ends) = channel();
    let ends = Arc::new(Mutex::new(ends));
    let mut actors = Vec::new();
    for name in ["order-book", "archive"] {
        let blocking = Blocking { entered: entered.clone(), end: ends.clone() };
        let spawned = Actor::spawn(Some(name.to_owned()), blocking, ());
        actors.push(runtime.block_on(spawned)?.0);
    }
    let behind = actors.clone();
    actors.iter().try_for_each(|actor| actor.cast(Block))?;
    // Both threads of the runtime are in a handler from here on.
    entries.recv()?;
    entries.recv()?;
    behind.iter().try_for_each(|actor| actor.cast(Block))?;

    // As another process would, `mycelium top` for example.
    let target = Target::at(view.path());
    let snapshot = target.ask(&Request::all(10))?;
    for actor in snapshot.actors.iter().filter(|actor| actor.handling_ms.is_some()) {
        println!(
            "{} ({}) has not returned from its handler; {} messages wait, {} are handled",
            actor.name.as_deref().unwrap_or("an actor"),
            actor.actor_type,
            actor.waiting,
            actor.handled
        );
    }
    drop(end);
    Ok(())
}
