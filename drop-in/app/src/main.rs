//! Uses what applications use of ractor, and fails loudly when something is not as it was:
//! casts, calls, the registry, process groups, supervision, an output port, and the macro.

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "cluster")]
mod node;

use std::sync::Arc;

use ractor::{
    call_t, cast, pg, registry, Actor, ActorProcessingErr, ActorRef, ActorStatus, OutputPort,
    RpcReplyPort, SupervisionEvent,
};

/// Adds numbers, and tells every sum to who listens.
struct Adder {
    sums: Arc<OutputPort<i64>>,
}

enum AdderMessage {
    Add(i64),
    Read(RpcReplyPort<i64>),
    Fail,
}

#[cfg(feature = "cluster")]
impl ractor::Message for AdderMessage {}

impl Actor for Adder {
    type Msg = AdderMessage;
    type State = i64;
    type Arguments = i64;

    async fn pre_start(
        &self,
        myself: ActorRef<AdderMessage>,
        first: i64,
    ) -> Result<i64, ActorProcessingErr> {
        pg::join("adders".to_owned(), vec![myself.get_cell()]);
        Ok(first)
    }

    async fn handle(
        &self,
        _: ActorRef<AdderMessage>,
        message: AdderMessage,
        sum: &mut i64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            AdderMessage::Add(number) => {
                *sum += number;
                self.sums.send(*sum);
            }
            AdderMessage::Read(reply) => reply.send(*sum)?,
            AdderMessage::Fail => return Err("asked to fail".into()),
        }
        Ok(())
    }
}

/// Starts an adder, and stops when the adder failed.
struct Supervisor;

#[ractor::actor(message = enum SupervisorMessage, state = String, arguments = ())]
impl Supervisor {
    async fn pre_start(
        &self,
        _: ActorRef<SupervisorMessage>,
        (): (),
    ) -> Result<String, ActorProcessingErr> {
        Ok(String::new())
    }

    /// Why the adder failed.
    #[ractor::rpc(Reason)]
    fn reason(&self, state: &String) -> String {
        state.clone()
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut String,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, error) = event {
            *state = error.to_string();
        }
        Ok(())
    }
}

#[cfg(feature = "cluster")]
impl ractor::Message for SupervisorMessage {}

#[tokio::main]
async fn main() {
    // A run that hangs is ended: it may run unattended.
    std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_secs(120));
        eprintln!("drop-in: not done after two minutes");
        std::process::exit(1);
    });
    // Two of these processes can be nodes of one cluster; see `node.rs`.
    #[cfg(feature = "cluster")]
    {
        let words: Vec<String> = std::env::args().skip(1).collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["node", name] => return node::run(name).await,
            _ => {}
        }
    }
    let (supervisor, supervised) =
        Actor::spawn(None, Supervisor, ()).await.expect("the supervisor starts");
    let sums = Arc::new(OutputPort::default());
    let (adder, added) = Actor::spawn_linked(
        Some("adder".to_owned()),
        Adder { sums: sums.clone() },
        40,
        supervisor.get_cell(),
    )
    .await
    .expect("the adder starts");

    sums.subscribe(adder.clone(), |sum| (sum == 41).then_some(AdderMessage::Add(1)));
    cast!(adder, AdderMessage::Add(1)).expect("the adder runs");
    // The port's own task sends the second number.
    while call_t!(adder, AdderMessage::Read, 1000).expect("the adder answers") != 42 {
        tokio::task::yield_now().await;
    }

    let named = registry::where_is("adder").expect("the adder has a name");
    assert_eq!(named.get_id(), adder.get_id());
    assert_eq!(pg::get_members(&"adders".to_owned()).len(), 1);

    adder.cast(AdderMessage::Fail).expect("the adder runs");
    added.await.expect("the adder ends");
    assert_eq!(adder.get_status(), ActorStatus::Stopped);
    while !call_t!(supervisor, SupervisorMessage::Reason, 1000)
        .expect("the supervisor answers")
        .contains("asked to fail")
    {
        tokio::task::yield_now().await;
    }
    assert!(adder.cast(AdderMessage::Add(1)).is_err());
    supervisor.stop(None);
    supervised.await.expect("the supervisor ends");

    #[cfg(feature = "cluster")]
    cluster::run().await;
    println!("drop-in: all as with stock ractor");
}
