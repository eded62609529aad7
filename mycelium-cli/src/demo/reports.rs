//! What readers are asked for at the end.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{ActorRef, pg};
use tokio::task::JoinSet;

use super::ledger::Ledger;
use super::message::ReaderMessage;
use super::plan::{GROUP, Plan};
use super::reader::ReaderReport;

/// How long a reader may take to report.
const REPORTING: Duration = Duration::from_secs(20);

/// Asks all readers of a plan that can be reached for their reports. Who gives none is lost.
pub(crate) async fn collect(plan: &Plan, ledger: &Ledger) -> Vec<Option<ReaderReport>> {
    let mut reports: Vec<Option<ReaderReport>> = vec![None; plan.readers().len()];
    let entries = ledger.entries();
    let mut asked = JoinSet::new();
    for member in pg::get_members(&GROUP.to_owned()) {
        let number = member.get_name().and_then(|name| plan.number_of(&name));
        if let Some(number) = number.filter(|number| entries[*number].gone.is_none()) {
            asked.spawn(async move { (number, ask(&member.into()).await) });
        }
    }
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok((number, Ok(report))) => reports[number] = Some(report),
            Ok((number, Err(why))) => ledger.lose(number, &why),
            Err(panicked) => eprintln!("mycelium: asking for a report: {panicked}"),
        }
    }
    reports
}

/// Asks a reader for its report.
///
/// # Errors
/// Why it gave none.
pub(crate) async fn ask(reader: &ActorRef<ReaderMessage>) -> Result<ReaderReport, String> {
    match reader.call(ReaderMessage::Report, Some(REPORTING)).await {
        Ok(CallResult::Success(report)) => serde_json::from_slice(&report)
            .map_err(|error| format!("its report cannot be read: {error}")),
        Ok(CallResult::Timeout) => {
            Err(format!("it gave no report within {} s", REPORTING.as_secs()))
        }
        Ok(CallResult::SenderError) => Err("the link to it closed while it was asked".to_owned()),
        Err(error) => Err(format!("it cannot be asked for its report: {error}")),
    }
}
