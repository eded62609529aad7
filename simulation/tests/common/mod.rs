//! Actors that the tests simulate.
#![allow(unreachable_pub, dead_code, reason = "each test is a crate, and uses a part of it")]

use std::sync::{Arc, Mutex};

use mycelium_simulation::{Failure, Host};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;

/// The group that a ledger is in.
pub const LEDGERS: &str = "ledgers";

#[derive(RactorClusterMessage)]
pub enum Entry {
    Note(u64),
    #[rpc]
    Twice(u64, RpcReplyPort<u64>),
}

/// Keeps what it is told, in order.
pub struct Ledger(pub Arc<Mutex<Vec<u64>>>);

impl Actor for Ledger {
    type Msg = Entry;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Entry>, (): ()) -> Result<(), ActorProcessingErr> {
        pg::join(LEDGERS.to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Entry>,
        entry: Entry,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match entry {
            Entry::Note(number) => self.0.lock().unwrap().push(number),
            Entry::Twice(number, reply) => reply.send(2 * number)?,
        }
        Ok(())
    }
}

/// The ledger of another host, as soon as there is one.
pub async fn ledger(host: &Host, peer: &str) -> Result<ActorRef<Entry>, Failure> {
    let node_id = host.ready(peer).await;
    loop {
        let members = pg::get_members(&LEDGERS.to_owned());
        if let Some(proxy) = members.into_iter().find(|it| it.get_id().node() == node_id) {
            return Ok(proxy.into());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
