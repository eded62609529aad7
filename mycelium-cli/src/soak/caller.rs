//! Calls between members that last: whatever else happens, each is answered.

use std::time::{Duration, Instant};

use ractor::errors::UndeliveredCause;
use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorId, ActorRef, MessagingErr, pg};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::crew::GROUP;
use super::feed::session;
use super::message::SoakMessage;
use super::record::Record;
use super::watch;

/// Between two calls to a process.
const PACE: Duration = Duration::from_millis(20);

/// How long an answer may take: longer than all faults of the soak that a session outlives.
const PATIENCE: Duration = Duration::from_secs(10);

/// Begins to call a reader of each of these processes. Ends when the set is dropped.
pub(crate) fn begin(processes: &[String]) -> JoinSet<()> {
    processes.iter().cloned().map(call).collect()
}

async fn call(process: String) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<ActorRef<SoakMessage>> = None;
    loop {
        pace.tick().await;
        // A session that ended has taken its readers out of the group; its last proxy says so.
        let Some(reader) = reader_of(&process).map(ActorRef::from).or_else(|| last.clone()) else {
            continue;
        };
        let begin = Instant::now();
        match reader.call(SoakMessage::Flush, Some(PATIENCE)).await {
            Ok(CallResult::Success(_)) => watch::answered(begin.elapsed()),
            failed => {
                let reason = reason(&failed).to_owned();
                Record::CallFailed { to: process.clone(), reason }.note();
            }
        }
        last = Some(reader);
    }
}

/// The reader of a process whose mailbox has room for all, by the newest session.
fn reader_of(process: &str) -> Option<ActorCell> {
    let first = format!("{process} 0 #");
    let named = |cell: &ActorCell| cell.get_name().is_some_and(|name| name.starts_with(&first));
    let readers = pg::get_members(&GROUP.to_owned()).into_iter().filter(named);
    readers.max_by_key(|cell: &ActorCell| session(ActorId::clone(&cell.get_id())))
}

fn reason<T, M>(failed: &Result<CallResult<T>, MessagingErr<M>>) -> &'static str {
    match failed {
        Ok(CallResult::Success(_)) => "success",
        Ok(CallResult::Timeout) => "timeout",
        Ok(CallResult::SenderError) => "port_dropped",
        Err(error) => UndeliveredCause::from(error).name(),
    }
}
