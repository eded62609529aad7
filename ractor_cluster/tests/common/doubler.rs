//! An actor that answers.

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

#[derive(RactorClusterMessage)]
pub enum Question {
    #[rpc]
    Twice(u32, RpcReplyPort<u32>),
}

pub struct Doubler;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Doubler {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        Question::Twice(number, reply): Question,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send(2 * number)?)
    }
}
