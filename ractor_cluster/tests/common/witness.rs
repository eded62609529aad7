//! An actor that is told how others end.

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use ractor_cluster::peers::RemoteFailure;
use tokio::sync::mpsc;

/// What a supervisor or a monitor is told of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Terminated(Option<String>),
    /// `panic` is known of the actor of another node, by its supervisor.
    Failed {
        text: String,
        panic: Option<bool>,
    },
}

/// Passes on what it is told.
struct Witness(mpsc::UnboundedSender<Told>);

/// A witness takes no messages.
#[derive(ractor_cluster::RactorMessage)]
pub struct Nothing;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Witness {
    type Msg = Nothing;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Nothing>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Nothing>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let told = match event {
            SupervisionEvent::ActorTerminated(_, state, reason) => {
                drop(state);
                Told::Terminated(reason)
            }
            SupervisionEvent::ActorFailed(_, error) => {
                let failure = error.downcast_ref::<RemoteFailure>();
                Told::Failed {
                    text: error.to_string(),
                    panic: failure.map(RemoteFailure::is_panic),
                }
            }
            _ => return Ok(()),
        };
        Ok(self.0.send(told)?)
    }
}

/// A witness, and what it is told.
pub async fn witness() -> (ActorRef<Nothing>, mpsc::UnboundedReceiver<Told>) {
    let (sender, told) = mpsc::unbounded_channel();
    let (witness, _) = Actor::spawn(None, Witness(sender), ()).await.expect("it starts");
    (witness, told)
}
